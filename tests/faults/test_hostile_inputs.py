"""One bad thing never stops all: files that are none, YAML that means something else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cd40l_flow.base.disk import read_small
from cd40l_flow.cohort.config import load_config
from helpers.runs.cohorts import cd40l_flow
from helpers.runs.hostile import called

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
    result, control = called(cohort)

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
def test_a_configuration_or_sheet_that_is_no_file_is_reported(
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
    """Return what is reported for a configuration with some lines added, as line|key|message remedy."""
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
        ("reviews: 2024-02-31", "reviews", ("2024-02-31", "a date that does not exist")),
        ("show_columns: [yes, ward]", "show_columns.0", ("found yes", "true")),
        ("show_columns: [12:30]", "show_columns.0", ("12:30", "750")),
        ("panels: {0500: {}}", "panels.0500", ("key 0500", "320", "'0500'")),
        ("panels: {no: {}}", "panels.no", ("key no", "false", "'no'")),
        ("panels: {1:30: {}}", "panels.1:30", ("key 1:30", "90", "'1:30'")),
        ("require_function: 1", "require_function", ("found 1", "true or false")),
    ],
)
def test_what_yaml_makes_of_a_word_is_reported_before_it_is_believed(
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
