"""What drawing a report costs, start-up included: ``python -m benchmarks.report`` writes ``benchmarks/report.md``."""

from __future__ import annotations

import os
import platform
import resource
import statistics
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.timing import ROOT

TARGET_SECONDS, TARGET_BYTES = 1.2, 500_000
REPEATS = 9
SAMPLE, CONTROL = "P05", "C01"
# Code that a new process runs, and what it stands for.
PARTS = {
    "Python alone": "pass",
    "with the command line": "import cd40l_flow.cli.main",
    "with numpy": "import cd40l_flow.cli.main, numpy",
    "with Jinja2 and the texts": "import jinja2; from cd40l_flow.assay.texts import load_texts; load_texts()",
    "with matplotlib's renderer (not used)": "from matplotlib.backends import backend_agg",
    "with matplotlib's pyplot (not used)": "import matplotlib.pyplot",
}


def cpu_seconds(command: list[str], directory: Path) -> float:
    """Return user and system time of a new process; the median of several."""
    found = []
    for _ in range(REPEATS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, cwd=directory, env=_environment(), check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return statistics.median(found)


def _environment() -> dict[str, str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def main() -> None:
    """Measure and write the page."""
    with TemporaryDirectory() as folder:
        directory = Path(folder)
        (directory / "config").symlink_to(ROOT / "test_data" / "config")
        (directory / "fcs").symlink_to(ROOT / "test_data" / "fcs")
        tool = [sys.executable, "-m", "cd40l_flow.cli.main"]
        subprocess.run([*tool, "run", "--sample", SAMPLE], cwd=directory, env=_environment(), check=True)
        results = directory / "results" / "samples"
        paths = ["--result", f"{results}/{SAMPLE}/result.json", "--controls", f"{results}/{CONTROL}/result.json"]
        report = results / SAMPLE / "report.html"
        total = cpu_seconds([*tool, "report", *paths, "--out", str(report)], directory)
        size = report.stat().st_size
        parts = {name: cpu_seconds([sys.executable, "-c", code], directory) for name, code in PARTS.items()}
    text = page(total, size, parts)
    (ROOT / "benchmarks" / "report.md").write_text(text, encoding="utf-8")
    print(text)


def page(total: float, size: int, parts: dict[str, float]) -> str:
    """Return the page of the results."""
    time_word = "met" if total <= TARGET_SECONDS else "**missed**"
    size_word = "met" if size <= TARGET_BYTES else "**missed**"
    rows = "\n".join(f"| {name} | {seconds:.2f} |" for name, seconds in parts.items())
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "Jinja2"))
    return f"""# Cost of a report

Written by `python -m benchmarks.report`: one report of the demo cohort (five tubes of the patient, five of the control,
70 gating panels, six histograms), user and system time of the whole process, median of {REPEATS}. {packages},
Python {platform.python_version()}, {platform.machine()}.

| | measured | target | |
|---|---|---|---|
| processor time, start-up included | {total:.2f} s | {TARGET_SECONDS} s | {time_word} |
| size of the file | {size:,} bytes | {TARGET_BYTES:,} bytes | {size_word} |

## Where start-up goes

| a new process | s |
|---|---|
{rows}

## What was tried

- Figures with matplotlib's axes: about 10 ms for each pair of axes with its ticks, 0.8 s for a report.
- matplotlib's renderer alone on one canvas a tube, words as text of the page: 0.96 s and 535 kB. Its import is a third
  of a second.
- Lines as SVG paths of our own, one pixel a bin and four bits a pixel for the crowds of events: less than half the
  time, 408 kB, and lines that stay sharp on paper.
- Six shades a panel in place of ten: 5 % fewer bytes of the whole report, no difference to the eye.
- Words of an axis without repeated attributes, at whole pixels: 20 kB less.
"""


if __name__ == "__main__":
    main()
