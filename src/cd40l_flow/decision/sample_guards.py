"""Guards of a whole sample: files, control, answers of the sheet, acquisition, and checks between tubes."""

from __future__ import annotations

import math
from collections.abc import Iterator

from cd40l_flow.assay.effects import ALL_CALLS, MOSAIC, NO_CALLS, REDUCED
from cd40l_flow.assay.gating_limits import AcquisitionLimits
from cd40l_flow.assay.limits import Limits
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.decision.applied import Guard, beyond, guard
from cd40l_flow.decision.case import Case, TubeCheck, WithoutTimeQC
from cd40l_flow.decision.independence import Dependence

# Calls that CD8+ cells among the measured ones could make.
OF_TWO_KINDS = frozenset({MOSAIC, REDUCED})
# Standard errors by which a part of an acquisition must differ from the rest, since many parts are looked at.
SURE_IN_TIME = 5.0


def sample_guards(case: Case, limits: Limits) -> Iterator[Guard]:
    """Yield every guard of the sample as a whole."""
    yield from _files(case)
    yield from _control(case)
    if case.sample.role != "control":
        yield from _answers(case)
        yield from _blood(case, limits)
    yield from acquisition_guards(case.checks, limits.acquisition, ALL_CALLS)
    yield without_time_guard(case.without_time_qc, limits.acquisition.change_points)
    yield _compensation(case, limits)
    yield from _tubes(case)
    yield _cd8(case.checks, limits.guards.cd8_percent_min)


def _files(case: Case) -> Iterator[Guard]:
    for refusal in case.refusals:
        yield guard(refusal.code, True, refusal.message)
    if case.unstimulated_missing:
        yield guard(
            "TUBE_MISSING",
            True,
            "No unstimulated tube: the CD69 boundary and activation have no reference. Add one to the sheet of tubes.",
        )
    clones = current_assay().expression
    if not set(clones) & set(case.planned):
        yield guard("TUBE_MISSING", True, f"No stimulated {clones[0]} tube. Add one to the sheet of tubes.")


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
    for reagent, texts in case.control.lacking.items():
        if reagent in ("", *case.planned) and reagent not in case.missing:
            yield guard("TUBE_MISSING", True, " ".join(texts), reagent=reagent)
    for reagent, texts in case.control.reagent_failures.items():
        if reagent in case.planned:
            yield guard("CONTROL_FAILED", True, " ".join(texts), reagent=reagent)


def _answers(case: Case) -> Iterator[Guard]:
    """Yield the guards that answers of the samples sheet fire."""
    for row in current_assay().guards:
        if row.answer:
            answer = getattr(case.sample, row.answer)
            fired = answer not in ("yes", "no") if row.if_unknown else answer == "yes"
            yield guard(row.code, fired, row.message.format(answer))


def _blood(case: Case, limits: Limits) -> Iterator[Guard]:
    sample, guards = case.sample, limits.guards
    age, warn, refuse = sample.collected_h, guards.collected_warn_h, guards.collected_max_h
    too_old = age is not None and age > refuse
    fired, limit, blocks = beyond(age, warn, above=True), warn, NO_CALLS
    if too_old:
        limit, blocks = refuse, ALL_CALLS
    message = "Time from collection to stimulation." if age is not None else "Time from collection is not known."
    yield guard("SAMPLE_AGE", fired, message, value=age, limit=limit, unit="h", blocks=blocks)
    accepted = {str(name).lower() for name in guards.anticoagulants}
    given = sample.anticoagulant
    fired, message = given.lower() not in accepted if given else None, f"Anticoagulant: {given or 'not known'}."
    yield guard("ANTICOAGULANT", fired, message, blocks=None if given else NO_CALLS)
    unknown = [name for name, value in (("sex", sample.sex), ("transplant", sample.transplant)) if value == "unknown"]
    yield guard(
        "ID_CONFLICT",
        bool(unknown),
        f"Not known: {', '.join(unknown)}." if unknown else "Sex and transplant are known.",
    )


def acquisition_guards(
    checks: TubeCheck, acquisition: AcquisitionLimits, every_call: frozenset[str]
) -> Iterator[Guard]:
    """Yield whether the tubes were acquired steadily and within range; a failed one takes ``every_call`` away."""
    removed, margin = "Events cut for unsteady signal", "Events at the top of the target's range"
    for value, warn, refuse, message in (
        (checks.removed_percent, acquisition.removed_warn_percent, acquisition.removed_hard_percent, removed),
        (checks.margin_percent, acquisition.margin_warn_percent, acquisition.margin_fail_percent, margin),
    ):
        hard = beyond(value, refuse, above=True)
        limit, blocks = (refuse, every_call) if hard else (warn, NO_CALLS)
        fired = beyond(value, warn, above=True)
        yield guard("ACQ_QC", fired, f"{message}, worst tube.", value=value, limit=limit, unit="%", blocks=blocks)
    for names, yes, no in (
        (checks.untimed, "Steadiness in time could not be assessed", "Every tube has usable time."),
        (checks.drifting, "A signal drifts within the kept part of the acquisition", "No signal drifts."),
    ):
        message = f"{yes}: {', '.join(names)}." if names else no
        yield guard("ACQ_QC", bool(names), message, blocks=NO_CALLS)


def steady_guard(found: Dependence, most: float, message: str, blocks: frozenset[str], *, reagent: str = "") -> Guard:
    """Return whether some cells gather in a part of the acquisition, or are missing there, beyond ``most`` (ln odds
    ratio) and chance.

    Then they are cells of another sample, or a detector failed for a while, and how many there are means nothing.
    """
    why = " Another sample's cells are in the file, or the detector failed for a while."
    return gathering_guard("ACQ_QC", found, most, message, blocks, why=why, reagent=reagent)


def sure_limit(found: Dependence, most: float) -> float:
    """Return the ln odds ratio above which cells gather beyond ``most`` and beyond chance in one of many parts."""
    return max(most, SURE_IN_TIME * found.error)


def gathering_guard(
    code: str,
    found: Dependence,
    most: float,
    message: str,
    blocks: frozenset[str],
    *,
    why: str = "",
    reagent: str = "",
) -> Guard:
    """Return whether some cells gather in one of many parts beyond ``most`` (ln odds ratio) and chance; ``why`` is what
    a fired one adds to the message.
    """
    limit = sure_limit(found, most)
    fired = abs(found.log_ratio) > limit
    return guard(
        code, fired, message + why if fired else message, reagent=reagent, value=found.log_ratio,
        limit=math.copysign(limit, found.log_ratio), unit="ln odds ratio", blocks=blocks,
    )  # fmt: skip


def without_time_guard(without: WithoutTimeQC | None, limit: float) -> Guard:
    """Return whether the time gate determines the call or changes the populations by more than ``limit`` points."""
    if without is None:
        return guard("ACQ_QC", False, "The time gate removed nothing: the call rests on all events.")
    if not without.same_call:
        return guard("ACQ_QC", True, f"The call depends on the time gate: without it the call is {without.call}.")
    changed = beyond(without.change_points, limit, above=True)
    message = "Largest change of a gate by the time gate; without it the call is the same."
    return guard("ACQ_QC", changed, message, value=without.change_points, limit=limit, unit="points")


def _compensation(case: Case, limits: Limits) -> Guard:
    residue, limit = case.checks.residue, limits.guards.residue_max
    fired = None if residue is None else beyond(abs(residue), limit, above=True)
    message = "Change of the target with CD69 or CD3 in CD69+ negative cells: compensated too little or too much."
    blocks = NO_CALLS if fired is None else ALL_CALLS
    return guard("NO_COMP", fired, message, value=residue, limit=limit, unit="robust SD", blocks=blocks)


def _cd8(checks: TubeCheck, least: float) -> Guard:
    """Return whether hardly any T cell is CD8+: those that are then count as activated CD4 T cells without the target.

    Cells without CD8 may also be all that a person has (ZAP70 deficiency), so no other call is taken away.
    """
    message = "CD8+ of CD3+ cells: were they stained for CD8, and does its label name the right detector?"
    fired = beyond(checks.cd8_percent, least, above=False)
    blocks = NO_CALLS if fired is None else OF_TWO_KINDS
    return guard("MARKER_SWAP", fired, message, value=checks.cd8_percent, limit=least, unit="%", blocks=blocks)


def donor_guards(checks: TubeCheck, every_call: frozenset[str]) -> Iterator[Guard]:
    """Yield whether the tubes are of one donor; two donors take ``every_call`` away."""
    for difference in checks.differences:
        value, limit, unit = difference.value, difference.limit, difference.unit
        message = f"{difference.what} in {' and '.join(difference.tubes)}: one donor or two?"
        fired = beyond(value, limit, above=True)
        yield guard("ID_CONFLICT", fired, message, value=value, limit=limit, unit=unit, blocks=every_call)
    if not checks.differences:
        # Tubes too small to compare only warn; the cause has a guard of its own.
        yield guard("ID_CONFLICT", None, "No two tubes with enough cells to compare the donor.", blocks=NO_CALLS)


def _tubes(case: Case) -> Iterator[Guard]:
    checks = case.checks
    yield from donor_guards(checks, ALL_CALLS)
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
        (
            "MARKER_SWAP",
            checks.cd3_cd8_swapped,
            "Nearly all CD3+ lymphocytes are CD8+ and few CD8+ ones CD3+: the two labels look exchanged.",
            "CD3 and CD8 behave as their labels say.",
        ),
    ):
        message = "No tubes with enough cells to compare." if found is None else yes if found else no
        yield guard(code, found, message, blocks=NO_CALLS if found is None else ALL_CALLS)
