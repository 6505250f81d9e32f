"""Profiles of ours and of a site, other executors, and Snakemake inside a job: the same bytes, and the site decides."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.conftest import OURS, Site
from cluster.slurm import wait_for
from helpers.runs.cohorts import ROOT, RUN_SECONDS, Run, differences, make_cohort, run_once

pytestmark = pytest.mark.xdist_group("slurm")

Tell = Callable[[str, object], None]

SMALL = ("C01", "P03")
# What a site decides for all workflows of its users; each of these keys must reach the submissions. This one has no
# accounting, so that only squeue can be asked.
SITE = """\
executor: slurm
jobs: 7
cores: 1
retries: 1
latency-wait: 9
printshellcmds: true
default-resources:
  slurm_partition: night
  slurm_account: lab
  nodes: 1
slurm-status-command: squeue
slurm-init-seconds-before-status-checks: 4
slurm-logdir: site-logs
slurm-keep-successful-logs: true
"""
WORKFLOW = ("--workflow-profile", str(ROOT / "profiles" / "slurm"))
GENERIC = ("--profile", str(ROOT / "profiles" / "cluster-generic"), "--jobs", "20")


@pytest.fixture(scope="module")
def local(workflow: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the finished local run that each layout must equal."""
    return run_once("layouts_local", lambda path: make_cohort(path, SMALL), workflow, tmp_path_factory)


@pytest.fixture
def small(site: Callable[[Path], Site], tmp_path: Path) -> Site:
    """Return a site with the small cohort and nothing run yet, whose users have the account ``lab``."""
    made = site(make_cohort(tmp_path / "cohort", SMALL))
    accounts = made.folder / "bin" / "sacctmgr"
    accounts.write_text("#!/bin/sh\necho lab\n", encoding="utf-8")
    accounts.chmod(0o755)
    profile = tmp_path / "site-profile" / "profile.yaml"
    profile.parent.mkdir()
    profile.write_text(SITE, encoding="utf-8")
    return made


def run(site: Site, local: Path, layout: str, tell: Tell) -> str:
    """Run the cohort on the cluster, which must give the bytes of the local run; return what Snakemake printed."""
    before = {finished.job for finished in site.cluster.finished()}
    start = time.monotonic()
    process = site.run()
    seconds = time.monotonic() - start
    assert process.returncode == 0, process.stdout
    assert differences(site.cohort, local, SMALL) == []
    jobs = [finished for finished in site.cluster.finished() if finished.job not in before]
    assert [finished.state for finished in jobs] == ["COMPLETED"]
    job = jobs[0]
    tell("told", f"{layout}: {seconds:.0f} s, partition {job.partition}, {job.cpus} cores a submission")
    return process.stdout


def test_our_profile_alone(small: Site, local: Path, record_property: Tell) -> None:
    """Two cores a submission, Slurm's own partition and account."""
    told = run(small, local, "our profile alone", record_property)

    job = small.cluster.finished()[-1]
    assert (job.partition, job.cpus) == ("main", 2)
    # Of two retries.
    assert "tries_left=2" in told


@pytest.mark.parametrize("with_ours", [False, True], ids=["site alone", "both"])
def test_the_profile_of_the_site_wins(small: Site, local: Path, record_property: Tell, with_ours: bool) -> None:
    """Alone and beside ours, nothing that it says is lost."""
    profile = ("--profile", str(small.cohort.parent / "site-profile"))
    here = replace(small, layout=(*profile, *(WORKFLOW if with_ours else ())))

    told = run(here, local, "both profiles" if with_ours else "the site's profile alone", record_property)

    job = here.cluster.finished()[-1]
    assert (job.partition, job.account, job.cpus) == ("night", "lab", 1)
    assert "Provided remote nodes: 7" in told
    assert "tries_left=1" in told
    # Commands are printed; logs are where the site wants them, and stay.
    assert "cd40l-flow analyse --job" in told
    logs = list((here.cohort / "site-logs").rglob("*.log"))
    assert len(logs) == 1
    assert "--latency-wait 9" in logs[0].read_text(encoding="utf-8")


def test_a_cluster_without_a_plugin_of_its_own(small: Site, local: Path, record_property: Tell) -> None:
    """The executor cluster-generic submits with any command; a submission that is cancelled is noticed and repeated."""
    here = replace(small, layout=GENERIC)
    here.ask_for("P03", "sleep 120")
    start = time.monotonic()
    process = here.start()
    wait_for("the job", lambda: here.begun("P03"), RUN_SECONDS)
    lost = here.begun("P03")
    here.mend("P03")
    here.cluster.tell("scancel", lost)
    told, _ = process.communicate(timeout=RUN_SECONDS)

    assert process.returncode == 0, told
    assert differences(here.cohort, local, SMALL) == []
    first, second = here.cluster.finished()[-2:]
    assert [(first.job, first.state), second.state] == [(lost, "CANCELLED"), "COMPLETED"]
    record_property("told", f"cluster-generic, one of two submissions cancelled: {time.monotonic() - start:.0f} s")


@pytest.mark.parametrize("layout", [("--cores", "2"), OURS], ids=["local", "slurm"])
def test_snakemake_inside_a_job(small: Site, local: Path, record_property: Tell, layout: tuple[str, ...]) -> None:
    """Where login nodes must not run anything, Snakemake is a job, and submits others or uses its own cores."""
    inside = replace(small, layout=layout)
    script = small.folder / "snakemake.sh"
    script.write_text(f"#!/bin/bash\nexec {' '.join(inside.command())}\n", encoding="utf-8")
    cores = 2 if layout[0] == "--cores" else 1
    start = time.monotonic()
    submitted = subprocess.run(
        ["sbatch", "--wait", "--parsable", f"--cpus-per-task={cores}", "--mem=1500", "--output=job.log", str(script)],
        cwd=inside.cohort,
        env=inside.environment,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    told = (inside.cohort / "job.log").read_text(encoding="utf-8")

    assert submitted.returncode == 0, told + submitted.stderr
    assert differences(inside.cohort, local, SMALL) == []
    count = len(re.findall("submitted with SLURM jobid", told))
    assert count == (0 if layout[0] == "--cores" else 1)
    seconds = time.monotonic() - start
    record_property("told", f"Snakemake inside a job, which submits {count} more: {seconds:.0f} s")
