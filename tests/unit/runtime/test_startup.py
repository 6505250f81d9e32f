"""Start-up is cost: no command loads a library that it does not use."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cd40l_flow.cohort.job import planned, write_job
from cd40l_flow.cohort.plan import load_plan

HEAVY = ("flowkit", "pandas", "sklearn", "scipy.stats", "matplotlib", "snakemake")
PUBLISHING = ("jinja2", "jsonschema", "yaml")
PROBE = """
import json, sys
try:
    exec(sys.argv[1])
except SystemExit as end:
    assert not end.code, end.code
print(json.dumps(sorted(sys.modules)))
"""


def modules(code: str) -> set[str]:
    """Return the modules that are loaded after some code has run in a new process."""
    process = subprocess.run([sys.executable, "-c", PROBE, code], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    return set(json.loads(process.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "code",
    [
        "import cd40l_flow",
        "from cd40l_flow.cli.main import main; main(['--help'])",
        "from cd40l_flow.cli.main import main; main(['--version'])",
    ],
    ids=["import", "help", "version"],
)
def test_nothing_heavy_is_loaded_to_start(code: str) -> None:
    assert not modules(code) & {*HEAVY, *PUBLISHING, "numpy", "scipy", "flowio", "flowutils"}


def test_analysis_loads_only_what_it_uses(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root / "test_data")
    job = str(write_job(planned(load_plan("config/config.yaml").job("C01")), tmp_path / "jobs"))
    arguments = ["analyse", "--job", job, "--result", str(tmp_path / "r.json"), "--densities", str(tmp_path / "d.npz")]

    loaded = modules(f"from cd40l_flow.cli.main import main; main({arguments!r})")

    assert "cd40l_flow.analyse" in loaded
    assert (tmp_path / "r.json").stat().st_size > 1000
    # The second opinion is scikit-learn's, which imports pandas and parts of scipy where they are installed.
    assert "sklearn.mixture" in loaded
    assert not loaded & ({*HEAVY, *PUBLISHING} - {"sklearn", "pandas", "scipy.stats"})


def test_inspect_needs_no_statistics(root: Path) -> None:
    path = str(next((root / "test_data").rglob("*.fcs")))

    loaded = modules(f"from cd40l_flow.cli.main import main; main(['inspect', {path!r}])")

    assert not loaded & {*HEAVY, "scipy", "cd40l_flow.analyse"}


def test_check_reads_no_events(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root / "test_data")
    arguments = ["check", "--out", str(tmp_path / "check.json")]

    loaded = modules(f"from cd40l_flow.cli.main import main; main({arguments!r})")

    assert not loaded & {*HEAVY, "scipy", "cd40l_flow.analyse"}
