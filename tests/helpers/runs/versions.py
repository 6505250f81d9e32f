"""Environments of the oldest and newest allowed libraries on each Python, and whether two runs of the demo agree."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from helpers.results.agreement import CLOSE, close, different
from helpers.runs.cohorts import ROOT, RUN_SECONDS

PYTHONS = ("3.11", "3.12", "3.13")
# As uv names them: the lowest version of each requirement of pyproject.toml, and the newest of everything.
OLDEST, NEWEST = "lowest-direct", "highest"
OUTPUTS = ("report.html", "report.fhir.json", "gates.wsp", "gates.gatingml.xml", "measures.tsv", "densities.npz")


def interpreters() -> dict[str, str]:
    """Return version -> path of the Python interpreters on this machine: those on the PATH, then those of pyenv."""
    found = {}
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    for version in PYTHONS:
        places = [shutil.which(f"python{version}"), shutil.which("python3"), sys.executable]
        places += [str(path) for path in sorted(pyenv.glob(f"{version}.*/bin/python"))]
        # What pyenv has on the PATH are scripts, which may refuse to run.
        working = (place for place in places if place and _version(place) == version)
        if place := next(working, None):
            found[version] = place
    return found


def _version(python: str) -> str:
    """Return the version of an interpreter that can make environments, empty for any other."""
    program = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
    process = subprocess.run([python, "-c", program], capture_output=True, text=True, check=False)
    return process.stdout.strip()


def install(python: str, resolution: str, folder: Path) -> dict[str, str]:
    """Install the package of this checkout with its libraries; return the versions, by name."""
    uv = [sys.executable, "-m", "uv"]
    _run([*uv, "venv", "--quiet", "--no-python-downloads", "--python", python, str(folder)])
    there = ["--python", str(folder / "bin/python")]
    _run([*uv, "pip", "install", "--quiet", *there, "--resolution", resolution, str(ROOT)])
    listed = _run([*uv, "pip", "list", "--quiet", *there, "--format", "json"])
    return {entry["name"]: entry["version"] for entry in json.loads(listed)}


def run_demo(folder: Path, directory: Path) -> str:
    """Run the workflow of this checkout on a cohort with an environment; return what it printed.

    Raises AssertionError with that where a step fails.
    """
    command = [str(folder / "bin/snakemake"), "--snakefile", str(ROOT / "Snakefile"), "--cores", "2"]
    return _run(
        [*command, "--directory", str(directory), "--configfile", str(directory / "config/config.yaml")], folder
    )


def _run(command: list[str], folder: Path | None = None) -> str:
    away = ("PYTHONPATH", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if name not in away}
    environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    if folder:
        environment["PATH"] = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=RUN_SECONDS, check=False, cwd=ROOT
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout + process.stderr


def disagreements(directory: Path, other: Path) -> list[str]:
    """Return where the results and the summaries of two runs differ by more than libraries may make them differ."""
    found = []
    for path in sorted(directory.glob("results/samples/*/result.json")):
        sample = path.parent.name
        beside = other / "results/samples" / sample
        found += [f"{sample}: no {name}" for name in OUTPUTS if not (beside / name).is_file()]
        mine, theirs = (json.loads(one.read_text(encoding="utf-8")) for one in (path, beside / "result.json"))
        found += [f"{sample}: {text}" for text in different(mine, theirs)]
        found += [f"{sample}: {text}" for text in _different_arrays(path.parent, beside)]
    tables = [(one / "results/summary.tsv").read_text(encoding="utf-8").splitlines() for one in (directory, other)]
    if len(tables[0]) != len(tables[1]) or tables[0][0] != tables[1][0]:
        return [*found, "summary.tsv: other rows or columns"]
    columns = tables[0][0].split("\t")
    for mine, theirs in zip(*tables, strict=True):
        cells = zip(columns, mine.split("\t"), theirs.split("\t"), strict=True)
        found += [f"summary.tsv: {name} {one} {two}" for name, one, two in cells if not close(name, one, two)]
    return found


def _different_arrays(mine: Path, theirs: Path) -> Iterator[str]:
    """Yield the arrays of the figures that differ by more than 1e-6 of their largest value."""
    if not (theirs / "densities.npz").is_file():
        return
    with np.load(mine / "densities.npz") as one, np.load(theirs / "densities.npz") as two:
        if one.files != two.files:
            yield "densities.npz: other arrays"
            return
        for name in one.files:
            first, second = one[name], two[name]
            if first.dtype != second.dtype or first.shape != second.shape:
                yield f"densities.npz: {name}: another shape"
            elif not np.array_equal(first, second) and (
                first.dtype.kind != "f"
                or not np.allclose(first, second, rtol=0, atol=CLOSE * np.nanmax(np.abs(first)), equal_nan=True)
            ):
                yield f"densities.npz: {name}"
