"""One tube acquired: cells of a donor, some in pairs, past the detectors in time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.base.model import Floats
from cd40l_flow.simulate.cells import CD4_T, DEBRIS, DOUBLE_NEGATIVE_T, Bools, draw_cells, draw_donor, generator
from cd40l_flow.simulate.cohort import Scenario
from cd40l_flow.simulate.instrument import arrivals, detect, spillover_matrix
from cd40l_flow.simulate.parameters import SimulationParameters

Singles = NDArray[np.float32]

SCATTER = ("FSC-A", "FSC-H", "SSC-A")


@dataclass(frozen=True)
class Recording:
    """What one tube's file is made from.

    ``values`` is (events, detectors) float32 in the order of ``names``, uncompensated; ``Time`` counts timesteps.
    """

    names: tuple[str, ...]
    values: Singles

    def compensated(self, parameters: SimulationParameters) -> Floats:
        """Return the fluorescence columns compensated with the true matrix, (events, recorded detectors)."""
        columns = [self.names.index(detector.name) for detector in parameters.recorded()]
        raw = self.values[:, columns].astype(np.float64)
        return np.asarray(raw @ np.linalg.inv(spillover_matrix(parameters)), dtype=np.float64)


@dataclass(frozen=True)
class SimulatedTube(Recording):
    """One tube as acquired, with the truth of every event.

    The arrays are (events,): ``kind`` indexes ``cells.KINDS`` (of a doublet, its first cell), ``single`` is False for
    doublets, ``activated`` means induced CD69, ``expressing`` that the tube's reagent finds CD154, ``clogged`` that the
    event was acquired while the flow cell was clogged.
    """

    kind: NDArray[np.intp]
    live: Bools
    single: Bools
    activated: Bools
    expressing: Bools
    clogged: Bools

    def counted(self) -> Bools:
        """Return which events are the assay's cells: live single activated CD3+CD8-."""
        target: Bools = np.isin(self.kind, (CD4_T, DOUBLE_NEGATIVE_T))
        return self.live & self.single & self.activated & target


class Shining(Protocol):
    """Cells of any kind with what they carry; arrays are (cells,) as in ``cells.Cells``."""

    @property
    def molecules(self) -> Mapping[str, Floats]:
        """Dye molecules of each marker."""

    @property
    def autofluorescence(self) -> Floats:
        """Relative to a resting lymphocyte."""

    @property
    def fsc(self) -> Floats:
        """Forward scatter area, channels."""

    @property
    def ssc(self) -> Floats:
        """Side scatter area, channels."""


@dataclass(frozen=True)
class Pulses:
    """What passes the lasers as one event each: ``scatter`` is (events, FSC-A, FSC-H, SSC-A), without noise."""

    molecules: dict[str, Floats]
    autofluorescence: Floats
    scatter: Floats


def pulses(parameters: SimulationParameters, cells: Shining, events: int, first: NDArray[np.intp]) -> Pulses:
    """Return the events of a tube: the first ``events`` cells, those of ``first`` with one of the others stuck to each.

    ``first`` is (pairs,), indices of events; their partners are the cells from ``events`` on, in order.
    """
    p = parameters
    second = events + np.arange(first.size)
    molecules = {marker: values[:events].copy() for marker, values in cells.molecules.items()}
    for marker, values in cells.molecules.items():
        molecules[marker][first] += values[second]
    autofluorescence = cells.autofluorescence[:events].copy()
    autofluorescence[first] += cells.autofluorescence[second]
    fsc, ssc = cells.fsc[:events].copy(), cells.ssc[:events].copy()
    height = fsc * p.fsc_height_per_area
    height[first] = np.maximum(fsc[first], cells.fsc[second]) * p.fsc_height_per_area * p.doublet_height_gain
    fsc[first] += cells.fsc[second]
    ssc[first] += cells.ssc[second]
    return Pulses(molecules, autofluorescence, np.column_stack([fsc, height, ssc]))


def digitised(parameters: SimulationParameters, signal: Floats, seconds: Floats) -> tuple[tuple[str, ...], Singles]:
    """Return names and values, (events, detectors), of scatter and light with the time of each event."""
    time = np.floor(seconds / parameters.timestep)
    # The converter holds two decimals here, and no more than its range.
    signal = np.minimum(np.round(signal, 2), parameters.range - 1)
    names = (*SCATTER, *(detector.name for detector in parameters.recorded()), "Time")
    recorded: Singles = np.column_stack([signal, time]).astype(np.float32)
    return names, recorded


def tube_events(scenario: Scenario, stimulation: str, reagent: str, scale: float = 1.0) -> int:
    """Return how many events the tube is to have."""
    if scenario.has("zero_events", stimulation, reagent):
        return 0
    if stimulation == "unstimulated":
        events = scenario.unstimulated_events
    elif reagent in ("isotype", "FMO", "secondary"):
        events = scenario.background_events
    else:
        events = scenario.events
    return round(events * scale)


def simulate_tube(
    scenario: Scenario,
    stimulation: str,
    reagent: str,
    seed: int,
    *,
    replicate: int = 1,
    events_scale: float = 1.0,
    parameters: SimulationParameters | None = None,
) -> SimulatedTube:
    """Return one tube; it depends on the seed, the scenario and these arguments, never on other tubes or samples."""
    p = (parameters or SimulationParameters()).at_volts(scenario.target_volts)
    donor_key = scenario.sample
    if scenario.has("other_donor", stimulation, reagent):
        scenario, donor_key = Scenario(scenario.sample, t_cells=0.4, events=scenario.events), "stranger"
    donor = draw_donor(p, scenario, generator(seed, donor_key, "donor"))
    rng = generator(seed, scenario.sample, stimulation, reagent, replicate)
    events = tube_events(scenario, stimulation, reagent, events_scale)
    pairs = int(rng.binomial(events, p.doublets))
    cells = draw_cells(p, scenario, donor, stimulation == "stimulated", reagent, events + pairs, rng)

    # The cells beyond the events stick to one of the others each.
    partner = np.flatnonzero(cells.kind[:events] != DEBRIS)
    first = np.sort(rng.choice(partner, size=min(pairs, partner.size), replace=False))
    single = np.ones(events, dtype=np.bool_)
    single[first] = False
    light_of = pulses(p, cells, events, first)

    scatter = light_of.scatter * np.exp(p.scatter_sd * rng.standard_normal((events, 3)))
    resting = stimulation == "unstimulated" or reagent in current_assay().background_of
    light = detect(p, light_of.molecules, light_of.autofluorescence, rng, p.baseline_resting if resting else 1.0)
    signal = np.column_stack([scatter, light])
    clogged = None
    if scenario.has("clog", stimulation, reagent):
        clogged = slice(int(p.clog_start * events), int(p.clog_end * events))
        signal[clogged] *= p.clog_signal
        signal[clogged, :2] *= p.clog_fsc / p.clog_signal
    names, recorded = digitised(p, signal, arrivals(p, events, rng, clogged))
    live = cells.live[:events].copy()
    live[first] &= cells.live[events : events + first.size]
    bad = np.zeros(events, dtype=np.bool_)
    if clogged is not None:
        bad[clogged] = True
    return SimulatedTube(
        names, recorded, cells.kind[:events], live, single, cells.activated[:events], cells.expressing[:events], bad
    )
