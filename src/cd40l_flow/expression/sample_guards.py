"""Guards of a whole sample: its files, its control, what the sheet says of it, and what its tubes say of each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cd40l_flow.expression.case import Case
from cd40l_flow.expression.effects import EVERY, NOTHING, Guard, beyond, guard


def sample_guards(case: Case, limits: Mapping[str, Any]) -> Iterator[Guard]:
    """Yield every guard that holds for the sample as a whole; ``limits`` are all groups of the configuration's."""
    yield from _files(case)
    yield from _control(case)
    if case.sample.role != "control":
        yield from _drugs(case)
        yield from _blood(case, limits)
    yield from _acquisition(case, limits)
    yield _compensation(case, limits)
    yield from _tubes(case, limits)


def _files(case: Case) -> Iterator[Guard]:
    for refusal in case.refusals:
        yield guard(refusal.code, True, refusal.message)
    if case.unstimulated_missing:
        yield guard(
            "TUBE_MISSING",
            True,
            "No unstimulated tube: the CD69 boundary and activation rest on none. Add one to the sheet of tubes.",
        )
    if "CD154" not in case.planned and "CD154-2" not in case.planned:
        yield guard("TUBE_MISSING", True, "No stimulated CD154 tube. Add one to the sheet of tubes.")


def _control(case: Case) -> Iterator[Guard]:
    if case.alone:
        return
    if case.control is None:
        yield guard(
            "CONTROL_ABSENT",
            True,
            f"Run {case.sample.run} has no healthy control to compare with. Every call of this run stays open.",
        )
        return
    failures = case.control.failures
    yield guard("CONTROL_FAILED", bool(failures), " ".join(failures) if failures else "The run's control is in range.")


def _drugs(case: Case) -> Iterator[Guard]:
    sample = case.sample
    drug = sample.calcineurin_inhibitor
    yield guard("DRUG_CNI", drug == "yes", f"Calcineurin inhibitor: {drug}.")
    yield guard("DRUG_STATUS_UNKNOWN", drug not in ("yes", "no"), f"Calcineurin inhibitor: {drug}.")
    yield guard("STEROID", sample.steroid == "yes", f"Steroid: {sample.steroid}.")
    yield guard("ANTI_CD154", sample.anti_cd154 == "yes", f"Therapeutic anti-CD154: {sample.anti_cd154}.")


def _blood(case: Case, limits: Mapping[str, Any]) -> Iterator[Guard]:
    sample, guards = case.sample, limits["guards"]
    age, warn, refuse = sample.collected_h, float(guards["collected_warn_h"]), float(guards["collected_max_h"])
    too_old = age is not None and age > refuse
    yield guard(
        "SAMPLE_AGE",
        beyond(age, warn, above=True),
        "Time from collection to stimulation." if age is not None else "Time from collection is not known.",
        value=age,
        limit=refuse if too_old else warn,
        unit="h",
        blocks=EVERY if too_old else NOTHING,
    )
    accepted = {str(name).lower() for name in guards["anticoagulants"]}
    given = sample.anticoagulant
    yield guard(
        "ANTICOAGULANT",
        None if not given else given.lower() not in accepted,
        f"Anticoagulant: {given or 'not known'}.",
    )
    unknown = [name for name, value in (("sex", sample.sex), ("transplant", sample.transplant)) if value == "unknown"]
    yield guard(
        "ID_CONFLICT",
        bool(unknown),
        f"Not known: {', '.join(unknown)}." if unknown else "Sex and transplant are known.",
    )


def _acquisition(case: Case, limits: Mapping[str, Any]) -> Iterator[Guard]:
    checks, acquisition = case.checks, limits["acquisition"]
    for value, warn, refuse, message in (
        (checks.removed_percent, "removed_warn_percent", "removed_hard_percent", "Events cut for unsteady signal"),
        (
            checks.margin_percent,
            "margin_warn_percent",
            "margin_fail_percent",
            "Events at the top of the target's range",
        ),
    ):
        hard = beyond(value, float(acquisition[refuse]), above=True)
        yield guard(
            "ACQ_QC",
            beyond(value, float(acquisition[warn]), above=True),
            f"{message}, worst tube.",
            value=value,
            limit=float(acquisition[refuse if hard else warn]),
            unit="%",
            blocks=EVERY if hard else NOTHING,
        )
    untimed = checks.untimed
    yield guard(
        "ACQ_QC",
        bool(untimed),
        f"Steadiness in time could not be assessed: {', '.join(untimed)}." if untimed else "Every tube has its time.",
    )


def _compensation(case: Case, limits: Mapping[str, Any]) -> Guard:
    residue, limit = case.checks.residue, float(limits["guards"]["residue_max"])
    fired = None if residue is None else beyond(abs(residue), limit, above=True)
    return guard(
        "NO_COMP",
        fired,
        "How far the target follows CD69 in cells that do not express it: spillover left, or taken twice.",
        value=residue,
        limit=limit,
        unit="robust SD",
        blocks=NOTHING if fired is None else EVERY,
    )


def _tubes(case: Case, limits: Mapping[str, Any]) -> Iterator[Guard]:
    checks, gating = case.checks, limits["gating"]
    for value, limit, unit, message in (
        (
            checks.fingerprint_points,
            float(gating["tube_delta_points"]),
            "points",
            "Largest difference between the stimulated tubes in CD3+ and CD3+CD8- percent: one donor or two?",
        ),
        (
            checks.scatter_percent,
            float(gating["tube_delta_percent"]),
            "%",
            "Largest difference between the stimulated tubes in the scatter of CD3+ cells: one donor or two?",
        ),
    ):
        fired = beyond(value, limit, above=True)
        # Tubes too small to compare only warn: what makes them small has its own guard.
        blocks = NOTHING if fired is None else EVERY
        yield guard("ID_CONFLICT", fired, message, value=value, limit=limit, unit=unit, blocks=blocks)
    for code, found, yes, no in (
        (
            "TUBE_SWAP",
            checks.swapped,
            "CD69 is higher in an unstimulated tube than in a stimulated one: the tubes look exchanged.",
            "CD69 is higher in the stimulated tubes.",
        ),
        (
            "MARKER_SWAP",
            checks.markers_swapped,
            "In a background tube stimulation raises the target and not CD69: their labels look exchanged.",
            "CD69 and target behave as their labels say.",
        ),
    ):
        message = "No tubes with enough cells to compare." if found is None else yes if found else no
        yield guard(code, found, message, blocks=NOTHING if found is None else EVERY)
