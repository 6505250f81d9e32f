"""One reagent of one simulated sample with its control, through the measures, the guards and the rules."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from benchmarks.mixture.physical import SCALE, Physics
from cd40l_flow.assay.limits import Limits
from cd40l_flow.base.model import Sample
from cd40l_flow.decision.assess import compare_with_controls
from cd40l_flow.decision.calls import SubCall, decide
from cd40l_flow.decision.case import Activation, Case, ControlCase, TubeCheck
from cd40l_flow.decision.control import control_terms
from cd40l_flow.decision.guards import apply_guards
from cd40l_flow.mixture.histogram import histogram
from cd40l_flow.mixture.measures import TargetCells, fit
from cd40l_flow.mixture.model import Anchor, Comparison, ControlExpression, Expression

REAGENT = "CD154"
BACKGROUND_CELLS, CONTROL_CELLS = 5000, 10_000
ACTIVE = Activation(percent=95.0, unstimulated_percent=2.0, median_ratio=40.0, events=3000)
STEADY = TubeCheck(
    removed_percent=0.0,
    margin_percent=0.0,
    untimed=(),
    swapped=False,
    markers_swapped=False,
    cd3_cd8_swapped=False,
    differences=(),
    residue=0.3,
    cd8_percent=35.0,
)
SUBJECT = Sample(
    "P01",
    "R1",
    "test",
    "F",
    age_years=30.0,
    transplant="no",
    calcineurin_inhibitor="no",
    steroid="no",
    anti_cd154="no",
    transfusion="no",
    anticoagulant="Na-heparin",
    collected_h=6.0,
    stimulation_h=4.0,
)


@cache
def limits() -> Limits:
    """Return the default limits."""
    return Limits()


@dataclass(frozen=True)
class Judged:
    """One reagent measured, compared and called."""

    expression: Expression
    comparison: Comparison
    subcall: SubCall

    @property
    def name(self) -> str:
        """The call, or the reasons why there is none."""
        return self.subcall.call if self.subcall.call != "INDETERMINATE" else "+".join(self.subcall.reasons)


def measured(
    physics: Physics,
    robust_sd: float,
    n: int,
    negative_fraction: float,
    random: np.random.Generator,
    *,
    control: ControlExpression | None = None,
    shift: float = 0.0,
    level: float = 1.0,
) -> Expression:
    """Return the measures of one simulated sample with its own background tube.

    ``robust_sd`` is the background's, channel values, and the unit of ``shift``; ``level`` multiplies the signal.
    """
    dark = physics.cells(random, BACKGROUND_CELLS, 1.0)
    values = physics.cells(random, n, negative_fraction, shift * robust_sd / physics.gain, level)
    counts = histogram(SCALE.forward(dark), limits().mixture.bins)
    anchor = Anchor(counts, "isotype", ("background.fcs",), exact=True)
    return fit(TargetCells(values, dark), anchor, SCALE, limits(), reagent=REAGENT, control=control)


def lent_control(
    physics: Physics, robust_sd: float, random: np.random.Generator, **how: Any
) -> tuple[Expression, ControlExpression]:
    """Return one simulated healthy control, and what it lends; ``how`` as for a sample, the negative fraction too."""
    negative = how.pop("negative_fraction", 0.1)
    expression = measured(physics, robust_sd, CONTROL_CELLS, negative, random, **how)
    return expression, control_terms(expression, limits())


def judged(expression: Expression, control: ControlExpression) -> Judged:
    """Return a sample compared with its control, called by the guards and rules of one reagent."""
    comparisons, weighed = compare_with_controls({REAGENT: expression}, {REAGENT: control}, {REAGENT: limits()})
    case = Case(
        sample=SUBJECT,
        alone=False,
        refusals=(),
        planned=(REAGENT,),
        missing={},
        unstimulated_missing=False,
        reagents={REAGENT: expression},
        comparisons=comparisons,
        activation={REAGENT: ACTIVE},
        checks=STEADY,
        control=ControlCase(("C01",), {REAGENT: control}, {REAGENT: 95.0}, ()),
        joint=weighed.joint,
    )
    decision = decide(case, apply_guards(case, limits()), limits(), require_function=True)
    return Judged(expression, comparisons[REAGENT], decision.subcalls[REAGENT])
