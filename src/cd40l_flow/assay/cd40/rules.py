"""The rules of CD40: of each kind of cells from its level over the controls', then of the sample from both."""

from __future__ import annotations

from collections.abc import Mapping

from cd40l_flow.assay.effects import CD40_ABSENT, CD40_LOW, PRESENT
from cd40l_flow.assay.tables import Condition, Rule

MEASURE_WORDS: Mapping[str, tuple[str, str]] = {
    "ratio_low": ("lower end of the 95 % interval of CD40 over the controls'", "ratio"),
    "ratio_high": ("upper end of the 95 % interval of CD40 over the controls'", "ratio"),
    "positive_high": ("upper end of the 95 % interval of CD40-positive cells", "percent"),
    "cd40_absent_ratio_max": ("`cd40_absent_ratio_max`", "ratio"),
    "cd40_absent_positive_max": ("`cd40_absent_positive_max`", "percent"),
    "cd40_low_ratio_max": ("`cd40_low_ratio_max`", "ratio"),
}

B_CELLS, MONOCYTES = "B cells", "monocytes"

RULES: tuple[Rule, ...] = (
    Rule(
        CD40_ABSENT, 1, (
            Condition("ratio_high", "<", "cd40_absent_ratio_max"),
            Condition("positive_high", "<", "cd40_absent_positive_max"),
        ),
    ),
    Rule(CD40_LOW, 2, (Condition("ratio_high", "<", "cd40_low_ratio_max"),)),
    Rule(PRESENT, 3, (Condition("ratio_low", ">=", "cd40_low_ratio_max"),)),
)  # fmt: skip
