"""Guards that both assays of B cells have: files, control, blood, answers of the sheet, acquisition, tubes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cd40l_flow.assay.effects import NO_CALLS
from cd40l_flow.assay.limits import Limits
from cd40l_flow.assay.tables import GuardRow
from cd40l_flow.base.model import Sample
from cd40l_flow.decision.applied import Guard, beyond, guard
from cd40l_flow.decision.b_cells.measures import MemoryControl
from cd40l_flow.decision.case import Refusal, TubeCheck
from cd40l_flow.decision.sample_guards import acquisition_guards, donor_guards, gathering_guard, steady_guard

Rows = Mapping[str, GuardRow]


def rows_of(guards: Sequence[GuardRow]) -> Rows:
    """Return the guards of an assay's table by code."""
    return {row.code: row for row in guards}


def applied(
    rows: Rows,
    code: str,
    fired: bool | None,
    message: str,
    *,
    value: float | None = None,
    limit: float | None = None,
    unit: str = "",
    blocks: frozenset[str] | None = None,
) -> Guard:
    """Return a guard with the effect it has in this assay's table, unless ``blocks`` says otherwise."""
    taken = rows[code].blocks if blocks is None else blocks
    return guard(code, fired, message, value=value, limit=limit, unit=unit, blocks=taken)


def tube_guards(
    rows: Rows, sample: Sample, refusals: Sequence[Refusal], *, reagent: str, there: bool
) -> Iterator[Guard]:
    """Yield the tubes that could not be used, and whether there is a tube of the target at all."""
    for refusal in refusals:
        code = refusal.code if refusal.code in rows else "FILE_INTEGRITY"
        yield applied(rows, code, True, refusal.message)
    planned = any(tube.reagent == reagent for tube in sample.tubes)
    if not planned:
        yield applied(rows, "TUBE_MISSING", True, f"The sheet of tubes names no tube '{reagent}'. Add it.")
    elif not there and not refusals:
        yield applied(rows, "TUBE_MISSING", True, f"No B cells could be gated in the tube '{reagent}'.")


def control_guards(rows: Rows, sample: Sample, control: MemoryControl | None, *, needed: str) -> Iterator[Guard]:
    """Yield whether the run has a control, and whether it may be used; ``needed`` says what it is for.

    A control is not asked for another one.
    """
    if control is None:
        if sample.role != "control":
            yield applied(rows, "CONTROL_ABSENT", True, f"Run {sample.run} has no healthy control: {needed}.")
        return
    failures = control.failures
    message = " ".join(failures) if failures else "The run's control is in range."
    yield applied(rows, "CONTROL_FAILED", bool(failures), message)


def sheet_guards(rows: Rows, sample: Sample, hours: float, every_call: frozenset[str]) -> Iterator[Guard]:
    """Yield what the sheet states about a test sample; ``hours`` is the oldest blood that may be stained."""
    if sample.role == "control":
        return
    for row in rows.values():
        if row.answer:
            answer = getattr(sample, row.answer)
            # What was not asked only warns; the words of the call say so.
            fired, blocks = (answer == "yes", None) if answer in ("yes", "no") else (None, NO_CALLS)
            yield applied(rows, row.code, fired, row.message.format(answer), blocks=blocks)
    age = sample.collected_h
    fired = beyond(age, hours, above=True)
    message = "Time from collection to staining" + ("." if age is not None else " is not known.")
    blocks = NO_CALLS if fired is None else every_call
    yield applied(rows, "SAMPLE_AGE", fired, message, value=age, limit=hours, unit="h", blocks=blocks)
    unknown = [name for name in ("sex", "transplant") if getattr(sample, name) == "unknown"]
    message = f"Not known: {', '.join(unknown)}." if unknown else "Sex and transplant are known."
    yield applied(rows, "ID_CONFLICT", bool(unknown), message, blocks=NO_CALLS)


def check_guards(checks: TubeCheck | None, limits: Limits, every_call: frozenset[str]) -> Iterator[Guard]:
    """Yield the acquisition of the tubes and whether they are of one donor; nothing where no tube was read."""
    if checks is not None:
        yield from acquisition_guards(checks, limits.acquisition, every_call)
        if checks.over_time is not None:
            message = "The B cells that count, in the part of the acquisition that differs most from the rest."
            yield steady_guard(checks.over_time, limits.guards.dependence_max, message, every_call)
        if checks.replicates is not None:
            most = limits.b_cells.replicate_apart_max
            message = "The B cells that count, in the replicate that differs most from the others."
            yield gathering_guard("REPLICATE_DISCORDANT", checks.replicates, most, message, every_call)
        yield from donor_guards(checks, every_call)
