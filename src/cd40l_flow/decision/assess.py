"""From gated tubes to a case: the cells and background of every reagent, and their measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from cd40l_flow.assay.cd40l.gates import ACTIVATED, CD4_POSITIVE, CD8_NEGATIVE
from cd40l_flow.assay.effects import MOSAIC
from cd40l_flow.assay.limits import Limits
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.tables import TARGET, TARGET_GATE
from cd40l_flow.base.model import Floats, Override, Sample
from cd40l_flow.cohort.ages import age_band
from cd40l_flow.cohort.laboratory import Laboratory
from cd40l_flow.decision.binding import binding_of
from cd40l_flow.decision.case import Activation, Case, ControlCase, Refusal
from cd40l_flow.decision.compare import agreeing, compare
from cd40l_flow.decision.control import combine, control_terms
from cd40l_flow.decision.guards import control_failures, tubes_lacking
from cd40l_flow.decision.independence import Independence, independence
from cd40l_flow.decision.laboratory import with_laboratory
from cd40l_flow.decision.odds import Weighed, reagent_evidences, reagent_odds, weigh, with_odds
from cd40l_flow.decision.quality import not_carried, usable_fit
from cd40l_flow.decision.reference_guards import disagreement
from cd40l_flow.decision.replicates import replicate_groups
from cd40l_flow.decision.tube_checks import cd69_median, check_tubes, floor_of, volts_of
from cd40l_flow.gating.model import GatedSample, GatedTube
from cd40l_flow.mixture.histogram import histogram
from cd40l_flow.mixture.measures import TargetCells, fit
from cd40l_flow.mixture.model import UNSTIMULATED, Anchor, Comparison, ControlExpression, Expression
from cd40l_flow.mixture.resting import stimulated
from cd40l_flow.signal.censoring import pile

_Value = TypeVar("_Value")
# Of each activated cell: the target, and markers that mutant cells have as much of as the others (CD4 where stained).
_OF_CELLS = (TARGET, "CD69", "CD3", "CD8", "CD4")


@dataclass(frozen=True)
class _Tubes:
    """The gated tubes of a sample, by stimulation and reagent."""

    gated: GatedSample

    def of(self, reagent: str, *, stimulated: bool) -> list[GatedTube]:
        stimulation = "stimulated" if stimulated else "unstimulated"
        return [
            tube
            for tube in self.gated.tubes
            if tube.signal.events.tube.reagent == reagent and tube.signal.events.tube.stimulation == stimulation
        ]

    def unstimulated(self) -> list[GatedTube]:
        return [tube for tube in self.gated.tubes if tube.signal.events.tube.stimulation == "unstimulated"]


def cells(tubes: Sequence[GatedTube], population: str, marker: str = TARGET) -> Floats:
    """Return a marker's compensated linear values of one population, replicate tubes pooled, (n,)."""
    parts = [tube.linear(marker, population) for tube in tubes if population in tube.indices]
    return np.concatenate(parts) if parts else np.empty(0)


def assess(
    gated: GatedSample,
    refusals: tuple[Refusal, ...],
    control: ControlCase | None,
    overrides: Sequence[Override],
    limits: Limits,
    *,
    alone: bool,
    laboratory: Laboratory | None = None,
) -> Case:
    """Return the case of a sample: every reagent measured, and compared where there is a control.

    ``alone`` marks a control without another control to compare with. ``refusals`` are tubes that could not be read.
    ``laboratory`` are the laboratory's own limits: the spread of healthy donors sets the limits of detection.
    """
    assay, sample, tubes = current_assay(), gated.sample, _Tubes(gated)
    planned = tuple(
        reagent
        for reagent in assay.targets
        if any(tube.reagent == reagent and tube.stimulation == "stimulated" for tube in sample.tubes)
    )
    reagents: dict[str, Expression] = {}
    for reagent in planned:
        expression = _measure(tubes, reagent, control, overrides, limits)
        if expression is not None:
            reagents[reagent] = expression
    own = {reagent: with_laboratory(limits, laboratory, reagent) for reagent in reagents}
    theirs = control.reagents if control else {}
    comparisons, weighed = compare_with_controls(reagents, theirs, own)
    return Case(
        sample=sample,
        alone=alone,
        refusals=refusals,
        planned=planned,
        missing=_missing(sample, planned),
        unstimulated_missing=not any(tube.stimulation == "unstimulated" for tube in sample.tubes),
        reagents=reagents,
        comparisons=agreeing(comparisons),
        activation={reagent: _activation(tubes, reagent) for reagent in planned},
        checks=check_tubes(gated, limits.gating),
        control=control,
        laboratory=laboratory,
        cytometers=tuple(sorted({tube.signal.events.header.cytometer for tube in gated.tubes})),
        replicates=replicate_groups(gated, reagents, limits),
        independence=_independence(tubes, reagents, comparisons, control, own),
        joint=weighed.joint,
        more_controls=weighed.more,
        binding=binding_of(reagents, comparisons, theirs, assay.expression, assay.function),
        volts=target_volts(gated),
    )


def compare_with_controls(
    reagents: Mapping[str, Expression], theirs: Mapping[str, ControlExpression], limits: Mapping[str, Limits]
) -> tuple[dict[str, Comparison], Weighed]:
    """Return the comparison of each reagent with the controls, and the odds.

    ``theirs`` are the controls' and ``limits`` the limits in use, both by reagent.
    """
    comparisons = {
        reagent: compare(one, theirs[reagent], limits[reagent], by_fit=usable_fit(one, limits[reagent]))
        for reagent, one in reagents.items()
        if reagent in theirs
    }
    weighed = weigh(reagents, theirs, limits, current_assay().function)
    return with_odds(comparisons, weighed), weighed


def _independence(
    tubes: _Tubes,
    reagents: Mapping[str, Expression],
    comparisons: Mapping[str, Comparison],
    control: ControlCase | None,
    limits: Mapping[str, Limits],
) -> dict[str, Independence]:
    """Return, for each fitted reagent, the dependence of its negative cells on each marker and time.

    If they depend on a marker and a mosaic is still possible, its odds are computed from the cells where neither marker
    matters.
    """
    found = {}
    for reagent, expression in reagents.items():
        if expression.expected is None:
            continue
        stimulated = [tube for tube in tubes.of(reagent, stimulated=True) if ACTIVATED in tube.indices]
        known = [marker for marker in _OF_CELLS if all(marker in tube.signal.scaled for tube in stimulated)]
        target, cd69, cd3, *others = (
            np.concatenate([tube.scaled(marker, ACTIVATED) for tube in stimulated]).astype(np.float64)
            for marker in known
        )
        sizes = [tube.count(ACTIVATED) for tube in stimulated]
        by_marker = dict(zip(known[3:], others, strict=True))
        one = independence(target, cd69, cd3, expression.expected, others=by_marker, tubes=sizes)
        strongest = one.largest
        dependent = strongest is not None and abs(strongest.log_ratio) > limits[reagent].guards.dependence_max
        if (
            dependent
            and control is not None
            and reagent in comparisons
            and (comparisons[reagent].mosaic_odds or 0.0) > 0
        ):
            among = reagent_evidences(expression, control.reagents[reagent], limits[reagent], counts=one.inner)
            one = replace(one, inner_odds=None if among is None else reagent_odds(among[0])[MOSAIC])
        found[reagent] = one
    return found


def target_volts(gated: GatedSample) -> dict[str, tuple[float, ...]]:
    """Return the voltages of each detector of a stimulated target, of all tubes; empty if the files state none."""
    return volts_of(tube for tube in gated.tubes if tube.signal.events.tube.stimulation == "stimulated")


def control_case(cases: Sequence[Case], limits: Limits) -> ControlCase:
    """Return the combined case of controls that were assessed one by one."""
    reagents = {}
    terms_of = [
        {reagent: control_terms(expression, limits) for reagent, expression in case.reagents.items()} for case in cases
    ]
    for reagent in current_assay().targets:
        having = [terms[reagent] for terms in terms_of if reagent in terms]
        if having and len(having) == len([case for case in cases if reagent in case.planned]):
            reagents[reagent] = combine(having, limits.mixture)
    failures = [control_failures(case, limits) for case in cases]
    return ControlCase(
        names=tuple(case.sample.sample for case in cases),
        reagents=reagents,
        activation_percent=_means([case.activation_percent for case in cases]),
        activation_median=_means([case.activation_median for case in cases]),
        failures=tuple(text for everywhere, _ in failures for text in everywhere),
        disagreement=disagreement(terms_of),
        reagent_failures=together([by_reagent for _, by_reagent in failures]),
        volts=together([case.volts for case in cases]),
        ages=tuple(age_band(case.sample.age_years) for case in cases),
        lacking=together([tubes_lacking(case, limits) for case in cases]),
        not_carried=frozenset(
            reagent
            for case in cases
            for reagent, expression in case.reagents.items()
            if not_carried(expression, limits)
        ),
    )


def together(several: Sequence[Mapping[str, Sequence[_Value]]]) -> dict[str, tuple[_Value, ...]]:
    """Return several mappings of lists merged into one, without repeated entries."""
    names = dict.fromkeys(name for one in several for name in one)
    return {name: tuple(dict.fromkeys(value for one in several for value in one.get(name, ()))) for name in names}


def _means(several: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of the controls that have a measure, by reagent."""
    found: dict[str, list[float]] = {}
    for one in several:
        for reagent, value in one.items():
            found.setdefault(reagent, []).append(value)
    return {reagent: sum(values) / len(values) for reagent, values in found.items()}


def _missing(sample: Sample, planned: Sequence[str]) -> dict[str, str]:
    """Return, for each reagent, the background tube that the sheet lacks, in words."""
    there = {tube.reagent for tube in sample.tubes if tube.stimulation == "stimulated"}
    backgrounds = {reagent: current_assay().targets[reagent].backgrounds for reagent in planned}
    return {
        reagent: f"No stimulated {' or '.join(backgrounds[reagent])} tube: {reagent} has no background of its own. "
        "Add one to the sheet of tubes."
        for reagent in planned
        if not there & set(backgrounds[reagent])
    }


def _measure(
    tubes: _Tubes, reagent: str, control: ControlCase | None, overrides: Sequence[Override], limits: Limits
) -> Expression | None:
    stimulated = [tube for tube in tubes.of(reagent, stimulated=True) if ACTIVATED in tube.indices]
    if not stimulated:
        return None
    detector = stimulated[0].signal.events.markers[TARGET]
    activated = cells(stimulated, ACTIVATED)
    anchor = _anchor(tubes, reagent, detector, control, limits, activated)
    if anchor is None or activated.size == 0:
        return None
    names = tuple(tube.signal.events.tube.fcs for tube in stimulated)
    override = target_override(overrides, names)
    return fit(
        TargetCells(activated, cells(tubes.of(reagent, stimulated=False), CD8_NEGATIVE)),
        anchor,
        tubes.gated.scales[detector],
        limits,
        reagent=reagent,
        detector=detector,
        tubes=names,
        control=control.reagents.get(reagent) if control else None,
        threshold=override.value if override else None,
    )


def target_override(overrides: Sequence[Override], tubes: Sequence[str]) -> Override | None:
    """Return the override of a reagent's threshold, given the reagent's tubes (``fcs``); one for a tube takes
    precedence.
    """
    chosen = [override for override in overrides if override.gate == TARGET_GATE and override.tube in ("", *tubes)]
    return max(chosen, key=lambda override: override.tube != "", default=None)


def _anchor(
    tubes: _Tubes,
    reagent: str,
    detector: str,
    control: ControlCase | None,
    limits: Limits,
    activated: Floats,
) -> Anchor | None:
    """Return the background of a reagent: the sample's own stimulated one, else its resting cells corrected for
    stimulation, else the control's stimulated one, else uncorrected resting cells.

    Each is used only with enough cells (``min_events`` of the gating limits). ``activated`` are the target's values of
    the sample's activated cells, (n,): their pile-up is the floor.
    """
    bins, enough = limits.mixture.bins, limits.gating.min_events
    scale = tubes.gated.scales[detector]
    for background in current_assay().targets[reagent].backgrounds:
        own = [tube for tube in tubes.of(background, stimulated=True) if tube.signal.events.markers[TARGET] == detector]
        values = cells(own, ACTIVATED)
        if values.size >= enough:
            names = tuple(tube.signal.events.tube.fcs for tube in own)
            floor = lowest_written(values, activated)
            return Anchor(histogram(scale.forward(values), bins), background, names, exact=True, floor=floor)
    mine = None
    # Resting cells with the same stain; the background of another reagent differs.
    resting = [tube for tube in tubes.of(reagent, stimulated=False) if tube.signal.events.markers[TARGET] == detector]
    values = cells(resting, CD8_NEGATIVE)
    if values.size >= enough:
        names = tuple(tube.signal.events.tube.fcs for tube in resting)
        change = stimulated(values, resting, tubes.of(reagent, stimulated=True))
        values = values if change is None else change.of(values)
        floor = lowest_written(values, activated)
        counts = histogram(scale.forward(values), bins)
        mine = Anchor(counts, UNSTIMULATED, names, exact=False, floor=floor, change=change)
        if change is not None:
            return mine
    theirs = _control_background(control, reagent, enough, activated)
    return mine if theirs is None or (theirs.resting and mine is not None) else theirs


def _control_background(control: ControlCase | None, reagent: str, enough: int, activated: Floats) -> Anchor | None:
    """Return the background of the controls, None without one or with too few cells."""
    theirs = control.reagents.get(reagent) if control else None
    if theirs is None or theirs.background.sum() < enough:
        return None
    floor = max((one for one in (theirs.floor, lowest_written(activated)) if one is not None), default=None)
    return Anchor(theirs.background, f"control's {theirs.background_source}", (), exact=False, floor=floor)


def lowest_written(*several: Floats) -> float | None:
    """Return the highest of the lower pile-ups of several sets of linear values, (n,) each; None without one.

    Compensation spreads a pile-up; the values of single cells are then sufficiently known.
    """
    piles = [found.value for values in several if (found := pile(values)) is not None]
    return max(piles, default=None)


def _activation(tubes: _Tubes, reagent: str) -> Activation:
    read = tubes.of(reagent, stimulated=True)
    stimulated = [tube for tube in read if CD8_NEGATIVE in tube.indices]
    resting = [tube for tube in tubes.unstimulated() if CD8_NEGATIVE in tube.indices]
    high = cd69_median(stimulated[0]) if stimulated else None
    low, ratio = cd69_median(resting[0]) if resting else None, None
    if high is not None and low is not None:
        ratio = high / max(low, floor_of(resting[0], "CD69", tubes.gated.scales))
    events = sum(tube.count(ACTIVATED) for tube in stimulated if ACTIVATED in tube.indices)
    return Activation(_percent(stimulated), _percent(resting), ratio, events if read else None, high)


def _percent(tubes: Sequence[GatedTube]) -> float | None:
    """Return the CD69+ percent of CD3+CD8- cells (of the CD4+ ones, where CD4 is gated), tubes pooled, or None without
    cells or without the gate.
    """
    gated = [tube for tube in tubes if ACTIVATED in tube.indices]
    parents = sum(tube.count(CD4_POSITIVE if CD4_POSITIVE in tube.indices else CD8_NEGATIVE) for tube in gated)
    return 100 * sum(tube.count(ACTIVATED) for tube in gated) / parents if parents else None
