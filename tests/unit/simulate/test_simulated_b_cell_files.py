"""Simulated files of the B-cell assays can be read, tell the truth, and are the same every time."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import flowio
import numpy as np
import pytest

from cd40l_flow.cli.main import main
from cd40l_flow.simulate import CLIPPED, INSTRUMENTS, SimulationParameters, default_cohort
from cd40l_flow.simulate.b_cells import (
    SCENARIOS,
    BSample,
    Subsets,
    b_fcs_name,
    day_control,
    demo_samples,
    simulate_b_tube,
    write_b_cells,
)
from cd40l_flow.simulate.b_cells.dialects import b_dialect
from cd40l_flow.simulate.b_cells.laws import SWITCHED
from cd40l_flow.simulate.b_cells.panels import panel_of, stained
from cd40l_flow.simulate.b_cells.scenarios import CD40_PATIENTS, DISTURBANCES, PATIENTS
from cd40l_flow.simulate.fcs import encode_fcs
from helpers.runs.cohorts import read_sheet

SEED = 11
PARAMETERS = SimulationParameters()
# Many B cells and no differences from tube to tube: what is asked for is what comes out.
EXACT = BSample("S1", b_events=12_000, b_percent=40.0, stain_sd=0.0)


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    """Two runs write the same bytes, per-event truth included; another seed writes other events."""
    few = (replace(EXACT, b_events=100), replace(demo_samples()[-1], events=300))
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_b_cells(tmp_path / name, seed, few, per_event=True)
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())

    assert len(files) == 4 + 4 + 4 + 1
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    tube = Path("fcs") / b_fcs_name("S1", "memory")
    assert (tmp_path / "a" / tube).read_bytes() != (tmp_path / "c" / tube).read_bytes()


def test_tube_is_independent_of_the_rest(tmp_path: Path) -> None:
    """Neither other samples nor other tubes of the sample change the bytes of a tube."""
    sample = replace(EXACT, b_events=100)
    write_b_cells(tmp_path / "both", SEED, (replace(sample, sample="S0"), sample))
    write_b_cells(tmp_path / "alone", SEED, (replace(sample, tubes=("memory",)),))
    name = b_fcs_name("S1", "memory")

    assert (tmp_path / "both" / "fcs" / name).read_bytes() == (tmp_path / "alone" / "fcs" / name).read_bytes()


@pytest.mark.parametrize("instrument", [*INSTRUMENTS, *CLIPPED])
def test_every_dialect_is_readable(instrument: str) -> None:
    """FlowIO reads the tubes of every instrument, with each marker of the panel on one label."""
    for sample in (replace(EXACT, b_events=60, instrument=instrument), replace(demo_samples()[-1], events=60)):
        sample = replace(sample, instrument=instrument)
        tube = simulate_b_tube(sample, sample.tubes[0], SEED)
        physics = stained(sample, PARAMETERS)
        data = flowio.FlowData(io.BytesIO(encode_fcs(tube, sample.tubes[0], "x.fcs", physics, b_dialect(sample))))
        labels = [data.channels[number]["pns"] for number in sorted(data.channels)]

        assert data.event_count == len(tube.values)
        for marker in panel_of(sample):
            word = "CD40 " if marker == "target" else f"{marker} "
            assert sum(label.startswith(word) for label in labels) == 1


def test_flowkit_compensates_what_is_written(tmp_path: Path) -> None:
    """FlowKit finds the same compensated values as the true matrix gives."""
    import flowkit

    sample = replace(EXACT, b_events=200, tubes=("memory",))
    write_b_cells(tmp_path, SEED, (sample,))
    read = flowkit.Sample(tmp_path / "fcs" / b_fcs_name("S1", "memory"))
    read.apply_compensation(read.get_metadata()["spillover"])
    tube = simulate_b_tube(sample, "memory", SEED)
    theirs = read.get_events(source="comp")[:, read.fluoro_indices]

    assert theirs == pytest.approx(tube.compensated(stained(sample, PARAMETERS)), abs=0.1)


def test_truth_tells_what_is_in_the_file(tmp_path: Path) -> None:
    """The truth has the written share beside the donor's, and the events of ``truth/*.npz`` add up to it."""
    write_b_cells(tmp_path, SEED, (replace(EXACT, b_events=3000),), per_event=True)
    row = read_sheet(tmp_path / "truth_b_cells.tsv")[0]
    events = np.load(tmp_path / "truth" / f"{b_fcs_name('S1', 'memory')}.npz")
    counted = events["counted"]

    assert int(row["b_events"]) == counted.sum()
    switched = 100 * (events["stage"][counted] == SWITCHED).mean()
    assert float(row["switched_percent"]) == pytest.approx(switched, abs=1e-4)
    assert float(row["switched_percent_asked"]) == 100 * EXACT.subsets.switched
    assert 3.0 < float(row["cd27_separation_true"]) < 4.5


def test_every_scenario_can_be_drawn() -> None:
    """Every patient and disturbance has a scenario; each gives a right call, and none that is also dangerous."""
    samples = [scenario.sample(SEED) for scenario in SCENARIOS]

    assert {sample.scenario for sample in samples} == {*PATIENTS, *CD40_PATIENTS}
    assert {sample.disturbance for sample in samples} == {"", *DISTURBANCES}
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)
    for sample in samples:
        assert sample.expected
        assert not set(sample.expected) & set(sample.dangerous)
    assert samples == [scenario.sample(SEED) for scenario in SCENARIOS]
    assert samples != [scenario.sample(SEED + 1) for scenario in SCENARIOS]


def test_demo_belongs_to_the_subjects_of_the_cohort(tmp_path: Path) -> None:
    """The demonstration's B cells take at most 4 MB, and its sheets join both assays by subject."""
    assert main(["simulate", str(tmp_path), "--seed", "20260101", "--b-cells"]) == 0
    samples = {row["sample"]: row for row in read_sheet(tmp_path / "config" / "samples.tsv")}
    truth = read_sheet(tmp_path / "truth_b_cells.tsv")
    size = sum((tmp_path / "fcs" / row["fcs"]).stat().st_size for row in read_sheet(tmp_path / "config" / "tubes.tsv"))
    of_cohort = {scenario.sample for scenario in default_cohort()}

    assert size < 13_000_000
    assert sum(row["assay"] == "cd40l" for row in samples.values()) == len(of_cohort)
    assert {samples[name]["subject"] for name in ("P03M", "P05M", "P02M", "P02R")} <= of_cohort
    assert [row["collected"] for row in samples.values() if row["subject"] == "T01"] == ["2025-03", "2025-12"]
    assert all(float(row["cd27_separation_true"]) >= 3.0 for row in truth if row["assay"] == "memory_b")
    assert {row["role"] for row in truth} == {"control", "test"}


def test_a_scenario_is_written_with_its_control(tmp_path: Path) -> None:
    """The command writes a patient or a disturbance by name, beside a day control with the same stain."""
    for name, assay in (("memory-xhim", "memory_b"), ("cd40-absent", "cd40")):
        asked = ["simulate", str(tmp_path / name), "--seed", "4", "--scenario", name, "--events-scale", "0.1"]
        assert main(asked) == 0
        samples = read_sheet(tmp_path / name / "config" / "samples.tsv")
        assert [(row["sample"], row["role"], row["assay"]) for row in samples] == [
            ("C01", "control", assay),
            (name, "test", assay),
        ]
        assert len(read_sheet(tmp_path / name / "truth_b_cells.tsv")) == 2
    assert main(["simulate", str(tmp_path), "--seed", "4", "--scenario", "nobody"]) == 2


def test_what_cannot_be_is_refused() -> None:
    """Shares beyond one whole, tubes of another assay and an unknown assay are refused with what was found."""
    with pytest.raises(ValueError, match="do not add up to 1"):
        Subsets(switched=0.9, non_switched=0.3)
    with pytest.raises(ValueError, match="has no tube CD40"):
        BSample("S1", tubes=("CD40",))
    with pytest.raises(ValueError, match="no assay 'cd20'"):
        BSample("S1", assay="cd20")
    with pytest.raises(ValueError, match="cannot be 0 %"):
        BSample("S1", b_percent=0)
    assert day_control().role == "control"
