"""Guards of the comparison: agreement of the run's controls, and the laboratory's own limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cd40l_flow import ENGINE_VERSION
from cd40l_flow.assay.effects import ALL_CALLS, NO_CALLS
from cd40l_flow.assay.limits import Limits
from cd40l_flow.cohort.laboratory import Laboratory
from cd40l_flow.decision.applied import Guard, beyond, guard
from cd40l_flow.decision.case import Case, Disagreement
from cd40l_flow.mixture.model import ControlExpression

# The measures of a control judged by its chart: name and unit. MFI is only charted, since it depends on instrument
# settings.
JUDGED = {
    "cd69_percent": ("CD69+ percent", "%"),
    "percent_positive": ("Percent positive", "%"),
    "negative_fraction": ("Negative fraction", "fraction"),
}


def reference_guards(case: Case, limits: Limits) -> Iterator[Guard]:
    """Yield the guards of the laboratory's limits; none without a reference file."""
    if case.laboratory is None:
        return
    yield _mismatch(case, case.laboratory)
    if case.sample.role == "control":
        for reagent in case.reagents:
            yield from _chart(case, reagent, case.laboratory, limits)


def _mismatch(case: Case, own: Laboratory) -> Guard:
    unseen = [f"instrument {name or 'not stated'}" for name in case.cytometers if name not in own.cytometers]
    for tube in case.sample.tubes:
        if tube.stimulation == "stimulated" and tube.reagent in own.lots and tube.lot not in own.lots[tube.reagent]:
            unseen.append(f"{tube.reagent} lot {tube.lot or 'not stated'}")
    unseen += [
        f"{reagent} (in none of its controls)"
        for reagent in case.planned
        if reagent not in own.lots and reagent not in own.healthy_negative_sd
    ]
    if ENGINE_VERSION not in own.engine_versions:
        unseen.append(f"analysis of version {ENGINE_VERSION}")
    unknown = ", ".join(dict.fromkeys(unseen))
    message = f"Not covered by the laboratory's limits: {unknown}." if unknown else "The laboratory's limits apply."
    return guard("REFERENCE_MISMATCH", bool(unknown), message)


def _chart(case: Case, reagent: str, own: Laboratory, limits: Limits) -> Iterator[Guard]:
    """Yield the position of a control on the laboratory's control charts."""
    chosen = limits.reference
    activation, expression = case.activation.get(reagent), case.reagents[reagent]
    values = {
        "cd69_percent": activation.percent if activation else None,
        "percent_positive": expression.percent_positive,
        "negative_fraction": expression.negative_fraction,
    }
    for measure, (words, unit) in JUDGED.items():
        spread = own.spreads.get(reagent, {}).get(measure)
        # Too few controls for a range.
        if spread is None or not spread.sd or spread.count < chosen.fewest_controls:
            continue
        value = values[measure]
        distance = None if value is None or value != value else (value - spread.mean) / spread.sd
        far, fails = chosen.chart_warn_sd, chosen.chart_fail_sd
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


def disagreement(controls: Sequence[Mapping[str, ControlExpression]]) -> dict[str, Disagreement]:
    """Return, for each reagent of several controls, their largest difference."""
    reagents = dict.fromkeys(reagent for control in controls for reagent in control)
    found = {}
    for reagent in reagents:
        terms = [control[reagent] for control in controls if reagent in control]
        if len(terms) > 1:
            fractions = [term.positive_fraction for term in terms]
            levels = [term.mfi_all_above_background for term in terms]
            known = [value for value in fractions if value is not None]
            bright = [value for value in levels if value is not None and value > 0]
            found[reagent] = Disagreement(
                max(known) - min(known) if len(known) == len(terms) else None,
                max(bright) / min(bright) if len(bright) == len(terms) else None,
            )
    return found


def agreement_guards(case: Case, limits: Limits) -> Iterator[Guard]:
    """Yield whether the controls of a sample agree; nothing for a single one.

    Two that differ cannot both be healthy and well stained, and the right one is unknown.
    """
    if case.control is None or case.sample.role == "control":
        return
    names, guards = " and ".join(case.control.names), limits.guards
    for reagent, apart in case.control.disagreement.items():
        if reagent not in case.planned:
            continue
        for value, most, unit, what in (
            (apart.difference, guards.control_difference_max, "fraction", "difference of the positive fractions"),
            (apart.ratio, guards.control_ratio_max, "x", "ratio of the MFI of all activated cells"),
        ):
            yield guard(
                "CONTROL_FAILED", beyond(value, most, above=True), f"Largest {what} of the controls {names}.",
                reagent=reagent, value=value, limit=most, unit=unit,
            )  # fmt: skip
