"""The rules of class-switched memory: from the interval of a share, and the limits of the age, to the call.

The published limits count CD27+IgD- cells, IgM-only ones among them. A patient who cannot switch may have these, and
the two-marker share is then too high for him: so SWITCHED_NORMAL rests on IgM- cells (without IgM, on what IgM-only
cells cannot explain), and no call of few cells needs the two-marker share where IgM- cells are far below the limit. A
healthy person's IgM- share is lower than the limits suppose: so near the limit SWITCHED_LOW needs both shares, and
neither it nor SWITCHED_ABSENT is given to a sample whose two-marker share is normal, unless its IgM-only
cells are about as bright as naive ones: switched cells to which anti-IgM only sticks are not. Each rule uses one end of
an interval, so the bounds are one-sided (limit `interval_part`).
"""

from __future__ import annotations

from collections.abc import Mapping

from cd40l_flow.assay.effects import SWITCHED_ABSENT, SWITCHED_LOW, SWITCHED_NORMAL
from cd40l_flow.assay.tables import Condition, Rule

# What each measure of the rules is, in words, and what kind of number.
MEASURE_WORDS: Mapping[str, tuple[str, str]] = {
    "switched_low": ("lower 95 % bound of switched cells that are not IgM-only", "percent"),
    "switched_high": ("upper 95 % bound of switched cells", "percent"),
    "two_marker_low": ("lower 95 % bound of CD27+IgD- cells", "percent"),
    "two_marker_high": ("upper 95 % bound of CD27+IgD- cells", "percent"),
    "limit_normal": ("2.5th percentile of healthy people of this age", "percent"),
    "limit_low": ("lowest that the 2.5th percentile of this age may be", "percent"),
    "limit_part": ("smallest part of that limit without IgM in healthy people", "percent"),
    "limit_absent": ("limit of absence at this age", "percent"),
    "igm_ratio": ("IgM of IgM-only cells over that of CD27- B cells", "ratio"),
    "igm_ratio_min": ("smallest for cells that have IgM of their own", "ratio"),
}

_NO_STICKING_IGM = Condition("two_marker_low", "<", "limit_normal"), Condition("igm_ratio", ">=", "igm_ratio_min")
RULES: tuple[Rule, ...] = (
    Rule(
        SWITCHED_ABSENT, 1, (Condition("switched_high", "<", "limit_absent"),),
        (_NO_STICKING_IGM,),
    ),
    Rule(
        SWITCHED_LOW, 2, (Condition("switched_high", "<", "limit_low"),),
        ((Condition("two_marker_high", "<", "limit_low"), Condition("switched_high", "<", "limit_part")),
         _NO_STICKING_IGM),
    ),
    Rule(SWITCHED_NORMAL, 3, (Condition("switched_low", ">=", "limit_normal"),)),
)  # fmt: skip
