"""What is to be analysed: the sheets put together, and for each sample everything its result depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cd40l_flow.base.errors import InputsError, Problem
from cd40l_flow.base.model import Override, Sample
from cd40l_flow.cohort.config import Config, draft_config
from cd40l_flow.cohort.crosscheck import assemble
from cd40l_flow.cohort.laboratory import Laboratory, laboratory
from cd40l_flow.cohort.one_person import person_problems
from cd40l_flow.cohort.reference import read_reference
from cd40l_flow.cohort.settings import Job, Settings


@dataclass(frozen=True)
class Plan:
    """The checked inputs of a cohort.

    ``samples`` is sorted by name; ``controls`` names for each sample those it is compared with, ``runs`` the controls
    of each run and assay; ``refused`` holds for each sample the tubes that may not be used: fcs -> why. ``warnings``
    are all problems that stop nothing. ``reference`` are the laboratory's own limits, without the controls they rest
    on.
    """

    config: Config
    samples: Mapping[str, Sample]
    controls: Mapping[str, tuple[str, ...]]
    runs: Mapping[tuple[str, str], tuple[str, ...]]
    overrides: Mapping[str, tuple[Override, ...]]
    refused: Mapping[str, Mapping[str, str]]
    warnings: tuple[Problem, ...]
    reference: Laboratory | None = None

    def job(self, name: str) -> Job:
        """Return what the result of a sample depends on; raises KeyError for an unknown sample.

        A control is measured together with all controls of its run and assay; a test sample takes the results of its
        controls, so that their tubes are not part of its job.
        """
        sample = self.samples[name]
        together = self.runs[sample.run, sample.assay] if sample.role == "control" else ()
        run_controls = tuple(self.samples[other] for other in together)
        measured = run_controls or (sample,)
        overrides = tuple(one for other in measured for one in self.overrides.get(other.sample, ()))
        return Job(sample, self.controls[name], run_controls, overrides, self._settings(measured))

    def files(self, name: str) -> tuple[str, ...]:
        """Return the paths of the files that the analysis of a sample reads: present FCS files, spillover matrices."""
        job = self.job(name)
        paths = [tube.path for sample in (job.run_controls or (job.sample,)) for tube in sample.tubes if tube.present]
        return tuple(dict.fromkeys([*paths, *job.settings.matrices()]))

    def _settings(self, measured: tuple[Sample, ...]) -> Settings:
        config = self.config
        panels = sorted({tube.panel for sample in measured for tube in sample.tubes})
        refused = {sample.sample: self.refused[sample.sample] for sample in measured if sample.sample in self.refused}
        return Settings(
            spillover=config.spillover,
            panels={name: config.panels[name] for name in panels},
            require_function=config.require_function,
            show_columns=(*config.show_columns, *config.identity.values()),
            limits=config.limits,
            reference=self.reference,
            refused=refused,
        )


def make_plan(config: Config) -> Plan:
    """Read the sheets that a configuration names; raises InputsError with every fatal problem at once."""
    return _plan(config, [])


def load_plan(path: str | Path) -> Plan:
    """Read a configuration and its sheets; raises InputsError with every fatal problem of all of them at once."""
    config, problems = draft_config(path)
    if config is None:
        raise InputsError(problems)
    return _plan(config, problems)


def _plan(config: Config, problems: list[Problem]) -> Plan:
    cohort = assemble(config)
    reference, unusable = read_reference(config)
    fatal = [problem for problem in [*problems, *unusable, *cohort.problems] if problem.severity == "fatal"]
    if fatal:
        raise InputsError(fatal)
    samples = cohort.samples
    runs: dict[tuple[str, str], tuple[str, ...]] = {(sample.run, sample.assay): () for sample in samples.values()}
    for sample in samples.values():
        if sample.role == "control":
            runs[sample.run, sample.assay] += (sample.sample,)
    controls = {
        sample.sample: (
            (sample.control,)
            if sample.control is not None
            else tuple(name for name in runs[sample.run, sample.assay] if name != sample.sample)
        )
        for sample in samples.values()
    }
    overrides: dict[str, tuple[Override, ...]] = {}
    for override in cohort.overrides:
        overrides[override.sample] = (*overrides.get(override.sample, ()), override)
    warnings = (*cohort.problems, *person_problems(samples, config.samples))
    own = None if reference is None else laboratory(reference)
    return Plan(config, samples, controls, runs, overrides, cohort.refused, warnings, own)
