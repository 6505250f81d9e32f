"""Files, folders and samples may have strange names; those that would be mixed up are refused."""

from __future__ import annotations

import json
import unicodedata
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest

from cd40l_flow.base.disk import as_on_disk
from cd40l_flow.cohort.cells import safe
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.figures.densities import write_densities
from cd40l_flow.report.sample import write_report
from cd40l_flow.result.measures_table import write_measures
from helpers.results.records import analyse, as_result, write_record
from helpers.runs.cohorts import cd40l_flow, read_sheet, write_sheet
from helpers.runs.hostile import called, problems, rename

HOSTILE = (
    "{x}.fcs",
    "{sample}.fcs",
    "{{.fcs",
    "a}b{.fcs",
    "<b>bold</b>.fcs",
    "a\"quoted\" 'twice'.fcs",
    "$(touch run).fcs",
    "a b;c&d|e.fcs",
    "[abc]*?.fcs",
    "%s %(x)s.fcs",
    "-rf.fcs",
    "=1+1.fcs",
    "@SUM(A1).fcs",
    "+1.fcs",
    "'=quoted.fcs",
    "naïve – µ.fcs",
)


def test_a_file_may_have_any_name(cohort: Path) -> None:
    """Braces, markup, quotes, wildcards and formulas are letters of a name: the tubes are read and named by it."""
    tubes = [row["fcs"] for row in read_sheet(cohort / "config/tubes.tsv")]
    for old, new in zip(tubes, HOSTILE, strict=False):
        rename(cohort, old, new, safe(new))

    with chdir(cohort):
        plan = load_plan("config/config.yaml")
        control, arrays = analyse(plan.job("C01"), {})
        result, more = analyse(plan.job("P01"), {"C01": control})
        for one, figures in ((control, arrays), (result, more)):
            write_record(one, Path(f"{one['sample']}.json"))
            write_densities(figures, Path(f"{one['sample']}.npz"))
        write_report("P01.json", "P01.npz", [("C01.json", "C01.npz")], "report.html", {})
        write_measures(as_result(result), Path("measures.tsv"))

    names = {tube["fcs"] for one in (control, result) for tube in one["tubes"]}
    assert result["call"] == "NORMAL"
    assert names == {*HOSTILE[: len(tubes)], *tubes[len(HOSTILE) :]}
    page = (cohort / "report.html").read_text(encoding="utf-8")
    assert "<b>bold</b>" not in page
    rows = read_sheet(cohort / "measures.tsv")
    assert {row["tube"] for row in rows} - {""} == {safe(tube["fcs"]) for tube in result["tubes"]}


def test_check_tells_hostile_names_and_stops_for_none(cohort: Path) -> None:
    """The check reads all files whatever they are called, and the folder as well."""
    for old, new in zip([row["fcs"] for row in read_sheet(cohort / "config/tubes.tsv")], HOSTILE, strict=False):
        rename(cohort, old, new, safe(new))
    strange = cohort.with_name("{sample} <b>'\"$(x)")
    cohort.rename(strange)

    process = cd40l_flow("check", "--directory", strange, "--configfile", strange / "config/config.yaml")

    assert process.returncode == 0, process.stderr
    assert json.loads((strange / "results/check.json").read_text(encoding="utf-8"))["problems"] == []


@pytest.mark.parametrize(("sheet", "disk"), [("NFC", "NFD"), ("NFD", "NFC"), ("NFC", "NFC"), ("NFD", "NFD")])
def test_a_name_is_found_however_its_letters_are_composed(sheet: Any, disk: Any, cohort: Path) -> None:
    """MacOS decomposes letters, sheets compose them: what looks alike is the same file, in folders too."""
    folder, name = "Zoë", "P01 é ü.fcs"
    (cohort / "fcs" / unicodedata.normalize(disk, folder)).mkdir()
    text = f"{folder}/{name}"
    rename(cohort, "P01_stim_cd154.fcs", unicodedata.normalize(disk, text), unicodedata.normalize(sheet, text))

    result, _ = called(cohort)

    assert (result["call"], result["reasons"]) == ("NORMAL", [])
    assert text in {tube["fcs"] for tube in result["tubes"]}


def test_the_folder_of_the_files_is_found_too(cohort: Path) -> None:
    (cohort / "fcs").rename(cohort / unicodedata.normalize("NFD", "Müller"))
    config = cohort / "config/config.yaml"
    text = config.read_text(encoding="utf-8").replace(
        "fcs_dir: fcs", f"fcs_dir: {unicodedata.normalize('NFC', 'Müller')}"
    )
    config.write_text(text, encoding="utf-8")

    assert called(cohort)[0]["call"] == "NORMAL"


def test_of_two_spellings_on_disk_the_one_that_is_written_is_taken(tmp_path: Path) -> None:
    """Two files whose names look alike are two files: none is taken for the other."""
    composed, decomposed = (str(tmp_path / unicodedata.normalize(form, "é.fcs")) for form in ("NFC", "NFD"))
    Path(decomposed).write_bytes(b"d")
    assert as_on_disk(composed) == decomposed
    Path(composed).write_bytes(b"c")

    assert (as_on_disk(composed), as_on_disk(decomposed)) == (composed, decomposed)
    assert as_on_disk(str(tmp_path / "è.fcs")) == str(tmp_path / "è.fcs")


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ({"sample": "p01"}, "differs only in case from 'P01'"),
        ({"sample": "P01."}, "differs only in case or a full stop at the end from 'P01'"),
        ({"sample": "Nul.1"}, "Windows reserves for a device"),
        ({"run": "r1"}, "differs from 'R1' on line 2 only in case"),
        ({"run": "Ｒ1"}, "signs that look alike"),
    ],
    ids=["case", "full stop", "device", "run", "wide letter"],
)
def test_names_that_computers_or_people_mix_up_are_refused(cells: dict[str, str], told: str, cohort: Path) -> None:
    """Two samples in one folder, two runs that are one: refused in words, at the line."""
    path = cohort / "config/samples.tsv"
    rows = read_sheet(path)
    write_sheet(path, [*rows, {**rows[1], "sample": "P02", **cells}])

    found = problems(cohort)

    assert len(found) == 1
    assert "samples.tsv, line 4" in found[0]
    assert told in found[0]


def test_families_that_look_alike_are_refused(cohort: Path) -> None:
    """Relatives stand side by side only where their family is one name."""
    path = cohort / "config/samples.tsv"
    rows = read_sheet(path)
    write_sheet(path, [{**row, "family": name} for row, name in zip(rows, ("Lane", "lane"), strict=True)])

    assert ["family" in one and "only in case" in one for one in problems(cohort)] == [True]


def test_letters_composed_otherwise_are_the_same_run(cohort: Path) -> None:
    """é and e with an accent are one letter: the sample is compared with the control of that run."""
    path = cohort / "config/samples.tsv"
    rows = read_sheet(path)
    forms = ("NFC", "NFD")
    write_sheet(
        path, [{**row, "run": unicodedata.normalize(form, "Été")} for row, form in zip(rows, forms, strict=True)]
    )

    assert called(cohort)[0]["reasons"] == []
