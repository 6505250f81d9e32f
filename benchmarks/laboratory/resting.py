"""Resting cells of real recordings moved as CD8+ cells moved, compared with the stimulated cells that they replace.

Nothing was stained on these detectors that T cells carry, so all stimulated cells are background: the truth is known.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.common.places import CONFIGURATIONS, REAL
from benchmarks.gating.samples import Known, gated
from cd40l_flow.assay.cd40l.gates import ACTIVATED, CD8_NEGATIVE
from cd40l_flow.base.model import Floats
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.gating.model import GatedSample
from cd40l_flow.inputs import read_sample
from cd40l_flow.mixture.resting import stimulated
from cd40l_flow.signal.scale import robust_sd

FOLDER, TARGET = "activation", "Alexa Fluor 647-A"
UNSTAINED = ("PE-Texas Red-A", "PE-Cy7-A", "APC-Cy7-A")


@dataclass(frozen=True)
class Beside:
    """A background compared with the stimulated cells: its median in their robust SD, and its width over theirs.

    ``before`` is that of the resting cells as they are, ``after`` as they were moved; None where they could not be.
    """

    sample: str
    detector: str
    before: tuple[float, float]
    after: tuple[float, float] | None


def compared() -> list[Beside]:
    """Return the comparisons of every sample and detector; none where the recordings are missing."""
    if not (REAL / FOLDER).exists():
        return []
    return [one for detector in UNSTAINED for sample in _samples(detector) for one in _compared(sample, detector)]


def _samples(detector: str) -> Iterator[GatedSample]:
    with TemporaryDirectory() as folder, contextlib.chdir(folder):
        shutil.copytree(CONFIGURATIONS / FOLDER / "config", "config")
        Path("fcs").symlink_to(REAL / FOLDER)
        config = Path("config/config.yaml")
        config.write_text(config.read_text(encoding="utf-8").replace(TARGET, detector), encoding="utf-8")
        plan = load_plan(config)
        for name in plan.samples:
            job = plan.job(name)
            read = read_sample(job.sample, job.settings)
            yield gated(Known(job, read.events, {}, {}, {}, ()))


def _compared(sample: GatedSample, detector: str) -> Iterator[Beside]:
    resting = [tube for tube in sample.tubes if tube.signal.events.tube.stimulation == "unstimulated"]
    active = [tube for tube in sample.tubes if tube.signal.events.tube.stimulation == "stimulated"]
    own = np.concatenate([tube.linear("target", CD8_NEGATIVE) for tube in resting])
    for tube in active:
        if ACTIVATED not in tube.indices or tube.count(ACTIVATED) < 50:
            continue
        truth = tube.linear("target", ACTIVATED)
        change = stimulated(own, resting, [tube])
        name = f"{sample.sample.sample}, {tube.signal.events.tube.fcs}"
        yield Beside(name, detector, _beside(own, truth), None if change is None else _beside(change.of(own), truth))


def _beside(background: Floats, truth: Floats) -> tuple[float, float]:
    sd = robust_sd(truth)
    return float(np.median(background) - np.median(truth)) / sd, robust_sd(background) / sd


def rows(found: list[Beside]) -> str:
    """Return the rows of a table."""
    lines = []
    for one in found:
        after = ("", "") if one.after is None else (f"{one.after[0]:+.2f}", f"{one.after[1]:.2f}")
        before = f"{one.before[0]:+.2f} | {one.before[1]:.2f}"
        lines.append(f"| {one.sample} | {one.detector} | {before} | {' | '.join(after)} |")
    return "\n".join(lines)
