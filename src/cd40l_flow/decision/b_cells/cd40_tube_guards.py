"""Guards of the tubes CD40 and CD40-isotype: stained, in place, at the control's gain, with a control as bright."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from cd40l_flow.assay.cd40.rules import B_CELLS
from cd40l_flow.assay.effects import CD40_ABSENT, CD40_CALLS, NO_CALLS
from cd40l_flow.assay.limits import Limits
from cd40l_flow.decision.applied import Guard, beyond, farthest_ratio, gain_guard
from cd40l_flow.decision.b_cells.cd40_t_cells import lies_below, t_cells_below
from cd40l_flow.decision.b_cells.measures import Cd40Cells, Cd40Measures
from cd40l_flow.decision.b_cells.shared_guards import Rows, applied

FEWEST_EXPECTED = 50  # B cells that an isotype tube must be expected to hold before their lack says anything
FOUND = 0.25  # part of them below which they are not B cells that chance left out


def tube_pair_guards(
    rows: Rows, measures: Cd40Measures, controls: Sequence[Cd40Measures], limits: Limits
) -> Iterator[Guard]:
    """Yield what the two tubes show of themselves, then what they show beside the controls'."""
    yield from _stained(rows, measures, controls, limits)
    yield _same_labels(rows, measures)
    gain = list(_gain(measures, controls, limits))
    yield from gain
    if any(found.fired for found in gain):
        return  # nothing else can be compared
    for cells in measures.cells:
        if not lies_below(cells, limits):
            yield from _background(rows, cells, limits)
        if cells.ratio is not None:
            most = limits.b_cells.cd40_of_control_max
            yield applied(
                rows, "CONTROL_DOUBTFUL", cells.ratio > most, f"CD40 on {cells.population} over the controls'.",
                value=cells.ratio, limit=most, unit="x",
            )  # fmt: skip


def _stained(rows: Rows, measures: Cd40Measures, controls: Sequence[Cd40Measures], limits: Limits) -> Iterator[Guard]:
    """Yield whether cells lie below their background: only one tube was stained, its isotype sticks, or the two are
    exchanged.

    T cells tell exchanged tubes from the others: without CD40 they are alike in both. Where only monocytes or T cells
    lie below it, B cells that are bright are still PRESENT: the background can only be too high.
    """
    least, t_below = limits.guards.stain_shift_min, t_cells_below(measures, controls, limits)
    exact, t_cells = measures.isotype_b_events is not None, measures.t_cells
    known = exact and t_cells is not None and t_cells.shift is not None
    for cells in measures.cells:
        below, sd = lies_below(cells, limits), cells.background_sd
        shift = cells.level / sd if sd is not None and cells.level is not None else None
        b_cells = cells.population == B_CELLS
        if below and b_cells and known and not t_below:
            message = (
                "B cells are brighter in the isotype tube than in the CD40 tube, and T cells, which carry no CD40, are "
                "not: the two tubes may be exchanged."
            )
            yield applied(rows, "TUBE_SWAP", True, message, value=shift, limit=least, unit="robust SD")
            return
        background = "isotype" if exact else "background"
        message = f"Position of {cells.population} relative to their {background}."
        if below:
            message = f"{cells.population[0].upper()}{cells.population[1:]} lie below their {background}."
        yield applied(
            rows, "STAIN_FAILED", below, message, value=shift, limit=least, unit="robust SD",
            blocks=CD40_CALLS if b_cells and below else None,
        )  # fmt: skip
    if t_cells is not None and t_cells.shift is not None:
        message = "T cells, which carry no CD40, in the CD40 tube relative to the isotype tube."
        yield applied(rows, "STAIN_FAILED", t_below, message, value=t_cells.shift, unit="robust SD")
    elif t_cells is not None:
        yield from _without_isotype(rows, measures, -least)


def _without_isotype(rows: Rows, measures: Cd40Measures, least: float) -> Iterator[Guard]:
    """Yield, without an isotype, whether B cells lie above the T cells of their tube, as only stained ones do.

    Both are as dark in a tube without the stain as where CD40 is absent, so that only a trace of it shows the stain.
    """
    for cells in measures.cells:
        sd, low, level = cells.background_sd, cells.level_low, cells.level
        if cells.population == B_CELLS and sd is not None and low is not None and level is not None:
            message = (
                "B cells above the T cells of their tube; without an isotype nothing else shows that it was stained."
            )
            yield applied(
                rows, "STAIN_FAILED", low < least * sd, message, value=level / sd, limit=least, unit="robust SD",
                blocks=frozenset({CD40_ABSENT}),
            )  # fmt: skip


def _same_labels(rows: Rows, measures: Cd40Measures) -> Guard:
    """Return whether the isotype tube lacks the B cells that it must hold, as where CD19's label is that of CD40."""
    t_cells, found = measures.t_cells, measures.isotype_b_events
    expected = None
    if found is not None and t_cells is not None and t_cells.isotype_events:
        expected = measures.b_events * t_cells.isotype_events / t_cells.events
    if found is None or expected is None or expected < FEWEST_EXPECTED:
        message = "B cells of the isotype tube: too few cells to compare."
        return applied(rows, "MARKER_SWAP", None, message, blocks=NO_CALLS)
    message = "B cells of the isotype tube over those expected from the CD40 tube: are CD19 and CD40 labelled right?"
    share = found / expected
    return applied(rows, "MARKER_SWAP", share < FOUND, message, value=share, limit=FOUND, unit="x")


def _gain(measures: Cd40Measures, controls: Sequence[Cd40Measures], limits: Limits) -> Iterator[Guard]:
    """Yield whether all tubes, the controls' too, were measured at one voltage of CD40's detector.

    If no file states it, the width of the T cells is used, or that of the B cells' isotype where CD3 is not stained.
    """
    theirs = [volt for one in controls for volt in one.volts]
    if theirs or not controls:
        ratio = farthest_ratio(measures.volts, [*theirs, *measures.volts])
        if ratio is not None:
            message = "Voltage of CD40's detector over the controls' or another tube's."
            yield gain_guard(ratio, limits.guards.gain_ratio_max, message, blocks=CD40_CALLS)
            return
    mine, others = _t_width(measures), [_t_width(one) for one in controls]
    cells = "T cells"
    if mine is None or not all(others):
        mine, others, cells = _b_width(measures), [_b_width(one) for one in controls], "the isotype on B cells"
    known = [one for one in others if one]
    if mine is not None and known and len(known) == len(others):
        usual = math.exp(sum(math.log(one) for one in known) / len(known))
        message = f"Width of {cells} in CD40's detector over the controls'; the files state no voltage."
        yield gain_guard(mine / usual, limits.b_cells.cd40_background_ratio_max, message, blocks=CD40_CALLS)


def _t_width(measures: Cd40Measures) -> float | None:
    return None if measures.t_cells is None else measures.t_cells.sd


def _b_width(measures: Cd40Measures) -> float | None:
    if measures.isotype_b_events is None:
        return None
    return next((one.background_sd for one in measures.cells if one.population == B_CELLS), None)


def _background(rows: Rows, cells: Cd40Cells, limits: Limits) -> Iterator[Guard]:
    """Yield whether the isotype is higher than the controls' by much of their CD40: the ratio is too low by as much.

    Of monocytes it only warns, since they are then not judged.
    """
    excess, most = cells.background_excess, limits.b_cells.cd40_background_excess_max
    if excess is not None:
        message = f"Isotype on {cells.population} above the controls', over the controls' CD40."
        yield applied(
            rows, "HIGH_BACKGROUND", beyond(excess, most, above=True), message, value=excess, limit=most, unit="x",
            blocks=None if cells.population == B_CELLS else NO_CALLS,
        )  # fmt: skip
