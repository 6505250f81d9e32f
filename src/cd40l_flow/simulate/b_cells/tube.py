"""One tube of a B-cell assay acquired, with the truth of every event."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.simulate.b_cells.cells import MARKERS, composition, draw_b_cells, stuck
from cd40l_flow.simulate.b_cells.panels import stained
from cd40l_flow.simulate.b_cells.physics import BPhysics
from cd40l_flow.simulate.b_cells.samples import MOST_EVENTS, BSample
from cd40l_flow.simulate.cells import CD4_T, DEBRIS, KINDS, B, Bools, generator
from cd40l_flow.simulate.instrument import arrivals, detect
from cd40l_flow.simulate.parameters import SimulationParameters
from cd40l_flow.simulate.tube import Recording, digitised, pulses

MAIN_TUBES = ("memory", "CD40")
LYMPHOCYTES = tuple(range(CD4_T, B + 1))


@dataclass(frozen=True)
class BTube(Recording):
    """One tube as acquired; arrays are (events,).

    ``kind`` indexes ``simulate.cells.KINDS`` and ``stage`` ``laws.STAGES`` (-1: no B cell; of a doublet, its first
    cell's); ``single`` is False for doublets and for T cells that hold a B cell or a piece of one (``conjugate``);
    ``lacking`` marks cells that carry no CD40.
    """

    kind: NDArray[np.intp]
    stage: NDArray[np.intp]
    live: Bools
    single: Bools
    conjugate: Bools
    lacking: Bools

    def b_cells(self) -> Bools:
        """Return which events are live single B cells."""
        b_cells: Bools = self.kind == B
        return self.live & self.single & b_cells

    def lymphocytes(self) -> Bools:
        """Return which events are live single lymphocytes."""
        lymphocytes: Bools = np.isin(self.kind, LYMPHOCYTES)
        return self.live & self.single & lymphocytes


def b_tube_events(sample: BSample, reagent: str, parameters: SimulationParameters) -> int:
    """Return how many events the tube is to have."""
    events = sample.events
    if sample.b_events:
        counted = composition(parameters, sample)[KINDS.index("B")] * (1.0 - parameters.dead_resting * sample.dead)
        events = round(sample.b_events / (counted * (1.0 - parameters.doublets)))
    events = min(events, MOST_EVENTS)
    return events if reagent in MAIN_TUBES else round(events * sample.background)


def simulate_b_tube(
    sample: BSample,
    reagent: str,
    seed: int,
    *,
    parameters: SimulationParameters | None = None,
    physics: BPhysics | None = None,
) -> BTube:
    """Return one tube; it depends on the seed, the sample and these arguments, never on other tubes or samples."""
    usual, b = parameters or SimulationParameters(), physics or BPhysics()
    p = stained(sample, usual)
    donor = generator(seed, sample.sample, "donor")
    factors = np.exp(sample.stain_sd * donor.standard_normal(len(MARKERS)))
    of_donor = dict(zip(MARKERS, factors.tolist(), strict=True))
    rng = generator(seed, sample.sample, reagent)
    events = b_tube_events(sample, reagent, p)
    pairs = int(rng.binomial(events, p.doublets))
    cells = draw_b_cells(p, b, sample, of_donor, reagent, events + pairs, rng)
    conjugate = stuck(cells, b, sample, events, rng)
    partner = np.flatnonzero((cells.kind[:events] != DEBRIS) & ~conjugate)
    first = np.sort(rng.choice(partner, size=min(pairs, partner.size), replace=False))
    single = ~conjugate
    single[first] = False
    passed = pulses(p, cells, events, first)
    scatter = passed.scatter * np.exp(p.scatter_sd * rng.standard_normal((events, 3)))
    light = detect(p, passed.molecules, passed.autofluorescence, rng)
    names, recorded = digitised(p, np.column_stack([scatter, light]), arrivals(p, events, rng, None))
    live = cells.live[:events].copy()
    live[first] &= cells.live[events : events + first.size]
    return BTube(
        names,
        recorded,
        kind=cells.kind[:events],
        stage=cells.stage[:events],
        live=live,
        single=single,
        conjugate=conjugate,
        lacking=cells.lacking[:events],
    )


def hours_old(sample: BSample, hours: float) -> BSample:
    """Return the sample after so many hours: from 24 on CD27 and IgD fall and cells die; the rates are unsourced."""
    beyond = max(hours - 24.0, 0.0)
    return replace(sample, collected_h=hours, aged=float(0.5 ** (beyond / 48.0)), dead=1.0 + beyond / 8.0)
