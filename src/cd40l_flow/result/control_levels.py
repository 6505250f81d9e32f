"""Whether the controls of a cohort agree: one that is far dimmer or brighter than the others moves its whole run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from cd40l_flow.assay.limits import Limits
from cd40l_flow.result.types.result import Result


@dataclass(frozen=True)
class Moved:
    """A control whose positive cells are ``ratio`` times as bright with a reagent as is usual among ``others``."""

    control: str
    reagent: str
    ratio: float
    others: int


def moved_controls(results: Sequence[Result]) -> list[Moved]:
    """Return the controls that lie further from the usual level of the cohort's than healthy people do, worst first.

    Compared is the MFI of the positives above background on one cytometer; the limit is ``chart_warn_sd`` SD of the
    levels of healthy donors (``level_sd``) on the log scale, of one person against others.
    """
    limits = Limits()
    sds, spread = limits.reference.chart_warn_sd, limits.odds.level_sd
    levels: dict[tuple[str, str], list[tuple[str, float]]] = {}
    for result in results:
        if result.role != "control":
            continue
        cytometer = next((tube.cytometer for tube in result.tubes if tube.cytometer), "")
        for reagent in result.reagents:
            values = result.numbers(reagent)
            positive, background = values.get("mfi_positive"), values.get("mfi_background")
            if positive is not None and background is not None and positive > background:
                levels.setdefault((cytometer, reagent), []).append((result.sample, math.log(positive - background)))
    found = []
    for (_, reagent), rows in levels.items():
        usual = _usual([level for _, level in rows])
        for name, level in rows if len(rows) > 2 else ():
            if abs(level - usual) > sds * spread * math.sqrt(1 + 1 / (len(rows) - 1)):
                found.append(Moved(name, reagent, math.exp(level - usual), len(rows) - 1))
        # Of two it cannot be known which one moved.
        if len(rows) == 2 and abs(rows[0][1] - rows[1][1]) > sds * spread * math.sqrt(2):
            apart = rows[0][1] - rows[1][1]
            found += [Moved(rows[0][0], reagent, math.exp(apart), 1), Moved(rows[1][0], reagent, math.exp(-apart), 1)]
    return sorted(found, key=lambda one: (-abs(math.log(one.ratio)), one.control, one.reagent))


def _usual(levels: Sequence[float]) -> float:
    """Return the median of the majority that lies closest together: those that moved do not shift it."""
    ordered, most = sorted(levels), len(levels) // 2 + 1
    starts = range(len(ordered) - most + 1)
    start = min(starts, key=lambda start: ordered[start + most - 1] - ordered[start])
    return median(ordered[start : start + most])
