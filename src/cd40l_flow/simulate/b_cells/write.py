"""Samples of the B-cell assays on disk, alone or together with a cohort of the CD154 assay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cd40l_flow.base.disk import write_atomically
from cd40l_flow.simulate.b_cells.dialects import TARGET_LABELS, b_dialect
from cd40l_flow.simulate.b_cells.panels import stained
from cd40l_flow.simulate.b_cells.physics import BPhysics
from cd40l_flow.simulate.b_cells.samples import BSample
from cd40l_flow.simulate.b_cells.truth import b_truth_row, write_b_events_truth, write_b_truth
from cd40l_flow.simulate.b_cells.tube import MAIN_TUBES, simulate_b_tube
from cd40l_flow.simulate.cohort import Scenario
from cd40l_flow.simulate.fcs import encode_fcs
from cd40l_flow.simulate.parameters import SimulationParameters
from cd40l_flow.simulate.write import SAMPLE_COLUMNS, sample_row, tube_rows, write_config

ASSAY = "cd40l"  # of the scenarios beside
B_SAMPLE_COLUMNS = (
    *SAMPLE_COLUMNS,
    "assay",
    "subject",
    "collected",
    "b_depletion",
    "anti_cd40",
    "igm_g_l",
    "igg_g_l",
    "iga_g_l",
    "ige_iu_ml",
    "b_per_ul",
    "expected_fraction",
    "genotype",
)
UNSTIMULATED = "unstimulated"
CLONES = {"memory": "clone 3", "memory-FMO27": "", "memory-FMOIg": "clone 3", "CD40": "clone 4"}
TRUTH = "truth_b_cells.tsv"


def b_fcs_name(sample: str, reagent: str) -> str:
    """Return the file name of a tube: ``P01M_memory_fmo27.fcs``."""
    return f"{sample}_{reagent.lower().replace('-', '_')}.fcs"


def write_b_cells(
    directory: Path,
    seed: int,
    samples: Sequence[BSample],
    *,
    beside: Sequence[Scenario] = (),
    per_event: bool = False,
    events_scale: float = 1.0,
    parameters: SimulationParameters | None = None,
    physics: BPhysics | None = None,
) -> list[Path]:
    """Write samples of the B-cell assays into a directory and return the files written, in order.

    Writes their ``fcs/*.fcs``, ``config/`` (configuration and three sheets) and ``truth_b_cells.tsv``; with
    ``per_event`` also ``truth/<fcs>.npz``. ``beside`` are the scenarios of the CD154 assay whose files are in the
    directory already (``simulate.write_cohort``): the sheets name them too. ``events_scale`` multiplies the events of
    every tube. A tube's bytes depend on the seed, its sample and reagent, on nothing else.
    """
    usual = parameters or SimulationParameters()
    for folder in ("fcs", "config", *(["truth"] if per_event else [])):
        (directory / folder).mkdir(parents=True, exist_ok=True)
    written, truth = [], []
    tubes = [row for scenario in beside for row in tube_rows(scenario)]
    for asked in samples:
        sample = replace(
            asked, events=round(events_scale * asked.events), b_events=round(events_scale * asked.b_events)
        )
        dialect, main = b_dialect(sample), None
        for reagent in sample.tubes:
            tube = simulate_b_tube(sample, reagent, seed, parameters=usual, physics=physics)
            main = tube if reagent in MAIN_TUBES else main
            fcs = b_fcs_name(sample.sample, reagent)
            content = encode_fcs(
                tube, TARGET_LABELS.get(reagent, reagent), fcs, stained(sample, usual, stated=True), dialect
            )
            path = directory / "fcs" / fcs
            write_atomically(path, content)
            written.append(path)
            if per_event:
                path = directory / "truth" / f"{fcs}.npz"
                write_b_events_truth(path, tube)
                written.append(path)
            panel = sample.instrument if dialect.compensated else "default"
            tubes.append((sample.sample, fcs, UNSTIMULATED, reagent, panel, CLONES.get(reagent, ""), "LOT1"))
        truth.append(b_truth_row(sample, main, usual))
    rows = [_of_cd154(scenario) for scenario in beside] + [_row(sample) for sample in samples]
    written += write_config(directory / "config", B_SAMPLE_COLUMNS, rows, tubes)
    write_b_truth(directory / TRUTH, truth)
    return [*written, directory / TRUTH]


def _of_cd154(scenario: Scenario) -> list[str]:
    """Return the line of the samples sheet of a sample of the CD154 assay, which is its own subject."""
    row = sample_row(scenario, SAMPLE_COLUMNS)
    return [*row, ASSAY, scenario.sample, *[""] * (len(B_SAMPLE_COLUMNS) - len(row) - 2)]


def _row(sample: BSample) -> list[str]:
    """Return the line of the samples sheet: blank where nothing is stimulated or known."""
    cells = sample_row(sample, [column for column in B_SAMPLE_COLUMNS if column != "stimulation_h"])
    at = B_SAMPLE_COLUMNS.index("stimulation_h")
    cells.insert(at, "")
    cells[B_SAMPLE_COLUMNS.index("subject")] = sample.subject or sample.sample
    return cells
