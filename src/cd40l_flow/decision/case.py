"""A case: everything that guards and rules may look at, for one sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cd40l_flow.base.model import Sample
from cd40l_flow.decision.binding import Binding
from cd40l_flow.decision.independence import Independence
from cd40l_flow.decision.laboratory import Laboratory
from cd40l_flow.mixture.model import Comparison, ControlExpression, Expression


@dataclass(frozen=True)
class Refusal:
    """A tube that could not be used: its ``fcs``, the reason code, and what is wrong in words."""

    fcs: str
    code: str
    message: str


@dataclass(frozen=True)
class Activation:
    """How well one reagent's stimulated tubes were activated; percents 0 to 100 of CD3+CD8- cells, None not computable.

    ``median_ratio`` is the CD69 median of stimulated over unstimulated CD3+CD8- cells on the linear scale; ``events``
    the activated cells of the stimulated tubes, None when no tube of the reagent could be read.
    """

    percent: float | None
    unstimulated_percent: float | None
    median_ratio: float | None
    events: int | None = None


@dataclass(frozen=True)
class Difference:
    """A fingerprint of the donor in two tubes: what was compared, by how much it differs, and how much it may.

    ``value`` and ``limit`` are in ``unit``: percentage points, or percent of the smaller one; the limit holds what
    counting explains.
    """

    what: str
    tubes: tuple[str, str]
    value: float
    limit: float
    unit: str


@dataclass(frozen=True)
class Replicate:
    """One of several tubes that are pooled: its cells and their CD69 and target; see `ReplicateGroup`.

    ``cells`` counts those that are compared; ``cd69_percent`` is of CD3+CD8- cells, medians are compensated linear,
    ``percent_above`` is of the cells above the reagent's threshold. None is not computable.
    """

    fcs: str
    cells: int
    cd69_percent: float | None
    cd69_median: float | None
    target_median: float | None
    percent_above: float | None


@dataclass(frozen=True)
class ReplicateGroup:
    """Tubes of one stimulation and reagent, which are pooled: each one's measures, and how far they lie apart.

    ``population`` is that whose cells are compared; ``serves`` the reagents that are measured with them, empty for
    resting cells, which serve all.
    """

    stimulation: str
    reagent: str
    population: str
    serves: tuple[str, ...]
    replicates: tuple[Replicate, ...]
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Slope:
    """How the target follows another marker in cells of one tube that do not express it.

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
    """What the tubes of a sample say of each other, and the acquisition of the worst; see ``tube_checks``.

    ``untimed`` names the tubes (``fcs``) whose steadiness in time could not be assessed, ``drifting`` those whose
    signal changes within what is kept; ``residue`` is how far the target follows CD69 or CD3 in cells that do not
    express it, robust SD, largest of the stimulated tubes; ``slopes`` are all of them. ``differences`` are the
    fingerprints of the donor that differ most, each against its limit.
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


@dataclass(frozen=True)
class Disagreement:
    """How far several controls lie apart in one reagent, largest of all pairs; None where one of them is not known.

    ``difference`` is of the positive fractions (0 to 1), ``ratio`` the brighter over the dimmer, all activated cells.
    """

    difference: float | None
    ratio: float | None


@dataclass(frozen=True)
class ControlCase:
    """What a run's controls say: combined measures per reagent, CD69 percent, and why one failed (empty: none did).

    ``failures`` are those of the whole run, ``reagent_failures`` of one reagent. ``disagreement`` is by reagent, of
    those that several controls measured. ``volts`` are the voltages of each detector, ``ages`` the controls' bands of
    age. ``lacking`` are in words the tubes that the controls were not made of, by reagent (empty: of all);
    ``not_carried`` the reagents of which a control's background does not carry a fraction.
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


@dataclass(frozen=True)
class Case:
    """One sample as guards and rules see it.

    ``reagents`` are those that could be measured; ``planned`` those with a stimulated tube in the sheet; ``missing``
    maps reagent -> what the sheet lacks; ``control`` is None when there is none to compare with (``alone``: a single
    control, judged by its own guards). ``laboratory`` are its own limits, if it has any, and ``cytometers`` the
    instruments (``$CYT``) that the tubes name. ``without_time_qc`` is the same sample without the cuts in time, None
    where nothing was cut. ``joint`` are the natural-log odds of each call by all reagents together;
    ``volts`` the voltages of each detector of a stimulated target. ``replicates`` are the tubes that were pooled.
    ``not_shown`` says by reagent why no fraction of it is shown (`as_shown`).
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
    binding: Binding | None = None
    volts: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    not_shown: Mapping[str, str] = field(default_factory=dict)

    def comparison(self, reagent: str) -> Comparison:
        """Return a reagent beside the control's, empty where there is no control."""
        return self.comparisons.get(reagent, Comparison())


@dataclass(frozen=True)
class WithoutTimeQC:
    """What a sample would have been without its cuts in time: call, reasons, and whether the call is the same.

    ``change_points`` is the largest change of a population's percent of parent in any tube, percentage points.
    """

    call: str
    reasons: tuple[str, ...]
    same_call: bool
    change_points: float
    case: Case
