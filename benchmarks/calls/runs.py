"""Runs of simulated samples, analysed as the workflow does and called by every method."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.calls.cohort import OF_DONORS, cohort, stained
from benchmarks.calls.judging import METHODS, Judged, expected_of, kind_of
from benchmarks.calls.plain import by_mixture, by_threshold, plain_rules
from cd40l_flow.analyse import analyse
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.simulate import Scenario, write_cohort


def judge_run(donors_known: bool, run: tuple[int, Scenario, list[Scenario], float]) -> list[Judged]:
    """Simulate one run, analyse it as the workflow does, and call its samples by every method."""
    seed, control, tests, level = run
    judged = []
    with TemporaryDirectory() as folder, contextlib.chdir(folder):
        write_cohort(Path(), seed, cohort=(control, *tests), parameters=stained(level))
        if donors_known:
            with Path("config/config.yaml").open("a", encoding="utf-8") as config:
                config.write(f"limits: {json.dumps(OF_DONORS)}\n")
        plan = load_plan("config/config.yaml")
        control_result, control_arrays = analyse(plan.job(control.sample), {})
        for scenario in tests:
            result, arrays = analyse(plan.job(scenario.sample), {control.sample: control_result})
            calls = {METHODS[0]: result.call}
            for method, positives in zip(METHODS[1:], (by_threshold, by_mixture), strict=True):
                calls[method] = plain_rules(result, arrays, control_result, control_arrays, positives)
            cd154 = result.numbers("CD154")
            judged.append(
                Judged(
                    run=seed,
                    sample=scenario.sample[4:],
                    kind=kind_of(scenario),
                    negative_fraction=scenario.negative_fraction,
                    mutant_fraction=1 - (1 - scenario.negative_fraction) / (1 - control.negative_fraction),
                    lod=cd154.get("lod"),
                    separation=control_result.numbers("CD154").get("separation"),
                    expected=expected_of(scenario),
                    calls=calls,
                    reasons=tuple(result.reasons),
                    pattern=str(result.pattern),
                    odds=result.odds.joint,
                )
            )
    return judged


def many(seed: int, samples: int, processes: int, instruments: Sequence[str], *, donors_known: bool) -> list[Judged]:
    """Judge a cohort, its runs in order whatever the number of processes."""
    runs, judge = cohort(seed, samples, instruments), partial(judge_run, donors_known)
    if processes == 1:
        return [judged for run in runs for judged in judge(run)]
    with ProcessPoolExecutor(processes) as pool:
        return [judged for run in pool.map(judge, runs) for judged in run]
