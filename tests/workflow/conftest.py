"""What the workflow tests share: a finished cohort of two runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.runs.cohorts import TWO_RUNS, Run, make_cohort, run_once


@pytest.fixture(scope="session")
def two_runs(workflow: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the working directory of a finished run of two runs in one cohort, to be copied only."""
    return run_once("two_runs", lambda path: make_cohort(path, TWO_RUNS), workflow, tmp_path_factory)
