"""From stored events to a tube ready for gating: compensated, scaled, with acquisition QC."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from cd40l_flow.assay.gating_limits import AcquisitionLimits, ScaleLimits
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.tables import TARGET
from cd40l_flow.base.model import Events, Floats, Singles
from cd40l_flow.signal.acquisition import (
    DEFAULTS,
    FEWEST_EVENTS,
    Acquisition,
    Mask,
    TimeQC,
    ceiling,
    reaching,
    steady_intervals,
    top_of,
)
from cd40l_flow.signal.censoring import pile, top_pile
from cd40l_flow.signal.compensation import compensate
from cd40l_flow.signal.scale import Scale, choose_scale, robust_sd, widest


@dataclass(frozen=True)
class TubeSignal:
    """One tube, compensated and scaled: ``events`` hold linear values, ``scaled`` marker -> (events,) logicle.

    ``floors`` and ``tops`` map detectors with a pile-up (``censoring.pile``) to its channel value. True values there
    are at most, or at least, that value.
    """

    events: Events
    scaled: Mapping[str, Singles]
    acquisition: Acquisition
    floors: Mapping[str, float] = field(default_factory=dict)
    tops: Mapping[str, float] = field(default_factory=dict)

    def linear(self, marker: str) -> Floats:
        """Return the compensated linear values of a marker, (events,)."""
        return self.detector(self.events.markers[marker])

    def stored(self, name: str) -> Singles:
        """Return the compensated linear values of a detector as stored, (events,), contiguous."""
        return _stored(self.events, name)

    def detector(self, name: str) -> Floats:
        """Return the compensated linear values of a detector, (events,)."""
        return self.events.column(name)


def choose_scales(tubes: Sequence[Events], limits: ScaleLimits, source: str) -> dict[str, Scale]:
    """Return detector -> scale from the tubes of one sample (a control's, where the run has one).

    ``limits`` is the group ``scale`` of the configuration, ``source`` the origin of the scales for the result. The
    scale of a target fits its background: unstimulated and background tubes.
    """
    pooled: dict[str, list[Floats]] = {}
    tops: dict[str, float] = {}
    background: dict[str, float] = {}
    for events in tubes:
        compensated = compensate(events)
        for marker, name in events.markers.items():
            column = compensated.column(name)
            pooled.setdefault(name, []).append(column)
            detector = events.header.detector(name)
            tops[name] = max(tops.get(name, 0.0), detector.maximum if detector else 0.0)
            resting = events.tube.stimulation == "unstimulated" or events.tube.reagent in current_assay().background_of
            if marker == "target" and resting:
                low = pile(column)
                spread = robust_sd(column, None if low is None else low.value)
                # Where nearly all events are at the detector's end, the tube gives no information on the width.
                background[name] = max(background.get(name, 0.0), 0.0 if math.isnan(spread) else spread)
    return {
        name: choose_scale(tops[name], np.concatenate(columns), background.get(name, 0.0), limits, source)
        for name, columns in pooled.items()
    }


def shared_scales(candidates: Iterable[Mapping[str, Scale]]) -> dict[str, Scale]:
    """Return for each detector the widest scale of several controls, shared by their run."""
    found: dict[str, list[Scale]] = {}
    for scales in candidates:
        for name, scale in scales.items():
            found.setdefault(name, []).append(scale)
    return {name: widest(scales) for name, scales in sorted(found.items())}


def prepare(events: Events, scales: Mapping[str, Scale], limits: AcquisitionLimits = DEFAULTS) -> TubeSignal:
    """Return a tube compensated and scaled, with acquisition QC; ``scales`` has the detector of every marker.

    ``limits`` is the group ``acquisition`` of the configuration's limits.
    """
    events = compensate(events)
    scaled = {marker: scales[name].singles(_stored(events, name)) for marker, name in events.markers.items()}
    floors, tops = _piled(events)
    return TubeSignal(events, scaled, _acquisition(events, scaled, limits), floors, tops)


def _piled(events: Events) -> tuple[dict[str, float], dict[str, float]]:
    """Return detector -> value of the pile-up, at the lower and at the upper end."""
    floors: dict[str, float] = {}
    tops: dict[str, float] = {}
    for name in dict.fromkeys(events.markers.values()):
        column = _stored(events, name)
        for found, kept in ((pile(column), floors), (top_pile(column), tops)):
            if found is not None:
                kept[name] = found.value
    return floors, tops


def _stored(events: Events, name: str) -> Singles:
    column: Singles = np.ascontiguousarray(events.values[:, events.names.index(name)], dtype=np.float32)
    return column


def without_time_qc(signal: TubeSignal) -> TubeSignal:
    """Return the same tube without the time gate."""
    return replace(signal, acquisition=signal.acquisition.without_time_qc())


def watched(events: Events, scaled: Mapping[str, Singles]) -> dict[str, Singles]:
    """Return the signals that acquisition QC monitors, name -> (events,); the target, last, removes no events."""
    scatter = (("FSC", events.scatter.fsc), ("SSC", events.scatter.ssc))
    signals = {what: _stored(events, name) for what, name in scatter if name is not None}
    # The target must not decide which events are removed.
    steady = (row.name for row in current_assay().markers if row.time_qc)
    return signals | {marker: scaled[marker] for marker in (*steady, TARGET) if marker in scaled}


def _acquisition(events: Events, scaled: Mapping[str, Singles], limits: AcquisitionLimits) -> Acquisition:
    """Assess margin events (removed in scatter, only counted in the target, whose brightest cells are positive) and
    time.
    """
    in_range: Mask = np.ones(events.values.shape[0], dtype=bool)
    ceilings = {}
    for name in (name for name in (events.scatter.fsc, events.scatter.ssc) if name is not None):
        column = _stored(events, name)
        ceilings[name] = ceiling(column, top_of(events, name))
        in_range &= ~reaching(column, ceilings[name])
    problem = events.time_problem
    if events.time is None:
        found = TimeQC(np.ones_like(in_range))
    else:
        signals = watched(events, scaled)
        found = steady_intervals(events.time, signals, signals.pop(TARGET, None), limits)
        if in_range.size < FEWEST_EVENTS:
            problem = f"{in_range.size} events are too few to judge steadiness (from {FEWEST_EVENTS})"
    return Acquisition(
        keep=found.steady & in_range,
        in_range=in_range,
        removed_percent=100 * float(np.mean(~found.steady)),
        margin_percent=events.top_percent or 0.0,
        problem=problem,
        time_qc=found,
        ceilings=ceilings,
    )
