"""Guards of the CD40 assay, and the kinds of cells that were counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cd40l_flow.assay.b_cell_limits import BCellLimits
from cd40l_flow.assay.cd40.guards import GUARDS
from cd40l_flow.assay.cd40.rules import B_CELLS, MONOCYTES
from cd40l_flow.assay.effects import CD40_CALLS, NO_CALLS, PRESENT
from cd40l_flow.assay.limits import Limits
from cd40l_flow.base.model import Sample
from cd40l_flow.decision.applied import Guard, beyond
from cd40l_flow.decision.b_cells.cd40_t_cells import isotype_sticks
from cd40l_flow.decision.b_cells.cd40_tube_guards import tube_pair_guards
from cd40l_flow.decision.b_cells.measures import Cd40Cells, Cd40Measures, MemoryControl
from cd40l_flow.decision.b_cells.shared_guards import (
    applied,
    check_guards,
    control_guards,
    rows_of,
    sheet_guards,
    tube_guards,
)
from cd40l_flow.decision.case import Refusal, TubeCheck

ROWS = rows_of(GUARDS)


def counted(measures: Cd40Measures | None, controls: Sequence[Cd40Measures], limits: Limits) -> tuple[Cd40Cells, ...]:
    """Return the kinds of cells that decide: B cells, and monocytes where there are enough, here and in the control,
    and their isotype does not stick.
    """
    if measures is None:
        return ()
    least, sticks = limits.b_cells.cd40_monocytes_min, isotype_sticks(measures, controls, limits)
    return tuple(
        one
        for one in measures.cells
        if one.population == B_CELLS or (one.events >= least and one.ratio is not None and not sticks)
    )


def cd40_guards(
    sample: Sample,
    measures: Cd40Measures | None,
    control: MemoryControl | None,
    refusals: Sequence[Refusal],
    checks: TubeCheck | None,
    limits: Limits,
    controls: Sequence[Cd40Measures] = (),
) -> tuple[Guard, ...]:
    """Return every guard of a sample of the CD40 tube, fired or not; ``controls`` are the measures of the controls."""
    own = limits.b_cells
    found = [
        *tube_guards(ROWS, sample, refusals, reagent="CD40", there=measures is not None),
        *control_guards(ROWS, sample, control, needed="the level of CD40 has nothing to be compared with"),
        *sheet_guards(ROWS, sample, own.cd40_collected_max_h, CD40_CALLS),
        *check_guards(checks, limits, CD40_CALLS),
    ]
    if measures is not None:
        found += [*_cells(sample, measures, controls, limits), *_two_kinds(measures, limits)]
        found += tube_pair_guards(ROWS, measures, controls, limits)
        if sample.role == "control":
            found.append(_of_control(measures, own))
    return tuple(found)


def _cells(sample: Sample, measures: Cd40Measures, controls: Sequence[Cd40Measures], limits: Limits) -> Iterator[Guard]:
    own, count = limits.b_cells, measures.b_events
    hard = count < own.b_events_min
    few = own.b_events_min if hard else own.b_events_few
    yield applied(
        ROWS, "TOO_FEW_B", count < few, "B cells counted.", value=count, limit=few, unit="events",
        blocks=CD40_CALLS if hard else NO_CALLS,
    )  # fmt: skip
    monocytes = next((cells.events for cells in measures.cells if cells.population == MONOCYTES), 0)
    least = own.cd40_monocytes_min
    # A single control has no ratios, and beside one that has failed nothing has.
    compared = {cells.population for cells in counted(measures, controls, limits) if cells.ratio is not None}
    unknown = monocytes < least or (sample.role != "control" and compared == {B_CELLS})
    sticks = isotype_sticks(measures, controls, limits)
    message = "Monocytes are not judged: their isotype cannot be trusted."
    yield applied(
        ROWS, "MONOCYTES_NOT_TESTED", unknown, message if sticks else "Monocytes counted, here and in the control.",
        value=None if sticks else monocytes, limit=None if sticks else least, unit="" if sticks else "events",
    )  # fmt: skip


def _two_kinds(measures: Cd40Measures, limits: Limits) -> Iterator[Guard]:
    """Yield whether B cells with and without CD40 are both present; monocytes are too dim to be separated."""
    least = limits.b_cells.cd40_two_kinds_min
    for cells in measures.cells:
        low, high = cells.negative_fraction_low, cells.negative_fraction_high
        if cells.population == B_CELLS and low is not None and high is not None:
            yield applied(
                ROWS, "TWO_POPULATIONS", low > least and high < 1 - least, "Share of B cells without CD40.",
                value=cells.negative_fraction, limit=least, unit="fraction",
            )  # fmt: skip
        if cells.population == B_CELLS and cells.low_tail_ratio is not None:
            tail, smallest = cells.low_tail_ratio, limits.b_cells.cd40_low_tail_min
            yield applied(
                ROWS, "TWO_POPULATIONS", tail < smallest,
                "CD40 of the dimmest tenth of the B cells over the median, compared with the controls'.", value=tail,
                limit=smallest, unit="x", blocks=frozenset({PRESENT}),
            )  # fmt: skip


def _of_control(measures: Cd40Measures, own: BCellLimits) -> Guard:
    positive = next((cells.positive.percent for cells in measures.cells if cells.population == B_CELLS), None)
    return applied(
        ROWS, "CONTROL_FAILED", beyond(positive, own.cd40_control_positive_min, above=False),
        "CD40-positive B cells of the control.", value=positive, limit=own.cd40_control_positive_min, unit="%",
    )  # fmt: skip
