"""Guards of the laboratory's own limits: whether they apply, and whether a control keeps within them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cd40l_flow import ENGINE_VERSION
from cd40l_flow.assay.effects import ALL_CALLS, NO_CALLS
from cd40l_flow.decision.applied import Guard, guard
from cd40l_flow.decision.case import Case
from cd40l_flow.decision.laboratory import Laboratory

# What of a control is judged by the chart: the words for it, and its unit. MFI is charted only: it follows the
# instrument's settings.
JUDGED = {
    "cd69_percent": ("CD69+ percent", "%"),
    "percent_positive": ("Percent positive", "%"),
    "negative_fraction": ("Negative fraction", "fraction"),
}


def reference_guards(case: Case, limits: Mapping[str, Any]) -> Iterator[Guard]:
    """Yield the guards of the laboratory's limits; none without a reference file."""
    if case.laboratory is None:
        return
    yield _mismatch(case, case.laboratory)
    if case.sample.role == "control":
        for reagent in case.reagents:
            yield from _chart(case, reagent, case.laboratory, limits)


def _mismatch(case: Case, own: Laboratory) -> Guard:
    strange = [f"instrument {name or 'not stated'}" for name in case.cytometers if name not in own.cytometers]
    for tube in case.sample.tubes:
        if tube.stimulation == "stimulated" and tube.reagent in own.lots and tube.lot not in own.lots[tube.reagent]:
            strange.append(f"{tube.reagent} lot {tube.lot or 'not stated'}")
    strange += [
        f"{reagent} (in none of its controls)"
        for reagent in case.planned
        if reagent not in own.lots and reagent not in own.healthy_negative_sd
    ]
    if ENGINE_VERSION not in own.engine_versions:
        strange.append(f"analysis of version {ENGINE_VERSION}")
    unknown = ", ".join(dict.fromkeys(strange))
    message = f"The laboratory's limits have not seen: {unknown}." if unknown else "The laboratory's limits apply."
    return guard("REFERENCE_MISMATCH", bool(unknown), message)


def _chart(case: Case, reagent: str, own: Laboratory, limits: Mapping[str, Any]) -> Iterator[Guard]:
    """Yield the place of a control on the laboratory's control charts."""
    chosen = limits["reference"]
    activation, expression = case.activation.get(reagent), case.reagents[reagent]
    values = {
        "cd69_percent": activation.percent if activation else None,
        "percent_positive": expression.percent_positive,
        "negative_fraction": expression.negative_fraction,
    }
    for measure, (words, unit) in JUDGED.items():
        spread = own.spreads.get(reagent, {}).get(measure)
        # Too few controls to know what is usual.
        if spread is None or not spread.sd or spread.count < int(chosen["fewest_controls"]):
            continue
        value = values[measure]
        distance = None if value is None or value != value else (value - spread.mean) / spread.sd
        far, fails = float(chosen["chart_warn_sd"]), float(chosen["chart_fail_sd"])
        hard = distance is None or abs(distance) > fails
        side = -1 if distance is not None and distance < 0 else 1
        yield guard(
            "CONTROL_FAILED",
            None if distance is None else abs(distance) > far,
            f"{words} of the control against the laboratory's {spread.count} controls"
            + ("." if distance is None else f": {distance:+.1f} SD from their mean."),
            reagent=reagent,
            value=value,
            limit=spread.limit(side * (fails if hard else far)),
            unit=unit,
            blocks=ALL_CALLS if hard else NO_CALLS,
        )
