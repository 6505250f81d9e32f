"""Compare FCS readers on public files and write ``benchmarks/reading.md``: ``python -m benchmarks.files.reading``.

fcsparser and FlowCal need NumPy 1, this package NumPy 2: they are installed into ``build/peers``, a virtual environment
of their own, when it is not there.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
import time
import venv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.common.places import PAGES, REAL, ROOT
from cd40l_flow import __version__

PEERS = ROOT / "build" / "peers"
READERS = ("cd40l-flow", "FlowIO", "FlowIO, relaxed", "FlowKit", "fcsparser", "FlowCal")
OLD_NUMPY = ("fcsparser", "FlowCal")
EVENTS, DETECTORS = 5_000_000, 14
TOLERANCE = 1e-6
OVERLAP = "SEGMENTS_OVERLAP"


@dataclass(frozen=True)
class Answers:
    """What one reader returned for the files: ``verdicts`` is right, wrong, or the name of its error."""

    version: str
    numpy: str
    verdicts: tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """One process: the JSON it printed, and seconds of wall time."""

    lines: list[dict[str, object]]
    seconds: float

    @property
    def peak_mb(self) -> float:
        """Peak memory, as the process itself reported it last."""
        return float(str(self.lines[-1].get("peak_mb", "nan")))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.files.reading", description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS, help="events of the large file (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=PAGES / "reading.md", help="file to write")
    options = parser.parse_args()
    write(options.events, options.out)


def write(events: int = EVENTS, out: Path = PAGES / "reading.md") -> None:
    """Measure everything, write the page and print it."""
    with (REAL / "zoo.tsv").open(encoding="utf-8") as sheet:
        rows = list(csv.DictReader(sheet, delimiter="\t"))
    answers = {reader: ask(reader, rows) for reader in READERS}
    with TemporaryDirectory() as folder:
        large, integers = Path(folder) / "large.fcs", Path(folder) / "integers.fcs"
        write_large(large, events, "F")
        write_large(integers, events // 10, "I")
        speed = speed_tables(large, integers)
    text = page(rows, answers, speed, events)
    out.write_text(text, encoding="utf-8")
    print(text)


def interpreter(reader: str) -> str:
    """Return the Python that has a reader; those that need an older NumPy are installed aside, once."""
    if reader not in OLD_NUMPY:
        return sys.executable
    python = PEERS / "bin" / "python"
    if not python.exists():
        venv.create(PEERS, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *OLD_NUMPY], check=True)
    return str(python)


def process(command: Sequence[str]) -> Run:
    """Run a command to its end."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    start = time.perf_counter()
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return Run(lines, time.perf_counter() - start)


def reader_command(reader: str, task: str, *paths: Path) -> list[str]:
    return [interpreter(reader), str(Path(__file__).with_name("readers.py")), reader, task, *map(str, paths)]


def ask(reader: str, rows: Sequence[dict[str, str]]) -> Answers:
    found = process(reader_command(reader, "means", *(REAL / "zoo" / row["file"] for row in rows)))
    versions, *verdicts = found.lines
    assert len(verdicts) == len(rows), f"{reader} answered for {len(verdicts)} of {len(rows)} files"
    judged = tuple(judge(answer, row) for answer, row in zip(verdicts, rows, strict=True))
    return Answers(str(versions["version"]), str(versions["numpy"]), judged)


def judge(answer: dict[str, object], row: dict[str, str]) -> str:
    """Return how an answer compares with what the independent decoder read from the file."""
    if "error" in answer:
        return str(answer["error"])
    if not row["events"]:
        return "wrong: no events in it"
    truth = [float(mean) for mean in row["col_means"].split(";")]
    means = answer["means"]
    assert isinstance(means, list)
    if answer["events"] != int(row["events"]):
        return f"wrong: {answer['events']} of {row['events']} events"
    same = len(means) == len(truth) and np.allclose(means, truth, rtol=TOLERANCE, atol=0)
    return "right" if same else "wrong: values"


def write_large(path: Path, events: int, datatype: str) -> None:
    """Write a file of 14 detectors: single precision, or 10-bit integers in 16 bits."""
    names = ["FSC-A", "SSC-A", *(f"D{n}-A" for n in range(3, DETECTORS)), "Time"]
    kind, limit, bits = ("<f4", "262144", "32") if datatype == "F" else ("<u2", "1024", "16")
    size = events * DETECTORS * int(bits) // 8

    def text(begin: int) -> bytes:
        keywords = {"$BEGINDATA": f"{begin:>20}", "$ENDDATA": f"{begin + size - 1:>20}", "$BYTEORD": "1,2,3,4"}
        keywords |= {"$DATATYPE": datatype, "$MODE": "L", "$NEXTDATA": "0", "$PAR": "14", "$TOT": str(events)}
        keywords |= {"$BEGINANALYSIS": "0", "$ENDANALYSIS": "0", "$BEGINSTEXT": "0", "$ENDSTEXT": "0"}
        for n, name in enumerate(names, start=1):
            keywords |= {f"$P{n}N": name, f"$P{n}B": bits, f"$P{n}E": "0,0", f"$P{n}R": limit}
        return ("|" + "".join(f"{key}|{value}|" for key, value in keywords.items())).encode()

    begin = 58 + len(text(0))
    data = (begin, begin + size - 1) if begin + size < 100_000_000 else (0, 0)
    header = "FCS3.1    " + "".join(f"{offset:>8}" for offset in (58, begin - 1, *data, 0, 0))
    source = np.random.default_rng(5)
    with path.open("wb") as handle:
        handle.write(header.encode() + text(begin))
        for at in range(0, events, 100_000):
            block = source.gamma(2.0, 150.0, (min(100_000, events - at), DETECTORS))
            handle.write(np.minimum(block, 1023).astype(kind).tobytes())


def speed_tables(large: Path, integers: Path) -> dict[str, str]:
    beside = process(reader_command("cd40l-flow", "beside", large)).lines[1]
    seconds = {name: float(str(value)) for name, value in beside.items()}
    base = seconds["plain"]
    named = {
        "plain": "`numpy.fromfile`, finite check, mean",
        "scan": "cd40l-flow, as `inspect`: every value read and checked, means and extremes of all detectors",
        "needed": "cd40l-flow, 7 needed detectors as double precision, checked",
        "all": "cd40l-flow, all 14 detectors as double precision, checked",
    }
    rows = [f"| {text} | {seconds[name]:.2f} | {seconds[name] / base:.2f} |" for name, text in named.items()]
    inspected = process(reader_command("cd40l-flow", "inspect", large))
    size = large.stat().st_size / (1 << 20)
    limit = 1.3 * size + 80
    memory = [f"| `cd40l-flow inspect` | {inspected.seconds:.1f} | {inspected.peak_mb:.0f} |"]
    small: list[str] = []
    for reader in READERS:
        if reader == "FlowIO, relaxed":
            continue
        for path, table in ((large, memory), (integers, small)):
            found = process(reader_command(reader, "time", path))
            took = f"{float(str(found.lines[1][reader])):.2f}" if len(found.lines) > 1 else "fails"
            table.append(f"| {reader} | {took} | {found.peak_mb:.0f} |")
    return {
        "beside": "\n".join(rows),
        "memory": "\n".join(memory),
        "integers": "\n".join(small),
        "limit": f"{inspected.peak_mb:.0f} MB of at most {limit:.0f} MB (1.3 times the file of {size:.0f} MB, and 80)",
    }


def page(rows: Sequence[dict[str, str]], answers: dict[str, Answers], speed: dict[str, str], events: int) -> str:
    refused = [
        f"| `{row['file']}` | {row['events'] or 'none'} | `{verdict}` |"
        for row, verdict in zip(rows, answers["cd40l-flow"].verdicts, strict=True)
        if verdict != "right"
    ]
    return f"""# Reading FCS files

Written by `python -m benchmarks.files.reading`.
The files are {len(rows)} public ones of 17 sources; what each holds was read
from it by an independent decoder. *Right* is the exact number of events and the mean of every channel's stored values
within {TOLERANCE:g}, relative; *wrong* another number given without an error; *refused* any error.

{summary_table(rows, answers)}

What cd40l-flow refuses, with the rule it names:

| file | events in it | rule |
|---|---:|---|
{chr(10).join(refused)}

Files that a reader gets wrong:

{wrong_table(rows, answers)}

The errors of the readers: {errors(answers)}.

## Speed and memory

A file of {events:,} events x {DETECTORS} detectors, single precision. In one process, taking turns, best of 5:

| what | seconds | times the first |
|---|---:|---:|
{speed["beside"]}

Each alone in its process, reading the file once; seconds without imports, but for `inspect`, whose seconds are those of
the whole command:

| reader | seconds | peak MB |
|---|---:|---:|
{speed["memory"]}

Peak memory of `inspect`: {speed["limit"]}.

A file of {events // 10:,} events x {DETECTORS} detectors, 10-bit integers in 16 bits:

| reader | seconds | peak MB |
|---|---:|---:|
{speed["integers"]}

Measured with cd40l-flow {__version__} on Python {platform.python_version()}, {platform.machine()}; times vary from
machine to machine.
"""


def summary_table(rows: Sequence[dict[str, str]], answers: dict[str, Answers]) -> str:
    lines = ["| reader | version | NumPy | right | refused | wrong |", "|---|---|---|---:|---:|---:|"]
    for reader, answer in answers.items():
        right = sum(verdict == "right" for verdict in answer.verdicts)
        wrong = sum(verdict.startswith("wrong") for verdict in answer.verdicts)
        counts = f"{right} | {len(rows) - right - wrong} | {wrong}"
        lines.append(f"| {reader} | {answer.version} | {answer.numpy} | {counts} |")
    return "\n".join(lines)


def wrong_table(rows: Sequence[dict[str, str]], answers: dict[str, Answers]) -> str:
    lines = ["| file | reader | what |", "|---|---|---|"]
    for at, row in enumerate(rows):
        for reader, answer in answers.items():
            if answer.verdicts[at].startswith("wrong"):
                what = answer.verdicts[at].removeprefix("wrong: ")
                # The decoder, too, had to choose where such a file contradicts itself.
                what += " (HEADER places DATA inside TEXT)" if answers["cd40l-flow"].verdicts[at] == OVERLAP else ""
                lines.append(f"| `{row['file']}` | {reader} | {what} |")
    return "\n".join(lines)


def errors(answers: dict[str, Answers]) -> str:
    others = []
    for reader, answer in answers.items():
        counted = Counter(
            verdict for verdict in answer.verdicts if verdict != "right" and not verdict.startswith("wrong")
        )
        listed = ", ".join(f"`{name}` {count}" for name, count in counted.most_common()) or "none"
        others.append(f"{reader}: {listed}")
    return "; ".join(others)


if __name__ == "__main__":
    main()
