"""The record of a run, ``results/run.json``: versions, digests of what went in and came out, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from cd40l_flow import ENGINE_VERSION, __version__
from cd40l_flow.base.disk import write_atomically
from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.base.software import distributions, python_version, system
from cd40l_flow.cohort.settings import SPILLOVER_WORDS
from cd40l_flow.fcs.probe import content_digest
from cd40l_flow.result.reviews.ledger import ledger_of
from cd40l_flow.result.runs.tally import Tally
from cd40l_flow.result.types.result import Result
from cd40l_flow.result.types.run import RUN_SCHEMA_VERSION, InputFile, OutputFile, Run, Versions

if TYPE_CHECKING:
    from cd40l_flow.cohort.config import Config

RUN_FILE = "run.json"


@dataclass(frozen=True)
class Course:
    """How a run went: ``started`` in seconds of the clock, steps done by stage, samples that failed or were left."""

    started: float
    seconds: float
    steps: Mapping[str, int]
    failed: Sequence[str] = ()
    unbegun: Sequence[str] = ()
    complete: bool = True


def configuration_digests(config: Config) -> dict[str, str]:
    """Return what -> SHA-256 of the configuration and the files that it names, but for the FCS files and reviews."""
    places = {"configuration": config.file, "samples": config.samples, "tubes": config.tubes}
    places |= {name: path for name in ("overrides", "reference") if (path := getattr(config, name))}
    matrices = {"spillover": config.spillover}
    matrices |= {
        f"panels.{name}.spillover": str(panel.get("spillover", "file")) for name, panel in config.panels.items()
    }
    places |= {name: path for name, path in matrices.items() if path not in SPILLOVER_WORDS}
    places |= {"ledger": str(ledger)} if (ledger := ledger_of(config.reviews)) else {}
    digests = {name: content_digest(path) for name, path in places.items()}
    return {name: digest for name, digest in digests.items() if digest is not None}


def made_run(
    results: Iterable[Result], outputs: Iterable[Path], folder: Path, configuration: Mapping[str, str], course: Course
) -> tuple[Run, Tally]:
    """Return the record of a run and its counts.

    ``results`` are those of all samples of the sheet, with substitutes for missing ones, and are taken one at
    a time; ``outputs`` are files below ``folder``, of which those that exist are listed.
    """
    calls, inputs = [], []
    for result in results:
        calls.append(result.call)
        inputs += [
            InputFile(
                sample=result.sample,
                tube=number,
                stimulation=tube.stimulation,
                reagent=tube.reagent,
                content=result.inputs.files.get(tube.fcs),
            )
            for number, tube in enumerate(result.tubes, 1)
        ]
    tally = Tally.of(calls, failed=len(course.failed), unbegun=len(course.unbegun))
    sound = course.complete and not course.failed and not course.unbegun
    run = Run(
        schema_version=RUN_SCHEMA_VERSION,
        state="success" if sound else "failure",
        started=datetime.fromtimestamp(course.started, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        seconds=round(course.seconds, 1),
        steps=dict(course.steps),
        samples=tally.samples,
        calls=dict(tally.calls),
        failed=sorted(course.failed),
        unbegun=sorted(course.unbegun),
        versions=Versions(
            cd40l_flow=__version__,
            engine=ENGINE_VERSION,
            python=python_version(),
            system=system(),
            distributions=distributions(),
        ),
        configuration=dict(configuration),
        inputs=inputs,
        outputs=[found for path in sorted(set(outputs)) if (found := _output(path, folder))],
    )
    return run, tally


def write_run(run: Run, place: Path) -> None:
    """Write the record of a run; raises msgspec.ValidationError for a value that it may not hold."""
    checked = msgspec.convert(msgspec.to_builtins(run), Run)
    write_atomically(place, msgspec.json.format(msgspec.json.encode(checked), indent=1) + b"\n")


def read_run(place: Path) -> Run:
    """Read the record of a run; raises Cd40lFlowError where there is none that can be used."""
    remedy = "The workflow writes it at the end of a run that makes all outputs: snakemake --cores 8."
    try:
        return msgspec.json.decode(place.read_bytes(), type=Run)
    except FileNotFoundError:
        raise Cd40lFlowError(f"{place}: there is no such file. {remedy}") from None
    except OSError as error:
        raise Cd40lFlowError(f"{place}: {error.strerror}. {remedy}") from None
    except msgspec.MsgspecError as error:
        raise Cd40lFlowError(f"{place}: is no record of a run of this version: {error}. {remedy}") from None


def _output(path: Path, folder: Path) -> OutputFile | None:
    digest = content_digest(path)
    if digest is None:
        return None
    return OutputFile(path=path.relative_to(folder).as_posix(), bytes=path.stat().st_size, sha256=digest)
