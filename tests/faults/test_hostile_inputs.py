"""One bad thing never stops all: strange names, files that are none, YAML that means something else, full disks."""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cd40l_flow.base.disk import WriteError, as_on_disk, read_small, write_atomically
from cd40l_flow.base.errors import Cd40lFlowError, InputsError
from cd40l_flow.cohort.cells import as_text, safe, tab_separated
from cd40l_flow.cohort.config import load_config
from cd40l_flow.cohort.draft import draft
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.figures.densities import write_densities
from cd40l_flow.interop.multiqc import write_multiqc
from cd40l_flow.interop.override_lines import append_overrides
from cd40l_flow.report.sample import write_report
from cd40l_flow.result.measures_table import write_measures
from cd40l_flow.result.reviews.files import Reviews
from cd40l_flow.result.reviews.signable import signable
from cd40l_flow.result.reviews.state import review_state
from cd40l_flow.result.summary import summary_row
from cd40l_flow.simulate import Scenario, healthy_control, write_cohort
from helpers.cohorts import cd40l_flow, read_sheet, write_sheet
from helpers.records import analyse, as_result, write_record
from helpers.report_samples import SCENARIOS, make_result

SMALL = Scenario("P01", events=3000, background_events=2500, unstimulated_events=2500)
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


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A control and one sample, to be copied."""
    folder = tmp_path_factory.mktemp("small")
    write_cohort(folder, 4, cohort=(replace(healthy_control(), events=3000, background_events=2500), SMALL))
    return folder


@pytest.fixture
def cohort(small: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(small, tmp_path / "cohort"))


def rename(folder: Path, old: str, new: str, sheet: str | None = None) -> None:
    """Give an FCS file another name on disk and in the sheet, where it may be spelt otherwise."""
    (folder / "fcs" / new).parent.mkdir(parents=True, exist_ok=True)
    (folder / "fcs" / old).rename(folder / "fcs" / new)
    path = folder / "config/tubes.tsv"
    rows = [{**row, "fcs": new if sheet is None else sheet} if row["fcs"] == old else row for row in read_sheet(path)]
    write_sheet(path, rows)


def called(folder: Path, sample: str = "P01") -> dict[str, Any]:
    with chdir(folder):
        plan = load_plan("config/config.yaml")
        control = analyse(plan.job("C01"), {})[0]
        return control if sample == "C01" else analyse(plan.job(sample), {"C01": control})[0]


def problems(folder: Path) -> list[str]:
    """Return every fatal problem of the inputs as it is told; nothing where there is none."""
    with chdir(folder):
        try:
            load_plan("config/config.yaml")
        except InputsError as error:
            return [str(problem) for problem in error.problems]
    return []


# Names


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

    result = called(cohort)

    assert (result["call"], result["reasons"]) == ("NORMAL", [])
    assert text in {tube["fcs"] for tube in result["tubes"]}


def test_the_folder_of_the_files_is_found_too(cohort: Path) -> None:
    (cohort / "fcs").rename(cohort / unicodedata.normalize("NFD", "Müller"))
    config = cohort / "config/config.yaml"
    text = config.read_text(encoding="utf-8").replace(
        "fcs_dir: fcs", f"fcs_dir: {unicodedata.normalize('NFC', 'Müller')}"
    )
    config.write_text(text, encoding="utf-8")

    assert called(cohort)["call"] == "NORMAL"


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
        ({"sample": "Nul.1"}, "Windows keeps for a device"),
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
    """é and e with an accent are one letter: the sample is judged against the control of that run."""
    path = cohort / "config/samples.tsv"
    rows = read_sheet(path)
    forms = ("NFC", "NFD")
    write_sheet(
        path, [{**row, "run": unicodedata.normalize(form, "Été")} for row, form in zip(rows, forms, strict=True)]
    )

    assert called(cohort)["reasons"] == []


# Files that are none


def folder_in_place(path: Path) -> None:
    path.mkdir()


def broken_link(path: Path) -> None:
    path.symlink_to("nowhere")


def link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def memory(path: Path) -> None:
    path.symlink_to("/proc/self/mem")


NO_FILES: tuple[Callable[[Path], None], ...] = (
    folder_in_place,
    os.mkfifo,
    broken_link,
    link_to_itself,
    device,
    memory,
)


@pytest.mark.parametrize("make", NO_FILES, ids=["folder", "pipe", "broken link", "loop", "endless", "process memory"])
def test_what_is_no_file_costs_its_own_sample(make: Callable[[Path], None], cohort: Path) -> None:
    """A tube that cannot be read makes its sample INDETERMINATE in words; nothing waits, nothing else is touched."""
    path = cohort / "fcs/P01_stim_cd154.fcs"
    path.unlink()
    make(path)

    process = cd40l_flow("check", "--directory", cohort, "--configfile", cohort / "config/config.yaml")
    result, control = called(cohort), called(cohort, "C01")

    assert process.returncode == 0, process.stderr
    told = json.loads((cohort / "results/check.json").read_text(encoding="utf-8"))["problems"]
    assert [(one["code"], one["sample"]) for one in told if one["severity"] == "sample"] == [("FILE_INTEGRITY", "P01")]
    assert (result["call"], result["reasons"][0]) == ("INDETERMINATE", "FILE_INTEGRITY")
    assert control["call"] == "NORMAL"


# A process of root that may not read what is forbidden to it, as no other user's may: without these two capabilities.
WITHOUT_OVERRIDE = """
import ctypes, os, sys
drop = ctypes.CDLL(None, use_errno=True).prctl
for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    if drop(24, capability, 0, 0, 0):  # PR_CAPBSET_DROP
        sys.exit("prctl: " + os.strerror(ctypes.get_errno()))
os.execv(sys.executable, [sys.executable, "-m", "cd40l_flow.cli.main", *sys.argv[1:]])
"""


def test_files_without_permission_cost_their_own_sample(cohort: Path) -> None:
    """Two tubes of the same size that may not be read: the check tells both, the rest is analysed."""
    content = (cohort / "fcs/P01_stim_cd154.fcs").read_bytes()
    for name in ("P01_stim_cd154.fcs", "P01_stim_isotype.fcs"):
        (cohort / "fcs" / name).write_bytes(content)
        (cohort / "fcs" / name).chmod(0)

    def as_nobody(*arguments: str) -> subprocess.CompletedProcess[str]:
        start = ["-c", WITHOUT_OVERRIDE] if os.geteuid() == 0 else ["-m", "cd40l_flow.cli.main"]
        command = [sys.executable, *start, *arguments, "--directory", str(cohort)]
        return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    checked = as_nobody("check", "--configfile", str(cohort / "config/config.yaml"))
    ran = as_nobody("run", "--sample", "P01", "--configfile", str(cohort / "config/config.yaml"))

    assert "Traceback" not in checked.stderr + ran.stderr
    assert checked.returncode == 0, checked.stderr
    told = json.loads((cohort / "results/check.json").read_text(encoding="utf-8"))["problems"]
    assert sorted(one["file"] for one in told if one["code"] == "FILE_INTEGRITY") == [
        "P01_stim_cd154.fcs",
        "P01_stim_isotype.fcs",
    ]
    results = {
        name: json.loads((cohort / f"results/samples/{name}/result.json").read_text(encoding="utf-8"))
        for name in ("C01", "P01")
    }
    assert (results["P01"]["call"], results["P01"]["reasons"][0]) == ("INDETERMINATE", "FILE_INTEGRITY")
    assert results["C01"]["call"] == "NORMAL"


@pytest.mark.parametrize("make", NO_FILES, ids=["folder", "pipe", "broken link", "loop", "endless", "process memory"])
@pytest.mark.parametrize("name", ["config.yaml", "samples.tsv", "tubes.tsv", "overrides.tsv"])
def test_a_configuration_or_sheet_that_is_no_file_is_told(
    make: Callable[[Path], None], name: str, cohort: Path
) -> None:
    """Neither a pipe that nobody writes into nor a device without end keeps the program: it says what it found."""
    path = cohort / "config" / name
    path.unlink()
    make(path)

    command = [sys.executable, "-m", "cd40l_flow.cli.main", "check", "--directory", str(cohort)]
    command += ["--configfile", str(cohort / "config/config.yaml")]
    process = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert process.returncode == 2
    assert "Traceback" not in process.stderr
    assert name in process.stderr and "cannot be read" in process.stderr


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"x" * 101)

    assert read_small(path, 101) == b"x" * 101
    with pytest.raises(OSError, match="more than 100 bytes"):
        read_small(path, 100)


# YAML


def configured(folder: Path, text: str) -> list[str]:
    """Return what is told of a configuration with some lines added, as line|key|message remedy."""
    (folder / "fcs").mkdir(exist_ok=True)
    path = folder / "config.yaml"
    path.write_text("samples: s.tsv\ntubes: t.tsv\nfcs_dir: fcs\n" + text, encoding="utf-8")
    with chdir(folder):
        config, found = load_config("config.yaml")
    assert (config is None) == bool(found)
    return [f"{one.line}|{one.column}|{one.message} {one.remedy}" for one in found]


@pytest.mark.parametrize(
    ("text", "key", "told"),
    [
        ("limits: {guards: {activated_min: 0500}}", "limits.guards.activated_min", ("0500", "320", "500 for")),
        ("limits: {guards: {activated_min: 1:30}}", "limits.guards.activated_min", ("1:30", "90")),
        ("limits: {guards: {activated_min: 1_000}}", "limits.guards.activated_min", ("1_000", "1000 for")),
        ("limits: {guards: {activated_min: 0x1F4}}", "limits.guards.activated_min", ("0x1F4", "500")),
        ("limits: {guards: {activated_min: 0b101}}", "limits.guards.activated_min", ("0b101", "5")),
        ("limits: {guards: {residue_max: 1:30.5}}", "limits.guards.residue_max", ("1:30.5", "90.5")),
        ("limits: {guards: {activated_min: 1e3}}", "limits.guards.activated_min", ("1e3", "write 1000")),
        ("limits: {guards: {residue_max: .inf}}", "limits.guards.residue_max", ("inf", "finite")),
        ("limits: {guards: {residue_max: .nan}}", "limits.guards.residue_max", ("nan", "finite")),
        ("limits: {guards: {residue_max: 1.0e+400}}", "limits.guards.residue_max", ("inf", "finite")),
        ("limits: {guards: {residue_max: 1e400}}", "limits.guards.residue_max", ("1e400", "a number")),
        ("limits: {guards: {residue_max: 2024-01-31}}", "limits.guards.residue_max", ("2024-01-31", "date")),
        ("spillover: no", "spillover", ("found no", "false", "'no', in quotes")),
        ("spillover: On", "spillover", ("found On", "true", "'On', in quotes")),
        ("spillover: 0500", "spillover", ("0500", "320", "'0500', in quotes")),
        ("reviews: 2024-02-31", "reviews", ("2024-02-31", "a date that there is not")),
        ("show_columns: [yes, ward]", "show_columns.0", ("found yes", "true")),
        ("show_columns: [12:30]", "show_columns.0", ("12:30", "750")),
        ("panels: {0500: {}}", "panels.0500", ("key 0500", "320", "'0500'")),
        ("panels: {no: {}}", "panels.no", ("key no", "false", "'no'")),
        ("panels: {1:30: {}}", "panels.1:30", ("key 1:30", "90", "'1:30'")),
        ("require_function: 1", "require_function", ("found 1", "true or false")),
    ],
)
def test_what_yaml_makes_of_a_word_is_told_before_it_is_believed(
    text: str, key: str, told: tuple[str, ...], tmp_path: Path
) -> None:
    """Each comes with its line, what stands there, what it was read as, and how to write what was meant."""
    (found,) = configured(tmp_path, text)

    assert found.startswith(f"4|{key}|")
    assert all(word in found for word in told), found


@pytest.mark.parametrize(
    "text",
    [
        "require_function: yes",
        "require_function: off",
        "limits: {guards: {activated_min: 500, residue_max: 1.5e+0}}",
        "limits: {guards: {residue_max: 012.5}}",
        "show_columns: ['0500', '1:30', 'no', '2024-01-31']",
        "panels: {'0500': {}, A1: {CD3: {detector: '1_000'}}}",
        "reference: ~",
    ],
)
def test_what_is_meant_as_it_stands_is_taken(text: str, tmp_path: Path) -> None:
    assert configured(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a0: &a0 [x,x]\n" + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)), "alias"),
        ("panels: &p {default: {}}\nshow_columns: *p\n", "alias"),
        ("panels: &p {default: *p}\n", "alias"),
        ("panels: " + "{a: " * 30 + "}" * 30, "nested more than"),
        ("show_columns: " + "[" * 5000, "nested more than"),
        ("show_columns: " + "[" * 5000 + "]" * 5000, "nested more than"),
        ("- " * 5000 + "x", ""),
        ("spillover: file\nspillover: none\n", "is given twice"),
        ("limits: {guards: {residue_max: 1, residue_max: 2}}", "is given twice"),
        ("? [a, b]\n: c\n", ""),
        ("x: !!python/object/apply:os.system ['true']\n", ""),
        ("---\nsamples: again\n", ""),
        ("\x00", ""),
        ("spillover: \x1b[31m", ""),
    ],
)
def test_yaml_that_harms_or_contradicts_itself_is_refused(text: str, told: str, tmp_path: Path) -> None:
    """Alias bombs, deep nesting, objects, documents and keys given twice: refused at once, in words."""
    found = configured(tmp_path, text)

    assert found
    assert any(told in one for one in found)


@given(st.text(alphabet="ab:-?[]{}&*!|>'\"%@`#, \n\t0123456789_.yneo~<", max_size=80))
def test_no_configuration_makes_a_traceback(text: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        configured(Path(folder), text)


# Numbers of sheets


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e400", "1_000", "0x10", "١", "1,5", "NaN", "--5", "", "1e"])
def test_a_gate_is_a_finite_number_or_refused(value: str, cohort: Path) -> None:
    """A boundary of NaN lets all cells through or none: it is told at its line."""
    path = cohort / "config/overrides.tsv"
    path.write_text(f"sample\ttube\tgate\tvalue\tby\treason\nP01\t\tcd69_low\t{value}\tAB\twhy\n", encoding="utf-8")

    found = problems(cohort)

    assert len(found) == 1
    assert "overrides.tsv, line 2, value" in found[0]


@pytest.mark.parametrize("column", ["age_years", "collected_h", "stimulation_h"])
@pytest.mark.parametrize("value", ["nan", "inf", "1e400", "1_0", "-1"])
def test_a_number_of_the_sheet_is_finite_or_refused(column: str, value: str, cohort: Path) -> None:
    path = cohort / "config/samples.tsv"
    rows = read_sheet(path)
    write_sheet(path, [rows[0], {**rows[1], column: value}])

    found = problems(cohort)

    assert len(found) == 1
    assert f"samples.tsv, line 3, {column}" in found[0]


# Spreadsheets


@given(st.text(max_size=40))
def test_a_safe_cell_starts_no_formula_and_loses_nothing(text: str) -> None:
    """Whatever the text: no spreadsheet runs its cell, and it is read as it was."""
    cell = safe(text)

    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) or float(cell) is not None
    if cell != text or not text.startswith("'"):
        assert as_text(cell) == text


def test_numbers_stay_numbers() -> None:
    assert [safe(text) for text in ("-5", "+1.5e-3", "-.5", "-5-3", "1-2", "-", "+A1")] == [
        "-5",
        "+1.5e-3",
        "-.5",
        "'-5-3",
        "1-2",
        "'-",
        "'+A1",
    ]
    assert tab_separated([(-5, -0.5, None, "=1\t2", 'a"b')]) == '-5\t-0.5\t\t"\'=1\t2"\t"a""b"\n'


FORMULA = '=HYPERLINK("http://x","y")'


def dangerous(path: Path) -> list[str]:
    """Return the cells of a table that a spreadsheet would run."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    cells = [cell for row in csv.reader(lines, delimiter="\t") for cell in row]
    return [
        cell
        for cell in cells
        if cell[:1] in tuple("=+-@") and not cell[1:].replace(".", "").replace("e-", "").isdigit()
    ]


def test_no_table_holds_a_formula(tmp_path: Path) -> None:
    """Run, tube and reason are free text: in every table that is written they are cells of text."""
    result = make_result(SCENARIOS["NORMAL"]) | {"run": FORMULA}
    result["tubes"][0]["fcs"] = "@cmd.fcs"
    record = as_result(result)
    row = summary_row(record, review_state(signable(record, "0" * 64), Reviews()))
    (tmp_path / "summary.tsv").write_text(tab_separated([list(row), list(row.values())]), encoding="utf-8")
    write_measures(as_result(result), tmp_path / "measures.tsv")
    write_multiqc([record], tmp_path / "multiqc/cd40l_flow_mqc.json")
    line = {"sample": "P01", "tube": "-a.fcs", "gate": "cd69_low", "value": "-5.5", "by": "+me", "reason": FORMULA}
    append_overrides([line], tmp_path / "overrides.tsv")

    assert row["run"] == f"'{FORMULA}"
    for path in tmp_path.rglob("*.tsv"):
        assert dangerous(path) == [], path
    (written,) = read_sheet(tmp_path / "overrides.tsv")
    assert written == {**line, "tube": "'-a.fcs", "by": "'+me", "reason": f"'{FORMULA}"}
    assert append_overrides([line], tmp_path / "overrides.tsv") == 0


def test_a_draft_holds_no_formula_and_is_read_back(cohort: Path) -> None:
    """Files called like formulas, with quotes and tabs, are drafted so that the sheet names them as they are."""
    names = ["=1+1 stim cd154.fcs", '@a "b" unstim.fcs', "-x\ty stim isotype.fcs"]
    for old, new in zip(sorted(path.name for path in (cohort / "fcs").glob("P01*")), names, strict=False):
        (cohort / "fcs" / old).rename(cohort / "fcs" / new)

    with chdir(cohort):
        files = draft(Path("fcs"), "fcs").files
    (cohort / "tubes.tsv").write_text(files["config/tubes.tsv"], encoding="utf-8", newline="")

    assert dangerous(cohort / "tubes.tsv") == []
    # A name with a tab cannot stand in a sheet: it is shown with its code, and asked for.
    named = {*names[:2], "-x<09>y stim isotype.fcs"}
    assert named <= {as_text(row["fcs"]) for row in read_sheet(cohort / "tubes.tsv")}


# Disks


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_told_and_leaves_nothing_half(tiny_disk: Path) -> None:
    """The folder is named, what was there stays, no part is left."""
    write_atomically(tiny_disk / "result.json", "whole")

    with pytest.raises(WriteError, match="the disk is full") as told:
        write_atomically(tiny_disk / "result.json", "x" * 200_000)

    assert str(tiny_disk) in str(told.value)
    assert [path.name for path in tiny_disk.iterdir()] == ["result.json"]
    assert (tiny_disk / "result.json").read_text(encoding="utf-8") == "whole"


@pytest.mark.parametrize("step", ["write", "fsync", "replace", "mkdir"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES])
def test_whatever_step_fails_nothing_half_is_left(
    step: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Full, over quota, read only, broken or forbidden: one message with the folder, and the former file."""
    path = tmp_path / "folder/result.json"
    write_atomically(path, "former")

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(code, os.strerror(code))

    if step == "write":
        opened = Path.open

        def broken(self: Path, *arguments: Any, **named: Any) -> Any:
            file = opened(self, *arguments, **named)
            if self.name.endswith(".part"):
                file.close()
                raise OSError(code, os.strerror(code))
            return file

        monkeypatch.setattr(Path, "open", broken)
    elif step == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    else:
        monkeypatch.setattr(Path, step, fail)
    with pytest.raises(WriteError) as told:
        write_atomically(path, "new")
    monkeypatch.undo()

    assert isinstance(told.value, Cd40lFlowError) and isinstance(told.value, OSError)
    assert told.value.errno == code
    assert str(path.parent) in str(told.value) and "result.json cannot be written" in str(told.value)
    assert [one.name for one in path.parent.iterdir()] == ["result.json"]
    assert path.read_text(encoding="utf-8") == "former"


def test_a_command_on_a_full_disk_ends_in_words(tiny_disk: Path, small: Path) -> None:
    """No traceback: the folder that is full, and what to do."""
    (tiny_disk / "fill").write_bytes(b"x" * 61_000)
    process = cd40l_flow("simulate", tiny_disk / "demo", "--seed", "1")

    assert process.returncode == 2
    assert "Traceback" not in process.stderr
    assert "the disk is full" in process.stderr
    assert list(tiny_disk.rglob("*.part")) == []


def test_every_writer_writes_whole(root: Path) -> None:
    """Results, reports, drafts and simulated data are written by one function."""
    source = root / "src/cd40l_flow"
    writers = {
        str(path.relative_to(source))
        for path in source.rglob("*.py")
        if any(word in path.read_text(encoding="utf-8") for word in (".write_text(", ".write_bytes(", 'open("w'))
    }

    # The others write pages of the manual and a schema, for developers (`make schema`).
    generated = {"assay/limit_pages.py", "report/decision_table.py", "result/types/json_schema.py"}
    assert writers == {"base/disk.py"} | generated
