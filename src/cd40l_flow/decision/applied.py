"""A guard applied to a sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cd40l_flow.assay.effects import takes_every_call
from cd40l_flow.assay.lookup import current_assay


@dataclass(frozen=True)
class Guard:
    """One guard applied: ``fired`` is None if it could not be computed; ``blocks`` are the calls it excludes.

    ``reagent`` is empty for the whole sample. ``value`` and ``limit`` are in ``unit``; ``message`` is the text for the
    reader.
    """

    code: str
    reagent: str
    fired: bool | None
    blocks: frozenset[str]
    value: float | None
    limit: float | None
    unit: str
    message: str

    @property
    def blocking(self) -> bool:
        """Whether the guard fired or could not be computed."""
        return self.fired is not False

    @property
    def effect(self) -> str:
        """``hard`` (no call), ``limits`` (some calls), or ``soft`` (a warning)."""
        return "hard" if takes_every_call(self.blocks) else "limits" if self.blocks else "soft"


def guard(
    code: str,
    fired: bool | None,
    message: str,
    *,
    reagent: str = "",
    value: float | None = None,
    limit: float | None = None,
    unit: str = "",
    blocks: frozenset[str] | None = None,
) -> Guard:
    """Return a guard with the effect its code has in the assay's table, unless ``blocks`` says otherwise."""
    taken_away = current_assay().guard[code].blocks if blocks is None else blocks
    limit = None if limit is None else float(limit)
    return Guard(code, reagent, fired, taken_away, value, limit, unit, message)


def beyond(value: float | None, limit: float, *, above: bool) -> bool | None:
    """Return whether a value lies beyond its limit, or None when it is not known (None, NaN)."""
    if value is None or value != value:
        return None
    return value > limit if above else value < limit


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
