"""Simulated samples of the B-cell assays, analysed as the workflow does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cd40l_flow.cohort.job import planned
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.simulate.b_cells.demo import demo_samples
from cd40l_flow.simulate.b_cells.samples import BSample
from cd40l_flow.simulate.b_cells.write import write_b_cells
from cd40l_flow.steps import Outputs, analyse_step

DEMO = {sample.sample: sample for sample in demo_samples()}


def analysed(folder: Path, samples: Sequence[BSample], monkeypatch: Any, seed: int = 1) -> dict[str, Path]:
    """Simulate samples, of which the controls come first, and return their results by name; gates lie beside them."""
    write_b_cells(folder, seed, samples)
    monkeypatch.chdir(folder)
    plan = load_plan("config/config.yaml")
    found: dict[str, Path] = {}
    for sample in samples:
        outputs = Outputs.of(folder / "results" / "samples" / sample.sample)
        outputs.result.parent.mkdir(parents=True)
        theirs = [found[name] for name in plan.controls[sample.sample]] if sample.role == "test" else []
        analyse_step(planned(plan.job(sample.sample)), theirs, outputs)
        found[sample.sample] = outputs.result
    return found


def demo(*names: str) -> list[BSample]:
    """Return samples of the demonstration cohort by name."""
    return [replace(DEMO[name]) for name in names]
