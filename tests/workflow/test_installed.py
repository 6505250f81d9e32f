"""The built package, installed where there is no checkout."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from helpers.runs.cohorts import DEMO, ROOT, RUN_SECONDS, read_sheet, write_sheet

SAMPLES = ("C01", "P03")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel, built from the source distribution as an index of packages would get it."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder), "--target"]
    subprocess.run([*build, "sdist"], cwd=ROOT, check=True, capture_output=True)
    (sdist,) = folder.glob("*.tar.gz")
    # Python before 3.11.4 knows no filter, later ones warn where none is named.
    shutil.unpack_archive(sdist, folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    source = folder / sdist.name.removesuffix(".tar.gz")
    subprocess.run([*build, "wheel"], cwd=source, check=True, capture_output=True)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the process environment of an installation: the wheel alone, beside the libraries it depends on."""
    folder = tmp_path_factory.mktemp("installation")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin/python"
    places = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    )
    # A path in a .pth file is searched for modules, but .pth files in it are not read: not that of the checkout.
    Path(places.stdout.strip(), "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = ["install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check", str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", "--python", str(python), *install], check=True)
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return {**kept, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}


def run(environment: dict[str, str], directory: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the installation in a folder."""
    program = shutil.which(command[0], path=environment["PATH"])
    assert program is not None
    return subprocess.run(
        [program, *command[1:]],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )


def test_the_wheel_carries_what_the_rules_name(wheel: Path) -> None:
    """Every rule, schema, caption and profile lies there; no rule names a file outside of these folders."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())

    # One version plans and computes: a conda environment of a rule would hold another one.
    rules = [path.read_text(encoding="utf-8") for path in (ROOT / "workflow/rules").glob("*.smk")]
    assert not any("conda:" in text or "../.." in text for text in rules)
    for folder in ("workflow", "profiles"):
        files = [path for path in (ROOT / folder).rglob("*") if path.is_file()]
        files = [path for path in files if not {".snakemake", "__pycache__"} & set(path.parts)]
        assert {f"cd40l_flow/{path.relative_to(ROOT).as_posix()}" for path in files} <= names
    assert not any(name.startswith(("tests/", "test_data/", "environment.yml")) for name in names)


def test_from_files_to_reports_outside_a_checkout(installed: dict[str, str], tmp_path: Path) -> None:
    """init, check and a full run work with nothing but the wheel; the calls are those of the truth."""
    place = run(installed, tmp_path, "python", "-c", "import cd40l_flow; print(cd40l_flow.__file__)")
    assert not Path(place.stdout.strip()).is_relative_to(ROOT)
    lab = tmp_path / "lab"
    (lab / "fcs").mkdir(parents=True)
    for sample in SAMPLES:
        for path in (DEMO / "fcs").glob(f"{sample}_*.fcs"):
            shutil.copy(path, lab / "fcs")

    drafted = run(installed, tmp_path, "cd40l-flow", "init", "lab")
    assert drafted.returncode == 0, drafted.stderr
    refused = run(installed, lab, "python", "-m", "snakemake", "--cores", "1")
    assert refused.returncode != 0
    assert "config/samples.tsv, line 2, check:" in refused.stdout + refused.stderr

    rows = read_sheet(lab / "config/samples.tsv")
    for row in rows:
        control = row["sample"].startswith("C")
        row.update({"check": "", "sex": "M", "role": "control" if control else "test"})
        row.update({"transplant": "no", "calcineurin_inhibitor": "no"})
    write_sheet(lab / "config/samples.tsv", rows)
    checked = run(installed, tmp_path, "cd40l-flow", "check", "--directory", "lab")
    assert checked.returncode == 0, checked.stderr

    finished = run(installed, lab, "python", "-m", "snakemake", "--cores", "2")

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "profiles/default" in finished.stdout + finished.stderr
    truth = {row["sample"]: row["expected_call"] for row in read_sheet(DEMO / "truth.tsv")}
    with (lab / "results/summary.tsv").open(encoding="utf-8", newline="") as file:
        calls = {row["sample"]: row["call"] for row in csv.DictReader(file, delimiter="\t")}
    assert calls == {sample: truth[sample] for sample in SAMPLES}
    assert all((lab / f"results/samples/{sample}/report.html").stat().st_size > 100_000 for sample in SAMPLES)
