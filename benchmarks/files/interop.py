"""Our gates in other programs' files, read back by FlowKit; ``python -m benchmarks.files.interop`` writes the page."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.common.places import CONFIGURATIONS, PAGES, REAL, ROOT
from cd40l_flow.assay.lookup import assay_named, using
from cd40l_flow.cli.main import main as command
from cd40l_flow.cohort.job import planned, write_job
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.interop.export import export_gates
from cd40l_flow.interop.readback import Row
from cd40l_flow.result.record import read_record
from cd40l_flow.simulate import DIALECTS, INSTRUMENTS, Fault, Scenario, write_cohort

SEED = 20260101
FILES = ("gates.gatingml.xml", "gates.wsp", "readback.tsv")


def dialect_cohort() -> list[Scenario]:
    """Return a control and a carrier for each instrument; the carrier's CD154 tube was clogged for a while."""
    return [
        scenario
        for name in INSTRUMENTS
        for scenario in (
            Scenario(f"{name}-C", run=name, role="control", sex="F", instrument=name),
            Scenario(f"{name}-P", run=name, sex="F", negative_fraction=0.5, instrument=name, faults=(Fault("clog"),)),
        )
    ]


def exported(directory: Path) -> Iterator[tuple[str, list[Row]]]:
    """Yield each sample of a working directory with the comparison of its exported gates."""
    os.chdir(directory)
    plan = load_plan("config/config.yaml")
    for name in sorted(plan.samples, key=lambda one: plan.samples[one].role):
        folder = Path("results/samples") / name
        job = plan.job(name)
        controls = [str(folder.parent / other / "result.json") for other in sorted(job.controls)]
        controls = controls if job.sample.role == "test" else []
        arguments = ["--result", str(folder / "result.json"), "--densities", str(folder / "densities.npz")]
        command(["analyse", "--job", str(write_job(planned(job))), "--controls", *controls, *arguments])
        result = read_record(folder / "result.json")
        with using(assay_named(result.assay)):
            rows = export_gates(result, job, *(folder / file for file in FILES))
        yield name, rows


def table(found: Sequence[tuple[str, str, list[Row]]]) -> str:
    """Return a line for each sample."""
    lines = [
        "| cohort | sample | tubes | gates | compared with the result | events in them | largest difference "
        "| events that differ | cut in time | events decoded by |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for cohort, name, rows in found:
        counted = [row for row in rows if row.result is not None]
        largest = max(abs(each - row.own) for row in rows for each in (row.gatingml, row.wsp, row.result or row.own))
        pieces = sum(row.gate.startswith("time_kept_") for row in rows)
        sources = ", ".join(sorted({row.source for row in rows}))
        lines.append(
            f"| {cohort} | {name} | {len({row.tube for row in rows})} | {len(rows)} | {len(counted)} "
            f"| {sum(row.own for row in rows):,} | {largest} | {sum(row.differing for row in rows)} "
            f"| {f'{pieces} pieces kept' if pieces else ''} | {sources} |"
        )
    return "\n".join(lines)


def detail(rows: Sequence[Row], tube: str) -> str:
    """Return a line for each gate of one tube."""
    lines = [
        "| gate | result.json | our reading | Gating-ML | workspace | events that differ |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        if row.tube == tube:
            result = "" if row.result is None else f"{row.result:,}"
            lines.append(f"| {row.gate} | {result} | {row.own:,} | {row.gatingml:,} | {row.wsp:,} | {row.differing} |")
    return "\n".join(lines)


def main() -> None:
    """Simulate, analyse, export, read back, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events-scale", type=float, default=5.0, help="events of the dialects' tubes, times")
    parser.add_argument("--out", type=Path, default=PAGES / "interop.md")
    options = parser.parse_args()
    out, here = options.out.resolve(), Path.cwd()
    found: list[tuple[str, str, list[Row]]] = []
    with TemporaryDirectory() as folder:
        demo, dialects = Path(folder) / "demo", Path(folder) / "dialects"
        demo.mkdir()
        shutil.copytree(ROOT / "test_data" / "config", demo / "config")
        (demo / "fcs").symlink_to(ROOT / "test_data" / "fcs")
        found += [("test_data", name, rows) for name, rows in exported(demo)]
        write_cohort(dialects, SEED, cohort=dialect_cohort(), events_scale=options.events_scale)
        for name, rows in exported(dialects):
            instrument = name.rpartition("-")[0]
            found.append((f"{instrument} ({DIALECTS[instrument].cytometer})", name, rows))
        for name in ("activation", "whole_blood"):
            if (REAL / name).is_dir():
                real = Path(folder) / name
                shutil.copytree(CONFIGURATIONS / name / "config", real / "config")
                (real / "fcs").symlink_to(REAL / name)
                found += [(f"real, {name}", sample, rows) for sample, rows in exported(real)]
        os.chdir(here)
    out.write_text(page(found, options.events_scale), encoding="utf-8")


def page(found: Sequence[tuple[str, str, list[Row]]], events_scale: float) -> str:
    """Return the page as Markdown."""
    rows = [row for _, _, each in found for row in each]
    clogged = next((name, each) for _, name, each in found if any(row.gate.startswith("time_kept") for row in each))
    tube = next(row.tube for row in clogged[1] if row.gate.startswith("time_kept"))
    return f"""# Gates in the files of other programs

Written by `python -m benchmarks.files.interop --events-scale {events_scale:g}`. Every sample is analysed, its gates are
exported as Gating-ML 2.0 and as a FlowJo workspace, and FlowKit {version("FlowKit")} reads both files from disk and
applies them, with its own compensation and its own logicle, to the same events. `result.json` counts the populations;
the gates of the range, of pieces of time and of the reagents' thresholds are compared with our own plain reading of the
gates. *Events that differ* are single events that Gating-ML puts on another side of any gate than our reading of it.
The control and the carrier of each instrument were simulated with seed {SEED}; the carrier's stimulated CD154 tube was
clogged for a while. The real recordings, where they are, are those of the tests.

**{len(rows):,} gates of {len(found)} samples: {sum(not row.agrees for row in rows)} disagree.**

{table(found)}

Events are decoded by FlowKit from the file itself wherever it reads the same values as we do; else FlowKit is given
ours (*decoded values*), and what is checked is compensation, scale and gates, not the reading of the file.

A tube with a stretch cut out, {tube} of {clogged[0]}:

{detail(clogged[1], tube)}

The singlet band is exact in Gating-ML (a ratio); a workspace has no ratios and has the same wedge as a polygon in
FSC-A x FSC-H. FlowKit computes polygons exactly; FlowJo bins them to 256 x 256, so that events within one bin of an
edge may fall on the other side there. Whether FlowJo itself opens the workspace could not be tried here.
"""


if __name__ == "__main__":
    main()
