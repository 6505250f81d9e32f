"""Class-switched memory of simulated samples against their truth: ``python -m benchmarks.b_cells.memory_b``.

Runs of ten samples with a day control each; donors of 0.1 to 60 years, 30 to 20,000 B cells, CD27 at D of 1.5 to 4, by
the simulator's laws of age. Every disturbance comes up at least thirty times, a third of them in affected patients.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.b_cells.memory_judging import (
    AFFECTED,
    HEALTHY,
    OTHER,
    Case,
    Judged,
    as_list,
    goals_table,
    group_table,
    judged,
)
from benchmarks.common.places import PAGES
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.result.types.result import Result
from cd40l_flow.simulate.b_cells import BSample, BScenario, day_control, write_b_cells
from cd40l_flow.simulate.b_cells.scenarios import as_of_the_day
from cd40l_flow.simulate.b_cells.separation import cd27_brightness_for, cd27_ratio_for
from cd40l_flow.steps import analyse_sample

OUT = PAGES / "memory_b.md"
SEED, SAMPLES, A_RUN = 1000, 600, 10  # seeds below 1000 are for tuning
AGES, B_EVENTS = (0.1, 60.0), (30, 20_000)  # of the whole cohort
# Of those that are neither infants nor short of cells for the sake of it.
USUAL_AGES, USUAL_B = (0.6, 60.0), (150, 20_000)
NAIVE_27 = (15.0, 60.0, 200.0)  # molecules on naive cells: 1.2 to 5 times the light of the tube without anti-CD27
CLEAR, DIM = (2.5, 4.0), (1.5, 2.5)  # D of CD27
INSTRUMENTS = ("simulated", "diva", "lyric", "attune", "navios", "aurora")
PANELS = ("CD27-BV421", "CD27-PE")
LARGEST_BACKGROUND = 5_000  # B cells of an FMO tube: nobody acquires more
UNDISTURBED = (
    ("healthy-any", 68), ("carrier", 8), ("xhim", 20), ("cd40-deficient", 10), ("icos", 8), ("aid-ung", 10),
    ("cvid", 14), ("btk", 12),
)  # fmt: skip
# What is disturbed; patients take turns.
TURNS = ("healthy-any", "xhim", "healthy-any", "cvid", "healthy-any", "cd40-deficient")
DISTURBED = (
    ("unwashed-ig", 30), ("t-b-doublets", 30), ("dim-cd27", 30), ("few-b", 30), ("igm-only", 30),
    ("plasmablasts", 30), ("spill-cd38", 30), ("weak-igd", 30), ("no-fmo", 30), ("log", 15), ("clipped", 15),
    ("old-blood", 30),
)  # fmt: skip
# Patients who are a disturbance by themselves: name, patients that take turns, ages.
OF_PATIENTS: tuple[tuple[str, tuple[str, ...], tuple[float, float]], ...] = (
    ("infant", ("healthy-any", "healthy-any", "xhim"), (0.1, 1.0)),
    ("adult-control", ("healthy-any", "healthy-any", "cd40-deficient"), (0.5, 2.0)),
    ("rituximab", ("rituximab",), (5.0, 60.0)),
    ("transplanted", ("transplanted",), (2.0, 20.0)),
)
EACH = 30
# These are a laboratory's or a day's, so a run has them whole.
OF_THE_RUN = ("t-b-doublets", "dim-cd27", "weak-igd", "spill-cd38", "no-fmo", "log", "clipped")
KINDS = {"healthy-any": HEALTHY, "healthy": HEALTHY, "carrier": HEALTHY, "transplanted": OTHER, "rituximab": OTHER,
         "btk": OTHER, "cvid": OTHER}  # fmt: skip
REFUSED = ("unwashed-ig", "rituximab")
SPOILT = ("unwashed-ig", "t-b-doublets", "spill-cd38", "old-blood")  # the share itself


@dataclass(frozen=True)
class Run:
    """One run: its seed, control and samples, and for each sample what it is called and D of CD27."""

    seed: int
    control: BSample
    samples: tuple[BSample, ...]
    disturbances: tuple[str, ...]
    separation: float


def wanted(samples: int) -> list[tuple[str, str, tuple[float, float]]]:
    """Return what is to be drawn as (disturbance, patient, ages)."""
    part = samples / SAMPLES
    found = [("", name, _ages(name)) for name, count in UNDISTURBED for _ in range(round(count * part))]
    for disturbance, count in DISTURBED:
        found += [(disturbance, TURNS[k % len(TURNS)], USUAL_AGES) for k in range(math.ceil(count * part))]
    for disturbance, patients, ages in OF_PATIENTS:
        found += [(disturbance, patients[k % len(patients)], ages) for k in range(math.ceil(EACH * part))]
    return found


def _ages(patient: str) -> tuple[float, float]:
    return {"carrier": (20.0, 45.0), "btk": (1.0, 20.0), "cd40-deficient": (0.6, 15.0)}.get(patient, USUAL_AGES)


def runs(seed: int, samples: int) -> Iterator[Run]:
    """Yield the runs of a cohort."""
    random = np.random.default_rng([927, seed])
    asked = wanted(samples)
    order = [asked[k] for k in random.permutation(len(asked))]
    groups: dict[str, list[tuple[str, str, tuple[float, float]]]] = {}
    for one in order:
        groups.setdefault(one[0] if one[0] in OF_THE_RUN else "", []).append(one)
    number = 0
    for group, members in groups.items():
        for first in range(0, len(members), A_RUN):
            yield _run(seed, number, group, members[first : first + A_RUN], random)
            number += 1


def _run(
    seed: int,
    number: int,
    group: str,
    members: Sequence[tuple[str, str, tuple[float, float]]],
    random: np.random.Generator,
) -> Run:
    """Return one run: its stain and instrument, the donors drawn."""
    separation = float(random.uniform(*(DIM if group == "dim-cd27" else CLEAR)))
    panel = PANELS[number % len(PANELS)]
    of_run: dict[str, Any] = {"panel": panel, "instrument": INSTRUMENTS[number % len(INSTRUMENTS)]}
    if group != "dim-cd27":
        of_run["cd27_naive"] = float(random.choice(NAIVE_27))
        of_run["cd27_ratio"] = cd27_ratio_for(separation, panel, of_run["cd27_naive"])
    drawn = []
    for k, (disturbance, patient, ages) in enumerate(members):
        age = float(np.exp(random.uniform(*np.log(ages))))
        cells = round(float(np.exp(random.uniform(*np.log(USUAL_B)))))
        known = {one for one, _ in DISTURBED}
        scenario = BScenario(f"memory-{patient}", patient, disturbance if disturbance in known else "")
        size = {} if patient == "btk" else {"b_events": cells, "background": min(0.5, LARGEST_BACKGROUND / cells)}
        drawn.append(scenario.sample(seed, f"S{number:02d}{k}", age_years=age, **size, **of_run))
    if group == "dim-cd27":
        dye = cd27_brightness_for(separation, panel)
        drawn = [replace(sample, cd27_brightness=dye) for sample in drawn]
    if group in ("log", "clipped"):
        drawn = [replace(sample, instrument=drawn[0].instrument) for sample in drawn]
    if group == "spill-cd38":
        drawn = [replace(sample, cd38_spill=drawn[0].cd38_spill) for sample in drawn]
    if group == "weak-igd":
        drawn = [replace(sample, igd_ratio=drawn[0].igd_ratio) for sample in drawn]
    control = as_of_the_day(day_control("C01"), drawn[0])
    if group == "no-fmo":
        control = replace(control, tubes=("memory",))
    return Run(seed * 1000 + number, control, tuple(drawn), tuple(one[0] for one in members), separation)


def case_of(sample: BSample, disturbance: str, separation: float, truth: Mapping[str, str]) -> Case:
    """Return what is true of a drawn sample; ``truth`` is its row of what was written."""
    written = float(truth["switched_percent"] or "nan") / 100
    if not sample.cd38:
        written += float(truth["plasmablast_percent"] or "nan") / 100
    switched = sample.subsets.switched + (0.0 if sample.cd38 else sample.subsets.plasmablast)
    return Case(
        sample.sample,
        sample.scenario,
        disturbance,
        KINDS.get(sample.scenario, AFFECTED),
        float(sample.age_years or 0.0),
        switched,
        int(truth["b_events"] or 0),
        separation,
        refused=disturbance in REFUSED,
        measurable=disturbance not in SPOILT,
        written=written,
    )


def judge(run: Run) -> list[Judged]:
    """Simulate one run, analyse it as the workflow does, and judge its calls."""
    with TemporaryDirectory() as folder, contextlib.chdir(folder):
        write_b_cells(Path(), run.seed, (run.control, *run.samples))
        with Path("truth_b_cells.tsv").open(encoding="utf-8", newline="") as stream:
            written = {row["sample"]: row for row in csv.DictReader(stream, delimiter="\t")}
        results: dict[str, Result] = {}

        def result_of(name: str) -> Result:
            # Within what is judged, so that a failure costs no more than the samples it concerns.
            plan = load_plan("config/config.yaml")
            if name != run.control.sample and run.control.sample not in results:
                results[run.control.sample] = result_of(run.control.sample)
            return analyse_sample(plan.job(name), results)[0]

        return [
            judged(case_of(sample, disturbance, run.separation, written[sample.sample]), sample.sample, result_of)
            for sample, disturbance in zip(run.samples, run.disturbances, strict=True)
        ]


def many(seed: int, samples: int, processes: int) -> list[Judged]:
    """Judge a cohort, its runs in order whatever the number of processes."""
    every, found = list(runs(seed, samples)), []
    with ProcessPoolExecutor(processes) as pool:
        for number, run in enumerate(pool.map(judge, every), start=1):
            found += run
            print(
                f"{number} of {len(every)} runs",
                *(as_list([one]) for one in run if one.dangerous),
                sep="\n",
                flush=True,
            )
    return found


def page(found: Sequence[Judged], command: str) -> str:
    """Return the page of the benchmark."""
    by_disturbance = group_table(found, "disturbance", lambda one: one.case.disturbance or "none")
    undisturbed = [one for one in found if not one.case.disturbance]
    by_family = group_table(undisturbed, "donor", lambda one: one.case.family)
    by_d = group_table(
        sorted(undisturbed, key=lambda one: one.case.separation), "D", lambda one: f"{one.case.separation:.0f}"
    )
    cells = sorted(found, key=lambda one: one.case.b_events)
    by_cells = group_table(cells, "B cells", lambda one: _decade(one.case.b_events))
    return f"""# Class-switched memory against the truth

Written by `{command}`. {len(found)} simulated samples in runs of {A_RUN} with a day
control each; donors of {AGES[0]:g} to {AGES[1]:g} years, {B_EVENTS[0]} to {B_EVENTS[1]} B cells, CD27 at D of
{DIM[0]} to {CLEAR[1]}; instruments and panels take turns. Limits are the default ones. Seeds from {SEED} on were not
used for tuning.

**Dangerous** is an affected patient (XHIM, CD40, ICOS, AID) called SWITCHED_NORMAL, a healthy donor called
SWITCHED_ABSENT, and any call with unwashed immunoglobulin, after rituximab or below 200 B cells. **Plain** is an
undisturbed sample of 200 B cells or more and 9 months or older, whose donor's share with its 95 % binomial interval
touches no limit of the age; right is the call that the donor's share deserves. Intervals are compared with the donor's
share, where the disturbance does not change the share itself ({", ".join(SPOILT)}).

{goals_table(found)}

## By disturbance

{by_disturbance}

## Undisturbed, by donor

{by_family}

## Undisturbed, by D of CD27

{by_d}

## By number of B cells

{by_cells}

## Dangerous calls

{as_list([one for one in found if one.dangerous])}

## Plain samples that were not called right

{as_list([one for one in found if one.plain and not one.right])}
"""


def _decade(cells: int) -> str:
    ends = (200, 500, 2_000, 5_000)
    return next((f"below {end:,}" for end in ends if cells < end), f"{ends[-1]:,} or more")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.b_cells.memory_b", description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED, help="(default: %(default)s)")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="(default: %(default)s)")
    parser.add_argument("--cores", type=int, default=2, help="processes at a time (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=OUT, help="file to write")
    options = parser.parse_args()
    command = " ".join(["python -m benchmarks.b_cells.memory_b", *sys.argv[1:]])
    text = page(many(options.seed, options.samples, options.cores), command)
    options.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
