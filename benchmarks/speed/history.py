"""A laboratory's history of up to 100,000 samples: ``python -m benchmarks.speed.history`` writes history.md.

Plates of 96 samples, the results of the demo cohort under other names; the controls' numbers differ from plate to
plate, the lot changes every 100 plates, two instruments take turns, and on one of them the stain fades at the end.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import os
import random
import re
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.common.goals import Goal, table
from benchmarks.common.places import PAGES
from benchmarks.common.timing import command, machine
from benchmarks.speed.scale import PLATE, measure, run_demo

SIZES = (1_000, 10_000, 100_000)
LOT_PLATES = 100
CYTOMETERS = ("FACSCanto II", "Navios")
# The spread of healthy people, as a factor on brightness and on the share of negative cells.
SPREAD = 0.12
_DIGEST = re.compile(rb'^"digest": "([0-9a-f]{64})",?\n', re.MULTILINE)


@dataclass(frozen=True)
class Measured:
    """What a cohort took: wall and processor seconds, memory (MB), sizes (MB); processor seconds of one plate more."""

    samples: int
    results_mb: float
    wall: float
    seconds: float
    memory: float
    again: float
    parquet_mb: float
    page_mb: float


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.history", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="samples of the histories")
    parser.add_argument("--keep", type=Path, help="leave the last history in this folder, to look at")
    parser.add_argument("--scratch", type=Path, help="folder for the results, 40 kB a sample (default: the system's)")
    parser.add_argument("--out", type=Path, default=PAGES / "history.md", help="file to write")
    options = parser.parse_args()
    found = []
    with TemporaryDirectory(dir=options.scratch and options.scratch.resolve()) as folder:
        demo = run_demo(Path(folder) / "demo")
        for size in sorted(options.sizes):
            found.append(measured(demo, Path(folder) / str(size), size))
            if options.keep and size == max(options.sizes):
                shutil.copytree(Path(folder) / str(size) / "history", options.keep, dirs_exist_ok=True)
            shutil.rmtree(Path(folder) / str(size))
    text = page(found, sys.argv[1:])
    options.out.write_text(text, encoding="utf-8")
    print(text)


def measured(demo: Sequence[Path], directory: Path, size: int) -> Measured:
    """Write the plates, take them into a history, add a plate, and return what it took."""
    lines = [_lines(one) for one in demo]
    with (demo[0].parent.parent / "summary.tsv").open(encoding="utf-8", newline="") as file:
        summary = {row["sample"]: row for row in csv.DictReader(file, delimiter="\t")}
    heads = list(next(iter(summary.values())))
    plates, written = max(size // PLATE, 1), 0
    rows = [summary[one.name] for one in demo]
    for plate in range(plates):
        count = PLATE if plate < plates - 1 else size - PLATE * (plates - 1)
        written += write_plate(
            directory / "plates" / f"plate{plate:05d}" / "results", plate, plates, count, lines, rows, heads
        )
    program = [sys.executable, "-m", "cd40l_flow.cli.main", "history", "plates", "--out", "history"]
    start = time.perf_counter()
    seconds, memory = measure(program, directory)
    wall = time.perf_counter() - start
    write_plate(directory / "plates" / f"plate{plates:05d}" / "results", plates, plates, PLATE, lines, rows, heads)
    again, _ = measure(program, directory)
    sizes = [(directory / "history" / name).stat().st_size / 1e6 for name in ("history.parquet", "history.html")]
    return Measured(size, written / 1e6, wall, seconds, memory, again, *sizes)


def _lines(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "result.json").read_text(encoding="utf-8")))


_LINES: dict[str, dict[str, str]] = {}


def _written(name: str, result: dict[str, Any]) -> dict[str, str]:
    """Return every line of a result, written once."""
    if name not in _LINES:
        _LINES[name] = {key: _line(key, value) for key, value in result.items()}
    return _LINES[name]


def write_plate(
    results: Path,
    plate: int,
    plates: int,
    count: int,
    demo: Sequence[dict[str, Any]],
    rows: Sequence[dict[str, str]],
    heads: Sequence[str],
) -> int:
    """Write the results and the summary of one plate, its first two samples controls; return the bytes written."""
    draw = random.Random(plate)
    cytometer = CYTOMETERS[plate % len(CYTOMETERS)]
    fades = 0.55 if plate > 0.985 * plates and cytometer == CYTOMETERS[1] else 1.0
    month = f"{2020 + plate // 240:04d}-{1 + plate // 20 % 12:02d}"
    text = io.StringIO()
    table_of = csv.DictWriter(text, heads, delimiter="\t", lineterminator="\n")
    table_of.writeheader()
    written, written_before = 0, [_written(one["sample"], one) for one in demo]
    for number in range(count):
        chosen = 0 if number < 2 else 1 + (number * 7 + draw.randrange(3)) % (len(demo) - 1)
        name, run = f"P{plate:05d}-{number:02d}", f"R{plate:05d}"
        result = {**demo[chosen], "sample": name, "run": run}
        result["tubes"] = [
            {
                **tube,
                "cytometer": cytometer,
                "lot": f"L{plate // LOT_PLATES:03d}",
                "month": month,
                "digest": hashlib.sha256(f"{name} {tube['fcs']}".encode()).hexdigest(),
            }
            for tube in result["tubes"]
        ]
        if chosen == 0:
            result["reagents"] = {reagent: _person(one, draw, fades) for reagent, one in result["reagents"].items()}
            rise = {
                reagent: max(value - draw.expovariate(0.5), 0.0)
                for reagent, value in result["lent"]["activation_percent"].items()
            }
            result["lent"] = {**result["lent"], "activation_percent": rise}
        written += write_result(results / "samples" / name, result, written_before[chosen])
        table_of.writerow({**rows[chosen], "sample": name, "run": run, "review": "accepted"})
    (results / "summary.tsv").write_text(text.getvalue(), encoding="utf-8")
    return written


def _person(measures: dict[str, Any], draw: random.Random, fades: float) -> dict[str, Any]:
    """Return the measures of another healthy person."""
    bright, silent = fades * draw.lognormvariate(0, SPREAD), draw.lognormvariate(0, SPREAD)
    negative = min(measures["negative_fraction"] * silent, 1.0)
    return {
        **measures,
        "mfi_positive": measures["mfi_background"] + bright * (measures["mfi_positive"] - measures["mfi_background"]),
        "negative_fraction": negative,
        "percent_positive": 100 * (1 - negative),
        "separation": measures["separation"] * draw.lognormvariate(0, 0.05),
    }


def write_result(folder: Path, result: dict[str, Any], written: dict[str, str]) -> int:
    """Write a result as `write_record` does, without waiting for the disk; return its bytes.

    ``written`` are the lines of the result it was made of: only what is not the same is written out anew.
    """
    content = {**result, "digest": "0" * 64}
    changed = ("sample", "run", "tubes", "reagents", "lent", "digest")
    lines = [f"{_line(key, content[key]) if key in changed else written[key]}" for key in sorted(content)]
    text = "\n".join(["{", *(f"{line}," for line in lines[:-1]), lines[-1], "}", ""]).encode()
    digest = hashlib.sha256(_DIGEST.sub(b"", text, count=1)).hexdigest()
    folder.mkdir(parents=True)
    return (folder / "result.json").write_bytes(_DIGEST.sub(f'"digest": "{digest}",\n'.encode(), text, count=1))


def _line(key: str, value: Any) -> str:
    return f"{json.dumps(key)}: {json.dumps(value, separators=(',', ':'), sort_keys=True)}"


def goals(found: Sequence[Measured]) -> list[Goal]:
    """Return what was measured with its goal."""
    largest = found[-1]
    what = f"a history of {largest.samples:,} samples from nothing"
    shown = (("", largest.wall), (", processor time of its one process", largest.seconds))
    return [Goal(what + of, "history.md", f"{seconds:.0f} s", "60 s", seconds < 60) for of, seconds in shown]


def page(found: Sequence[Measured], arguments: Sequence[str]) -> str:
    """Return history.md."""
    lines = [
        "| samples | results, MB | first call, s | CPU s | MB | a plate more, CPU s | Parquet, MB | page, MB |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
        *(
            f"| {one.samples:,} | {one.results_mb:,.0f} | {one.wall:.1f} | {one.seconds:.1f} | {one.memory:.0f} "
            f"| {one.again:.1f} | {one.parquet_mb:.1f} | {one.page_mb:.1f} |"
            for one in found
        ),
    ]
    return f"""# A laboratory's history

Written by `{command("speed.history", arguments)}`. Plates of {PLATE} samples, a results folder each, their
results read from a disk that had just written them (from one that has not, add the time to read so many MB).
`cd40l-flow history plates --out history`: every result proven by its digest, control charts, the page and the
Parquet file; then the same call with one plate more, of which only that plate is read.

{chr(10).join(lines)}

{table(goals(found))}

Seconds of the first call hold whatever else the machine did meanwhile: at the end its load was
{os.getloadavg()[2]:.0f} on {os.cpu_count()} cores. CPU seconds are of the one process.

{machine()}
"""


if __name__ == "__main__":
    main()
