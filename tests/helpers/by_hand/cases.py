"""Cases made by hand: a healthy sample with a healthy control, to be changed one measure at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from cd40l_flow.assay.cd40l import CD40L
from cd40l_flow.assay.cd40l.reagents import CD40_IG, CD154
from cd40l_flow.assay.cd40l.rules import ODDS
from cd40l_flow.assay.limits import Limits
from cd40l_flow.base.model import Sample
from cd40l_flow.decision.binding import Binding
from cd40l_flow.decision.calls import Decision, decide
from cd40l_flow.decision.case import Activation, Case, ControlCase, Difference, TubeCheck
from cd40l_flow.decision.guards import apply_guards
from cd40l_flow.mixture.histogram import centres
from cd40l_flow.mixture.model import Anchor, Comparison, ControlExpression, Expression
from cd40l_flow.mixture.signal_law import SignalParameters
from cd40l_flow.signal.scale import Scale

SCALE = Scale(t=262144.0, w=0.5, m=4.5, a=0.0, source="test")
BINS = 64
POSITIVE = SignalParameters(level=8.9, log_spread=-0.9, skew=-0.3)
EMPTY = np.zeros(BINS)
DARK = np.round(1000 * np.exp(-0.5 * ((centres(BINS) - 0.2) / 0.05) ** 2))
TARGETS = ("CD154", "CD40-Ig")


def limits() -> Limits:
    """Return the default limits."""
    return Limits()


HEALTHY = Expression(
    reagent="CD154",
    detector="PE-A",
    tubes=("stim.fcs",),
    events=3000,
    scale=SCALE,
    counts=EMPTY,
    anchor=Anchor(EMPTY, "isotype", ("isotype.fcs",), exact=True),
    threshold=SCALE.to_linear(0.4),
    threshold_scaled=0.4,
    threshold_source="99th percentile of the background",
    percent_positive=90.0,
    percent_positive_low=88.9,
    percent_positive_high=91.1,
    mfi_all=7000.0,
    mfi_positive=7500.0,
    mfi_background=200.0,
    stain_index=20.0,
    negative_fraction=0.10,
    negative_fraction_low=0.089,
    negative_fraction_high=0.111,
    separation=6.0,
    shift=0.05,
    converged=True,
    goodness=0.5,
    misplaced=0.0,
    gmm_negative_fraction=0.1,
    gmm_components=2,
    overdispersion=1.0,
    positive=POSITIVE,
    positive_low_scaled=0.6,
    expected=None,
    valley=1.0,
    dip_p=0.0001,
    borrowed=0.0,
    unstimulated_percent_positive=1.0,
    background_shift=0.1,
    linear_width_ratio=2.0,
)
BESIDE = Comparison(
    mfi_ratio=1.0,
    mfi_all_ratio=1.0,
    relative_positive=1.0,
    mutant_fraction=0.0,
    mutant_fraction_low=0.0,
    mutant_fraction_high=0.07,
    lob=0.075,
    lod=0.13,
    normal_odds=9.0,
    mosaic_odds=-9.0,
    reduced_odds=-12.0,
    absent_odds=-30.0,
    shape_distance=0.2,
    bright_events=2600.0,
)
LENT = ControlExpression(
    percent_positive=90.0,
    positive_fraction=0.9,
    by_fit=True,
    mfi_above_background=7300.0,
    mfi_all_above_background=6800.0,
    negative_fraction=0.10,
    negative_fraction_sd=0.0055,
    separation=6.0,
    positive=POSITIVE,
    prior=None,
    positive_low_scaled=0.6,
    background=DARK,
    background_source="isotype",
    counts=EMPTY,
    mfi_error=0.01,
    mfi_all_error=0.01,
    positive_fraction_error=0.0055,
    titration=None,
)
SAMPLE = Sample(
    "P01",
    "R1",
    "test",
    "M",
    age_years=8.0,
    transplant="no",
    calcineurin_inhibitor="no",
    steroid="no",
    anti_cd154="no",
    transfusion="no",
    anticoagulant="Na-heparin",
    collected_h=6.0,
    stimulation_h=4.0,
)
CONTROL_SAMPLE = replace(SAMPLE, sample="C01", role="control", sex="F")
ALIKE = Difference("CD8- of CD3+", ("stim.fcs", "isotype.fcs"), 1.5, 8.0, "points")
CHECKS = TubeCheck(
    removed_percent=0.0,
    margin_percent=0.0,
    untimed=(),
    swapped=False,
    markers_swapped=False,
    cd3_cd8_swapped=False,
    differences=(ALIKE,),
    residue=0.3,
    cd8_percent=35.0,
)
ACTIVE = Activation(percent=95.0, unstimulated_percent=2.0, median_ratio=40.0)


def odds(call: str, ln: float = 9.0) -> dict[str, float]:
    """Return the odds of a reagent for which one call stands out by so many natural logarithms."""
    return {ODDS[one]: ln if one == call else -ln for one in ODDS}


# The measures of each pattern, as changes of a healthy sample: of the expression, and compared with the control.
Change = dict[str, Any]
PATTERNS: dict[str, tuple[Change, Change]] = {
    "NORMAL": ({}, {}),
    "ABSENT": (
        {
            "percent_positive": 0.5,
            "percent_positive_low": 0.1,
            "percent_positive_high": 1.2,
            "negative_fraction": 0.995,
            "negative_fraction_low": 0.98,
            "negative_fraction_high": 1.0,
        },
        {
            "relative_positive": 0.005,
            "mfi_all_ratio": 0.001,
            "mfi_ratio": 0.1,
            "mutant_fraction": 0.99,
            "bright_events": 1.0,
            **odds("ABSENT"),
        },
    ),
    "MOSAIC": (
        {
            "percent_positive": 50.0,
            "percent_positive_low": 48.0,
            "percent_positive_high": 52.0,
            "negative_fraction": 0.5,
            "negative_fraction_low": 0.48,
            "negative_fraction_high": 0.52,
        },
        {
            "relative_positive": 0.55,
            "mfi_all_ratio": 0.1,
            "mutant_fraction": 0.44,
            "mutant_fraction_low": 0.40,
            "mutant_fraction_high": 0.48,
            "bright_events": 1350.0,
            **odds("MOSAIC"),
        },
    ),
    "REDUCED": ({}, {"mfi_all_ratio": 0.3, "mfi_ratio": 0.3, "bright_events": 100.0, **odds("REDUCED")}),
}


def expression(reagent: str = "CD154", pattern: str = "NORMAL", **changes: Any) -> Expression:
    """Return the expression of a pattern, some measures changed."""
    return replace(HEALTHY, reagent=reagent, **(PATTERNS[pattern][0] | changes))


def comparison(pattern: str = "NORMAL", **changes: Any) -> Comparison:
    """Return a pattern compared with the control's, some measures changed."""
    return replace(BESIDE, **(PATTERNS[pattern][1] | changes))


def make_case(patterns: dict[str, str] | None = None, **changes: Any) -> Case:
    """Return the case of a sample whose reagents have these patterns (healthy, where none are given)."""
    patterns = patterns or dict.fromkeys(TARGETS, "NORMAL")
    case = Case(
        sample=SAMPLE,
        alone=False,
        refusals=(),
        planned=tuple(patterns),
        missing={},
        unstimulated_missing=False,
        reagents={reagent: expression(reagent, pattern) for reagent, pattern in patterns.items()},
        comparisons={reagent: comparison(pattern) for reagent, pattern in patterns.items()},
        activation=dict.fromkeys(patterns, ACTIVE),
        checks=CHECKS,
        control=ControlCase(("C01",), dict.fromkeys(patterns, LENT), dict.fromkeys(patterns, 95.0), ()),
    )
    return replace(case, **(together(patterns) | changes))


def together(patterns: dict[str, str]) -> dict[str, Any]:
    """Return what all reagents of a case mean together when each has its pattern."""
    return {
        "joint": joint(patterns),
        "binding": binding(patterns),
    }


def joint(patterns: dict[str, str], ln: float = 15.0) -> dict[str, float]:
    """Return the odds by all reagents together that go with the patterns of each."""
    clones = {pattern for reagent, pattern in patterns.items() if reagent != CD40_IG}
    if len(set(patterns.values())) == 1:
        best = next(iter(patterns.values()))
    elif len(clones) == 1 and clones <= {"NORMAL", "REDUCED"} and patterns.get(CD40_IG) == "ABSENT":
        best = "FUNCTIONAL_DEFECT"
    else:
        best = "DISCORDANT"
    return {call: ln if call == best else -ln for call in (*ODDS, "FUNCTIONAL_DEFECT", "DISCORDANT")}


def binding(patterns: dict[str, str]) -> Binding | None:
    """Return how much CD40-Ig the CD154 that is there binds, of the patterns; None without both readouts."""
    there = [patterns[clone] for clone in CD40L.expression if patterns.get(clone) in ("NORMAL", "REDUCED")]
    if CD40_IG not in patterns or not there:
        return None
    level = {"NORMAL": 1.0, "REDUCED": 0.3, "MOSAIC": 0.1, "ABSENT": 0.01}
    ratio = level[patterns[CD40_IG]] / max(level[one] for one in there)
    return Binding(ratio, 0.9 * ratio, 1.1 * ratio)


def control_alone(**changes: Any) -> Case:
    """Return the case of a single healthy control."""
    return make_case(sample=CONTROL_SAMPLE, alone=True, control=None, comparisons={}, **changes)


def with_measures(case: Case, reagent: str, beside: Change | None = None, **changes: Any) -> Case:
    """Return a case in which some measures of one reagent are changed; ``beside`` are those with the control."""
    return replace(
        case,
        reagents={**case.reagents, reagent: replace(case.reagents[reagent], **changes)},
        comparisons={**case.comparisons, reagent: replace(case.comparisons[reagent], **(beside or {}))},
    )


def judge(case: Case, with_limits: Limits | None = None, *, require_function: bool = True) -> Decision:
    """Return the decision on a case, guards applied, by the default limits."""
    chosen = with_limits or Limits()
    return decide(case, apply_guards(case, chosen), chosen, require_function=require_function)


def pair(cd154: str, binding: str) -> Case:
    """Return a sample whose two reagents show these patterns."""
    return make_case({CD154: cd154, CD40_IG: binding})
