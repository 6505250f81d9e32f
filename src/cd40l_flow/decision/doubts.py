"""Checks beyond the histogram: stain, gain, control, kind of cells, and fit of the model."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import NormalDist

import numpy as np

from cd40l_flow.assay.cd40l.reagents import CD40_IG, CD154
from cd40l_flow.assay.effects import ALL_CALLS, INFANT_CALLS, MOSAIC, NO_CALLS, NORMAL, REDUCED, SQUARED
from cd40l_flow.assay.limits import Limits
from cd40l_flow.cohort.ages import age_band, younger_than
from cd40l_flow.decision.applied import Guard, beyond, farthest_ratio, gain_guard, guard
from cd40l_flow.decision.case import Case
from cd40l_flow.decision.sample_guards import steady_guard
from cd40l_flow.gating.density import HIGH, LOW, density_of, find_valleys, spread_out
from cd40l_flow.mixture.histogram import edges, expressing_cells
from cd40l_flow.mixture.model import ControlExpression, Expression

MOSTLY = 0.5  # share of negatives above which they represent the whole tube
# Bright cells that show that the stain was in the tube: more of them than carry-over, doublets and platelets bring, and
# a peak of their own (Ashman's D: Ashman, Bird and Zepf 1994).
STAINED, PEAK = 0.15, 2.0
# A sticky background differs from an unstained tube: its cells lie at most this far below resting cells with the same
# stain, and below the control's background, robust SD.
BELOW_RESTING, BELOW_CONTROL = 0.15, 0.4
SURE = 2.0  # standard errors by which a dependence on CD69 or CD3 must differ from zero
SURE_OF_OTHERS = 3.0  # the same of CD8, whose failed stain is rare, and CD4
BY_CHANCE = 0.01  # p value of a fit below which it is not explained by chance
MOST_OF_HEALTHY = 0.25  # negative fraction that hardly a healthy person has
# Two peaks of a control's expressing cells: kernel bandwidth (of the scale), smallest share of these cells in a peak,
# standard errors by which the valley must be deep, least depth of any, and fewest cells.
BANDWIDTH, OF_PEAK, SURE_OF_VALLEY, SHALLOW, FEWEST_IN_PEAKS = 0.02, 0.1, 4.0, 0.05, 500.0


def doubt_guards(case: Case, reagent: str, limits: Limits) -> Iterator[Guard]:
    """Yield the guards of one reagent that need more than its histogram; of a single control only those of time, of two
    peaks and of binding.
    """
    expression = case.reagents.get(reagent)
    if expression is None:
        return
    yield from _steady(case, reagent, limits)
    yield from _two_peaks(case, expression, limits)
    yield from _bound_without_target(case, expression, limits)
    if case.alone:
        return
    control = None if case.control is None else case.control.reagents.get(reagent)
    yield from _stain(expression, control, limits)
    if control is None:
        return
    yield from _gain(case, expression, control, limits)
    yield _control_doubtful(case, reagent)
    yield from _negatives(case, reagent, limits)
    yield _misfit(expression, limits)


def infant_guard(case: Case, limits: Limits) -> Guard | None:
    """Return whether the sample is from an infant with older controls; None if the age is unknown."""
    age, young = case.sample.age_years, limits.calls.infant_age_years
    if age is None or case.control is None:
        return None
    matched = bool(case.control.ages) and all(younger_than(band, young) for band in case.control.ages)
    fired = age < young and not matched
    message = (
        f"An infant ({age_band(age)}) compared with older controls: expression is low at birth and rises for years."
        if fired
        else "Age: old enough for an adult's control, or compared with one of its age."
    )
    return guard("INFANT", fired, message, blocks=INFANT_CALLS)


def _stain(expression: Expression, control: ControlExpression | None, limits: Limits) -> Iterator[Guard]:
    """Yield whether the cells lie below their own background, as unstained cells do; nothing if many are bright.

    With a sticky isotype control, target-negative cells do so too. Resting cells with the same stain and the control's
    background distinguish the two: stained cells lie no lower than these.
    """
    shift, negative = expression.shift, expression.negative_fraction
    if negative is not None and (negative < MOSTLY or _holds_stained(expression)):
        return
    least = limits.guards.stain_shift_min
    unknown = negative is None or negative != negative
    fired = None if unknown else beyond(shift, least, above=False)
    message = "Position of the cells relative to their background."
    if not fired and shift is not None and expression.anchor.resting and control is not None:
        # In an unstained tube the corrected background is too low; the control's reveals it.
        above = _above_background(expression, control, shift)
        if above is not None and above < least:
            fired, shift, message = True, above, "Position of the cells relative to the controls' background."
    if fired and shift is not None and expression.anchor.exact and control is not None:
        resting = None if expression.background_shift is None else shift + expression.background_shift
        above = _above_background(expression, control, shift)
        if resting is not None and resting > -BELOW_RESTING and above is not None and above > -BELOW_CONTROL:
            fired, message = (
                False,
                "Below their background, but not below resting cells: the background tube is sticky.",
            )
    yield guard("STAIN_FAILED", fired, message, reagent=expression.reagent, value=shift, limit=least, unit="robust SD")


def _holds_stained(expression: Expression) -> bool:
    """Return whether the tube surely holds a population of bright cells, which only the stain makes."""
    most, separation = expression.negative_fraction_high, expression.separation
    return most is not None and separation is not None and most < 1 - STAINED and separation >= PEAK


def _above_background(expression: Expression, control: ControlExpression, shift: float) -> float | None:
    """Return how far the sample's negatives lie above the control's background, in robust SD of that."""
    if not (control.background.sum() and expression.anchor.counts.sum()):
        return None
    mine = expression.anchor.component(expression.scale)
    theirs = control.component(expression.scale)
    place = expression.scale.to_linear(mine.median) + shift * mine.linear_sd
    return (place - expression.scale.to_linear(theirs.median)) / theirs.linear_sd


def _gain(case: Case, expression: Expression, control: ControlExpression, limits: Limits) -> Iterator[Guard]:
    """Yield whether sample and controls were measured at one voltage.

    If no file states it, the width of the background is used.
    """
    assert case.control is not None
    mine, theirs = (volts.get(expression.detector, ()) for volts in (case.volts, case.control.volts))
    if (ratio := farthest_ratio(mine, theirs)) is not None:
        message = "Voltage of the target's detector over the controls'."
        yield gain_guard(ratio, limits.guards.gain_ratio_max, message, reagent=expression.reagent)
        return
    if not (control.background.sum() and expression.anchor.counts.sum()) or not expression.anchor.exact:
        return
    dark = expression.anchor.component(expression.scale).linear_sd
    ratio = dark / control.component(expression.scale).linear_sd
    message = "Width of the background over the controls'; the files state no voltage."
    yield gain_guard(ratio, limits.guards.background_ratio_max, message, reagent=expression.reagent)


def _control_doubtful(case: Case, reagent: str) -> Guard:
    """Return whether the sample has so few negatives that its control may not be healthy or well stimulated.

    Below the limit of blank lies one healthy person in a hundred: there only REDUCED, which rests on the control's
    level alone, is taken. By the limit of detection, with control and sample in each other's place, the control would
    surely be a mosaic.
    """
    compared = case.comparison(reagent)
    f, blank, limit = compared.mutant_fraction, compared.lob, compared.lod
    fired = None if f is None or blank is None or limit is None else f < -blank
    surely = f is not None and limit is not None and f < -limit
    return guard(
        "CONTROL_DOUBTFUL", fired, "Mutant fraction: below 0 where the control has more negatives than the sample.",
        reagent=reagent, value=f, limit=None if blank is None else -blank, unit="fraction",
        blocks=NO_CALLS if not fired else ALL_CALLS if surely else frozenset({REDUCED}),
    )  # fmt: skip


def _steady(case: Case, reagent: str, limits: Limits) -> Iterator[Guard]:
    """Yield whether the negatives gather in a part of the acquisition, or are missing there: only NORMAL is left then,
    and a control is of no use.
    """
    found = case.independence.get(reagent)
    if found is None or found.time is None:
        return
    message = "How much likelier cells of one part of the acquisition are not to express, ln odds ratio."
    blocks = ALL_CALLS if case.sample.role == "control" else ALL_CALLS - {NORMAL}
    yield steady_guard(found.time, limits.guards.dependence_max, message, blocks, reagent=reagent)


def _two_peaks(case: Case, expression: Expression, limits: Limits) -> Iterator[Guard]:
    """Yield whether a control's expressing cells have two peaks, as those of a carrier of a residual allele: beside
    her, others like her and weak expressers look healthy. Nothing for other samples, or with few cells.
    """
    if case.sample.role != "control" or expression.expected is None:
        return
    cells = expressing_cells(expression.counts, expression.expected)
    number = float(cells.sum())
    if number < FEWEST_IN_PEAKS:
        return
    curve = density_of(spread_out(edges(cells.size), cells, 0.0, 1.0), BANDWIDTH)
    found = find_valleys(curve, LOW, HIGH, min_depth=SHALLOW, min_mass=OF_PEAK)
    deepest = max(found, key=lambda valley: valley.depth, default=None)
    depth, error = 0.0, 0.0
    if deepest is not None:
        # Cells in the width of the kernel, in the valley and at the lower peak.
        kernel = number * 2 * math.sqrt(math.pi) * BANDWIDTH
        valley = kernel * float(np.interp(deepest.position, curve.grid, curve.height))
        depth = deepest.depth
        error = (1 - depth) * math.sqrt((2 - depth) / max(valley, 1.0))
    limit = max(limits.guards.control_valley_max, SURE_OF_VALLEY * error)
    yield guard(
        "MODEL_MISFIT", depth > limit, "Depth of a valley among the control's expressing cells: two kinds of them?",
        reagent=expression.reagent, value=depth, limit=limit, unit="fraction",
    )  # fmt: skip


def _bound_without_target(case: Case, expression: Expression, limits: Limits) -> Iterator[Guard]:
    """Yield whether cells that lack CD154 bind CD40-Ig all the same, as Fc receptors hold it: then binding says nothing
    of CD154, and a defect of function looks normal. Nothing where either fraction is not known, or where more cells
    than healthy people's lack CD154: the readouts contradict each other then.
    """
    target = case.reagents.get(CD154)
    if expression.reagent != CD40_IG or target is None:
        return
    without, unbound = target.negative_fraction_low, expression.negative_fraction_high
    if without is None or unbound is None or without >= MOST_OF_HEALTHY:
        return
    yield guard(
        "HIGH_BACKGROUND", without - unbound > limits.guards.bound_without_cd154_max,
        "Cells that lack CD154 and bind CD40-Ig all the same: held by Fc receptors?",
        reagent=expression.reagent, value=without - unbound, limit=limits.guards.bound_without_cd154_max,
        unit="fraction", blocks=frozenset({NORMAL, REDUCED}),
    )  # fmt: skip


def _negatives(case: Case, reagent: str, limits: Limits) -> Iterator[Guard]:
    """Yield whether the negatives depend on CD69, CD3, CD8 or CD4, unlike those of a mosaic.

    It is only a warning if the mosaic persists among strongly stimulated CD4 cells, and these are stimulated enough: to
    be negative does not depend on CD69 among them, and the sample has CD69 much like the controls'. On CD4 the few
    double-negative cells of every healthy person depend, so that it says nothing unless a mosaic is the likeliest.
    """
    found = case.independence.get(reagent)
    if found is None:
        return
    most, needed = limits.guards.dependence_max, math.log(limits.odds.call_odds)
    # Even the cells least affected contain some other negatives, and people differ.
    persists = found.inner_odds is not None and found.inner_odds >= SQUARED * needed
    persists = persists and _stimulated_enough(case, reagent, limits)
    others = [(marker, one, SURE_OF_OTHERS) for marker, one in found.others.items()]
    for marker, one, sure in (("CD69", found.cd69, SURE), ("CD3", found.cd3, SURE), *others):
        if one is None or (marker == "CD4" and (case.comparison(reagent).mosaic_odds or 0.0) <= 0):
            continue
        fired = abs(one.log_ratio) > max(most, sure * one.error)
        message = f"How much likelier cells with little {marker} are not to express, ln odds ratio."
        if fired and persists:
            message += " Strongly stimulated cells with usual CD3 still show two kinds."
        # Cells that were stimulated less also express less; which others a mosaic has says nothing of the level.
        level = frozenset({REDUCED}) if marker == "CD69" and one.log_ratio > 0 else NO_CALLS
        yield guard(
            "NEGATIVES_DEPENDENT", fired, message, reagent=reagent, value=one.log_ratio,
            limit=math.copysign(most, one.log_ratio), unit="ln odds ratio",
            blocks=level if persists else level | {MOSAIC},
        )  # fmt: skip


def _stimulated_enough(case: Case, reagent: str, limits: Limits) -> bool:
    """Return whether the cells with most CD69 show what cells of a usual stimulation would; what is unknown does
    not count against it.
    """
    strong = case.independence[reagent].strong
    if strong is not None and strong.log_ratio > max(limits.guards.dependence_max, SURE * strong.error):
        return False
    mine = case.activation[reagent].median if reagent in case.activation else None
    theirs = case.control.activation_median.get(reagent) if case.control is not None else None
    return mine is None or theirs is None or mine >= limits.guards.cd69_level_of_control_min * theirs


def second_opinion(expression: Expression, limits: Limits) -> Guard | None:
    """Return whether the free mixture and the fit disagree on the negative fraction; None if either has none.

    Allowed is ``second_opinion_max`` beyond counting, half the 95 % interval of the fit, and beyond overlap, the share
    of cells on the wrong side midway between two normal distributions, Phi(-D / 2) at Ashman's D. In 690 reagents of
    simulated healthy, mosaic and absent samples at most 0.019 of it was used, in 144 titrations of real cells 0.040.
    """
    free, own, separation = expression.gmm_negative_fraction, expression.negative_fraction, expression.separation
    low, high = expression.negative_fraction_low, expression.negative_fraction_high
    if free is None or own is None or separation is None or low is None or high is None:
        return None
    allowed = limits.guards.second_opinion_max + (high - low) / 2 + NormalDist().cdf(-separation / 2)
    value = abs(free - own)
    return guard(
        "SECOND_OPINION", value > allowed, "Negative fraction of a free Gaussian mixture against that of the fit.",
        reagent=expression.reagent, value=value, limit=allowed, unit="fraction",
    )  # fmt: skip


def _misfit(expression: Expression, limits: Limits) -> Guard:
    """Return whether the fit misplaces many cells, more than by chance.

    With very many cells any model shows a small misfit, so the share counts. Half of it is allowed if the second
    opinion contradicts the fit.
    """
    value, most, p = expression.misplaced, limits.guards.misfit_max, expression.goodness
    other = second_opinion(expression, limits)
    most /= 2 if other is not None and other.fired else 1
    fired = None if value is None or p is None else value > most and p < BY_CHANCE
    return guard(
        "MODEL_MISFIT", fired, "Share of cells that the fit misplaces, beyond chance.",
        reagent=expression.reagent, value=value, limit=most, unit="fraction", blocks=None if fired else NO_CALLS,
    )  # fmt: skip
