"""The workflow on a real Slurm cluster: the same bytes as on one machine, and no fault that makes a wrong result."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from cluster.conftest import Site
from cluster.slurm import Cluster, wait_for
from helpers.runs.cohorts import (
    DEMO,
    RUN_SECONDS,
    Run,
    demo_samples,
    differences,
    jobs,
    make_cohort,
    output,
    run_once,
    summary_lines,
)

# One cluster: with several test processes all of these tests go to one of them (--dist loadgroup).
pytestmark = pytest.mark.xdist_group("slurm")

NewSite = Callable[[Path], Site]

# C01 lends its scale to the two others, which share a submission.
SMALL = ("C01", "P01", "P03")
FAULTY = "P03"
LONG = "sleep 120"
# One step at a time.
IN_TURN = ("--cores", "1")
# One attempt, so that a fault is seen rather than mended, and one submission a sample, so that it is this sample's own.
ONCE = ("--retries", "0")
ALONE = ("--group-components", "samples=1")


@pytest.fixture(scope="module")
def local(workflow: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the finished local run that the small cohort must equal."""
    return run_once("cluster_local", lambda path: make_cohort(path, SMALL), workflow, tmp_path_factory)


@pytest.fixture
def small(site: NewSite, tmp_path: Path) -> Site:
    """Return a site with the small cohort and nothing run yet."""
    return site(make_cohort(tmp_path / "cohort", SMALL))


def expect_no_result(site: Site, sample: str) -> None:
    """No file of the sample lies where a result would be taken for one."""
    left = [
        name for name in ("result.json", "densities.npz", "report.html") if output(site.cohort, sample, name).exists()
    ]
    assert left == []


def expect_failed(site: Site, sample: str, told: str) -> None:
    """The sample has a result, a report and a row that say that its analysis failed, and the run names it last."""
    found = json.loads(output(site.cohort, sample, "result.json").read_text(encoding="utf-8"))
    assert (found["call"], found["reasons"]) == ("INDETERMINATE", ["ANALYSIS_FAILED"])
    assert "ANALYSIS_FAILED" in output(site.cohort, sample, "report.html").read_text(encoding="utf-8")
    assert "\tANALYSIS_FAILED\t" in summary_lines(site.cohort)[sample]
    assert re.search(rf"Failed for \d+ samples?;.*\n(?:  .*\n)*?  {sample}: ", told), told[-2000:]


def expect_whole(site: Site, samples: Iterable[str]) -> None:
    """Whatever results there are can be read to their end."""
    for sample in samples:
        path = output(site.cohort, sample, "result.json")
        if path.exists():
            assert json.loads(path.read_text(encoding="utf-8"))["sample"] == sample


def expect_recovery(site: Site, local: Path) -> None:
    """The same command again completes what is missing, with the bytes of the local run."""
    again = site.run()
    assert again.returncode == 0, again.stdout
    assert differences(site.cohort, local, SMALL) == []


def states(cluster: Cluster, job: str) -> list[str]:
    """Return the final states that Slurm recorded for a job."""
    return [finished.state for finished in cluster.finished() if finished.job == job]


def submissions(told: str) -> list[str]:
    """Return the Slurm jobs that Snakemake tells to have submitted."""
    return re.findall(r"submitted with SLURM jobid (\d+)", told)


def expect_named(told: str, sample: str, others: Iterable[str]) -> None:
    """Of the jobs that Snakemake tells to have failed, this sample's is one, and no other sample's."""
    # Whatever is reported about an error is indented below it.
    errors = "".join(re.findall(r"Error in .*\n(?:[ \t]+.*\n)*", told))
    failed = set(re.findall(r"output: results/samples/([^/]+)/", errors))
    assert sample in failed, told
    assert not failed & set(others), told


def test_the_demo_equals_the_local_run(
    site: NewSite, demo_results: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Code that lies with the data does not run: Python would look for modules in the working directory first."""
    samples = demo_samples("cd40l")
    on_cluster = site(make_cohort(tmp_path / "cluster", samples))
    for module in ("statistics", "yaml"):
        (on_cluster.cohort / f"{module}.py").write_text(f"raise SystemExit('RAN {module}')\n", encoding="utf-8")
    start = time.monotonic()

    told = on_cluster.run()

    seconds = time.monotonic() - start
    assert told.returncode == 0, told.stdout
    assert differences(on_cluster.cohort, demo_results, samples) == []
    count = len(submissions(told.stdout))
    # A run that is as small as this is not divided; its control comes first within it.
    assert count == 1
    record_property("told", f"{len(samples)} samples on Slurm: {count} submissions, {seconds:.0f} s")


def test_a_cancelled_submission_costs_the_sample_that_it_was_at(small: Site, local: Path) -> None:
    """Samples that share a submission run one after the other; the log of the submission tells where it stopped."""
    for sample in ("P01", "P03"):
        small.ask_for(sample, LONG)
    process = small.start(*ONCE, *IN_TURN)
    wait_for("the job", lambda: small.begun("P01") or small.begun("P03"), RUN_SECONDS)
    at, later = ("P01", "P03") if small.begun("P01") else ("P03", "P01")
    small.mend(later)
    job = small.begun(at)
    small.cluster.tell("scancel", job)
    told, _ = process.communicate(timeout=RUN_SECONDS)

    assert process.returncode != 0
    assert states(small.cluster, job) == ["CANCELLED"]
    log = next(small.logs.rglob(f"{job}.log")).read_text(encoding="utf-8")
    assert re.findall(r"wildcards: sample=(\S+)", log)[-1] == at
    expect_failed(small, at, told)
    # Of the same submission, not begun: the end of the run did it.
    assert not small.begun(later)
    assert differences(small.cohort, local, ("C01", later)) == [], told
    small.mend(at)
    expect_recovery(small, local)


def test_a_job_out_of_memory_gets_more(small: Site, local: Path) -> None:
    # More than the first attempt is granted (920 MB) and less than the second.
    small.ask_for(FAULTY, "hold 1000")
    told = small.run(*ALONE)

    assert told.returncode == 0, told.stdout
    last = small.begun(FAULTY)
    first = next(job for job in submissions(told.stdout) if states(small.cluster, job) != ["COMPLETED"])
    # Without cgroups it is a step of the job that Slurm ends; the job itself is then over before it can be ended too.
    assert states(small.cluster, first)[0] in ("FAILED", "OUT_OF_MEMORY")
    assert states(small.cluster, last) == ["COMPLETED"]
    logs = [path.read_text(encoding="utf-8") for path in small.logs.rglob(f"{first}.log")]
    assert any("exceeded memory limit" in text for text in (told.stdout, *logs))
    expect_named(told.stdout, FAULTY, ("C01", "P01"))
    assert differences(small.cohort, local, SMALL) == []


def test_a_job_out_of_time(small: Site, local: Path) -> None:
    small.ask_for(FAULTY, LONG)
    process = small.start(*ONCE, *ALONE)
    wait_for("the job", lambda: small.begun(FAULTY), RUN_SECONDS)
    small.cluster.tell("scontrol", "update", f"JobId={small.begun(FAULTY)}", "TimeLimit=1")
    told, _ = process.communicate(timeout=RUN_SECONDS)

    assert process.returncode != 0
    assert states(small.cluster, small.begun(FAULTY)) == ["TIMEOUT"]
    expect_named(told, FAULTY, ("C01", "P01"))
    expect_failed(small, FAULTY, told)
    assert differences(small.cohort, local, ("C01", "P01")) == []


def test_a_node_set_down_in_the_middle(small: Site, local: Path) -> None:
    """The profile's own retries finish the run on the other node."""
    small.ask_for(FAULTY, LONG)
    process = small.start()
    wait_for("the job", lambda: small.begun(FAULTY), RUN_SECONDS)
    lost = small.begun(FAULTY)
    small.mend(FAULTY)
    node = small.cluster.tell("squeue", "--noheader", f"--jobs={lost}", "--format=%N").strip()
    small.cluster.set_node(node, "DOWN")
    told, _ = process.communicate(timeout=RUN_SECONDS)

    assert process.returncode == 0, told
    assert states(small.cluster, lost) == ["NODE_FAIL"]
    later = submissions(told)[-1]
    assert [finished.nodes for finished in small.cluster.finished() if finished.job == later] != [node]
    assert FAULTY in told
    assert differences(small.cohort, local, SMALL) == []


def test_a_killed_snakemake(small: Site, local: Path) -> None:
    """Its jobs run on: they are cancelled, the lock is taken away, and the same command goes on."""
    small.ask_for(FAULTY, LONG)
    process = small.start()
    wait_for("the job", lambda: small.begun(FAULTY), RUN_SECONDS)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=RUN_SECONDS)

    assert small.cluster.running() == [small.begun(FAULTY)]
    expect_no_result(small, FAULTY)
    expect_whole(small, SMALL)
    small.cluster.cancel_all()
    small.mend(FAULTY)
    unlocked = small.run("--unlock")
    assert unlocked.returncode == 0, unlocked.stdout
    expect_recovery(small, local)


# How analyses of one submission go wrong.
FAULTS = {"P01": "raise anything", "P02": "kill 9", "P06": "shell 9"}


def test_steps_that_fail_within_a_submission_cost_themselves(site: NewSite, demo_results: Path, tmp_path: Path) -> None:
    """Each that fails says so, also one whose file is swapped meanwhile; the others are the bytes of the local run."""
    samples = ("C01", *FAULTS, "P03", "P07")
    here = site(make_cohort(tmp_path / "cohort", samples))
    swapped, other = here.cohort / "fcs" / "P07_stim_cd154.fcs", tmp_path / "other.fcs"
    other.write_bytes((DEMO / "fcs" / "P08_stim_cd154.fcs").read_bytes())
    faults = FAULTS | {"P07": f"swap {swapped} {other}"}
    for sample, fault in faults.items():
        here.ask_for(sample, fault)

    process = here.run("--retries", "1")

    assert process.returncode != 0
    for sample in faults:
        expect_failed(here, sample, process.stdout)
    assert differences(here.cohort, demo_results, ("C01", "P03")) == []
    # No member stops those after it: each was begun at both attempts. Snakemake starts twice.
    logs = [path.read_text(encoding="utf-8") for path in here.logs.rglob("*.log")]
    begun = [re.findall(r"localrule analyse:\n(?:.*\n)*?.*wildcards: sample=(\S+)", log) for log in logs]
    assert [sorted(names) for names in begun] == [sorted(samples)] * 2
    assert [log.count("Building DAG of jobs") for log in logs] == [2, 2]
    index = (here.cohort / "results" / "index.html").read_text(encoding="utf-8")
    assert all(f"samples/{sample}/report.html" in index for sample in samples)
    for sample in faults:
        here.mend(sample)
    swapped.write_bytes((DEMO / "fcs" / swapped.name).read_bytes())

    again = here.run()

    assert again.returncode == 0, again.stdout
    assert {sample for rule, sample in jobs(again) if rule == "analyse"} == set(faults)
    assert differences(here.cohort, demo_results, samples) == []
