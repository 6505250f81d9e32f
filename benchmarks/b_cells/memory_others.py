"""Class-switched memory of an independent simulation against its truth: ``python -m benchmarks.b_cells.memory_others``.

Cells, stains, cytometers and files are those of `benchmarks/b_cells/memory_independent.py`, which shares no laws with
the product's own simulator.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.b_cells.memory_independent import FAMILIES, write_run
from benchmarks.b_cells.memory_judging import Judged, as_list, goals_table, group_table, judged
from benchmarks.common.places import PAGES
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.result.types.result import Result
from cd40l_flow.steps import analyse_sample

OUT = PAGES / "memory_others.md"
SEED, SAMPLES = 1000, 4  # seeds below 1000 are for tuning


def judge(number: int, seed: int, samples: int) -> list[Judged]:
    """Write a run of the family of this number, analyse it as the workflow does, and judge its calls."""
    family = FAMILIES[number]
    with TemporaryDirectory() as folder, contextlib.chdir(folder):
        cases = write_run(Path("run"), family, seed, samples)
        with contextlib.chdir("run"):
            control_results: dict[str, Result] = {}

            def result_of(name: str) -> Result:
                plan = load_plan("config.yaml")
                if family.control and "C01" not in control_results:
                    control_results["C01"] = analyse_sample(plan.job("C01"), {})[0]
                return analyse_sample(plan.job(name), control_results)[0]

            return [judged(case, case.sample, result_of) for case in cases]


def page(found: list[Judged], command: str) -> str:
    """Return the page as Markdown."""
    wrong = [one for one in found if one.plain and not one.right]
    return f"""# Class-switched memory of an independent simulation

Written by `{command}`. {len(found)} samples of {len(FAMILIES)} families, each a run with a control of its own
(`benchmarks/b_cells/memory_independent.py`):
other laws of CD27, IgD and IgM (gamma, Weibull, log-logistic), other cytometers,
spillover and files than those of the product's simulator. Words as in [memory_b.md](memory_b.md). Seeds from 1000 on
were not used for tuning.

{goals_table(found)}

## By family

{group_table(found, "family", lambda one: one.case.family)}

## Dangerous calls

{as_list([one for one in found if one.dangerous]) or "None."}

## Plain samples that were not called right

{as_list(wrong) or "None."}
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.b_cells.memory_others", description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED, help="(default: %(default)s)")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="of each family (default: %(default)s)")
    parser.add_argument("--cores", type=int, default=2, help="processes at a time (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=OUT, help="file to write")
    options = parser.parse_args()
    found: list[Judged] = []
    with ProcessPoolExecutor(options.cores) as pool:
        runs = pool.map(partial(judge, seed=options.seed, samples=options.samples), range(len(FAMILIES)))
        for number, some in enumerate(runs, start=1):
            found += some
            print(f"{number} of {len(FAMILIES)} families", flush=True)
    text = page(found, " ".join(["python -m benchmarks.b_cells.memory_others", *sys.argv[1:]]))
    options.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
