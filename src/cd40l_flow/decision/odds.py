"""The odds of each call: of one reagent, and of all reagents of one blood together.

One blood has one mutant fraction, and all reagents show the same person's level. So differences between healthy people
count once for reagents that agree, and disagreement is evidence for discordant readouts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np

from cd40l_flow.assay.effects import ABSENT, FUNCTIONAL_DEFECT, MOSAIC, NORMAL, REDUCED
from cd40l_flow.assay.limits import Limits
from cd40l_flow.base.model import Floats
from cd40l_flow.mixture import hypotheses as h
from cd40l_flow.mixture.checks.dim_excess import excess_odds
from cd40l_flow.mixture.dim_negatives import with_dim_negatives
from cd40l_flow.mixture.evidence import Evidence, evidence, reweighed
from cd40l_flow.mixture.fit import parameters
from cd40l_flow.mixture.histogram import merged
from cd40l_flow.mixture.hypotheses import People, hypotheses
from cd40l_flow.mixture.model import Comparison, ControlExpression, Expression
from cd40l_flow.mixture.problem import LEVEL, LOGIT_BOUND, NEAREST, Problem
from cd40l_flow.mixture.traces import with_traces
from cd40l_flow.signal.scale import Scale

DISCORDANT = "DISCORDANT"
CALL_OF: Mapping[str, str] = {
    h.NORMAL: NORMAL,
    h.MOSAIC: MOSAIC,
    h.RESIDUAL: MOSAIC,
    h.REDUCED: REDUCED,
    h.ABSENT: ABSENT,
}
# SD of the difference between two reagents of one blood: negative fraction, ln level.
FRACTION_APART, LEVEL_APART = 0.015, 0.10
# Factor by which a sample's evidence of a residual allele must exceed that of the control, since people differ.
CAUTION = 2.0
# Log evidence per cell that a residual allele must gain in addition: the law of the signal may be wrong by so much. In
# titrations of three real stains without one it gained up to 0.0025 at 5,000 cells and 0.001 at 20,000, in simulated
# carriers whose mutant cells keep 20 to 40 % of the level 0.01 to 0.16.
SHAPE_DOUBT = 0.002
# Most bins of the scale: half those of the usual fit tell hypotheses apart as well, in two thirds of the time.
BINS = 256
NO_TILT = (0.0, 0.0, 0.0)
# Numbers of further controls for which it is stated whether they would settle a call.
MORE_CONTROLS = (1, 2, 3)
# Standard errors of the negative fraction's logit between the best fit and the range of a hypothesis, beyond which it
# is not fitted.
FAR = 10.0
MOST = 999.0  # natural logarithm at which odds are truncated
Evidences = Mapping[str, Evidence]


def reagent_evidences(
    expression: Expression, control: ControlExpression, limits: Limits, *, counts: Floats | None = None
) -> tuple[dict[str, Evidence], People] | None:
    """Return the evidence of every hypothesis for one reagent, and the differences between people.

    ``counts``, (bins,), is a subset of its cells, by default all. None if sample or control could not be fitted.
    """
    people = People.of(control, limits)
    fit, prior = expression.mixture, control.prior
    cells = expression.counts if counts is None else counts
    events = float(cells.sum())
    if people is None or fit is None or prior is None or events == 0:
        return None
    anchor = replace(expression.anchor, counts=merged(expression.anchor.counts, BINS))
    background = anchor.component(expression.scale)
    dispersion = expression.overdispersion or 1.0
    problem = Problem(
        merged(cells, BINS) / dispersion,
        background,
        prior,
        limits.mixture.shift_max,
        borrowed=not expression.anchor.exact,
    )
    faintest = math.log(NEAREST * background.linear_sd) - prior.centre.level
    priors = hypotheses(people, events, faintest, limits)
    near = parameters(fit)
    found: dict[str, Evidence] = {}
    variances = np.linalg.inv(fit.information).diagonal() * dispersion
    width, level_error = (math.sqrt(max(float(variances[place]), 1e-12)) for place in (0, LEVEL))
    level = float(near[LEVEL]) - prior.centre.level
    for name in _likeliest_first(fit.negative_fraction, level, people):
        best = min((one.value for one in found.values()), default=math.inf)
        far = priors[name].distance(float(near[0])) / width if counts is None and found else 0.0
        if far > FAR:
            # Too far from the best fit for a useful search.
            top = max(one.log for one in found.values())
            found[name] = Evidence(top - 0.5 * far**2, best + 0.5 * far**2, 0.0, 1.0, 0.0, 1.0)
        else:
            found[name] = evidence(problem, priors[name], people.negative, near, best, level_error)
    found = with_traces(found, people, limits.odds)
    found = with_dim_negatives(found, problem, priors[h.RESIDUAL], people, near, limits.odds)
    one, others = found[h.RESIDUAL], max(found[h.NORMAL].log, found[h.MOSAIC].log)
    held = one.log
    if held > others:
        alike = math.fsum(_residual_in_control(each, people, background.scale, limits) for each in control.each)
        less = held - CAUTION * alike / len(control.each) * events / dispersion
        # A doubt is no evidence against it: at most it makes the hypotheses equally likely.
        held = max(less - SHAPE_DOUBT * events / dispersion, min(less, others))
    if held > others - math.log(limits.odds.call_odds):
        # Nor does it hold further than the dim cells that the sample has in excess of the controls.
        most = excess_odds(cells, expression, control, one)
        held = held if most is None else min(held, others + most)
    found[h.RESIDUAL] = replace(one, log=held)
    return found, people


def _residual_in_control(control: ControlExpression, people: People, scale: Scale, limits: Limits) -> float:
    """Return the gain in log evidence per cell of a residual allele over one kind of cells in the control itself.

    Healthy people have dim cells too, which one distribution does not fit; such cells are no evidence of an allele.
    """
    prior, negative, events = control.prior, control.negative_fraction, float(control.counts.sum())
    if prior is None or negative is None or events == 0 or not control.background.sum():
        return 0.0
    control = replace(control, counts=merged(control.counts, BINS), background=merged(control.background, BINS))
    background = control.component(scale)
    centre = prior.centre
    law = (centre.level, centre.log_spread, centre.skew, centre.electron)
    near = np.array([math.log(negative / (1 - negative)) if negative > 0 else -LOGIT_BOUND, 0.0, *law, *NO_TILT])
    problem = Problem(control.counts, background, prior, limits.mixture.shift_max)
    faintest = math.log(NEAREST * background.linear_sd) - centre.level
    priors = hypotheses(replace(people, negative=negative), events, faintest, limits)
    one, two = (evidence(problem, priors[name], negative, near).log for name in (h.NORMAL, h.RESIDUAL))
    return max(two - one, 0.0) / events


@dataclass(frozen=True)
class ReagentOdds:
    """The odds of one reagent and its distance in shape from the control, as in `Comparison`."""

    normal_odds: float
    mosaic_odds: float
    reduced_odds: float
    absent_odds: float
    residual_kept: float | None
    shape_distance: float | None


@dataclass(frozen=True)
class Weighed:
    """The odds of each call of a sample: of its reagents, and of all together.

    ``more`` are the odds with so many controls more, if these changed nothing but what is known of healthy people.
    """

    reagents: Mapping[str, ReagentOdds]
    joint: Mapping[str, float]
    more: Mapping[int, Weighed] = field(default_factory=dict)


def with_odds(comparisons: Mapping[str, Comparison], weighed: Weighed) -> dict[str, Comparison]:
    """Return the comparisons with the odds of their reagents."""
    odds = {reagent: replace(comparisons[reagent], **vars(one)) for reagent, one in weighed.reagents.items()}
    return {**comparisons, **odds}


def weigh(
    expressions: Mapping[str, Expression],
    controls: Mapping[str, ControlExpression],
    limits: Mapping[str, Limits],
    binding: str,
) -> Weighed:
    """Return the odds of a sample; ``limits`` are all groups of limits by reagent, ``binding`` shows function."""
    found = {
        reagent: one
        for reagent, expression in expressions.items()
        if reagent in controls
        and (one := reagent_evidences(expression, controls[reagent], limits[reagent])) is not None
    }
    if not found:
        return Weighed({}, {})

    def weighed(found: Mapping[str, tuple[Evidences, People]]) -> Weighed:
        evidences = {reagent: one for reagent, (one, _) in found.items()}
        people = {reagent: one for reagent, (_, one) in found.items()}
        return Weighed(
            {reagent: _measures(one, expressions[reagent], controls[reagent]) for reagent, one in evidences.items()},
            joint_odds(evidences, people, binding, limits[next(iter(found))]),
        )

    more = {
        number: weighed(
            {reagent: _with_more(number, *one, controls[reagent], limits[reagent]) for reagent, one in found.items()}
        )
        for number in MORE_CONTROLS
    }
    return replace(weighed(found), more=more)


def _with_more(
    number: int, found: Evidences, people: People, control: ControlExpression, limits: Limits
) -> tuple[Evidences, People]:
    """Return evidence and differences between people as they would be with so many more controls of the same means."""
    count, error = control.count + number, control.negative_fraction_sd
    less = None if error is None else error * math.sqrt(control.count / count)
    known = People.of(replace(control, count=count, negative_fraction_sd=less), limits)
    assert known is not None  # as `people` was known from the same control
    return {name: reweighed(name, one, people, known, limits.odds) for name, one in found.items()}, known


def _measures(found: Evidences, expression: Expression, control: ControlExpression) -> ReagentOdds:
    odds = reagent_odds(found)
    residual = max(found.values(), key=lambda one: one.log) is found[h.RESIDUAL]
    mine, prior = expression.positive, control.prior
    distance = None
    if mine is not None and prior is not None:
        distance = abs(mine.log_spread - prior.centre.log_spread) / math.sqrt(float(prior.covariance[0, 0]))
    return ReagentOdds(
        normal_odds=odds[NORMAL],
        mosaic_odds=odds[MOSAIC],
        reduced_odds=odds[REDUCED],
        absent_odds=odds[ABSENT],
        residual_kept=found[h.RESIDUAL].kept if residual else None,
        shape_distance=distance,
    )


def _likeliest_first(negative: float, level: float, people: People) -> tuple[str, ...]:
    """Return the names of the hypotheses, the most likely one first, so that others can stop early."""
    if negative > 0.9:
        first = h.ABSENT
    elif negative - people.negative > people.mosaic_excess.low:
        first = h.MOSAIC
    else:
        first = h.REDUCED if level < -2 * people.level_sd else h.NORMAL
    return (first, *(name for name in h.NAMES if name != first))


def reagent_odds(found: Evidences) -> dict[str, float]:
    """Return the natural-log odds of each call of one reagent against the likeliest other."""
    return _odds({name: one.log for name, one in found.items()})


def _odds(logs: Mapping[str, float]) -> dict[str, float]:
    by_call: dict[str, list[float]] = {}
    for name, log in logs.items():
        by_call.setdefault(CALL_OF.get(name, name), []).append(log)
    sums = {call: _log_sum(parts) for call, parts in by_call.items()}
    return {
        call: float(np.clip(own - max(log for other, log in sums.items() if other != call), -MOST, MOST))
        for call, own in sums.items()
    }


def joint_odds(
    reagents: Mapping[str, Evidences], people: Mapping[str, People], binding: str, limits: Limits
) -> dict[str, float]:
    """Return the natural-log odds of each call of a sample against the likeliest other.

    If the hypotheses describe people, a sample with another true call gets this one at odds of 100 in fewer than 1 of
    100 cases (2 for a mosaic, which has two explanations) (Markov's inequality for likelihood ratios; Royall 1997,
    Statistical Evidence).

    ``binding`` is the reagent that shows function. Two readouts that fit no call together are the rival `DISCORDANT`.
    """
    names = list(reagents)
    odds = limits.odds
    reduced = h.reduced(max(people.values(), key=lambda one: one.control_level_sd), odds)
    logs: dict[str, float] = {}
    for name in h.NAMES:
        logs[name] = _together(name, [reagents[one] for one in names], [people[one] for one in names], reduced)
    clones = [one for one in names if one != binding]
    functional: tuple[str, ...] = ()
    if binding in reagents and clones:
        functional = (h.NORMAL, h.REDUCED)
        present = [
            _together(name, [reagents[one] for one in clones], [people[one] for one in clones], reduced)
            for name in functional
        ]
        logs[FUNCTIONAL_DEFECT] = _log_sum(present) + reagents[binding][h.ABSENT].log
    mixed = [
        sum(reagents[one][name].log for one, name in zip(names, combination, strict=True))
        for combination in product(h.NAMES, repeat=len(names))
        if not _of_one_kind(dict(zip(names, combination, strict=True)), binding)
    ]
    if len(names) > 1:
        # Or all show a mosaic, but not of one blood.
        mixed += [math.fsum(found[name].log for found in reagents.values()) for name in (h.MOSAIC, h.RESIDUAL)]
    if mixed:
        logs[DISCORDANT] = _log_sum(mixed) - math.log(odds.discordant_odds)
    found = _odds(logs)
    if FUNCTIONAL_DEFECT in found:
        # In a carrier of a CD154 that does not bind a part of the cells does: no functional defect of all.
        partly = _log_sum([reagents[binding][name].log for name in (h.MOSAIC, h.RESIDUAL)])
        found[FUNCTIONAL_DEFECT] = min(found[FUNCTIONAL_DEFECT], reagents[binding][h.ABSENT].log - partly)
    return found


def _of_one_kind(names: Mapping[str, str], binding: str) -> bool:
    """Return whether reagents agree, or show a functional defect."""
    clones = {CALL_OF[name] for reagent, name in names.items() if reagent != binding}
    if len({CALL_OF[name] for name in names.values()}) == 1:
        return True
    return binding in names and names[binding] == h.ABSENT and len(clones) == 1 and clones <= {NORMAL, REDUCED}


def _together(name: str, found: Sequence[Evidences], people: Sequence[People], reduced: h.Normal) -> float:
    """Return the evidence of one hypothesis for several reagents of one blood."""
    mine = [one[name] for one in found]
    log = math.fsum(one.log for one in mine)
    if name == h.ABSENT or len(mine) < 2:
        return log
    widest = max(people, key=lambda one: one.negative_sd)
    log += _shared([(one.fraction, one.fraction_error) for one in mine], h.share_law(name, widest), FRACTION_APART)
    level = h.Normal(0.0, max(one.level_sd for one in people)) if name != h.REDUCED else reduced
    return log + _shared([(one.level, one.level_error) for one in mine], level, LEVEL_APART)


def _shared(values: Sequence[tuple[float, float]], law: h.Normal | h.Above, apart: float) -> float:
    """Return the gain in log evidence if several values are one draw of a distribution, not several.

    ``values`` are pairs of value and standard error; ``apart`` is the SD of their residual differences.
    """
    alone = math.fsum(h.log_convolved(value, error**2, law) for value, error in values)
    # The combined likelihood is also normal, times the density of the observed differences.
    mean, variance = values[0][0], values[0][1] ** 2 + apart**2
    together = 0.0
    for value, error in values[1:]:
        own = error**2 + apart**2
        together += h.log_normal(value - mean, variance + own)
        gain = variance / (variance + own)
        mean, variance = mean + gain * (value - mean), variance * (1 - gain)
    return together + h.log_convolved(mean, variance, law) - alone


def _log_sum(logs: Sequence[float]) -> float:
    top = max(logs)
    return top + math.log(math.fsum(math.exp(log - top) for log in logs))
