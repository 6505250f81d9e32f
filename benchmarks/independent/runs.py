"""Runs of an independent simulation, written, analysed as the workflow does and judged."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np

from benchmarks.independent import families as known
from benchmarks.independent.cells import Bench, Floats, Person, Stain, tube
from benchmarks.independent.families import FAMILIES, HARM, OPEN, Family
from benchmarks.independent.files import LABORATORIES, Laboratory, true_spill, write_fcs, write_sheets
from cd40l_flow.analyse import analyse
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.result.types.result import Result

SAMPLES_A_RUN = 4
HELD_OUT = 1000
COMPENSATION_ERROR = 0.04
USUAL_VOLTS, OTHER_VOLTS = 500, 440


@dataclass(frozen=True)
class Judged:
    """One sample: where it comes from, its call and reasons, and whether it is right, harmful, open, plain."""

    family: Family
    laboratory: str
    run: int
    sample: str
    call: str
    reasons: tuple[str, ...]
    qc: str
    guards: str

    @property
    def right(self) -> bool:
        """Whether the call is the sample's; of a slight carrier NORMAL is, for no assay distinguishes the two."""
        return self.call in self.family.right or (self.family.truth == "slight carrier" and self.call == known.NORMAL)

    @property
    def harmful(self) -> bool:
        """Whether the call could harm."""
        return self.call in HARM[self.family.truth]

    @property
    def open(self) -> bool:
        """Whether no call was made."""
        return self.call == OPEN

    @property
    def call_is_plain(self) -> bool:
        """Whether there is nothing to look at: right, and not because no call was made."""
        return self.right and not self.harmful and not (self.open and self.family.truth != "failed")

    @property
    def where(self) -> str:
        """What to run to see it again."""
        return f"{self.family.name}, run {self.run} ({self.laboratory}), {self.sample}"


def write_run(folder: Path, family: Family, number: int, seed: int, samples: int) -> Laboratory:
    """Write one run of a family: its laboratory, controls and samples; the same for the same seed."""
    random = np.random.default_rng([seed, number, *family.name.encode()])
    suited = [one for one in LABORATORIES if one.function or not family.needs_function]
    laboratory = suited[int(random.integers(len(suited)))]
    bench = replace(known.bench_of(random), spill=true_spill(laboratory), whole_blood=laboratory.whole_blood)
    bench = family.bench(bench, random) if family.bench else bench
    law = known.law_of(random)
    stated = _stated(bench.spill, random)
    controls = int(random.choice([1, 2, 3], p=[0.5, 0.35, 0.15]))
    people: list[tuple[str, Person, bool]] = []
    for k in range(controls):
        person = known.person_of(random, law)
        touched = k == 0 or not family.one_control
        people.append((f"C{k + 1}", family.control(person, random) if touched else person, True))
    people += [(f"S{k + 1}", family.person(known.person_of(random, law), random), False) for k in range(samples)]
    (folder / "fcs").mkdir()
    rows, tubes = [], []
    for sample, person, control in people:
        sheet = (
            {"sex": "F", "age_years": "35"} if control else {**dict(family.sheet or {"sex": "M", "age_years": "20"})}
        )
        usual = {"transplant": "no", "calcineurin_inhibitor": "no", "steroid": "no", "anti_cd154": "no"}
        rows.append({"sample": sample, "run": "R1", "role": "control" if control else "test", **usual, **sheet})
        tubes += _acquire(folder, family, laboratory, bench, stated, sample, person, control, law, random)
    write_sheets(folder, laboratory, rows, tubes, laboratory.function)
    return laboratory


def _stated(spill: Floats, random: np.random.Generator) -> Floats:
    """Return the matrix that a laboratory believes in: each coefficient a little wrong."""
    wrong = spill * np.exp(COMPENSATION_ERROR * random.standard_normal(spill.shape))
    np.fill_diagonal(wrong, 1.0)
    return wrong


def _acquire(
    folder: Path,
    family: Family,
    laboratory: Laboratory,
    bench: Bench,
    stated: Floats,
    sample: str,
    person: Person,
    control: bool,
    law: str,
    random: np.random.Generator,
) -> list[tuple[str, str, str, str]]:
    """Write the tubes of one sample and return their rows."""
    events = max(known.events_of(random), 12_000 if control else 0)
    isotype = random.uniform(0.6, 1.5)
    change = family.control_stain if control else family.stain
    volts = OTHER_VOLTS if family.other_volts and not control else USUAL_VOLTS
    rows = []
    stranger = known.person_of(random, law)
    held: dict[tuple[str, str], dict[str, Floats]] = {}
    for stimulation, reagent in laboratory.tubes:
        stain = Stain(
            reagent,
            stimulation == "stimulated",
            round(events * random.uniform(0.8, 1.2)),
            isotype_sticks=isotype,
            factors=tuple(np.exp(0.04 * random.standard_normal(5)).tolist()),
        )
        stain = change(stain, random) if change else stain
        whose = stranger if not control and (stimulation, reagent) in family.stranger else person
        held[stimulation, reagent] = tube(whose, stain, bench, random)
    for stimulation, reagent in laboratory.tubes:
        source = (
            (stimulation, reagent) if control else family.exchanged.get((stimulation, reagent), (stimulation, reagent))
        )
        name = f"{sample}_{stimulation[:-6]}_{reagent}.fcs"
        write_fcs(folder / "fcs" / name, held[source], reagent, laboratory, stated, volts)
        rows.append((sample, name, stimulation, reagent))
    return rows


def judge(family: Family, number: int, seed: int, samples: int) -> list[Judged]:
    """Write one run, analyse it as the workflow does, and judge its calls."""
    found = []
    # What a run's titration predicts is shown and decides nothing; it is most of a control's time.
    titration = patch("cd40l_flow.analyse.with_titration", lambda terms, expression, limits: terms)
    with titration, TemporaryDirectory() as folder, contextlib.chdir(folder):
        laboratory = write_run(Path(), family, number, seed, samples)
        plan = load_plan("config.yaml")
        controls: dict[str, Result] = {}
        for name, sample in plan.samples.items():
            if sample.role == "control":
                controls[name] = analyse(plan.job(name), {})[0]
        for name, sample in plan.samples.items():
            if sample.role != "control":
                result, _ = analyse(plan.job(name), controls)
                found.append(
                    Judged(
                        family,
                        laboratory.name,
                        number,
                        name,
                        result.call,
                        tuple(result.reasons),
                        result.qc,
                        _fired(result),
                    )
                )
    return found


def _fired(result: Result) -> str:
    """Return the guards that stood in the way of a call in words."""
    return "; ".join(
        f"{one.code} {one.reagent or ''} {'' if one.value is None else f'{one.value:.3g}'} {one.message[:90]}"
        for one in result.guards
        if one.code in result.reasons and one.fired is not False and one.code != "ACQ_QC"
    )


def every(seed: int, samples: int, names: Sequence[str]) -> list[Judged]:
    """Judge all families, or those whose name begins with one of ``names``."""
    found: list[Judged] = []
    for family in FAMILIES:
        if names and not family.name.startswith(tuple(names)):
            continue
        for number, first in enumerate(range(0, samples, SAMPLES_A_RUN)):
            run = judge(family, number, seed, min(SAMPLES_A_RUN, samples - first))
            found += run
            lines = [
                f"{one.sample} {one.call} {','.join(one.reasons)} [{one.guards}]"
                for one in run
                if not one.call_is_plain
            ]
            print(f"{family.name}, run {number} ({run[0].laboratory})", *lines, sep="\n    ", flush=True)
    return found
