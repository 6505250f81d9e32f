"""The guards: what must hold before anything may be said of a sample.

Each is three-valued: fired, not fired, or not computable, which stands in the way as if it had fired.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cd40l_flow.expression.agreement import agreement_guards
from cd40l_flow.expression.case import Case
from cd40l_flow.expression.effects import NORMAL, Guard
from cd40l_flow.expression.reagent_guards import reagent_guards
from cd40l_flow.expression.reference_guards import reference_guards
from cd40l_flow.expression.replicates import replicate_guards
from cd40l_flow.expression.sample_guards import sample_guards


def apply_guards(case: Case, limits: Mapping[str, Any]) -> tuple[Guard, ...]:
    """Return every guard of the sample, then of each reagent in the order of the case."""
    return (
        *sample_guards(case, limits),
        *reference_guards(case, limits),
        *agreement_guards(case, limits),
        *replicate_guards(case),
        *(found for reagent in case.planned for found in reagent_guards(case, reagent, limits)),
    )


def control_failures(case: Case, limits: Mapping[str, Any]) -> tuple[str, ...]:
    """Return in words why a control may not be used; empty when it may.

    Only its own faults count: that another control of the run failed is for those samples to say that use the other.
    """
    return tuple(
        f"Control {case.sample.sample}: {found.message}" + (f" ({found.reagent})" if found.reagent else "")
        for found in apply_guards(case, limits)
        if found.stands_in_the_way and NORMAL in found.blocks and (found.code, found.reagent) not in OF_OTHERS
    )


# The guards of a control that speak of the run's other controls.
OF_OTHERS = (("CONTROL_ABSENT", ""), ("CONTROL_FAILED", ""))
