"""The job of one sample as text: written when a cohort is planned, read where the sample is analysed."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from cd40l_flow.inputs.model import Job, Override, Sample, Tube


def job_to_json(job: Job) -> str:
    """Return a job as one line of JSON, the same for equal jobs."""
    parts = {
        "sample": asdict(job.sample),
        "controls": job.controls,
        "run_controls": [asdict(sample) for sample in job.run_controls],
        "overrides": [asdict(override) for override in job.overrides],
        "settings": job.settings,
    }
    return json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)


def job_from_json(text: str) -> Job:
    """Return the job that `job_to_json` wrote."""
    parts = json.loads(text)
    return Job(
        sample=_sample(parts["sample"]),
        controls=tuple(parts["controls"]),
        run_controls=tuple(_sample(part) for part in parts["run_controls"]),
        overrides=tuple(Override(**part) for part in parts["overrides"]),
        settings=parts["settings"],
    )


def _sample(part: dict[str, Any]) -> Sample:
    tubes = tuple(Tube(**tube) for tube in part["tubes"])
    extra = tuple((column, cell) for column, cell in part["extra"])
    return Sample(**{**part, "tubes": tubes, "extra": extra})
