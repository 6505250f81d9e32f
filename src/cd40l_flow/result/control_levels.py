"""Whether the controls of a cohort agree: one that is far dimmer or brighter than the others moves its whole run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from cd40l_flow.cohort.config import default_limits
from cd40l_flow.result.types.result import Result


@dataclass(frozen=True)
class Moved:
    """A control whose positive cells are ``ratio`` times as bright with a reagent as those of the ``others``."""

    control: str
    reagent: str
    ratio: float
    others: int


def moved_controls(results: Sequence[Result]) -> list[Moved]:
    """Return the controls that lie further from the median of the others than healthy people do, worst first.

    Compared is the MFI of the positives above background on one cytometer; the limit is ``chart_warn_sd`` SD of the
    levels of healthy donors (``level_sd``) on the log scale, of a person against the median of others.
    """
    limits = default_limits()
    sds, spread = float(limits["reference"]["chart_warn_sd"]), float(limits["odds"]["level_sd"])
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
        for name, level in rows:
            others = [value for other, value in rows if other != name]
            if others:
                apart = level - median(others)
                if abs(apart) > sds * spread * math.sqrt(1 + 1 / len(others)):
                    found.append(Moved(name, reagent, math.exp(apart), len(others)))
    return sorted(found, key=lambda one: (-abs(math.log(one.ratio)), one.control, one.reagent))
