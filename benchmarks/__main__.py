"""Measure accuracy, speed and scale and write the pages of ``benchmarks``: ``python -m benchmarks``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.calls.accuracy import (
    FEWEST_CELLS,
    LEAST_SEPARATION,
    TARGET,
    Cohort,
    many,
    measure,
    sample_table,
    seed_table,
    wrong_calls,
)
from benchmarks.common import goals
from benchmarks.common.places import PAGES, ROOT
from benchmarks.common.timing import Stage, machine, run_demo, stage_table
from benchmarks.files import reading
from benchmarks.speed import peer, scale, scale_events, scale_samples

FIRST_SEED = 1


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10, help="further cohorts to simulate (default: %(default)s)")
    parser.add_argument("--cores", type=int, default=2, help="processes at a time (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=PAGES / "accuracy.md", help="file to write")
    parser.add_argument("--plate", type=int, default=96, help="samples of the plate of speed.md (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds against the peers (default: %(default)s)")
    parser.add_argument("--reading", action="store_true", help="compare readers of FCS files too: reading.md")
    options = parser.parse_args()
    demo = measure(ROOT / "test_data", "test_data")
    cohorts = many(range(FIRST_SEED, FIRST_SEED + options.seeds), options.cores)
    seconds, stages = run_demo(options.cores)
    text = page(demo, cohorts, seconds, stages, options.cores)
    options.out.write_text(text, encoding="utf-8")
    print(text)
    peer.write(options.plate, 100_000, options.rounds, options.cores, PAGES / "speed.md")
    scale_samples.write(scale_samples.SIZES, 1, options.cores, PAGES / "scale_samples.md")
    scale_events.write(scale_events.SIZES, 3 * options.rounds, PAGES / "scale_events.md")
    scale.write(scale.SIZES, PAGES / "scale.md")
    goals.write(PAGES)
    if options.reading:
        reading.write()


def page(demo: Cohort, cohorts: Sequence[Cohort], seconds: float, stages: list[Stage], cores: int) -> str:
    greatest = max(map(abs, demo.differences))
    verdict = "met" if greatest <= TARGET else "**missed**"
    return f"""# Accuracy and speed on simulated blood

Written by `python -m benchmarks --seeds {len(cohorts)} --cores {cores}` (`make bench`). The cells are simulated
by a model that shares no code with what measures them, but they are no blood.

## The demo cohort

The negative fraction, the share of the activated CD3+CD8- cells that do not express, as estimated and as realised among
the simulated cells of each file in `test_data`. D is Ashman's D of the fitted components. Judged are reagents with at
least {FEWEST_CELLS:,} activated cells and D of {LEAST_SEPARATION:g} or more.

{sample_table(demo)}

Greatest difference of the {len(demo.differences)} judged: **{greatest:.4f}**; target {TARGET:g}: {verdict}.
Calls as expected, with their reasons: {sum(call.right for call in demo.calls)} of {len(demo.calls)}.

## Other seeds

The same ten scenarios simulated anew with the seeds {FIRST_SEED} to {FIRST_SEED + len(cohorts) - 1};
differences and intervals of the judged reagents. The interval is meant for the donor's fraction, the one asked for, of
which the cells of a file are a sample.

{seed_table(cohorts)}

{wrong_calls(cohorts)}

## Speed

The demo cohort (10 samples, 50 files) with `snakemake --cores {cores}`: {seconds:.0f} s, start of Snakemake included.
The two stages that count, as each job reports it (without the start of Python, for they are forked from a worker):

{stage_table(stages)}

{machine()}
"""


if __name__ == "__main__":
    main()
