"""From events as stored to a tube that can be gated: compensated, scaled, its acquisition judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cd40l_flow.inputs.model import BACKGROUND_REAGENTS, Events, Floats
from cd40l_flow.signal.acquisition import Acquisition, Mask, at_the_top, steady_stretches
from cd40l_flow.signal.compensation import compensate
from cd40l_flow.signal.scale import Scale, choose_scale, robust_sd, widest

# Markers whose signal must be steady in time; the target is what the assay asks for and may not decide what is cut.
STEADY_MARKERS = ("CD3", "CD8", "CD69")


@dataclass(frozen=True)
class TubeSignal:
    """One tube, compensated and scaled: ``values`` (events, detectors) linear, ``scaled`` marker -> (events,)
    logicle.
    """

    events: Events
    values: Floats
    scaled: Mapping[str, Floats]
    acquisition: Acquisition

    def linear(self, marker: str) -> Floats:
        """Return the compensated linear values of a marker, (events,)."""
        return self.detector(self.events.markers[marker])

    def detector(self, name: str) -> Floats:
        """Return the compensated linear values of a detector, (events,)."""
        column: Floats = self.values[:, self.events.names.index(name)]
        return column


def choose_scales(tubes: Sequence[Events], limits: Mapping[str, Any], source: str) -> dict[str, Scale]:
    """Return detector -> scale from the tubes of one sample (a control's, where the run has one).

    ``limits`` is the group ``scale`` of the configuration, ``source`` what the result says of where the scales came
    from. The scale of a target is wide enough for its background: unstimulated and background tubes.
    """
    pooled: dict[str, list[Floats]] = {}
    tops: dict[str, float] = {}
    background: dict[str, float] = {}
    for events in tubes:
        values = compensate(events)
        for marker, name in events.markers.items():
            column = values[:, events.names.index(name)]
            pooled.setdefault(name, []).append(column)
            detector = events.header.detector(name)
            tops[name] = max(tops.get(name, 0.0), detector.maximum if detector else 0.0)
            resting = events.tube.stimulation == "unstimulated" or events.tube.reagent in BACKGROUND_REAGENTS
            if marker == "target" and resting:
                background[name] = max(background.get(name, 0.0), robust_sd(column))
    return {
        name: choose_scale(tops[name], np.concatenate(columns), background.get(name, 0.0), limits, source)
        for name, columns in pooled.items()
    }


def shared_scales(candidates: Iterable[Mapping[str, Scale]]) -> dict[str, Scale]:
    """Return for each detector the widest scale of several controls: the one scale of their run."""
    found: dict[str, list[Scale]] = {}
    for scales in candidates:
        for name, scale in scales.items():
            found.setdefault(name, []).append(scale)
    return {name: widest(scales) for name, scales in sorted(found.items())}


def prepare(events: Events, scales: Mapping[str, Scale]) -> TubeSignal:
    """Return a tube compensated and scaled, with its acquisition judged; ``scales`` holds every marker's detector."""
    values = compensate(events)
    scaled = {
        marker: scales[name].forward(values[:, events.names.index(name)]) for marker, name in events.markers.items()
    }
    return TubeSignal(events, values, scaled, _acquisition(events, scaled))


def _acquisition(events: Events, scaled: Mapping[str, Floats]) -> Acquisition:
    """Judge margins (scatter: cut; target: counted, since the brightest cells are positive cells) and time."""
    margins: Mask = np.zeros(events.values.shape[0], dtype=bool)
    for name in (events.scatter.fsc, events.scatter.ssc):
        margins |= at_the_top(events.column(name), _maximum(events, name))
    target = at_the_top(events.column(events.markers["target"]), _maximum(events, events.markers["target"]))
    steady: Mask = np.ones(margins.size, dtype=bool)
    if events.time is not None:
        signals = {name: np.clip(events.column(name) / _maximum(events, name), 0, 1) for name in (events.scatter.fsc,)}
        signals |= {marker: np.clip(scaled[marker], -0.2, 1.1) for marker in STEADY_MARKERS}
        steady = steady_stretches(events.time, signals)
    return Acquisition(
        keep=steady & ~margins,
        removed_percent=100 * float(np.mean(~steady)),
        margin_percent=100 * float(np.mean(target)),
        problem=events.time_problem,
    )


def _maximum(events: Events, name: str) -> float:
    """Return the largest value a detector can give, channel values: converters write one less than ``$PnR``."""
    detector = events.header.detector(name)
    return detector.maximum - 1.0 if detector else np.inf
