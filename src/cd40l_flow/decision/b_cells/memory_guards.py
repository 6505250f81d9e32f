"""Guards of the memory B-cell assay: what must hold before the switched share is compared with the limits of an age."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from cd40l_flow.assay.b_cell_limits import BCellLimits
from cd40l_flow.assay.effects import MEMORY_CALLS, NO_CALLS, SWITCHED_FEW, SWITCHED_NORMAL
from cd40l_flow.assay.limits import Limits
from cd40l_flow.assay.memory_b.guards import GUARDS
from cd40l_flow.base.model import Sample
from cd40l_flow.decision.applied import Guard, beyond
from cd40l_flow.decision.b_cells.age_curve import percent_of
from cd40l_flow.decision.b_cells.measures import MemoryControl, MemoryMeasures, StainChecks
from cd40l_flow.decision.b_cells.shared_guards import (
    applied,
    check_guards,
    control_guards,
    rows_of,
    sheet_guards,
    tube_guards,
)
from cd40l_flow.decision.b_cells.switched import AgeFinding, counts_igm
from cd40l_flow.decision.case import Refusal, TubeCheck

ROWS = rows_of(GUARDS)
SURE = 3.0  # standard errors of counting


def memory_guards(
    sample: Sample,
    measures: MemoryMeasures | None,
    control: MemoryControl | None,
    refusals: Sequence[Refusal],
    checks: TubeCheck | None,
    limits: Limits,
    age: AgeFinding,
) -> tuple[Guard, ...]:
    """Return every guard of a sample of the memory tube, fired or not."""
    own = limits.b_cells
    found = [
        *tube_guards(ROWS, sample, refusals, reagent="memory", there=measures is not None),
        *control_guards(ROWS, sample, control, needed="nothing shows that stain, wash and compensation were right"),
        *sheet_guards(ROWS, sample, own.collected_max_h, MEMORY_CALLS),
        *_age(sample, own),
        *check_guards(checks, limits, MEMORY_CALLS),
    ]
    if measures is not None:
        found += [
            *_cells(measures, own),
            *_stain(sample, measures, control, own),
            *_cd27_stain(measures.stain, own),
            *_depletion(sample, measures, control, own),
            *_others(measures, control, age, own),
        ]
    return tuple(found)


def _age(sample: Sample, own: BCellLimits) -> Iterator[Guard]:
    if sample.age_years is None:
        yield applied(ROWS, "AGE_UNKNOWN", True, "Age is not known: the share of switched cells rises for years.")
        return
    yield applied(ROWS, "AGE_UNKNOWN", False, "Age is known.")
    months = 12 * sample.age_years
    least = own.age_call_min if months < own.age_call_min else own.age_low_min
    message = "Age, compared with that from which few switched cells differ from a healthy infant's."
    blocks = MEMORY_CALLS if months < own.age_call_min else SWITCHED_FEW
    yield applied(
        ROWS, "AGE_TOO_YOUNG", months < least, message, value=months, limit=least, unit="months", blocks=blocks
    )


def _cells(measures: MemoryMeasures, own: BCellLimits) -> Iterator[Guard]:
    count = measures.b_events
    hard = count < own.b_events_min
    few = own.b_events_min if hard else own.b_events_few
    share = measures.b_cells.percent
    of_lymphocytes = "" if share is None else f", {share:.2g} % of lymphocytes"
    yield applied(
        ROWS, "TOO_FEW_B", count < few, f"B cells counted{of_lymphocytes}.", value=count, limit=few, unit="events",
        blocks=MEMORY_CALLS if hard else NO_CALLS,
    )  # fmt: skip
    yield applied(
        ROWS, "B_ABSENT", beyond(share, own.b_percent_min, above=False), "B cells of lymphocytes.", value=share,
        limit=own.b_percent_min, unit="%",
    )  # fmt: skip
    if measures.unresolved:
        yield applied(ROWS, "LOW_SEPARATION", True, measures.unresolved)
    else:
        apart = measures.cd27_separation
        # Where hardly a cell is CD27+ there are no two kinds to be apart.
        fired = beyond(apart, own.cd27_separation_min, above=False)
        yield applied(
            ROWS, "LOW_SEPARATION", fired, "CD27+ and CD27- B cells, distance.", value=apart,
            limit=own.cd27_separation_min, unit="D", blocks=NO_CALLS if fired is None else None,
        )  # fmt: skip
    yield applied(ROWS, "FIT_UNSTABLE", not measures.cd27_converged, "Fit of CD27 on B cells.")


def _stain(
    sample: Sample, measures: MemoryMeasures, control: MemoryControl | None, own: BCellLimits
) -> Iterator[Guard]:
    """Yield whether serum immunoglobulin was washed off, and whether CD27 was stained as in the control.

    A single control has no other one, and is not refused for that.
    """
    negative = _igd_negative(measures)
    yield applied(
        ROWS, "SERUM_IG", beyond(negative, own.igd_negative_max, above=True),
        "IgD- cells among CD27- B cells, lower end.", value=negative, limit=own.igd_negative_max, unit="%",
    )  # fmt: skip
    pairs = (
        (measures.igd_median, control.igd_median if control else None),
        (measures.igm_median, control.igm_median if control else None),
    )
    ratios = [mine / theirs for mine, theirs in pairs if mine is not None and theirs is not None and theirs > 0]
    if ratios:
        highest = max(ratios)
        yield applied(
            ROWS, "SERUM_IG", highest < own.ig_of_control_min,
            "Median IgD and IgM of CD27- B cells over the control's, the higher of the two.", value=highest,
            limit=own.ig_of_control_min, unit="x",
        )  # fmt: skip
        # One of them may be lost more than the other.
        mean = math.prod(max(ratio, 0.0) for ratio in ratios) ** (1 / len(ratios))
        yield applied(
            ROWS, "SERUM_IG", mean < own.ig_mean_of_control_min,
            "Median IgD and IgM of CD27- B cells over the control's, geometric mean.", value=mean,
            limit=own.ig_mean_of_control_min, unit="x",
        )  # fmt: skip
    elif sample.role != "control":
        # Without a control only two peaks of IgD show that plasma did not absorb the stain.
        apart = measures.igd_separation
        washed = apart is not None and apart >= own.igd_separation_min
        yield applied(
            ROWS, "SERUM_IG", False if washed else None,
            "No control to compare IgD and IgM with; distance of IgD+ from IgD- cells.", value=apart,
            limit=own.igd_separation_min, unit="D",
        )  # fmt: skip
    mine, theirs = measures.cd27_negative_median, control.cd27_negative_median if control else None
    if mine is not None and theirs is not None and mine > 0 and theirs > 0:
        shift = max(mine / theirs, theirs / mine)
        yield applied(
            ROWS, "CONTROL_FAILED", shift > own.cd27_shift_max,
            "Median CD27 of naive B cells against the control's, either way.", value=shift, limit=own.cd27_shift_max,
            unit="x",
        )  # fmt: skip


def _cd27_stain(stain: StainChecks, own: BCellLimits) -> Iterator[Guard]:
    """Yield whether CD27 was stained and is that of memory, whether immunoglobulin sticks, or spills over into it."""
    least, message = own.cd27_of_t_min, "CD27 of T cells over that of naive B cells."
    fired = beyond(stain.cd27_of_t, least, above=False)
    if fired:
        message = "T cells of the memory tube have no CD27: it was not stained."
        if stain.fmo_cd27_of_t is not None and stain.fmo_cd27_of_t >= least:
            message = "T cells have CD27 in memory-FMO27, none in the memory tube: the two tubes are exchanged."
    yield applied(
        ROWS, "STAIN_FAILED", fired, message, value=stain.cd27_of_t, limit=least, unit="robust SD",
        blocks=NO_CALLS if fired is None else None,
    )  # fmt: skip
    most = max(own.sticking_max, SURE * stain.sticking_error)
    yield applied(
        ROWS, "SERUM_IG", beyond(stain.sticking, most, above=True) or False,
        "CD27+IgD+ cells dim in both IgD and IgM, more than among naive ones: do both stains stick to switched cells?",
        value=stain.sticking, limit=most, unit="%", blocks=SWITCHED_FEW,
    )  # fmt: skip
    level, dimmest = stain.cd27_of_igd_negative, own.cd27_of_igd_negative_min
    yield applied(
        ROWS, "LOW_SEPARATION", beyond(level, dimmest, above=False) or False,
        "CD27 of CD27+IgD- over that of CD27+IgD+ cells: dimmer ones may be CD27- cells with a higher background.",
        value=level, limit=dimmest, unit="x", blocks=frozenset({SWITCHED_NORMAL}),
    )  # fmt: skip
    found, most = stain.dependence, own.cd27_dependence_max
    if found is not None:
        yield applied(
            ROWS, "NO_COMP", abs(found.value) > most,
            f"How far {found.marker} moves CD27 of B cells without CD27: spillover that was left, or taken out twice.",
            value=found.value, limit=math.copysign(most, found.value), unit="robust SD",
        )  # fmt: skip


def _igd_negative(measures: MemoryMeasures) -> float | None:
    """Return the percent of IgD- among CD27- B cells, the lower end of what the fit of CD27 gives: dim CD27+ cells lie
    below its threshold, and are most of the IgD- cells there in people with few naive cells. Without a fit, as gated.
    """
    least, most = measures.double_negative.low, measures.naive.high
    if least is None or most is None or least + most <= 0:
        return measures.igd_negative_percent
    return 100 * least / (least + most)


def _depletion(
    sample: Sample, measures: MemoryMeasures, control: MemoryControl | None, own: BCellLimits
) -> Iterator[Guard]:
    """Yield whether transitional B cells prevail, by their share or, where they can not be told apart, by CD38."""
    if sample.b_depletion == "no" or sample.role == "control":
        return
    share, message = measures.transitional_percent, "{}: many are there when B cells come back after depletion."
    if share is not None:
        yield applied(
            ROWS, "ANTI_CD20", share > own.transitional_max, message.format("Transitional B cells"), value=share,
            limit=own.transitional_max, unit="%", blocks=SWITCHED_FEW,
        )  # fmt: skip
    mine, theirs = measures.cd38_median, None if control is None else control.cd38_median
    if mine is not None and theirs is not None and theirs > 0:
        cells = "CD38 of CD27-IgD+ B cells over the control's, as of transitional ones"
        yield applied(
            ROWS, "ANTI_CD20", mine / theirs > own.cd38_of_control_max, message.format(cells), value=mine / theirs,
            limit=own.cd38_of_control_max, unit="x", blocks=SWITCHED_FEW,
        )  # fmt: skip


def _others(
    measures: MemoryMeasures, control: MemoryControl | None, age: AgeFinding, own: BCellLimits
) -> Iterator[Guard]:
    """Yield the cells that may be mistaken for switched ones."""
    share = measures.cd3_percent
    message = "No CD3 in the tube: T cells stuck to B cells count as switched." if share is None else (
        "CD3+ cells among CD19+ cells."
    )  # fmt: skip
    yield applied(
        ROWS, "DOUBLETS", share is None or share > own.cd3_percent_max, message, value=share,
        limit=own.cd3_percent_max, unit="%",
    )  # fmt: skip
    if not counts_igm(measures):
        mine, theirs = measures.igm_median, control.igm_median if control else None
        dim = mine is not None and theirs is not None and mine < own.ig_of_control_min * theirs
        message = "IgM is not informative: CD27+IgD- cells may include IgM-only ones."
        if dim:
            message = "IgM is far dimmer than the control's: CD27+IgD- cells may be IgM-only ones."
        yield applied(
            ROWS, "IGM_ONLY", True, message, value=own.igm_only_points, unit="points",
            blocks=frozenset({SWITCHED_NORMAL}) if dim else None,
        )  # fmt: skip
    elif age.strict_low is not None and age.two_marker_low is not None:
        limit = age.limits.normal
        yield applied(
            ROWS, "IGM_ONLY", age.strict_low < limit <= age.two_marker_low,
            "CD27+IgD- cells reach the limit of the age, those without IgM do not: lower end of the latter.",
            value=age.strict_low, limit=limit, unit="%",
        )  # fmt: skip
    stained = measures.plasmablasts is not None
    low = age.two_marker_low
    message = "Switched cells, lower end, against the highest of healthy people of this age" + (
        "." if stained else "; without CD38 plasmablasts are among them."
    )
    known = age.age_median is not None
    far = percent_of(age.limits.mu + own.switched_z_max * age.limits.sd) if known else 100.0
    beyond_all = low is not None and low > far
    limit = far if beyond_all else age.limits.high
    yield applied(
        ROWS, "PLASMABLASTS", beyond(low, limit, above=True), message, value=low, limit=limit, unit="%",
        blocks=frozenset({SWITCHED_NORMAL}) if beyond_all else None,
    )  # fmt: skip
