"""How the cost of one analysis grows with the events of a tube: ``python -m benchmarks.scale_events``.

Writes scale_events.md. One of the five tubes grows, the others keep 20,000 events each.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.scale import measure
from benchmarks.timing import ROOT

SIZES = (50_000, 160_000, 500_000, 1_600_000, 5_000_000)
OTHERS = 20_000
SEED = 1
Row = tuple[float, float]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale_events", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="events of the growing tube")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "scale_events.md", help="file to write")
    options = parser.parse_args()
    write(options.sizes, options.rounds, options.out, sys.argv[1:])


def write(sizes: Sequence[int], rounds: int, out: Path, arguments: Sequence[str] = ()) -> None:
    """Measure and write the page."""
    found: dict[int, list[Row]] = {size: [] for size in sorted(sizes)}
    with TemporaryDirectory() as folder:
        commands = {size: prepare(Path(folder) / str(size), size) for size in found}
        for _ in range(rounds):
            for size, command in commands.items():
                found[size].append(measure(command, Path(folder) / str(size)))
    rows = {
        size: (statistics.median(one[0] for one in taken), max(one[1] for one in taken))
        for size, taken in found.items()
    }
    text = page(rows, arguments)
    out.write_text(text, encoding="utf-8")
    print(text)


def prepare(directory: Path, events: int) -> list[str]:
    """Write a control and a sample, analyse the control, and return the command that analyses the sample."""
    from cd40l_flow.inputs.job import job_to_json
    from cd40l_flow.inputs.plan import load_plan
    from cd40l_flow.simulate.cohort import Scenario
    from cd40l_flow.simulate.write import write_cohort

    sizes = {"background_events": OTHERS, "unstimulated_events": OTHERS}
    # The second reagent's tube has as many events as the first's: leave it and what belongs to it out.
    tubes = {"stimulated": ("CD154", "isotype"), **sizes}
    cohort = [
        Scenario("C01", role="control", sex="F", events=OTHERS, **tubes),
        Scenario("P01", sex="F", negative_fraction=0.5, events=events, **tubes),
    ]
    write_cohort(directory, SEED, cohort=cohort)
    config = directory / "config" / "config.yaml"
    plan_of = config.read_text(encoding="utf-8").replace("fcs_dir: fcs", f"fcs_dir: {directory / 'fcs'}")
    for name in ("samples", "tubes", "overrides"):
        plan_of = plan_of.replace(f"config/{name}.tsv", str(directory / "config" / f"{name}.tsv"))
    config.write_text(plan_of, encoding="utf-8")
    plan = load_plan(config)
    results = {name: directory / "results" / "samples" / name / "result.json" for name in ("C01", "P01")}
    commands = {
        name: [
            *(sys.executable, "-m", "cd40l_flow.cli", "analyse", "--job", job_to_json(plan.job(name))),
            *("--result", str(path), "--densities", str(path.with_name("densities.npz"))),
        ]
        for name, path in results.items()
    }
    measure(commands["C01"], directory)
    return [*commands["P01"], "--controls", str(results["C01"])]


def page(rows: dict[int, Row], arguments: Sequence[str]) -> str:
    """Return scale_events.md: the table, cost of an event in each step and the steepest log-log slope."""
    sizes = sorted(rows)
    lines = [
        "| events | CPU seconds | us more for each event more | log-log slope | memory, MB |",
        "|---:|" + "---:|" * 4,
    ]
    for number, size in enumerate(sizes):
        more, steep = "", ""
        if number:
            before = sizes[number - 1]
            more = f"{1e6 * (rows[size][0] - rows[before][0]) / (size - before):.2f}"
            steep = f"{math.log(rows[size][0] / rows[before][0]) / math.log(size / before):.2f}"
        lines.append(f"| {size:,} | {rows[size][0]:.2f} | {more} | {steep} | {rows[size][1]:.0f} |")
    return f"""# Cost against the events of a tube

Written by `python -m benchmarks.scale_events {" ".join(arguments)}`. Analysis of one sample of three tubes, of which
one has so many events and the others {OTHERS:,} each; start of Python included.

{chr(10).join(lines)}

Goals: the cost of an event the same within 10 % over the last decade, no slope above 1.1, 5,000,000 events in under
1,500 MB.
"""


if __name__ == "__main__":
    main()
