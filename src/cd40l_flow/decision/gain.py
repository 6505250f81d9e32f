"""Whether two samples were measured at one gain: recorded voltages, or how wide cells without the target are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from cd40l_flow.assay.tables import TARGET
from cd40l_flow.decision.applied import Guard, guard
from cd40l_flow.gating.model import GatedTube


def volts_of(tubes: Iterable[GatedTube]) -> dict[str, tuple[float, ...]]:
    """Return the voltages of each detector of the target, of all these tubes; empty if the files state none."""
    found: dict[str, set[float]] = {}
    for tube in tubes:
        events = tube.signal.events
        detector = events.header.detector(events.markers.get(TARGET, ""))
        if detector is not None and detector.voltage is not None:
            found.setdefault(detector.name, set()).add(detector.voltage)
    return {name: tuple(sorted(volts)) for name, volts in found.items()}


def farthest_ratio(mine: Sequence[float], theirs: Sequence[float]) -> float | None:
    """Return the ratio of one of mine to one of theirs that is farthest from 1; None where either has none above 0."""
    ratios = [a / b for a in mine for b in theirs if a > 0 and b > 0]
    return max(ratios, key=lambda ratio: abs(math.log(ratio)), default=None)


def gain_guard(
    ratio: float, most: float, message: str, *, reagent: str = "", blocks: frozenset[str] | None = None
) -> Guard:
    """Return whether a ratio to the controls' lies beyond ``most``, either way (GAIN_MISMATCH), as `guard`."""
    return guard(
        "GAIN_MISMATCH", abs(math.log(ratio)) > math.log(most), message,
        reagent=reagent, value=ratio, limit=most if ratio > 1 else 1 / most, unit="x", blocks=blocks,
    )  # fmt: skip
