"""The job of one sample as a file: written when a cohort is planned, read where the sample is analysed.

A job holds ages, drugs and families, so it never appears on a command line, in a log or in metadata of Snakemake: it
lies in a folder of its owner's alone. Elsewhere only digests of it are shown, one for each of its parts.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from msgspec import MsgspecError

from cd40l_flow import ENGINE_VERSION
from cd40l_flow.assay.limits import Limits
from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.base.model import Override, Sample, Tube
from cd40l_flow.cohort.settings import Job, Settings
from cd40l_flow.fcs.probe import probe

JOBS = Path(".cd40l-flow/jobs")
KEY = "key"
_NAMES = (
    *("engine", "row_of_the_sheet", "tubes_and_their_files", "controls", "overrides", "panels_and_spillover"),
    *("reference", "other_settings"),
)
PART_NAMES = (*_NAMES, *(f"limits_{group}" for group in Limits.__struct_fields__))
DIGITS = 16  # of a part's digest that are shown


@dataclass(frozen=True)
class PlannedJob:
    """A job as it was planned: ``probes`` are path -> probe of every file that its analysis reads, ``digest`` that of
    all a result depends on but its controls' results.
    """

    job: Job
    probes: Mapping[str, str]
    digest: str


def planned(job: Job, look: Callable[[str], str] = probe) -> PlannedJob:
    """Return a job with the probes of its files; ``look`` returns the probe of a path."""
    probes = {path: look(path) for path in _paths(job)}
    return PlannedJob(job, probes, _digest(job, probes))


def part_digests(job: PlannedJob, key: bytes) -> dict[str, str]:
    """Return name -> digest of every part of a job (`PART_NAMES`): which changed, not to what.

    ``key`` is the working directory's own (`directory_key`): without it a digest of so little as an age could be
    guessed.
    """
    plain, settings = _canonical(job.job, job.probes), job.job.settings.plain()
    own = {name: value for name, value in plain["sample"].items() if name != "tubes"}
    tubes = {"tubes": plain["sample"]["tubes"], "refused": settings.pop("refused")}
    limits = settings.pop("limits")
    spillover = {name: plain["settings"][name] for name in ("spillover", "panels")}
    reference = settings.pop("reference")
    others = {name: value for name, value in settings.items() if name not in spillover}
    controls = [plain["controls"], plain["run_controls"]]
    values = (ENGINE_VERSION, own, tubes, controls, plain["overrides"], spillover, reference, others)
    parts: dict[str, Any] = dict(zip(_NAMES, values, strict=True))
    parts |= {f"limits_{group}": values for group, values in limits.items()}
    return {name: f"{name} {_keyed(key, name, value)}" for name, value in parts.items()}


def directory_key(folder: Path = JOBS, *, create: bool) -> bytes:
    """Return the key of a working directory, which is made at the first run; one for this process alone otherwise."""
    place = folder / KEY
    with suppress(OSError):
        if len(key := place.read_bytes()) == 32:
            return key
    key = secrets.token_bytes(32)
    if create:
        _write_private(place, key)
    return key


def write_job(job: PlannedJob, folder: Path = JOBS) -> Path:
    """Write a job for its owner alone (mode 600 in a folder of mode 700), unless it is there; return its path."""
    content = _dump({"digest": job.digest, "job": _plain(job.job), "probes": dict(job.probes)}).encode()
    path = job_path(job.job.sample.sample, folder)
    with suppress(OSError):
        if path.read_bytes() == content:
            return path
    _write_private(path, content)
    return path


def job_path(sample: str, folder: Path = JOBS) -> Path:
    """Return where the job of a sample lies."""
    return folder / f"{sample}.json"


def read_job(path: str | Path) -> PlannedJob:
    """Read the job that `write_job` wrote; raises Cd40lFlowError for what is cut, edited or not one."""
    try:
        parts = json.loads(Path(path).read_text(encoding="utf-8"))
        found = PlannedJob(_job(parts["job"]), parts["probes"], parts["digest"])
        if _digest(found.job, found.probes) == found.digest:
            return found
    except FileNotFoundError:
        raise Cd40lFlowError(f"{path}: there is no such job. Start the workflow again: it writes it.") from None
    except (ValueError, TypeError, KeyError, MsgspecError):
        pass
    raise Cd40lFlowError(f"{path}: is not a complete job of this version. Start the workflow again: it writes it anew.")


def _write_private(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _keyed(key: bytes, name: str, value: Any) -> str:
    return hmac.new(key, f"{name}\0{_dump(value)}".encode(), "sha256").hexdigest()[:DIGITS]


def _digest(job: Job, probes: Mapping[str, str]) -> str:
    """Return the digest of everything a result depends on, wherever the files lie."""
    return hashlib.sha256(_dump([ENGINE_VERSION, _canonical(job, probes)]).encode()).hexdigest()


def _canonical(job: Job, probes: Mapping[str, str]) -> dict[str, Any]:
    """Return a job in which every path is replaced by the probe of its file."""

    def sample(plain: dict[str, Any]) -> dict[str, Any]:
        tubes = [{**tube, "path": probes.get(tube["path"]), "present": None} for tube in plain["tubes"]]
        return {**plain, "tubes": tubes}

    def matrix(setting: Any) -> Any:
        return [Path(setting).name, probes[setting]] if setting in probes else setting

    plain = _plain(job)
    settings = dict(plain["settings"])
    settings["spillover"] = matrix(settings["spillover"])
    panels = {
        name: {key: matrix(value) if key == "spillover" else value for key, value in panel.items()}
        for name, panel in settings["panels"].items()
    }
    run_controls = [sample(one) for one in plain["run_controls"]]
    return {
        **plain,
        "sample": sample(plain["sample"]),
        "run_controls": run_controls,
        "settings": settings | {"panels": panels},
    }


def _paths(job: Job) -> list[str]:
    tubes = [tube.path for sample in (*job.run_controls, job.sample) for tube in sample.tubes]
    return list(dict.fromkeys([*tubes, *job.settings.matrices()]))


def _plain(job: Job) -> dict[str, Any]:
    return {
        "sample": asdict(job.sample),
        "controls": job.controls,
        "run_controls": [asdict(sample) for sample in job.run_controls],
        "overrides": [asdict(override) for override in job.overrides],
        "settings": job.settings.plain(),
    }


def _dump(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _job(parts: dict[str, Any]) -> Job:
    return Job(
        sample=_sample(parts["sample"]),
        controls=tuple(parts["controls"]),
        run_controls=tuple(_sample(part) for part in parts["run_controls"]),
        overrides=tuple(Override(**part) for part in parts["overrides"]),
        settings=Settings.read(parts["settings"]),
    )


def _sample(part: dict[str, Any]) -> Sample:
    tubes = tuple(Tube(**tube) for tube in part["tubes"])
    extra = tuple((column, cell) for column, cell in part["extra"])
    return Sample(**{**part, "tubes": tubes, "extra": extra})
