"""Swapped, repeated and mixed-up tubes: found or not, and how often clean samples are accused."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from cd40l_flow.analyse import analyse
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.result.types.result import Result
from cd40l_flow.simulate import Fault, Scenario, SimulationParameters, fcs_name, simulate_tube, varied, write_cohort
from cd40l_flow.simulate.cells import CD4_T, CD8_DIM_T, CD8_T, DOUBLE_NEGATIVE_T, B

# What the result must contain for each mistake, any of them.
CODES = {
    "swap": ("TUBE_SWAP",),
    "duplicate": ("FILE_INTEGRITY",),
    "labels": ("MARKER_SWAP", "CHANNEL_MAP"),
    "donor": ("ID_CONFLICT",),
}
TITLES = {
    "swap": "stimulated and unstimulated exchanged",
    "duplicate": "one file twice",
    "labels": "labels of CD69 and target exchanged",
    "donor": "tubes of two donors",
}
ACCUSING = ("TUBE_SWAP", "FILE_INTEGRITY", "MARKER_SWAP", "CHANNEL_MAP", "ID_CONFLICT")
BLOCKS = "hard"
# Donors that differ by so much must be shown apart: points of CD3 or CD8 percent, percent of scatter.
POINTS, PERCENT = 10.0, 25.0
STIMULATED = ("CD154", "isotype", "CD40-Ig", "secondary")
FEWEST, MOST = 12_000, 40_000  # events a tube: enough cells for every check, and few enough to do hundreds


@dataclass(frozen=True)
class Mixed:
    """One sample with a mistake of ``kind`` (empty: none); what its result reports.

    Of two donors: how far they differ in CD3+ percent of lymphocytes, CD8- percent of CD3+ (points) and in the scatter
    of T cells (percent), the most that two tubes show, by the truth of every event.
    """

    name: str
    kind: str
    codes: tuple[str, ...]
    cd3_points: float = 0.0
    cd8_points: float = 0.0
    scatter_percent: float = 0.0

    @property
    def found(self) -> bool:
        """Whether the mistake is reported and no call remains."""
        return any(code in CODES[self.kind] for code in self.codes)

    @property
    def must_be_found(self) -> bool:
        """Whether the donors differ by as much as must be found."""
        return max(self.cd3_points, self.cd8_points) >= POINTS or self.scatter_percent >= PERCENT


def measure(seed: int, index: int, kind: str) -> Mixed:
    """Simulate a sample with a mistake, analyse it, and return what was reported."""
    rng = np.random.default_rng([seed, index])
    scenario, parameters = varied(seed, index)
    scenario = replace(
        scenario,
        stimulated=STIMULATED,
        events=int(rng.integers(FEWEST, MOST)),
        background_events=int(rng.integers(FEWEST, MOST)),
        unstimulated_events=int(rng.integers(FEWEST, MOST)),
        activated_fraction=float(rng.uniform(0.6, 0.98)),
        t_cells=float(rng.uniform(0.5, 1.5)),
        faults=_faults(kind),
    )
    parameters = replace(parameters, cd69_molecules=SimulationParameters().cd69_molecules * rng.uniform(0.2, 1.3))
    with TemporaryDirectory() as folder, contextlib.chdir(folder):
        write_cohort(Path(), seed, cohort=[scenario], parameters=parameters)
        differences = (0.0, 0.0, 0.0)
        if kind == "donor":
            differences = _mix(scenario, parameters, seed, rng)
        result = analyse(load_plan("config/config.yaml").job(scenario.sample), {})[0]
    return Mixed(f"{scenario.sample} {scenario.instrument}", kind, _codes(result), *differences)


def _faults(kind: str) -> tuple[Fault, ...]:
    if kind == "swap":
        return (Fault("swap_stimulation"),)
    if kind == "duplicate":
        return (Fault("duplicate", "CD40-Ig"),)
    if kind == "labels":
        return (
            *(Fault("swap_labels", reagent) for reagent in STIMULATED),
            Fault("swap_labels", "CD154", "unstimulated"),
        )
    return ()


def _mix(
    scenario: Scenario, parameters: SimulationParameters, seed: int, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Put another donor's CD40-Ig tube in the place of the sample's own; return by how much the donors differ."""
    kind = rng.choice(["CD3", "CD8", "scatter"])
    stranger = replace(scenario, sample="stranger")
    theirs = replace(parameters, donor_composition_sd=0.0)
    if kind == "CD3":
        stranger = replace(stranger, t_cells=scenario.t_cells * float(np.exp(rng.uniform(-1.5, 1.5))))
    elif kind == "CD8":
        theirs = replace(theirs, cd8_t=float(np.clip(parameters.cd8_t + rng.uniform(-0.3, 0.3), 0.05, 0.6)))
    else:
        factor = float(np.exp(rng.uniform(-0.45, 0.45)))
        axis = rng.choice(["fsc", "ssc"])
        name = f"lymphocyte_{axis}"
        theirs = replace(theirs, **{name: getattr(parameters, name) * factor})
    own, others = fcs_name(scenario.sample, "stimulated", "CD40-Ig"), fcs_name("stranger", "stimulated", "CD40-Ig")
    write_cohort(
        Path("other"), seed, cohort=[replace(stranger, stimulated=("CD40-Ig",), unstimulated=())], parameters=theirs
    )
    shutil.copyfile(Path("other", "fcs", others), Path("fcs", own))
    prints = [_print(scenario, reagent, seed, parameters) for reagent in STIMULATED if reagent != "CD40-Ig"] + [
        _print(stranger, "CD40-Ig", seed, theirs)
    ]
    cd3, cd8, fsc, ssc = (np.array(values) for values in zip(*prints, strict=True))
    scatter = max(100 * (values.max() / values.min() - 1) for values in (fsc, ssc))
    return float(np.ptp(cd3)), float(np.ptp(cd8)), float(scatter)


def _print(
    scenario: Scenario, reagent: str, seed: int, parameters: SimulationParameters
) -> tuple[float, float, float, float]:
    """Return what distinguishes donors, by the truth: CD3+ and CD8- percent, FSC and SSC of T cells."""
    tube = simulate_tube(scenario, "stimulated", reagent, seed, parameters=parameters)
    healthy = tube.live & tube.single
    lymphocytes = healthy & (tube.kind >= CD4_T) & (tube.kind <= B)
    t_cells = healthy & (tube.kind >= CD4_T) & (tube.kind <= CD8_DIM_T)
    negative = t_cells & ((tube.kind == CD4_T) | (tube.kind == DOUBLE_NEGATIVE_T))
    assert not (negative & (tube.kind == CD8_T)).any()
    return (
        100 * t_cells.sum() / lymphocytes.sum(),
        100 * negative.sum() / t_cells.sum(),
        float(np.median(tube.values[t_cells, tube.names.index("FSC-A")])),
        float(np.median(tube.values[t_cells, tube.names.index("SSC-A")])),
    )


def _codes(result: Result) -> tuple[str, ...]:
    """Return the codes that accuse a tube, of the guards that leave no call standing."""
    blocking = {guard.code for guard in result.guards if guard.fired and guard.effect == BLOCKS}
    return tuple(sorted(blocking & set(ACCUSING)))


def section(found: Sequence[Mixed]) -> str:
    """Return the part of the page on these samples."""
    donors = [one for one in found if one.kind == "donor"]
    power = [one for one in donors if not one.must_be_found]
    rows = [_row(TITLES[kind], [one for one in found if one.kind == kind]) for kind in TITLES if kind != "donor"]
    limits = f"{POINTS:g} points or {PERCENT:g} %"
    rows.append(_row(f"{TITLES['donor']} {limits} apart or more", [one for one in donors if one.must_be_found]))
    for low, high in ((0.75, 1.0), (0.5, 0.75), (0.25, 0.5), (0.0, 0.25)):
        here = [one for one in power if low <= _part(one) < high]
        rows.append(_row(f"{TITLES['donor']} {low:g} to {high:g} of that apart", here))
    clean = [one for one in found if not one.kind]
    accused = [one for one in clean if one.codes]
    missed = [one for one in found if one.kind and one not in power and not one.found]
    shown = [
        *(f"- missed: {one.name}, {TITLES[one.kind]}{_apart(one)}; reported: {_listed(one)}" for one in missed),
        *(f"- accused: {one.name}, {_listed(one)}" for one in accused),
    ]
    return f"""## Swaps, duplicates and mix-ups

Samples of five tubes of {FEWEST:,} to {MOST:,} events in every dialect. Found means that the code of the mistake is
reported and leaves no call. How far two donors differ follows from the truth of every event of the four stimulated
tubes, one of which is the other donor's: in CD3+ percent of lymphocytes, CD8- percent of CD3+, or scatter of T cells.
Of {len(clean)} samples without a mistake {len(accused)} were accused of one.

| mistake | samples | found |
|---|---|---|
{chr(10).join(rows)}

{chr(10).join(shown)}
"""


def _apart(one: Mixed) -> str:
    if one.kind != "donor":
        return ""
    return f" ({one.cd3_points:.1f} points CD3, {one.cd8_points:.1f} points CD8, {one.scatter_percent:.0f} % scatter)"


def _listed(one: Mixed) -> str:
    return ", ".join(one.codes) or "nothing"


def _part(one: Mixed) -> float:
    """Return how near the donors come to the limits from which they must be shown apart, 1 at the limit."""
    return max(one.cd3_points / POINTS, one.cd8_points / POINTS, one.scatter_percent / PERCENT)


def _row(title: str, found: Sequence[Mixed]) -> str:
    return f"| {title} | {len(found)} | {sum(one.found for one in found)} |"
