"""The simulated cohort is what is promised, tells the truth about itself, and is the same every time."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.simulate import (
    FAULTS,
    MECHANISMS,
    SCENARIOS,
    Scenario,
    default_cohort,
    failed_control,
    fcs_name,
    healthy_control,
    named,
    simulate_tube,
    write_cohort,
)
from helpers.runs.cohorts import read_sheet

SEED = 7
SMALL = Scenario("S1", events=600, background_events=300, unstimulated_events=300)


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    """Two runs write the same bytes, per-event truth included; another seed writes others."""
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_cohort(tmp_path / name, seed, cohort=(SMALL,), per_event=True)
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())

    assert len(files) == 5 + 5 + 4 + 1
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    changed = tmp_path / "c" / "fcs" / "S1_stim_cd154.fcs"
    assert changed.read_bytes() != (tmp_path / "a" / "fcs" / "S1_stim_cd154.fcs").read_bytes()


def test_tube_is_independent_of_the_rest(tmp_path: Path) -> None:
    """Neither other samples, nor their order, nor other tubes of the sample change the bytes of a tube."""
    other = replace(SMALL, sample="S2")
    fewer = replace(SMALL, stimulated=("CD40-Ig",), unstimulated=())
    write_cohort(tmp_path / "both", SEED, cohort=(other, SMALL))
    write_cohort(tmp_path / "alone", SEED, cohort=(fewer,))
    name = "S1_stim_cd40ig.fcs"

    assert (tmp_path / "both" / "fcs" / name).read_bytes() == (tmp_path / "alone" / "fcs" / name).read_bytes()


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    """Writing a cohort into a folder removes nothing from it."""
    keep = tmp_path / "fcs" / "mine.fcs"
    keep.parent.mkdir()
    keep.write_text("x")
    write_cohort(tmp_path, SEED, cohort=(SMALL,))

    assert keep.read_text() == "x"


def test_default_cohort_is_what_is_promised(tmp_path: Path) -> None:
    """The demonstration cohort has every call, enough cells, distinct peaks, and fits into 11 MB."""
    paths = write_cohort(tmp_path, 20260101)
    truth = {row["fcs"]: row for row in read_sheet(tmp_path / "truth.tsv")}
    calls = {row["sample"]: (row["expected_call"], row["expected_reasons"]) for row in truth.values()}
    size = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())

    assert {path for path in tmp_path.rglob("*") if path.is_file()} == set(paths)
    assert size <= 11_000_000
    assert [s.sample for s in default_cohort()] == ["C01", *(f"P0{number}" for number in range(1, 10))]
    assert [call for call, _ in calls.values()] == [
        *["NORMAL"] * 3,
        "ABSENT",
        "REDUCED",
        *["MOSAIC"] * 2,
        "FUNCTIONAL_DEFECT",
        *["INDETERMINATE"] * 2,
    ]
    assert [calls[sample][1] for sample in ("P08", "P09")] == ["ACTIVATION_FAILED", "TOO_FEW_EVENTS"]
    for row in truth.values():
        activated = int(row["truth_activated_events"])
        if row["stimulation"] == "unstimulated":
            assert activated == 0
        elif row["sample"] not in ("P08", "P09"):
            assert activated >= (2500 if row["reagent"] in ("CD154", "CD40-Ig") else 1400)
    for sample in ("C01", "P01", "P02", "P05", "P06"):
        assert 5.0 <= float(truth[f"{sample}_stim_cd154.fcs"]["separation_true"]) <= 7.0
        assert 4.0 <= float(truth[f"{sample}_stim_cd40ig.fcs"]["separation_true"]) <= 6.0
    assert float(truth["P04_stim_cd154.fcs"]["separation_true"]) >= 3.0
    assert 100 <= int(truth["P09_stim_cd154.fcs"]["truth_activated_events"]) <= 150


def test_replicates_differ_and_are_named() -> None:
    """A replicate is another draw of the same cells, in a file of its own."""
    first = simulate_tube(SMALL, "stimulated", "CD154", SEED)
    second = simulate_tube(SMALL, "stimulated", "CD154", SEED, replicate=2)

    assert not np.array_equal(first.values, second.values)
    assert fcs_name("S1", "stimulated", "CD154", 2) == "S1_stim_cd154_2.fcs"
    assert fcs_name("S1", "stimulated", "CD154-2") == "S1_stim_cd154b.fcs"


def test_every_scenario_can_be_written(tmp_path: Path) -> None:
    """Every acceptance scenario, and a failed control, can be written with a healthy control."""
    small = [replace(s, events=min(s.events, 300), background_events=100, unstimulated_events=100) for s in SCENARIOS]
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        write_cohort(tmp_path, SEED, cohort=(healthy_control(), failed_control("C02", "R2"), *small))
    names = [row["sample"] for row in read_sheet(tmp_path / "config" / "samples.tsv")]
    files = [row["fcs"] for row in read_sheet(tmp_path / "config" / "tubes.tsv")]

    assert len(set(names)) == len(names) == len(SCENARIOS) + 2
    assert len(set(files)) == len(files)
    every = (*SCENARIOS, *(mechanism.scenario for mechanism in MECHANISMS))
    assert {fault.kind for scenario in every for fault in scenario.faults} == set(FAULTS)


def test_every_mechanism_tells_what_is_right_and_what_is_dangerous(tmp_path: Path) -> None:
    assert len({mechanism.name for mechanism in MECHANISMS}) == len(MECHANISMS)
    for mechanism in MECHANISMS:
        scenario = mechanism.scenario
        assert scenario.truth and scenario.right and scenario.dangerous
        assert not scenario.right & scenario.dangerous
        cohort, parameters = named(mechanism.name)
        written = write_cohort(
            tmp_path / scenario.sample, SEED, cohort=cohort, events_scale=0.02, parameters=parameters
        )
        assert [path for path in written if path.suffix == ".fcs"]


def test_an_unknown_scenario_is_refused_with_all_names() -> None:
    with pytest.raises(Cd40lFlowError, match="weak-stimulation"):
        named("weak")
