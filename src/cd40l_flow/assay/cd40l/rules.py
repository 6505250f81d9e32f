"""The rules of CD154 and CD40-Ig: from measures to the call of a reagent, and from these to that of the sample."""

from __future__ import annotations

from collections.abc import Mapping

from cd40l_flow.assay.effects import ABSENT, FUNCTIONAL_DEFECT, INDETERMINATE, MOSAIC, NORMAL, REDUCED
from cd40l_flow.assay.tables import Condition, Rule

# What each measure of the rules is, in words, and what kind of number.
MEASURE_WORDS: Mapping[str, tuple[str, str]] = {
    "normal_odds": ("ln odds of cells like the control's", "number"),
    "mosaic_odds": ("ln odds of two kinds of cells", "number"),
    "reduced_odds": ("ln odds of one kind that expresses less", "number"),
    "absent_odds": ("ln odds of cells that do not express", "number"),
    "joint_FUNCTIONAL_DEFECT": ("ln odds of a functional defect by all reagents together", "number"),
    "odds_min": ("ln odds that a call needs", "number"),
    "mosaic_odds_min": ("ln odds that a mosaic needs, twice those of a call where the dim cells express", "number"),
    "positive_high": ("upper end of the 95 % interval of percent positive", "fraction"),
    "positive_fraction": ("positive fraction", "fraction"),
    "level": ("MFI of all activated cells over the control's", "ratio"),
    "shape_distance": ("distance of the signal's spread from the control's", "SD between people"),
    "mutant_fraction": ("mutant fraction", "fraction"),
    "mutant_fraction_min": ("limit of blank of the mutant fraction, none where the dim cells express", "fraction"),
    "bright_fraction": ("cells at the control's level of all activated cells", "fraction"),
    "expressing_events": ("expressing cells", "events"),
    "expressing_events_min": ("smallest population that counts", "events"),
    "binding_ratio": ("CD40-Ig over CD154, each as MFI over the control's", "ratio"),
    "binding_ratio_high": ("upper end of the 95 % interval of CD40-Ig over CD154", "ratio"),
}


# The names are those of `decision.rule_measures`; the limits, with their sources, are in the configuration's schema.
RULES: tuple[Rule, ...] = (
    Rule(
        ABSENT, 1, (
            Condition("absent_odds", ">=", "odds_min"),
            Condition("positive_high", "<=", "absent_positive_max"),
        ),
    ),
    Rule(
        MOSAIC, 2, (
            Condition("mosaic_odds", ">=", "mosaic_odds_min"),
            Condition("mutant_fraction", ">=", "mutant_fraction_min"),
            Condition("expressing_events", ">=", "expressing_events_min"),
        ),
    ),
    Rule(REDUCED, 3, (Condition("reduced_odds", ">=", "odds_min"), Condition("level", "<", "reduced_level_max"))),
    Rule(
        NORMAL, 4, (
            Condition("normal_odds", ">=", "odds_min"),
            Condition("level", ">=", "normal_level_min"),
            Condition("shape_distance", "<=", "normal_shape_max"),
        ),
    ),
)  # fmt: skip
# Which measure of each call is its odds.
ODDS: Mapping[str, str] = {ABSENT: "absent_odds", MOSAIC: "mosaic_odds", REDUCED: "reduced_odds", NORMAL: "normal_odds"}

NOT_TESTED = "not tested"
GREY_ZONE, UNRESOLVED, BETWEEN = "MOSAIC_GREY_ZONE", "REDUCED_VS_MOSAIC", "BETWEEN_LIMITS"
FEW, MISFIT = "TOO_FEW_EVENTS", "MODEL_MISFIT"
# Why there is no call where the odds are those of a call and this measure is not what it must be.
MISSED: Mapping[str, str] = {
    "expressing_events": FEW,
    "shape_distance": MISFIT,
    "mosaic_odds": GREY_ZONE,
    "mutant_fraction": GREY_ZONE,
}
# CD154 is there, and CD40-Ig does not bind to it: by the odds, and by the ratio of their levels.
FUNCTIONAL = Rule(
    FUNCTIONAL_DEFECT,
    0,
    (
        Condition("joint_FUNCTIONAL_DEFECT", ">=", "odds_min"),
        Condition("binding_ratio_high", "<=", "functional_ratio_max"),
    ),
)
# Where both readouts are like the control's, or both reduced, they must also agree with each other.
ALIKE = Condition("binding_ratio", ">=", "binding_ratio_min")

# CD154 sub-call x CD40-Ig sub-call -> call and reason. A CD40-Ig sub-call that is INDETERMINATE stands here as its
# reason where that is a grey zone or unresolved, and as NOT_TESTED where it is no result at all. What is not listed
# stays INDETERMINATE for CD40-Ig's own reasons. A functional defect has its own rule, which goes before this table.
DISCORDANT = (INDETERMINATE, "READOUT_DISCORDANT")
CALLS: Mapping[tuple[str, str], tuple[str, str]] = {
    (NORMAL, NORMAL): (NORMAL, ""),
    (NORMAL, REDUCED): DISCORDANT,
    (NORMAL, MOSAIC): DISCORDANT,
    (NORMAL, ABSENT): DISCORDANT,
    (NORMAL, GREY_ZONE): (INDETERMINATE, GREY_ZONE),
    (NORMAL, NOT_TESTED): (INDETERMINATE, "FUNCTION_NOT_TESTED"),
    (ABSENT, ABSENT): (ABSENT, ""),
    (ABSENT, NORMAL): DISCORDANT,
    (ABSENT, REDUCED): DISCORDANT,
    (ABSENT, MOSAIC): DISCORDANT,
    (ABSENT, NOT_TESTED): (ABSENT, "FUNCTION_NOT_TESTED"),
    (REDUCED, REDUCED): (REDUCED, ""),
    # CD40-Ig is the dimmer stain: what CD154 shows it may not resolve.
    (REDUCED, UNRESOLVED): (REDUCED, ""),
    (REDUCED, GREY_ZONE): (REDUCED, ""),
    (REDUCED, NORMAL): DISCORDANT,
    (REDUCED, MOSAIC): DISCORDANT,
    (REDUCED, ABSENT): DISCORDANT,
    (REDUCED, NOT_TESTED): (REDUCED, "FUNCTION_NOT_TESTED"),
    (MOSAIC, MOSAIC): (MOSAIC, ""),
    (MOSAIC, GREY_ZONE): (MOSAIC, ""),
    (MOSAIC, NORMAL): DISCORDANT,
    (MOSAIC, REDUCED): DISCORDANT,
    (MOSAIC, ABSENT): DISCORDANT,
    (MOSAIC, NOT_TESTED): (MOSAIC, "FUNCTION_NOT_TESTED"),
}
