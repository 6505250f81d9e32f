"""Simulated samples written, read and gated as the workflow does, with the truth of every event."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.assay.cd40l.gates import ACTIVATED
from cd40l_flow.base.model import Events
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.cohort.settings import Job
from cd40l_flow.gating.model import GatedSample, GatedTube
from cd40l_flow.gating.strategy import gate
from cd40l_flow.inputs import read_sample
from cd40l_flow.signal.prepare import choose_scales, prepare
from cd40l_flow.signal.scale import Scale
from cd40l_flow.simulate import Scenario, SimulationParameters, write_cohort

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Known:
    """A sample read from files, and the truth of its tubes.

    ``counted`` maps a tube's ``fcs`` to (events,): the assay's cells; ``clogged`` to those acquired in a clog.
    ``kinds`` to their indices into ``simulate.cells.KINDS``. ``refused`` are the codes of tubes that could not be read.
    """

    job: Job
    events: tuple[Events, ...]
    counted: dict[str, Mask]
    clogged: dict[str, Mask]
    kinds: dict[str, NDArray[np.uint8]]
    refused: tuple[str, ...]


@contextlib.contextmanager
def cohort(
    scenarios: Sequence[Scenario], seed: int, parameters: SimulationParameters | None = None
) -> Iterator[dict[str, Known]]:
    """Write scenarios to a folder of their own and yield each sample as the workflow reads it, by name."""
    with TemporaryDirectory() as folder, contextlib.chdir(folder):
        write_cohort(Path(folder), seed, cohort=scenarios, per_event=True, parameters=parameters)
        plan = load_plan("config/config.yaml")
        yield {one.sample: _known(plan.job(one.sample), Path(folder)) for one in scenarios}


def _known(job: Job, folder: Path) -> Known:
    read = read_sample(job.sample, job.settings)
    truth = {}
    for tube in job.sample.tubes:
        with np.load(folder / "truth" / f"{tube.fcs}.npz") as arrays:
            truth[tube.fcs] = {name: arrays[name] for name in ("counted", "clogged", "kind")}
    return Known(
        job,
        read.events,
        {fcs: arrays["counted"] for fcs, arrays in truth.items()},
        {fcs: arrays["clogged"] for fcs, arrays in truth.items()},
        {fcs: arrays["kind"] for fcs, arrays in truth.items()},
        tuple(refusal.code for refusal in read.refusals),
    )


def gated(known: Known, events: Sequence[Events] | None = None, scales: dict[str, Scale] | None = None) -> GatedSample:
    """Return the sample gated on the scales of its own tubes; with other ``events`` in their place where given."""
    limits = known.job.settings.limits
    events = known.events if events is None else events
    scales = scales or choose_scales(events, limits.scale, "own tubes")
    signals = [prepare(one, scales) for one in events]
    return gate(known.job.sample, signals, scales, (), limits.gating)


def tube_of(sample: GatedSample, stimulation: str, reagent: str) -> GatedTube | None:
    """Return the first tube of this stimulation and reagent."""
    for tube in sample.tubes:
        shown = tube.signal.events.tube
        if (shown.stimulation, shown.reagent) == (stimulation, reagent):
            return tube
    return None


def tube_of_events(known: Known, stimulation: str, reagent: str) -> Events:
    """Return the events of the first tube of this stimulation and reagent; raises StopIteration when there is none."""
    wanted = (stimulation, reagent)
    return next(one for one in known.events if (one.tube.stimulation, one.tube.reagent) == wanted)


def activated(tube: GatedTube) -> Mask:
    """Return which events are gated as the assay's cells, (events,); none where the gate could not be drawn."""
    nothing: Mask = np.zeros(tube.signal.events.values.shape[0], dtype=np.bool_)
    return tube.mask(ACTIVATED) if ACTIVATED in tube.indices else nothing


# What an instrument cannot measure is reported for every sample of it, and is no doubt about this one.
INHERENT = ("viability not stained", "singlets not assessable")


def doubts(sample: GatedSample) -> list[str]:
    """Return what the gating flags of this sample, without repeats."""
    shown = list(sample.flags)
    for tube in sample.tubes:
        shown += [f"{boundary.gate}: {boundary.flag}" for boundary in tube.boundaries if boundary.flag]
        if tube.scatter_gate is not None and tube.scatter_gate.flag:
            shown.append(f"lymphocytes: {tube.scatter_gate.flag}")
    return [flag for flag in dict.fromkeys(shown) if not flag.startswith(INHERENT)]


def f1(found: Mask, true: Mask) -> float:
    """Return the harmonic mean of precision and recall; 1 where both are empty."""
    both = int(np.count_nonzero(found)) + int(np.count_nonzero(true))
    return 2.0 * int(np.count_nonzero(found & true)) / both if both else 1.0
