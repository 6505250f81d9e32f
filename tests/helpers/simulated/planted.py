"""A cohort of forty-two with eleven planted problems, and what the package makes of it."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path
from typing import Any

from cd40l_flow.cohort.job import planned
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.simulate import write_cohort
from cd40l_flow.simulate.cohort import Fault, Scenario
from cd40l_flow.steps import Outputs, analyse_step

# Each problem and the samples that have it; the dim reagent is that of a run, the moved control that of another.
PLANTED = {
    "half-level": ("S03",),
    "grey zone": ("S05",),
    "mixed donors": ("S07",),
    "clog": ("S09",),
    "old blood": ("S11",),
    "EDTA": ("S14",),
    "unknown drug": ("S16",),
    "swapped tubes": ("S18",),
    "skewed carrier": ("S20",),
    "moved control": ("C03",),
    "dim reagent": ("C04",),
}
DIM, MOVED = 0.045, 0.45


def cohort() -> tuple[Scenario, ...]:
    """Return forty-two samples in four runs, one control each."""
    odd: dict[str, dict[str, Any]] = {
        "S03": {"expression_level": 0.66},
        "S05": {"negative_fraction": 0.20, "sex": "F"},
        "S07": {"faults": (Fault("other_donor", "CD40-Ig"),)},
        "S09": {"faults": (Fault("clog"),)},
        "S11": {"collected_h": 60.0},
        "S14": {"anticoagulant": "EDTA"},
        "S16": {"calcineurin_inhibitor": "unknown"},
        "S18": {"faults": (Fault("swap_stimulation"),)},
        "S20": {"negative_fraction": 0.93, "sex": "F", "age_years": 34.0},
    }
    samples = []
    for run, level in (("R1", 1.0), ("R2", 1.0), ("R3", 1.0), ("R4", DIM)):
        control = f"C0{run[1]}"
        samples.append(Scenario(control, run, "control", "F", 31.0, expression_level=MOVED if run == "R3" else level))
    for number in range(1, 39):
        name = f"S{number:02d}"
        run = f"R{1 + min((number - 1) // 11, 3)}"
        level = DIM if run == "R4" else 1.0
        changes: dict[str, Any] = {"expression_level": level, "age_years": 3.0 + number % 15, **odd.get(name, {})}
        samples.append(Scenario(name, run, control=f"C0{run[1]}", **changes))
    return tuple(samples)


def analysed(folder: Path) -> dict[str, Path]:
    """Write the cohort, analyse it and return the result of each sample."""
    write_cohort(folder, 11, cohort=cohort(), events_scale=0.8)
    found: dict[str, Path] = {}
    with chdir(folder):
        plan = load_plan("config/config.yaml")
        for name in sorted(plan.samples, key=lambda name: plan.samples[name].role != "control"):
            job, place = plan.job(name), Path("results/samples") / name
            place.mkdir(parents=True)
            controls = [] if job.sample.role == "control" else [found[control] for control in job.controls]
            analyse_step(planned(job), controls, Outputs.of(place))
            found[name] = folder.resolve() / place / "result.json"
    return found
