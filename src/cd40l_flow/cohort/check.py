"""The check of all headers, before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.base.errors import Problem, TubeError
from cd40l_flow.base.model import Sample, Tube
from cd40l_flow.cohort.identity import repeated_data
from cd40l_flow.cohort.settings import Job, Settings
from cd40l_flow.fcs.panel import awaited, background_detector
from cd40l_flow.fcs.reader import map_detectors, open_recording

# What of a file that is read all the same a laboratory should look into before it trusts the values, and how.
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
                message = "was last changed in the future, as the clock of this computer has it."
                remedy = "Nothing depends on it; look after the clocks of this computer and of the cytometer's."
                problems.append(Problem("CLOCK", "warning", message, file=tube.fcs, sample=name, remedy=remedy))
    return problems


def _check_sample(sample: Sample, settings: Settings) -> list[Problem]:
    problems: dict[Tube, Problem] = {}
    warnings: list[Problem] = []
    targets: dict[str, str] = {}
    lost: dict[str, str] = {}
    # Background tubes come last, for they look where the stimulated tube has its target.
    for tube in sorted(sample.tubes, key=lambda tube: tube.reagent in current_assay().background_of):
        gives_target = tube.stimulation == "stimulated" and tube.reagent not in current_assay().background_of
        target = background_detector(tube.reagent, targets)
        try:
            recording = open_recording(tube.path, tube.fcs)
            panel = settings.panel(tube.panel)
            mapped = map_detectors(recording, tube, panel, settings.spillover, target)
            recording.check_crc()
        except TubeError as error:
            if gives_target:
                lost.setdefault(tube.reagent, tube.fcs)
            if error.code == "CHANNEL_MAP" and awaited(tube.reagent, targets, lost) is not None:
                continue  # The tube that would give its detector is reported already; there is nothing else to correct.
            problems[tube] = Problem(
                error.code, "sample", error.found, file=tube.fcs, sample=sample.sample, remedy=error.remedy
            )
        else:
            if gives_target:
                targets.setdefault(tube.reagent, mapped.markers["target"])
            notes = [note for note in recording.notes if note.code in _REMEDIES]
            warnings += [
                Problem(
                    note.code, "warning", note.message, file=tube.fcs, sample=sample.sample, remedy=_REMEDIES[note.code]
                )
                for note in notes
            ]
    return [problems[tube] for tube in sample.tubes if tube in problems] + warnings
