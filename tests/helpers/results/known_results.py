"""Results that are kept: those of the demo and of simulated runs that between them take the ways a sample can take.

``make known-results`` writes them anew, after a change that is meant to change numbers, and prints what differs from
before.
"""

from __future__ import annotations

import json
import lzma
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.result.types.result import Result
from cd40l_flow.simulate import Fault, Scenario, SimulationParameters, healthy_control, named, write_cohort
from cd40l_flow.simulate.b_cells.scenarios import named_b_cells
from cd40l_flow.simulate.b_cells.write import write_b_cells
from cd40l_flow.steps import analyse_sample
from helpers.results.agreement import different
from helpers.results.controls import many_controls
from helpers.results.records import as_plain
from helpers.results.references import name_reference, put_reference, reference_of
from helpers.runs.cohorts import ROOT, override

KEPT = ROOT / "tests/data/known_results.json.xz"
DEMO = "demo"
SEED = 20_270
# Words have tests of their own; versions and digests change with every release; the rest is as it was given.
LEFT_OUT = (
    *("statement", "messages", "message", "text", "densities", "digest", "engine_version", "inputs"),
    *("configuration", "metadata", "spillover", "scales", "markers"),
)
DIGITS = 8  # of each number, more than what libraries leave alike
ONE_REAGENT = ("CD154", "isotype")
TWO_CLONES = ("CD154", "CD154-2", "isotype")


@dataclass(frozen=True)
class Run:
    """One simulated run: its controls, its samples, the physics, and what is done to its folder before the analysis."""

    controls: tuple[Scenario, ...]
    samples: tuple[Scenario, ...]
    parameters: SimulationParameters = field(default_factory=SimulationParameters)
    scale: float = 0.5
    prepare: Callable[[Path], None] | None = None

    def write(self, folder: Path) -> None:
        """Write the files of the run."""
        cohort = (*self.controls, *self.samples)
        write_cohort(folder, SEED, cohort=cohort, events_scale=self.scale, parameters=self.parameters)
        if self.prepare is not None:
            self.prepare(folder)


@dataclass(frozen=True)
class BCells:
    """A run of a B-cell assay: a scenario and the control of its day."""

    scenario: str

    def write(self, folder: Path) -> None:
        """Write the files of the run."""
        write_b_cells(folder, SEED, named_b_cells(self.scenario, SEED), events_scale=0.5)


def mechanism(*names: str, scale: float = 0.5) -> Run:
    """Return samples of one physics beside the first one's control."""
    (control, _), parameters = named(names[0])
    return Run((control,), tuple(named(name)[0][1] for name in names), parameters, scale)


def with_one_reagent(run: Run) -> Run:
    """Return a run without CD40-Ig: its control takes half as long."""
    controls, samples = (
        tuple(replace(one, stimulated=ONE_REAGENT) for one in cohort) for cohort in (run.controls, run.samples)
    )
    return replace(run, controls=controls, samples=samples)


def own_reference(folder: Path) -> None:
    """Give a run the limits of a laboratory with 25 healthy controls."""
    put_reference(folder, reference_of(many_controls(25, cytometer="simulated", lot="LOT1")))
    name_reference(folder)


def moved_gates(folder: Path) -> None:
    """Move gates by hand."""
    override(folder, "healthy-male", "cd69_low", 900.0)
    override(folder, "carrier-half", "cd3_low", 700.0)
    override(folder, "carrier-half", "cd8_high", 2000.0)


HALF = Scenario("half", sex="F", age_years=30.0, negative_fraction=0.5)
RUNS: dict[str, Run | BCells] = {
    "people": mechanism(
        *("normal-female", "absent-trace", "functional-defect", "reduced", "carrier-78", "carrier-mostly-mutant"),
        *("transplanted-male", "tacrolimus", "readout-discordant", "high-background", "residual-carrier-30"),
        *("missense-weak-binding", "partial-binding", "infant-carrier", "seventy-percent-positive"),
        *("lymphopenia", "few-cells-carrier", "gamma-delta", "weak-stimulation", "weak-stimulation-carrier"),
        *("hardly-stimulated", "activation-failed"),
        # Faults of tubes
        *("unstained-cd154", "sticky-isotype-absent", "other-voltage", "swapped-stimulation", "swapped-labels"),
        *("duplicate", "other-donor", "transposed-spillover", "already-compensated", "no-spillover", "clog", "no-time"),
        *("zero-events", "no-cd69"),
    ),
    "two clones, replicates": Run(
        (
            replace(healthy_control(), stimulated=TWO_CLONES, replicates=2),
            replace(healthy_control("C02"), stimulated=TWO_CLONES, replicates=2, expression_level=0.9),
        ),
        (
            Scenario("epitope", epitope=0.0, stimulated=TWO_CLONES, replicates=2),
            replace(HALF, stimulated=TWO_CLONES, replicates=3),
        ),
        scale=0.3,
    ),
    "controls that disagree": with_one_reagent(
        Run(
            (healthy_control(), replace(healthy_control("C02"), expression_level=0.3)),
            (Scenario("reduced", expression_level=0.3), replace(HALF, control="C01")),
            scale=0.4,
        )
    ),
    "log amplifier": with_one_reagent(mechanism("healthy-calibur", "carrier-calibur", scale=0.4)),
    "clipped": with_one_reagent(mechanism("carrier-floor-one", "absent-floor-one", scale=0.4)),
    "dim": with_one_reagent(mechanism("dim-carrier-d3", "dim-absent-d3")),
    "no background": with_one_reagent(mechanism("no-background-carrier", "no-background-absent")),
    "broad": with_one_reagent(mechanism("broad-carrier", "broad-absent")),
    "dim continuum": with_one_reagent(mechanism("dim-continuum-carrier")),
    "carrier as control": with_one_reagent(mechanism("carrier-as-control")),
    "no control": Run((), (Scenario("absent", negative_fraction=0.99, expression_level=0.05), HALF), scale=0.4),
    "failed control": Run(
        (replace(healthy_control(), ionomycin=False),), (Scenario("healthy"),), scale=0.4
    ),
    "own limits": replace(with_one_reagent(mechanism("healthy-male", "carrier-half")), prepare=own_reference),
    "moved gates": replace(with_one_reagent(mechanism("healthy-male", "carrier-half")), prepare=moved_gates),
    "time gate": with_one_reagent(
        Run(
            (healthy_control(),),
            tuple(
                replace(HALF, sample=name, faults=tuple(Fault("clog", tube) for tube in tubes))
                for name, tubes in (("clogged", ("CD154",)), ("clogged-background", ("isotype", "CD154")))
            ),
        )
    ),
} | {
    name: BCells(name)
    for name in (
        *("memory-no-fmo", "memory-log", "memory-unwashed-ig", "memory-igm-only", "memory-t-b-doublets"),
        *("memory-aid-ung", "memory-plasmablasts-of-xhim", "memory-weak-igd", "memory-few-b", "memory-dim-cd27"),
        *("cd40-heterozygote", "cd40-drug", "cd40-monocytes-disagree", "cd40-low"),
    )
}  # fmt: skip


def results_of(name: str, folder: Path) -> dict[str, Any]:
    """Return the results of a run by sample, as plain values without what is left out; ``folder`` takes its files."""
    if name == DEMO:
        folder = ROOT / "test_data"
    else:
        RUNS[name].write(folder)
    before = Path.cwd()
    os.chdir(folder)
    try:
        plan = load_plan("config/config.yaml")
        found: dict[str, Result] = {}
        order: Sequence[str] = sorted(
            plan.controls, key=lambda sample: (plan.job(sample).sample.role != "control", sample)
        )
        for sample in order:
            job = plan.job(sample)
            theirs = job.controls if job.sample.role == "test" else ()
            found[sample] = analyse_sample(job, {one: found[one] for one in theirs})[0]
    finally:
        os.chdir(before)
    return {sample: _kept_of(as_plain(result)) for sample, result in sorted(found.items())}


def _kept_of(value: Any) -> Any:
    """Return plain values without what is left out, numbers rounded."""
    if isinstance(value, dict):
        return {key: _kept_of(one) for key, one in value.items() if key not in LEFT_OUT}
    if isinstance(value, list):
        return [_kept_of(one) for one in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def kept() -> dict[str, dict[str, Any]]:
    """Return the results that are kept, by run and sample."""
    found: dict[str, dict[str, Any]] = json.loads(lzma.decompress(KEPT.read_bytes()))
    return found


def main() -> None:
    """Write the results anew and print what differs."""
    before = kept() if KEPT.exists() else {}
    found = {}
    for name in (DEMO, *RUNS):
        with TemporaryDirectory() as folder:
            found[name] = results_of(name, Path(folder))
        for line in different(before.get(name, {}), found[name], name):
            print(line[:200])
        print(name, len(found[name]), file=sys.stderr)
    content = json.dumps(found, sort_keys=True, separators=(",", ":")).encode()
    KEPT.write_bytes(lzma.compress(content, preset=9))


if __name__ == "__main__":
    main()
