"""The record of a control in its result: what the samples of its run take from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import msgspec

from cd40l_flow.decision.case import Case
from cd40l_flow.gating.control_gates import control_gates
from cd40l_flow.gating.model import GatedSample
from cd40l_flow.mixture.model import ControlExpression
from cd40l_flow.result.making.gating import gate_records, scatter_tops
from cd40l_flow.result.types.control import Control, ControlTerms
from cd40l_flow.result.types.plain import clean


def control_record(
    gated: GatedSample,
    case: Case,
    control_terms: Mapping[str, ControlExpression],
    failures: tuple[str, ...],
    reagent_failures: Mapping[str, tuple[str, ...]],
) -> Control:
    """Return what a control gives to the samples of its run."""
    return Control(
        reagents={reagent: terms_record(terms) for reagent, terms in control_terms.items()},
        activation_percent=case.activation_percent,
        activation_median=case.activation_median,
        failures=[*failures, *(text for texts in reagent_failures.values() for text in texts)],
        reagent_failures={reagent: list(texts) for reagent, texts in reagent_failures.items()},
        scatter_tops=scatter_tops(gated),
        gates=gate_records(control_gates(gated)),
    )


def terms_record(terms: ControlExpression) -> ControlTerms:
    """Return the terms of one reagent; counts of cells as whole numbers, (bins,)."""
    counts = {name: [round(float(count)) for count in getattr(terms, name)] for name in ("background", "counts")}
    own = {name: value for name, value in asdict(terms).items() if name in ControlTerms.__struct_fields__}
    return msgspec.convert(clean(own | counts), ControlTerms)
