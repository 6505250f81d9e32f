"""A cohort on disk: FCS files, the sheets and the configuration that go with them, and the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cd40l_flow.base.disk import write_atomically
from cd40l_flow.simulate.cohort import Scenario, default_cohort
from cd40l_flow.simulate.dialects import DIALECTS
from cd40l_flow.simulate.fcs import encode_fcs
from cd40l_flow.simulate.parameters import SimulationParameters
from cd40l_flow.simulate.truth import truth_row, write_events_truth, write_truth
from cd40l_flow.simulate.tube import SimulatedTube, simulate_tube

SAMPLE_COLUMNS = (
    "sample",
    "run",
    "role",
    "sex",
    "age_years",
    "control",
    "family",
    "transplant",
    "calcineurin_inhibitor",
    "steroid",
    "anti_cd154",
    "transfusion",
    "anticoagulant",
    "collected_h",
    "stimulation_h",
)
TUBE_COLUMNS = ("sample", "fcs", "stimulation", "reagent", "panel", "clone", "lot")
OVERRIDE_COLUMNS = ("sample", "tube", "gate", "value", "by", "reason")
CLONES = {"CD154": "clone 1", "CD154-2": "clone 2"}
CONFIG = """\
# A simulated cohort; every key is explained in config/README.md of the workflow.
samples: config/samples.tsv
tubes: config/tubes.tsv
overrides: config/overrides.tsv
fcs_dir: fcs
spillover: file
panels:
  default: {{}}
{panels}require_function: true
"""
COMPENSATED_PANEL = """\
  {panel}:
    spillover: none
"""
DEFAULT_PANEL = "default"


def tube_plan(scenario: Scenario) -> list[tuple[str, str, int]]:
    """Return the tubes of a sample as (stimulation, reagent, replicate)."""
    asked = [("unstimulated", reagent) for reagent in scenario.unstimulated]
    asked += [("stimulated", reagent) for reagent in scenario.stimulated]
    return [(*tube, replicate) for tube in asked for replicate in range(1, scenario.replicates + 1)]


def fcs_name(sample: str, stimulation: str, reagent: str, replicate: int = 1) -> str:
    """Return the file name of a tube: ``P01_stim_cd154.fcs``, ``P01_unstim_cd154_2.fcs`` for a second replicate."""
    short = {"stimulated": "stim", "unstimulated": "unstim"}[stimulation]
    number = "" if replicate == 1 else f"_{replicate}"
    return f"{sample}_{short}_{reagent.lower().replace('-2', 'b').replace('-', '')}{number}.fcs"


def panel_of(scenario: Scenario, faults: frozenset[str] = frozenset()) -> str:
    """Return the panel of a tube: that of its instrument where its values are compensated before they are written."""
    compensated = DIALECTS[scenario.instrument].compensated and "undeclared" not in faults
    return scenario.instrument if compensated else DEFAULT_PANEL


def acquire(
    scenario: Scenario,
    stimulation: str,
    reagent: str,
    replicate: int,
    seed: int,
    events_scale: float,
    parameters: SimulationParameters,
) -> SimulatedTube:
    """Return the events that end up in the file of this tube: another tube's when files were swapped or copied."""
    other = "unstimulated" if stimulation == "stimulated" else "stimulated"
    if scenario.has("duplicate", stimulation, reagent):
        stimulation, reagent, replicate = "stimulated", "CD154", 1
    elif any(scenario.has("swap_stimulation", state, reagent) for state in (stimulation, other)):
        stimulation = other
    return simulate_tube(
        scenario,
        stimulation,
        reagent,
        seed,
        replicate=replicate,
        events_scale=events_scale,
        parameters=parameters,
    )


def write_cohort(
    directory: Path,
    seed: int,
    *,
    cohort: Sequence[Scenario] | None = None,
    per_event: bool = False,
    events_scale: float = 1.0,
    parameters: SimulationParameters | None = None,
    planted_keywords: Mapping[str, str] | None = None,
) -> list[Path]:
    """Write a cohort into a directory and return the files written, in order; other files there are left alone.

    Writes ``fcs/*.fcs``, ``config/`` (configuration and three sheets) and ``truth.tsv``; with ``per_event`` also
    ``truth/<fcs>.npz``. ``events_scale`` multiplies the events of every tube. ``planted_keywords`` go into the TEXT of
    every file. A tube's bytes depend on the seed, its scenario, stimulation, reagent and replicate, on nothing else.
    """
    scenarios = default_cohort() if cohort is None else tuple(cohort)
    p = parameters or SimulationParameters()
    for folder in ("fcs", "config", *(["truth"] if per_event else [])):
        (directory / folder).mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    truth: list[dict[str, str]] = []
    tubes: list[tuple[str, ...]] = []
    for scenario in scenarios:
        for stimulation, reagent, replicate in tube_plan(scenario):
            fcs = fcs_name(scenario.sample, stimulation, reagent, replicate)
            faults = faults_of(scenario, stimulation, reagent)
            tube = acquire(scenario, stimulation, reagent, replicate, seed, events_scale, p)
            at = p.at_volts(scenario.target_volts)
            if "missing" not in faults:
                path = directory / "fcs" / fcs
                dialect = DIALECTS[scenario.instrument]
                content = encode_fcs(tube, reagent, fcs, at, dialect, faults=faults, planted_keywords=planted_keywords)
                write_atomically(path, content)
                written.append(path)
            if per_event:
                path = directory / "truth" / f"{fcs}.npz"
                write_events_truth(path, tube)
                written.append(path)
            truth.append(truth_row(scenario, fcs, stimulation, reagent, tube, at))
        tubes += tube_rows(scenario)
    samples = [sample_row(scenario, SAMPLE_COLUMNS) for scenario in scenarios]
    written += write_config(directory / "config", SAMPLE_COLUMNS, samples, tubes)
    write_truth(directory / "truth.tsv", truth)
    return [*written, directory / "truth.tsv"]


def faults_of(scenario: Scenario, stimulation: str, reagent: str) -> frozenset[str]:
    """Return what is wrong with the file of a tube."""
    return frozenset(f.kind for f in scenario.faults if (f.stimulation, f.reagent) == (stimulation, reagent))


def tube_rows(scenario: Scenario) -> list[tuple[str, ...]]:
    """Return the lines of the tubes sheet of a sample."""
    return [
        (
            scenario.sample,
            fcs_name(scenario.sample, stimulation, reagent, replicate),
            stimulation,
            reagent,
            panel_of(scenario, faults_of(scenario, stimulation, reagent)),
            CLONES.get(reagent, ""),
            "LOT1",
        )
        for stimulation, reagent, replicate in tube_plan(scenario)
    ]


def sample_row(sample: object, columns: Sequence[str]) -> list[str]:
    """Return the line of the samples sheet of a sample that has these columns as attributes; None is blank."""
    return [_cell(getattr(sample, column)) for column in columns]


def write_config(
    config: Path, columns: Sequence[str], samples: Sequence[Sequence[str]], tubes: Sequence[Sequence[str]]
) -> list[Path]:
    """Write the configuration and the three sheets, and return their paths; ``columns`` are those of ``samples``."""
    panels = sorted({row[TUBE_COLUMNS.index("panel")] for row in tubes} - {DEFAULT_PANEL})
    text = CONFIG.format(panels="".join(COMPENSATED_PANEL.format(panel=panel) for panel in panels))
    write_atomically(config / "config.yaml", text)
    _write_sheet(config / "samples.tsv", columns, samples)
    _write_sheet(config / "tubes.tsv", TUBE_COLUMNS, tubes)
    _write_sheet(config / "overrides.tsv", OVERRIDE_COLUMNS, [])
    return [config / name for name in ("config.yaml", "samples.tsv", "tubes.tsv", "overrides.tsv")]


def _cell(value: object) -> str:
    """Return a sheet's cell."""
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _write_sheet(path: Path, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a tab-separated sheet with a header."""
    lines = ["\t".join(columns), *("\t".join(row) for row in rows)]
    write_atomically(path, "\n".join(lines) + "\n")
