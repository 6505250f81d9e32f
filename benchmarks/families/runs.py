"""Runs of a mechanism, simulated, analysed as the workflow does and judged, and the page of them."""

from __future__ import annotations

import contextlib
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.families.donors import HELD_OUT, SPREAD_SD, Donors, donor
from benchmarks.families.oracle import log_odds
from cd40l_flow.analyse import analyse
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.result.types.result import Result
from cd40l_flow.simulate import MECHANISMS, Mechanism, Scenario, SimulationParameters, write_cohort

SAMPLES_A_RUN = 5
DIMMEST_RUN, BRIGHTEST_RUN = 0.6, 1.5
PLAIN = math.log(100)


@dataclass(frozen=True)
class Judged:
    """One sample: its family, call, reasons and QC, whether it is right or dangerous, and how plain it is.

    ``odds`` are the natural-log odds of the truth where everything but the donor's and the control's own differences is
    known; None where the mechanism is none that odds decide.
    """

    family: str
    seed: int
    call: str
    reasons: tuple[str, ...]
    qc: str
    right: bool
    dangerous: bool
    odds: float | None
    seconds: float

    @property
    def plain(self) -> bool:
        """Whether the truth reaches 100:1."""
        return self.odds is not None and self.odds >= PLAIN


def runs(
    mechanism: Mechanism, seed: int, samples: int, donors: Donors
) -> Iterator[tuple[int, Mechanism, Scenario, list[Scenario]]]:
    """Yield the runs of a family: seed, mechanism with the run's physics, control and samples."""
    for number, first in enumerate(range(0, samples, SAMPLES_A_RUN)):
        key = (seed, sum(map(ord, mechanism.name)), len(mechanism.name), number)
        random = np.random.default_rng(key)
        usual = SimulationParameters()
        bright = math.exp(random.uniform(math.log(DIMMEST_RUN), math.log(BRIGHTEST_RUN)))
        molecules = mechanism.of_run.get("cd154_molecules", usual.cd154_molecules * bright)
        here = replace(mechanism, of_run={**mechanism.of_run, "cd154_molecules": molecules})
        # What the two donors share of a mechanism of the laboratory stays the same in both.
        control = donor(here.control(), random, donors)
        tests = [
            replace(donor(mechanism.scenario, random, donors), sample=f"S{first + k:02d}")
            for k in range(min(SAMPLES_A_RUN, samples - first))
        ]
        yield int(random.integers(2**31)), here, control, tests


def judge(donors: Donors, run: tuple[int, Mechanism, Scenario, list[Scenario]]) -> list[Judged]:
    """Simulate one run, analyse it as the workflow does, and judge its calls."""
    seed, mechanism, control, tests = run
    found = []
    with TemporaryDirectory() as folder, contextlib.chdir(folder):
        write_cohort(Path(), seed, cohort=(control, *tests), parameters=mechanism.parameters())
        plan = load_plan("config/config.yaml")
        control_result, _ = analyse(plan.job(control.sample), {})
        for scenario in tests:
            begin = time.process_time()
            result, _ = analyse(plan.job(scenario.sample), {control.sample: control_result})
            seconds = time.process_time() - begin
            odds = log_odds(scenario, control, donors.level_sd, donors.negative_sd) if mechanism.plain else None
            found.append(judged(mechanism, seed, result, odds, seconds))
    return found


def judged(mechanism: Mechanism, seed: int, result: Result, odds: float | None, seconds: float) -> Judged:
    """Return a result as judged by its mechanism."""
    call = result.call
    return Judged(
        family=mechanism.name,
        seed=seed,
        call=call,
        reasons=tuple(result.reasons),
        qc=result.qc,
        right=call in mechanism.scenario.right,
        dangerous=call in mechanism.scenario.dangerous,
        odds=odds,
        seconds=seconds,
    )


def many(seed: int, samples: int, processes: int, names: Sequence[str], donors: Donors) -> list[Judged]:
    """Judge all families, in order whatever the number of processes."""
    chosen = [one for one in MECHANISMS if not names or one.name in names]
    every = [run for mechanism in chosen for run in runs(mechanism, seed, samples, donors)]
    found: list[Judged] = []
    with ProcessPoolExecutor(processes) as pool:
        for number, run in enumerate(pool.map(partial(judge, donors), every), start=1):
            found += run
            wrong = [f"{one.call} {','.join(one.reasons)}" for one in run if one.dangerous]
            print(f"{number} of {len(every)}: {run[0].family}", *wrong, sep="  ", flush=True)
    return found


def page(found: Sequence[Judged], command: str, donors: Donors) -> str:
    """Return the page of the benchmark."""
    families = list(dict.fromkeys(one.family for one in found))
    plain = [one for one in found if one.plain]
    rows = "\n".join(_row([one for one in found if one.family == family]) for family in families)
    dangerous = [one for one in found if one.dangerous]
    silent = [one for one in dangerous if one.qc == "pass"]
    shown = "\n".join(f"- {one.family}, seed {one.seed}: {one.call} {', '.join(one.reasons)}" for one in dangerous)
    missed = Counter(f"{one.family}: {one.call} {', '.join(one.reasons)}" for one in plain if not one.right)
    return f"""# Calls by mechanism

Written by `{command}`. {len(families)} families of what
laboratories have, {len(found)} simulated samples, each in a run with a control of its own donor; limits are the
default ones. People differ: ln level SD {donors.level_sd}, negative fraction SD {donors.negative_sd}, ln spread SD
{SPREAD_SD}; runs stain {DIMMEST_RUN} to
{BRIGHTEST_RUN} times as brightly as usual. Seeds from {HELD_OUT} on were not used for tuning.

**Dangerous** is an affected sample called NORMAL, a healthy one called affected, a carrier called NORMAL, ABSENT or
FUNCTIONAL_DEFECT, and any call where the assay failed. **Plain** is a sample whose truth reaches 100:1 where all but
the differences between its donor and the control's is known (`benchmarks/families/oracle.py`).

| samples | right | dangerous | of them without a word (QC pass) | plain | plain and right |
|---:|---:|---:|---:|---:|---:|
| {len(found)} | {_share(found)} | {len(dangerous)} | {len(silent)} | {len(plain)} | {_share(plain)} |

Median CPU of a sample's analysis: {1000 * float(np.median([one.seconds for one in found])):.0f} ms.

| family | samples | right | dangerous | plain | plain and right | calls |
|---|---:|---:|---:|---:|---:|---|
{rows}

## Dangerous calls

{shown or "None."}

## Plain samples that were not called right

{chr(10).join(f"- {count} x {what}" for what, count in missed.most_common()) or "None."}
"""


def _row(own: Sequence[Judged]) -> str:
    plain = [one for one in own if one.plain]
    calls = ", ".join(f"{call} {count}" for call, count in Counter(one.call for one in own).most_common())
    reasons = Counter(reason for one in own if one.call == "INDETERMINATE" for reason in one.reasons)
    why = f" ({', '.join(f'{code} {count}' for code, count in reasons.most_common(3))})" if reasons else ""
    right, dangerous = sum(one.right for one in own), sum(one.dangerous for one in own)
    return f"| {own[0].family} | {len(own)} | {right} | {dangerous} | {len(plain)} | {_share(plain)} | {calls}{why} |"


def _share(some: Sequence[Judged]) -> str:
    right = sum(one.right for one in some)
    return f"{right} ({100 * right / len(some):.1f} %)" if some else ""
