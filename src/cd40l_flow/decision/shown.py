"""The case as shown: without fractions that its background does not support."""

from __future__ import annotations

from dataclasses import replace

from cd40l_flow.assay.limits import Limits
from cd40l_flow.decision.case import Case
from cd40l_flow.decision.quality import not_carried
from cd40l_flow.mixture.model import Comparison, Expression


def as_shown(case: Case, limits: Limits) -> Case:
    """Return a case without fractions that the cells or a borrowed background do not support, here or in the controls.

    The call uses all data; the omitted fractions would be read as measured values.
    """
    dropped = {
        reagent: why for reagent, expression in case.reagents.items() if (why := not_carried(expression, limits))
    }
    theirs = frozenset() if case.control is None else case.control.not_carried
    if not dropped and not theirs:
        return case
    without = case.without_time_qc
    return replace(
        case,
        reagents={
            reagent: _without_fraction(expression) if reagent in dropped else expression
            for reagent, expression in case.reagents.items()
        },
        comparisons={
            reagent: _without_mutants(comparison) if reagent in theirs or reagent in dropped else comparison
            for reagent, comparison in case.comparisons.items()
        },
        not_shown=dropped,
        without_time_qc=without and replace(without, case=as_shown(without.case, limits)),
    )


def _without_fraction(expression: Expression) -> Expression:
    return replace(
        expression,
        negative_fraction=None,
        negative_fraction_low=None,
        negative_fraction_high=None,
        gmm_negative_fraction=None,
        model_error=None,
        expected=None,
    )


def _without_mutants(comparison: Comparison) -> Comparison:
    return replace(
        comparison,
        mutant_fraction=None,
        mutant_fraction_low=None,
        mutant_fraction_high=None,
        mutant_error=None,
        agreement=None,
    )
