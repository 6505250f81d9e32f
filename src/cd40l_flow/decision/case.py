"""A case: all inputs of guards and rules for one sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cd40l_flow.base.model import Sample
from cd40l_flow.cohort.laboratory import Laboratory
from cd40l_flow.decision.binding import Binding
from cd40l_flow.decision.independence import Dependence, Independence
from cd40l_flow.decision.odds import Weighed
from cd40l_flow.mixture.model import Comparison, ControlExpression, Expression


@dataclass(frozen=True)
class Refusal:
    """A tube that could not be used: its ``fcs``, the reason code, and the problem in words."""

    fcs: str
    code: str
    message: str


@dataclass(frozen=True)
class Activation:
    """Activation in one reagent's stimulated tubes; percents 0 to 100 of CD3+CD8- cells, None if not computable.

    ``median_ratio`` is the CD69 median of stimulated over unstimulated CD3+CD8- cells on the linear scale; ``events``
    the activated cells of the stimulated tubes, None when no tube of the reagent could be read; ``median`` the CD69
    median of stimulated CD3+CD8- cells, compensated linear.
    """

    percent: float | None
    unstimulated_percent: float | None
    median_ratio: float | None
    events: int | None = None
    median: float | None = None


@dataclass(frozen=True)
class Difference:
    """A fingerprint of the donor in two tubes: the measure, its difference, and the allowed difference.

    ``value`` and ``limit`` are in ``unit``: percentage points, or percent of the smaller one; the limit includes
    counting error.
    """

    what: str
    tubes: tuple[str, str]
    value: float
    limit: float
    unit: str


@dataclass(frozen=True)
class Replicate:
    """One of several pooled tubes: its cells, their CD69 and target; see `ReplicateGroup`.

    ``cells`` is the number of compared cells; ``cd69_percent`` is of CD3+CD8- cells, medians are compensated linear,
    ``percent_above`` is of the cells above the reagent's threshold. None if not computable.
    """

    fcs: str
    cells: int
    cd69_percent: float | None
    cd69_median: float | None
    target_median: float | None
    percent_above: float | None


@dataclass(frozen=True)
class ReplicateGroup:
    """Pooled tubes of one stimulation and reagent: the measures of each, and their differences.

    ``population`` is the compared one; ``serves`` are the reagents measured with the tubes, empty for resting cells,
    which serve all.
    """

    stimulation: str
    reagent: str
    population: str
    serves: tuple[str, ...]
    replicates: tuple[Replicate, ...]
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Slope:
    """The slope of the target against another marker in CD69+ negative cells of one tube.

    ``slope`` is in channels of the target per channel of ``marker``; ``residue`` the same from the lower to the upper
    third of the marker, in robust SD of the target.
    """

    fcs: str
    marker: str
    population: str
    slope: float
    residue: float


@dataclass(frozen=True)
class TubeCheck:
    """Checks between the tubes of a sample, and the worst acquisition; see ``tube_checks``.

    ``untimed`` names the tubes (``fcs``) whose steadiness in time could not be assessed, ``drifting`` those whose
    signal drifts within the kept events; ``residue`` is the largest change of the target with CD69 or CD3 in negative
    cells of stimulated tubes, robust SD; ``slopes`` are all of them. ``differences`` are the largest differences of
    donor fingerprints, relative to their limits; ``cd8_percent`` the CD8+ percent of CD3+ cells, of the tube with most.
    ``over_time`` and ``replicates`` are how the B cells that the assay counts gather in a part of the acquisition, and
    in one of several replicates.
    """

    removed_percent: float | None
    margin_percent: float | None
    untimed: tuple[str, ...]
    swapped: bool | None
    markers_swapped: bool | None
    cd3_cd8_swapped: bool | None
    differences: tuple[Difference, ...]
    residue: float | None
    slopes: tuple[Slope, ...] = ()
    drifting: tuple[str, ...] = ()
    cd8_percent: float | None = None
    over_time: Dependence | None = None
    replicates: Dependence | None = None


@dataclass(frozen=True)
class Disagreement:
    """The largest difference between controls in one reagent; None if one is unknown.

    ``difference`` is of the positive fractions (0 to 1), ``ratio`` the brighter over the dimmer, all activated cells.
    """

    difference: float | None
    ratio: float | None


@dataclass(frozen=True)
class ControlCase:
    """The controls of a run: combined measures per reagent, CD69 percent, and failures (empty: none).

    ``activation_median`` is of CD69 in CD3+CD8- cells, compensated linear, by reagent. ``failures`` are those of the
    whole run, ``reagent_failures`` of one reagent. ``disagreement`` is by reagent, of
    those that several controls measured. ``volts`` are the voltages of each detector, ``ages`` the controls' bands of
    age. ``lacking`` are missing tubes of the controls in words, by reagent (empty: of all); ``not_carried`` the
    reagents whose control background does not support a fraction.
    """

    names: tuple[str, ...]
    reagents: Mapping[str, ControlExpression]
    activation_percent: Mapping[str, float]
    failures: tuple[str, ...]
    disagreement: Mapping[str, Disagreement] = field(default_factory=dict)
    reagent_failures: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    volts: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    ages: tuple[str | None, ...] = ()
    lacking: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    not_carried: frozenset[str] = frozenset()
    activation_median: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One sample, as input of guards and rules.

    ``reagents`` are those that could be measured; ``planned`` those with a stimulated tube in the sheet; ``missing``
    maps reagent -> missing background; ``control`` is None without a control (``alone``: a single control, judged by
    its own guards). ``laboratory`` are the laboratory's own limits, if any, ``cytometers`` the instruments (``$CYT``)
    of the tubes. ``without_time_qc`` is the same sample without the time gate, None if nothing was removed. ``joint``
    are the natural-log odds of each call by all reagents together, ``more_controls`` all odds with so many more
    controls; ``volts`` the voltages of each detector of a stimulated target. ``replicates`` are the tubes that were
    pooled. ``not_shown`` is the reason, by reagent, why no fraction is shown (`as_shown`).
    """

    sample: Sample
    alone: bool
    refusals: tuple[Refusal, ...]
    planned: tuple[str, ...]
    missing: Mapping[str, str]
    unstimulated_missing: bool
    reagents: Mapping[str, Expression]
    comparisons: Mapping[str, Comparison]
    activation: Mapping[str, Activation]
    checks: TubeCheck
    control: ControlCase | None
    laboratory: Laboratory | None = None
    cytometers: tuple[str, ...] = ()
    without_time_qc: WithoutTimeQC | None = None
    replicates: tuple[ReplicateGroup, ...] = ()
    independence: Mapping[str, Independence] = field(default_factory=dict)
    joint: Mapping[str, float] = field(default_factory=dict)
    more_controls: Mapping[int, Weighed] = field(default_factory=dict)
    binding: Binding | None = None
    volts: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    not_shown: Mapping[str, str] = field(default_factory=dict)

    @property
    def activation_percent(self) -> dict[str, float]:
        """Reagent -> CD69+ percent of CD3+CD8- cells, where known."""
        return {name: one.percent for name, one in self.activation.items() if one.percent is not None}

    @property
    def activation_median(self) -> dict[str, float]:
        """Reagent -> CD69 median of stimulated CD3+CD8- cells, compensated linear, where known."""
        return {name: one.median for name, one in self.activation.items() if one.median is not None}

    def comparison(self, reagent: str) -> Comparison:
        """Return the comparison of a reagent with the control's, empty without a control."""
        return self.comparisons.get(reagent, Comparison())


@dataclass(frozen=True)
class WithoutTimeQC:
    """A sample without its time gate: call, reasons, and whether the call is the same.

    ``change_points`` is the largest change of a population's percent of parent in any tube, percentage points.
    """

    call: str
    reasons: tuple[str, ...]
    same_call: bool
    change_points: float
    case: Case
