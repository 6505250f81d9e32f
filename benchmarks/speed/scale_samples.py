"""How the cost of the whole workflow grows with samples: ``python -m benchmarks.speed.scale_samples``.

Writes scale_samples.md. From FCS files to reports, index and exported gates; the tubes are small, so that what is not
the events' cost shows.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.common.goals import Goal, table
from benchmarks.common.places import PAGES
from benchmarks.common.timing import command
from benchmarks.speed.peer import Run, fresh, simulate, workflow

SIZES = (38, 96, 192, 384)
EVENTS = 4000
CONSTANT, STEEPEST = 0.10, 1.1


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.scale_samples", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="samples of the cohorts")
    parser.add_argument("--rounds", type=int, default=1, help="interleaved rounds (default: %(default)s)")
    parser.add_argument("--cores", type=int, default=2, help="cores of Snakemake (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=PAGES / "scale_samples.md", help="file to write")
    options = parser.parse_args()
    write(options.sizes, options.rounds, options.cores, options.out, sys.argv[1:])


def write(sizes: Sequence[int], rounds: int, cores: int, out: Path, arguments: Sequence[str] = ()) -> None:
    """Measure and write the page."""
    found: dict[int, list[Run]] = {size: [] for size in sorted(sizes)}
    with TemporaryDirectory() as folder:
        for size in found:
            simulate(Path(folder) / str(size), size, EVENTS)
        for _ in range(rounds):
            for size, runs in found.items():
                runs.append(workflow(fresh(Path(folder) / str(size), Path(folder) / "run"), cores))
    seconds = {size: statistics.median(run.cpu_seconds for run in runs) for size, runs in found.items()}
    own = {size: statistics.median(run.own_share for run in runs) for size, runs in found.items()}
    text = page(seconds, own, arguments)
    out.write_text(text, encoding="utf-8")
    print(text)


def more(seconds: dict[int, float]) -> list[float]:
    """Return the seconds that each sample more costs, from each cohort to the next."""
    sizes = sorted(seconds)
    pairs = list(zip(sizes, sizes[1:], strict=False))
    return [(seconds[size] - seconds[before]) / (size - before) for before, size in pairs]


def goals(seconds: dict[int, float]) -> list[Goal]:
    """Return what was measured with its goals: the cost of a sample in each step against that in all of them."""
    sizes = sorted(seconds)
    all_of_them = (seconds[sizes[-1]] - seconds[sizes[0]]) / (sizes[-1] - sizes[0])
    largest = max(abs(one / all_of_them - 1) for one in more(seconds))
    steep = max(
        math.log(seconds[size] / seconds[before]) / math.log(size / before)
        for before, size in zip(sizes, sizes[1:], strict=False)
    )
    span = f"{sizes[0]} to {sizes[-1]} samples"
    shown = (
        (f"cost of a sample more, {span}: largest difference", f"{100 * largest:.0f} %", "10 %", largest <= CONSTANT),
        (f"steepest log-log slope, {span}", f"{steep:.2f}", f"{STEEPEST}", steep <= STEEPEST),
    )
    return [Goal(what, "scale_samples.md", measured, goal, met) for what, measured, goal, met in shown]


def page(seconds: dict[int, float], own: dict[int, float], arguments: Sequence[str]) -> str:
    """Return scale_samples.md."""
    sizes = sorted(seconds)
    lines = ["| samples | CPU seconds | s more for each sample more | Snakemake's own share |", "|---:|---:|---:|---:|"]
    steps = ["", *(f"{one:.3f}" for one in more(seconds))]
    lines += [
        f"| {size} | {seconds[size]:.1f} | {step} | {100 * own[size]:.0f} % |"
        for size, step in zip(sizes, steps, strict=True)
    ]
    return f"""# Cost of the whole workflow against the number of samples

Written by `{command("speed.scale_samples", arguments)}`. One run of so many samples, five tubes of
{EVENTS:,} events each, from FCS files to reports, index and exported gates: processor time of all processes.

{chr(10).join(lines)}

{table(goals(seconds))}
"""


if __name__ == "__main__":
    main()
