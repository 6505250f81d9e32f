"""24 samples on two virtual nodes of this machine: both have work; the time is reported with that of one machine."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.conftest import Site
from helpers.runs.cohorts import Run, differences, make_plate

pytestmark = [pytest.mark.xdist_group("slurm"), pytest.mark.slow]


def test_24_samples_use_both_nodes(
    site: Callable[..., Site],
    workflow: Run,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """Three runs are two submissions, each with the controls of its own runs in it: no run waits for another."""
    samples = make_plate(tmp_path / "local", 3, 8)
    here = site(Path(shutil.copytree(tmp_path / "local", tmp_path / "cluster")), plain=True)
    start = time.monotonic()
    alone = workflow(tmp_path / "local")
    local = time.monotonic() - start
    assert alone.returncode == 0, alone.stderr
    start = time.monotonic()

    told = here.run()

    seconds = time.monotonic() - start
    assert told.returncode == 0, told.stdout
    assert differences(here.cohort, tmp_path / "local", samples) == []
    jobs = here.cluster.finished()[-2:]
    assert {job.nodes for job in jobs} == set(here.cluster.nodes)
    assert told.stdout.count("submitted with SLURM jobid") == 2
    # A number for whoever reads it: on a shared machine a limit would fail at random.
    limit = 1.5 * local + 15
    record_property(
        "told",
        f"{len(samples)} samples: {local:.0f} s on one machine, {seconds:.0f} s on two nodes of it; "
        f"1.5 x local + 15 s = {limit:.0f} s, {'met' if seconds <= limit else 'missed'}",
    )
