"""The cytometer: from dye molecules to the channels a file holds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cd40l_flow.base.model import Floats
from cd40l_flow.simulate.parameters import SimulationParameters


def spillover_matrix(parameters: SimulationParameters) -> Floats:
    """Return the spillover between the recorded detectors: row i is dye i's signal in each, diagonal 1."""
    kept = [parameters.detectors.index(detector) for detector in parameters.recorded()]
    return np.asarray(parameters.spillover, dtype=np.float64)[np.ix_(kept, kept)]


def true_signal(parameters: SimulationParameters, molecules: Mapping[str, Floats], autofluorescence: Floats) -> Floats:
    """Return the expected signal with no spillover and no noise, channels, (cells, recorded detectors).

    ``autofluorescence`` is relative to a resting lymphocyte. A cell's own light has a spectrum of its own, so this is
    the dye's signal plus what compensation by the dyes' spillover makes of that light.
    """
    detectors = parameters.recorded()
    electrons = [molecules[detector.marker] * detector.efficiency for detector in detectors]
    dyes = np.column_stack(electrons) * np.array([detector.gain for detector in detectors])
    own = np.array([detector.autofluorescence * detector.gain for detector in detectors])
    light = dyes @ spillover_matrix(parameters) + autofluorescence[:, None] * own
    return np.asarray(light @ np.linalg.inv(spillover_matrix(parameters)), dtype=np.float64)


def detect(
    parameters: SimulationParameters,
    molecules: Mapping[str, Floats],
    autofluorescence: Floats,
    rng: np.random.Generator,
    baseline: float = 1.0,
) -> Floats:
    """Return what the converters give, baseline subtracted, uncompensated, channels, (cells, recorded detectors).

    Light of all dyes and of the cell itself falls on each detector; the photo-electrons it frees are Poisson, the
    amplifier multiplies them and adds Gaussian noise. ``baseline`` multiplies what the detectors subtract. Nothing is
    clipped here.
    """
    detectors = parameters.recorded()
    gain = np.array([detector.gain for detector in detectors])
    expected = (true_signal(parameters, molecules, autofluorescence) @ spillover_matrix(parameters)) / gain
    electrons = rng.poisson(np.maximum(expected, 0.0))
    noise = np.array([detector.electronic_sd for detector in detectors]) * rng.standard_normal(electrons.shape)
    lost = baseline * np.array([detector.baseline for detector in detectors])
    return np.asarray(electrons * gain + noise - lost, dtype=np.float64)


def arrivals(parameters: SimulationParameters, count: int, rng: np.random.Generator, clogged: slice | None) -> Floats:
    """Return the times at which the events of a Poisson process arrive, seconds, (events,), slower where clogged."""
    gaps = rng.standard_exponential(count) / parameters.events_per_second
    if clogged is not None:
        gaps[clogged] /= parameters.clog_rate
    return np.asarray(np.cumsum(gaps), dtype=np.float64)
