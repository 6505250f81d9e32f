"""CD40 of simulated samples against their truth: ``python -m benchmarks.b_cells.cd40``.

Each of the situations of the CD40 assay as often, in runs with a day control; a stain differs from sample to sample.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.common.places import PAGES
from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.result.types.result import Result
from cd40l_flow.simulate.b_cells import BSample, BScenario, day_control, write_b_cells
from cd40l_flow.simulate.b_cells.samples import CD40
from cd40l_flow.simulate.b_cells.scenarios import CD40_PATIENTS
from cd40l_flow.steps import analyse_sample

OUT = PAGES / "cd40.md"
SEED, EACH, A_RUN = 1000, 30, 10
INSTRUMENTS = ("simulated", "diva", "lyric", "attune", "navios", "aurora")
RATIO_ERROR = 0.25  # a stain's own differences allow no less


@dataclass(frozen=True)
class Judged:
    """One sample, the call, and the ratio of CD40 on B cells to the control's with its interval."""

    sample: BSample
    call: str
    reasons: tuple[str, ...]
    ratio: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def level(self) -> float:
        """The true median level of CD40 on B cells that carry it, 1 in health."""
        return self.sample.cd40_b * self.sample.cd40_epitope

    @property
    def right(self) -> bool:
        """Whether the call is one of the right ones."""
        return self.call in self.sample.expected

    @property
    def dangerous(self) -> bool:
        """Whether the call could harm."""
        return self.call in self.sample.dangerous


def runs(seed: int, each: int) -> Iterator[tuple[int, BSample, list[BSample]]]:
    """Yield the runs: seed, control, samples of every situation in turn."""
    turns = [patient for _ in range(each) for patient in CD40_PATIENTS]
    for number, first in enumerate(range(0, len(turns), A_RUN)):
        instrument = INSTRUMENTS[number % len(INSTRUMENTS)]
        drawn = [
            BScenario(patient, patient).sample(seed, f"S{first + k:03d}", instrument=instrument)
            for k, patient in enumerate(turns[first : first + A_RUN])
        ]
        yield seed * 1000 + number, day_control("C01", assay=CD40, instrument=instrument), drawn


def judge(run: tuple[int, BSample, list[BSample]]) -> list[Judged]:
    """Simulate one run, analyse it as the workflow does, and judge its calls."""
    seed, control, samples = run
    with TemporaryDirectory() as folder, contextlib.chdir(folder):
        write_b_cells(Path(), seed, (control, *samples))
        try:
            plan = load_plan("config/config.yaml")
            control_results = {control.sample: analyse_sample(plan.job(control.sample), {})[0]}
        except (Cd40lFlowError, LookupError) as error:
            return [Judged(sample, f"FAILED {type(error).__name__}", (str(error)[:120],)) for sample in samples]
        return [judged(sample, analyse_sample(plan.job(sample.sample), control_results)[0]) for sample in samples]


def judged(sample: BSample, result: Result) -> Judged:
    """Return a sample with what the product reports for it."""
    cells = [one for one in (result.cd40.cells if result.cd40 else []) if one.population == "B cells"]
    numbers = (cells[0].ratio, cells[0].ratio_low, cells[0].ratio_high) if cells else (None, None, None)
    return Judged(sample, result.call, tuple(result.reasons), *numbers)


def page(found: Sequence[Judged], command: str) -> str:
    """Return the page of the benchmark."""
    dangerous = [one for one in found if one.dangerous]
    rows = []
    for name in CD40_PATIENTS:
        own = [one for one in found if one.sample.scenario == name]
        calls = ", ".join(f"{call} {count}" for call, count in Counter(one.call for one in own).most_common())
        near = [one for one in own if one.ratio is not None]
        good = sum(abs((one.ratio or 0.0) - one.level) <= RATIO_ERROR * max(one.level, 0.2) for one in near)
        rows.append(
            f"| {name} | {len(own)} | {sum(one.right for one in own)} | {sum(one.dangerous for one in own)} "
            f"| {good} of {len(near)} | {calls} |"
        )
    shown = "\n".join(
        f"- {one.sample.sample}: {one.sample.scenario}, level {one.level:.2f}, lacking "
        f"{one.sample.cd40_lacking:.2f}: {one.call} {', '.join(one.reasons)}"
        for one in dangerous
    )
    return f"""# CD40 against the truth

Written by `{command}`. {len(found)} simulated samples in runs of {A_RUN} with a day
control each; a stain differs from sample to sample, instruments take turns. Right and dangerous calls are those of the
simulator's scenarios; of a heterozygote and of a mixed chimerism several calls are right.

{len(dangerous)} dangerous calls; {sum(one.right for one in found)} of {len(found)} samples called right.

| scenario | samples | right | dangerous | ratio of B cells within {RATIO_ERROR:.0%} of the true level | calls |
|---|---:|---:|---:|---:|---|
{chr(10).join(rows)}

## Dangerous calls

{shown or "None."}
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.b_cells.cd40", description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED, help="(default: %(default)s)")
    parser.add_argument("--each", type=int, default=EACH, help="samples of each scenario (default: %(default)s)")
    parser.add_argument("--cores", type=int, default=2, help="processes at a time (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=OUT, help="file to write")
    options = parser.parse_args()
    every = list(runs(options.seed, options.each))
    with ProcessPoolExecutor(options.cores) as pool:
        found = [one for run in pool.map(judge, every) for one in run]
    text = page(found, " ".join(["python -m benchmarks.b_cells.cd40", *sys.argv[1:]]))
    options.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
