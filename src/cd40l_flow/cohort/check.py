"""The check of all headers, before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from cd40l_flow.base.errors import Problem
from cd40l_flow.base.model import Events, Sample, Tube
from cd40l_flow.cohort.identity import repeated_data
from cd40l_flow.cohort.read_tubes import read_tubes
from cd40l_flow.cohort.settings import Job, Settings
from cd40l_flow.fcs.reader import map_detectors, open_recording
from cd40l_flow.fcs.text import Note

# Notes on readable files that a laboratory should check before it trusts the values, with the remedy.
_COMPARE = "Compare its events with those that the acquisition software shows; export it again if they differ."
_REMEDIES = {
    "DATASETS": "See that the first one is the tube that the sheet means; export the others as files of their own.",
    "NEXTDATA": _COMPARE,
    "OFFSETS_DISAGREE": _COMPARE,
    "TEXT_END": _COMPARE,
    "AMPLIFIER_FLOAT": (
        "Their values decide. To decide yourself, write `amplifier: linear` or `amplifier: log` into the panel."
    ),
    "BYTEORD": _COMPARE,
    "TRAILING_BYTES": "See that the file was copied as a whole and by itself.",
    "AMPLIFIER_GAIN": "Compare a median with the one that the acquisition software shows.",
}


_CLOCKS_DIFFER = 60  # seconds that clocks of a network may be apart


class Planned(Protocol):
    """What of a plan is needed here."""

    @property
    def samples(self) -> Mapping[str, Sample]:
        """The samples by their names."""

    def job(self, name: str) -> Job:
        """Return the job of one sample."""


def check_files(plan: Planned) -> list[Problem]:
    """Return the problems of all tubes that their headers show, in the order of samples and tubes.

    Values are not read, but for a checksum that a file carries, so a file may still be refused later (NaN, values
    already transformed).
    """
    problems = []
    controls = {}
    refused = set()
    for name, sample in plan.samples.items():
        job = plan.job(name)
        controls[name] = job.controls
        refused |= {(name, fcs) for fcs in job.settings.refused.get(name, ())}
        problems += _check_sample(sample, job.settings)
    return problems + repeated_data(plan.samples, controls, refused)


def check_dates(plan: Planned, now: float) -> list[Problem]:
    """Return a warning for every file whose modification time is ahead of ``now``, seconds since 1970.

    Nothing depends on the time of a file; one ahead of the clock shows that a clock is wrong, perhaps this one.
    """
    problems = []
    for name, sample in plan.samples.items():
        for tube in dict.fromkeys(sample.tubes):
            try:
                ahead = Path(tube.path).stat().st_mtime - now
            except OSError:
                continue
            if ahead > _CLOCKS_DIFFER:
                message = "has a modification time in the future by the clock of this computer."
                remedy = "Nothing depends on it; check the clocks of this computer and of the cytometer's."
                problems.append(Problem("CLOCK", "warning", message, file=tube.fcs, sample=name, remedy=remedy))
    return problems


def _check_sample(sample: Sample, settings: Settings) -> list[Problem]:
    notes: dict[Tube, list[Note]] = {}

    def read(tube: Tube, borrowed: Mapping[str, str]) -> Events:
        recording = open_recording(tube.path, tube.fcs)
        mapped = map_detectors(recording, tube, settings.panel(tube.panel), settings.spillover, borrowed)
        recording.check_crc()
        notes[tube] = [note for note in recording.notes if note.code in _REMEDIES]
        return mapped

    tubes = read_tubes(sample, read)
    # Where a tube waits for another, the other is reported; there is nothing else to correct.
    errors = [(tube, tubes.errors[tube]) for tube in sample.tubes if tube in tubes.errors and tube not in tubes.waiting]
    problems = [
        Problem(error.code, "sample", error.found, file=tube.fcs, sample=sample.sample, remedy=error.remedy)
        for tube, error in errors
    ]
    return problems + [
        Problem(note.code, "warning", note.message, file=tube.fcs, sample=sample.sample, remedy=_REMEDIES[note.code])
        for tube in notes
        for note in notes[tube]
    ]
