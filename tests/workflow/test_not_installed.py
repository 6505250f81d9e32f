"""Where Snakemake does not find the package, it says what to install."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.runs.cohorts import ROOT, RUN_SECONDS, make_cohort

# Python runs a module of this name when it starts: what it hides is not there for Snakemake.
HIDING = """
import importlib.metadata
import sys


class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)


sys.meta_path.insert(0, Hidden())
if {module!r} == "cd40l_flow":
    found = importlib.metadata.version

    def version(name):
        if name == "cd40l-flow":
            raise importlib.metadata.PackageNotFoundError(name)
        return found(name)

    importlib.metadata.version = version
"""
# What snakedeploy writes: the rules of another place, with the configuration in the usual file.
DEPLOYED = f"""
configfile: "config/config.yaml"

module cd40l_flow:
    snakefile: "{ROOT / "workflow" / "Snakefile"}"
    config: config

use rule * from cd40l_flow
"""


def snakemake(directory: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Snakemake in a directory."""
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", *arguments],
        cwd=directory,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )


@pytest.mark.parametrize("deployed", [False, True], ids=["clone", "module"])
@pytest.mark.parametrize(
    ("module", "told"),
    [
        ("cd40l_flow", "The Python package cd40l-flow is not installed where Snakemake runs"),
        ("cd40l_flow.runtime.scheduler", "does not belong to these rules: it lacks cd40l_flow.runtime.scheduler"),
        ("msgspec", "is installed without a library that it needs: msgspec"),
    ],
    ids=["package", "other_version", "library"],
)
def test_what_is_missing_is_named_with_the_command_that_installs_it(
    module: str, told: str, deployed: bool, tmp_path: Path
) -> None:
    """Of the rules in a clone and of those of a module, with no traceback and no "No module named"."""
    directory = make_cohort(tmp_path / "lab", ["C01"])
    (tmp_path / "hiding").mkdir()
    (tmp_path / "hiding" / "sitecustomize.py").write_text(HIDING.format(module=module))
    if deployed:
        (directory / "Snakefile").write_text(DEPLOYED)
    where = () if deployed else ("--snakefile", str(ROOT / "Snakefile"), "--configfile", "config/config.yaml")

    process = snakemake(directory, *where, PYTHONPATH=str(tmp_path / "hiding"))

    text = process.stdout + process.stderr
    assert process.returncode == 1
    assert told in text
    assert f"    {sys.executable} -m pip install '{ROOT}'\n" in text
    assert "Traceback" not in text
    assert "No module named" not in text
    assert not (directory / "results").exists()


def test_an_environment_that_is_not_active_is_reported_before_anything_runs(tmp_path: Path) -> None:
    """Snakemake by its path, its environment not on the PATH: the rules would not find their command."""
    directory = make_cohort(tmp_path / "lab", ["C01"])
    where = ("--snakefile", str(ROOT / "Snakefile"), "--configfile", "config/config.yaml")

    process = snakemake(directory, *where, PATH="/usr/bin:/bin")

    assert process.returncode == 1
    assert f"    export PATH={Path(sys.executable).parent}:$PATH\n" in process.stdout + process.stderr
    assert not (directory / "results").exists()
    assert snakemake(directory, *where, "--dry-run", PATH="/usr/bin:/bin").returncode == 0


@pytest.mark.parametrize(
    ("image", "told"),
    [
        (False, "--sdm apptainer: cd40l-flow.sif is not in the working directory"),
        (True, "cd40l-flow.sif has 'cd40l-flow 0.0.1', and Snakemake plans with"),
    ],
    ids=["missing", "other_version"],
)
def test_the_image_of_the_steps_must_be_there_and_of_this_version(image: bool, told: str, tmp_path: Path) -> None:
    """Before anything runs, with the command that builds it; asked of a stand-in for Apptainer."""
    directory = make_cohort(tmp_path / "lab", ["C01"])
    program = tmp_path / "bin/apptainer"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho cd40l-flow 0.0.1\n")
    program.chmod(0o755)
    if image:
        (directory / "cd40l-flow.sif").touch()
    where = ("--snakefile", str(ROOT / "Snakefile"), "--configfile", "config/config.yaml", "--sdm", "apptainer")

    process = snakemake(directory, *where, PATH=f"{program.parent}{os.pathsep}{os.environ['PATH']}")

    text = process.stdout + process.stderr
    assert process.returncode == 1
    assert told in text
    assert "    apptainer build cd40l-flow.sif container/cd40l-flow.def\n" in text
    assert not (directory / "results").exists()
