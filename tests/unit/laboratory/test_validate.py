"""The validation file: which samples enter which study, what is said where something is missing, what is written."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from benchmarks.laboratory.validation import drawn_laboratory

from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.cli.main import main
from cd40l_flow.laboratory.validation.observations import Observation, materials, other_method
from cd40l_flow.laboratory.validation.page import TABLE, render_validation, studies, table_of
from cd40l_flow.laboratory.validation.study import Study
from cd40l_flow.result.record import read_record, write_record

KEY = ("CD154", "mutant_fraction")


def observation(sample: str, **more: Any) -> Observation:
    """Return a sample of one measure."""
    told = {"run": "R1", "cytometer": "A", "subject": "", "healthy": False, "failed": False, "call": "NORMAL"}
    told |= {"expected": None, "genotype": "", "hours": None, "values": {KEY: 0.1}}
    return Observation(sample=sample, **{**told, **more})


def by_name(observations: Sequence[Observation], others: Any = None) -> dict[str, Study]:
    """Return the studies of samples by name."""
    return {study.name: study for study in studies(observations, others, 0.2)}


def test_without_any_design_every_study_says_what_is_missing() -> None:
    """It names the column that must be filled, and no number is made up."""
    found = by_name([observation(f"P{number}") for number in range(5)])
    assert not any(study.numbers for study in found.values())
    for name, column in (
        ("precision", "subject"),
        ("instruments", "subject"),
        ("detection", "expected_fraction"),
        ("linearity", "expected_fraction of at least 5 levels"),
        ("stability", "collected_h"),
        ("agreement", "genotype"),
        ("method", "--method"),
    ):
        assert column in " ".join(found[name].missing)


def test_a_limit_of_blank_of_few_says_so() -> None:
    """Nine blanks are none; twenty are provisional; sixty of sixty people in three runs are what EP17 asks for."""
    draw = np.random.default_rng(1)

    def blanks(count: int) -> list[Observation]:
        return [
            observation(f"H{one}", run=f"R{one % 3}", expected=0.0, values={KEY: float(draw.normal(0, 0.04))})
            for one in range(count)
        ]

    assert "EP17-A2 asks for 60 of 4 in 3 runs" in by_name(blanks(9))["detection"].missing[0]
    assert not by_name(blanks(9))["detection"].numbers
    assert "provisional" in by_name(blanks(20))["detection"].remarks[0]
    whole = by_name(blanks(60))["detection"]
    assert not any("limit of blank rests" in text for text in whole.remarks)
    assert {number.quantity for number in whole.numbers} == {"LoB, by mean and SD", "LoB, by rank"}


def test_controls_that_failed_and_mutants_are_no_blanks() -> None:
    """Only healthy controls, and what the sheet says to be without mutants."""
    found = by_name(
        [observation(f"C{one}", healthy=True) for one in range(4)]
        + [observation(f"F{one}") for one in range(4)]
        + [observation(f"L{one}", expected=0.05) for one in range(4)]
    )
    assert "4 blanks of 4 people" in found["detection"].missing[0]


def test_old_blood_and_other_levels_are_no_repeats() -> None:
    """A subject's level of a series is a material of its own, and so is its blood of the next day."""
    samples = [
        observation("A", subject="S", hours=2.0),
        observation("B", subject="S", hours=7.5),
        observation("C", subject="S", hours=24.0),
        observation("D", subject="S", expected=0.1),
        observation("E"),
    ]
    found = materials(samples)
    assert {key: [one.sample for one in ones] for key, ones in found.items()} == {
        ("S", None): ["A", "B"],
        ("S", 0.1): ["D"],
    }


def test_a_laboratory_is_given_back_its_truth() -> None:
    """One of drawn numbers: every study is done, and the estimates lie near what they were drawn with."""
    found = by_name(*drawn_laboratory(3))
    assert not any(study.missing for study in found.values())

    def one(study: str, quantity: str, key: tuple[str, str] = KEY) -> float:
        return next(n.estimate.value for n in found[study].numbers if (n.key, n.quantity) == (key, quantity))

    negative = ("CD154", "negative_fraction")
    assert one("precision", "SD of repeats in a run", negative) == pytest.approx(0.008, rel=0.3)
    assert one("instruments", "mean difference", negative) == pytest.approx(0.015, abs=0.02)
    assert one("linearity", "slope") == pytest.approx(1.0, abs=0.05)
    assert one("method", "slope", negative) == pytest.approx(0.95, abs=0.02)
    assert one("stability", "change in 24 h", ("CD154", "mfi_ratio")) == pytest.approx(-0.06, abs=0.02)


def test_a_sample_whose_quality_control_failed_has_no_numbers_and_is_named(tmp_path: Path) -> None:
    """Its call still counts for agreement, as INDETERMINATE."""
    good = [observation(f"P{one}", subject=f"S{one % 2}") for one in range(8)]
    bad = observation("X", failed=True, values={}, call="INDETERMINATE", genotype="wild type")
    page = render_validation(list(by_name([*good, bad]).values()), [*good, bad], [])
    assert "Left out, because their quality control failed: X (R1)" in page
    agreement = by_name([*good, bad])["agreement"]
    assert "1 INDETERMINATE" in " ".join(agreement.remarks)


def test_the_table_has_every_number_and_no_formula() -> None:
    """Tab-separated, one line a number, texts safe for spreadsheets."""
    observations, others = drawn_laboratory(4)
    observations = [
        replace(one, genotype="=1+1" if one.genotype == "c.761C>T" else one.genotype) for one in observations
    ]
    found = studies(observations, others, 0.2)
    rows = list(csv.reader(table_of(found).splitlines(), delimiter="\t"))
    assert tuple(rows[0]) == TABLE
    assert len(rows) - 1 == sum(len(study.numbers) for study in found)
    assert not any(cell.startswith(("=", "@", "+")) for row in rows for cell in row)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("sample\tnegative_fraction\nP01\thigh\n", "is no number"),
        ("sample\tnegative_fraction\nP01\t12\n", "is not from 0 to 1"),
        ("sample\tnegative_fraction\nP01\t0.1\nP01\t0.2\n", "is there twice"),
        ("sample\tpercent\nP01\t12\n", "expected sample and at least one measure"),
        ("name\tnegative_fraction\nP01\t0.1\n", "expected sample"),
        ("", "(none)"),
        ("sample\tmfi_ratio\nP01\tinf\n", "is not finite"),
        ("sample\tmfi_ratio\nP01\tnan\n", "is below 0"),
    ],
)
def test_a_bad_table_of_another_method_is_an_error_in_words(tmp_path: Path, text: str, fault: str) -> None:
    """With the line and the column, all at once."""
    (tmp_path / "method.tsv").write_text(text, encoding="utf-8")
    with pytest.raises(Cd40lFlowError) as error:
        other_method(tmp_path / "method.tsv")
    assert fault in str(error.value)


def test_a_table_of_another_method_names_measures_as_the_summary_does(tmp_path: Path) -> None:
    """Without a reagent the first is meant; a run may tell samples of one name apart."""
    (tmp_path / "method.tsv").write_text("run\tsample\tnegative_fraction\tcd40ig_percent_positive\nR1\tP01\t0.1\t90\n")
    assert other_method(tmp_path / "method.tsv") == {
        ("CD154", "negative_fraction"): {"R1 P01": 0.1},
        ("CD40-Ig", "percent_positive"): {"R1 P01": 90.0},
    }


def design(demo: Path, directory: Path) -> Path:
    """Return results made of the demo's: subjects in two runs, and tubes that are not those of another."""
    for run in ("one", "two"):
        for folder in sorted((demo / "results" / "samples").iterdir()):
            result = read_record(folder / "result.json")
            tubes = [
                msgspec.structs.replace(tube, digest=f"{run}{tube.digest}"[:64].encode().hex()[:64])
                for tube in result.tubes
            ]
            told = {"expected_fraction": 0.5 if folder.name == "P05" else None, "genotype": "wild type"}
            new = msgspec.structs.replace(
                result,
                run=run,
                subject=folder.name,
                tubes=tubes,
                metadata=msgspec.structs.replace(result.metadata, **told),
            )
            write_record(new, directory / run / "results" / "samples" / folder.name / "result.json")
    return directory


def test_the_command_writes_the_page_and_the_table(
    demo_results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From result folders, offline; what has no data says what it needs."""
    place = design(demo_results, tmp_path / "plates")
    assert main(["validate", str(place), "--out", str(tmp_path / "file.html")]) == 0
    told = capsys.readouterr().err
    assert "20 samples" in told
    assert "no dilution series" in told
    page = (tmp_path / "file.html").read_text(encoding="utf-8")
    assert "CLSI EP17-A2" in page
    assert "data:image/svg+xml" in page
    assert "http" not in page.replace("http-equiv", "")
    rows = list(csv.DictReader((tmp_path / "file.tsv").read_text(encoding="utf-8").splitlines(), delimiter="\t"))
    agreement = [row for row in rows if row["study"] == "agreement" and row["quantity"] == "percent negative agreement"]
    # Nine people without a variant of whom the demo calls two NORMAL among those called; P05 is a level of a series.
    assert {row["group"].split(",")[0] for row in agreement} == {"no variant"}
    # The same cells in both runs: nothing lies between them.
    between = [row for row in rows if row["quantity"] == "SD within the laboratory"]
    assert between
    assert all(float(row["value"]) == 0 for row in between)


def test_the_same_files_twice_are_no_repeat(
    demo_results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They would agree perfectly."""
    for name in ("one", "two"):
        shutil.copytree(demo_results / "results", tmp_path / name / "results")
    assert main(["validate", str(tmp_path), "--out", str(tmp_path / "file.html")]) == 2
    assert "must not count twice" in capsys.readouterr().err
    assert not (tmp_path / "file.html").exists()


@pytest.mark.parametrize("options", [["--out", "file.pdf"], ["--out", "file.html", "--allowed", "0"]])
def test_mistakes_in_options_are_reported(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Without a traceback, with what is expected."""
    assert main(["validate", "results", *options]) == 2
    told = capsys.readouterr().err
    assert "expected" in told or "ends in .html" in told
