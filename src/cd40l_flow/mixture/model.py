"""The types of expression: the measures of one reagent, alone and relative to the control."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.checks.model_free import Distances
from cd40l_flow.mixture.components import Background, background_component
from cd40l_flow.mixture.detection import Limits, Titration
from cd40l_flow.mixture.fit import Fit
from cd40l_flow.mixture.histogram import bin_of
from cd40l_flow.mixture.prior import Prior
from cd40l_flow.mixture.resting import Stimulated
from cd40l_flow.mixture.signal_law import SignalParameters
from cd40l_flow.signal.scale import Scale

UNSTIMULATED = "unstimulated"


@dataclass(frozen=True)
class Anchor:
    """The background of a reagent: binned values, (bins,), their source and tubes.

    ``source`` is ``isotype``, ``FMO`` or ``secondary`` (the sample's own, stimulated), ``control's ...`` or
    ``unstimulated``; ``exact`` is False if the shape is that of other cells, so that the interval must allow for a
    shift; ``change`` is the correction of resting cells. ``floor`` is the lowest channel value that the instrument
    writes (log amplifiers, clipped files), where cells are censored; None without one.
    """

    counts: Floats
    source: str
    tubes: tuple[str, ...]
    exact: bool
    floor: float | None = None
    change: Stimulated | None = None

    @property
    def resting(self) -> bool:
        """Whether it is of resting cells, of the sample or of the control."""
        return self.source.endswith(UNSTIMULATED)

    def component(self, scale: Scale) -> Background:
        """Return the negative component on the scale of the bins, cached because its tables for fits are expensive."""
        if scale not in self._components:
            floor = 0 if self.floor is None else bin_of(scale.to_scaled(self.floor), self.counts.size)
            self._components[scale] = background_component(self.counts, scale, floor)
        return self._components[scale]

    @cached_property
    def _components(self) -> dict[Scale, Background]:
        return {}


@dataclass(frozen=True)
class Expression:
    """One reagent on the activated cells of one sample, without comparison.

    Percents are 0 to 100, fractions 0 to 1, MFIs medians on the compensated linear scale; None is not computable.
    ``threshold`` is linear, ``threshold_scaled`` on the logicle scale; ``threshold_automatic``, linear, is the
    automatic one if it was overridden. ``positive_low_scaled`` is the 10th percentile of the fitted positive component.
    ``counts`` are the binned values, (bins,), of sample and background on the logicle ``scale``; ``expected`` those of
    the fitted components, (2, bins). ``separation`` is Ashman's D; ``valley`` the depth (0 to 1) of the valley between
    the components; ``borrowed`` the share (0 to 1) of the positive shape's information that came from the control.
    ``mixture`` is the fit itself. The ends of the MFIs are 95 % intervals of medians. ``margin_events`` are cells at
    the top of the target's range: positive, and excluded from the fit. ``goodness`` is the p value of the fit,
    ``misplaced`` the share of cells (0 to 1) that the fit misplaces, ``overdispersion`` the factor of excess scatter,
    ``model_error`` the standard error of the negative fraction from the unknown shape (included in its interval),
    ``at_bound`` the parameters stuck at a bound of the model. ``gmm_negative_fraction`` and ``gmm_components`` are the
    second opinion of a free Gaussian mixture (`free_mixture`).
    """

    reagent: str
    detector: str
    tubes: tuple[str, ...]
    events: int
    scale: Scale
    counts: Floats
    anchor: Anchor
    threshold: float
    threshold_scaled: float
    threshold_source: str
    percent_positive: float | None
    percent_positive_low: float | None
    percent_positive_high: float | None
    mfi_all: float | None
    mfi_positive: float | None
    mfi_background: float | None
    stain_index: float | None
    negative_fraction: float | None
    negative_fraction_low: float | None
    negative_fraction_high: float | None
    separation: float | None
    shift: float | None
    converged: bool | None
    positive: SignalParameters | None
    positive_low_scaled: float | None
    expected: Floats | None
    valley: float | None
    dip_p: float | None
    borrowed: float | None
    unstimulated_percent_positive: float | None
    background_shift: float | None
    linear_width_ratio: float | None
    threshold_automatic: float | None = None
    mixture: Fit | None = None
    mfi_all_low: float | None = None
    mfi_all_high: float | None = None
    mfi_positive_low: float | None = None
    mfi_positive_high: float | None = None
    margin_events: int = 0
    goodness: float | None = None
    misplaced: float | None = None
    overdispersion: float | None = None
    model_error: float | None = None
    at_bound: tuple[str, ...] = ()
    gmm_negative_fraction: float | None = None
    gmm_components: int | None = None

    @property
    def mfi_above_background(self) -> float | None:
        """MFI of the positive cells minus the background's, channel values."""
        return _less(self.mfi_positive, self.mfi_background)

    @property
    def mfi_all_above_background(self) -> float | None:
        """MFI of all activated cells minus the background's, channel values."""
        return _less(self.mfi_all, self.mfi_background)

    @property
    def positive_fraction_by_fit(self) -> float | None:
        """One minus the negative fraction, regardless of its quality."""
        return None if self.negative_fraction is None else 1 - self.negative_fraction


def _less(value: float | None, background: float | None) -> float | None:
    return None if value is None or background is None else value - background


@dataclass(frozen=True)
class ControlExpression:
    """The combined measures of a run's controls for one reagent: the terms of every ratio.

    ``negative_fraction_sd`` is the standard error of the combined fraction; ``positive`` the mean shape and ``prior``
    the resulting prior for samples; ``background`` their pooled binned background and ``counts`` their pooled binned
    cells, (bins,). ``mfi_error`` and ``mfi_all_error`` are standard errors of the logarithms of the MFIs,
    ``positive_fraction_error`` that of the positive fraction; ``count`` is the number of controls. ``titration`` is the
    recovery of known mixtures of the run's own cells, ``floor`` that of the background (`Anchor`). ``members`` are the
    single controls, empty for one alone.
    """

    percent_positive: float | None
    positive_fraction: float | None
    by_fit: bool
    mfi_above_background: float | None
    mfi_all_above_background: float | None
    negative_fraction: float | None
    negative_fraction_sd: float | None
    separation: float | None
    positive: SignalParameters | None
    prior: Prior | None
    positive_low_scaled: float | None
    background: Floats
    background_source: str
    counts: Floats
    mfi_error: float | None
    mfi_all_error: float | None
    positive_fraction_error: float | None
    titration: Titration | None
    floor: float | None = None
    count: int = 1
    members: tuple[ControlExpression, ...] = ()

    @property
    def each(self) -> tuple[ControlExpression, ...]:
        """The single controls, itself if it is one."""
        return self.members or (self,)

    def component(self, scale: Scale) -> Background:
        """Return the controls' own background on the scale of its bins, cached."""
        if scale not in self._components:
            floor = 0 if self.floor is None else bin_of(scale.to_scaled(self.floor), self.background.size)
            self._components[scale] = background_component(self.background, scale, floor)
        return self._components[scale]

    @cached_property
    def _components(self) -> dict[Scale, Background]:
        return {}


@dataclass(frozen=True)
class Comparison:
    """One reagent relative to the control: ratios, the mutant fraction with its limits, and the odds.

    Intervals (``_low``, ``_high``) are 95 %. ``mutant_error`` is the standard error of the mutant fraction from
    counting and overlap alone; ``lob`` and ``lod`` are its limits of blank and of detection. The odds are natural
    logarithms, each against all other explanations together (`odds`). ``residual_kept`` is the relative level of mutant
    cells, if a residual allele is the best explanation. ``shape_distance`` is how far the spread of the signal lies
    from the controls', in standard deviations between people. ``agreement`` is how far the mutant fraction lies above
    the other readout's, in standard errors. ``bright_events`` counts cells at the control's positive level (above its
    10th percentile) beyond the background's.
    """

    mfi_ratio: float | None = None
    mfi_ratio_low: float | None = None
    mfi_ratio_high: float | None = None
    mfi_all_ratio: float | None = None
    mfi_all_ratio_low: float | None = None
    mfi_all_ratio_high: float | None = None
    relative_positive: float | None = None
    relative_positive_low: float | None = None
    relative_positive_high: float | None = None
    mutant_fraction: float | None = None
    mutant_fraction_low: float | None = None
    mutant_fraction_high: float | None = None
    mutant_error: float | None = None
    lob: float | None = None
    lod: float | None = None
    normal_odds: float | None = None
    mosaic_odds: float | None = None
    reduced_odds: float | None = None
    absent_odds: float | None = None
    residual_kept: float | None = None
    shape_distance: float | None = None
    agreement: float | None = None
    bright_events: float | None = None
    distances: Distances = Distances()
    titration: Limits | None = None
