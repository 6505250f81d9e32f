"""Damage results, references, reviews, configurations and workspaces, and write ``benchmarks/faults.md``.

``python -m benchmarks.files.faults``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.common.places import PAGES, ROOT

sys.path.insert(0, str(ROOT / "tests"))

from helpers.damage.damaged_records import KINDS, Bench, Tally

FILES, SEED = 2000, 20_260_105
WHAT = {
    "results": "`result.json`, as its one reader takes it",
    "sealed results": "`result.json`, its digest made anew, through report, summary, index, MultiQC, export, override",
    "densities": "`densities.npz`, next to its result",
    "references": "`reference.json`; two of five with a digest made anew",
    "reviews": "reviews",
    "configurations": "`config.yaml`",
    "workspaces": "workspaces and Gating-ML files, as `override` takes them",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.files.faults", description=__doc__)
    parser.add_argument("--files", type=int, default=FILES, help="damaged files of each kind (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="the same seed damages alike (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=PAGES / "faults.md", help="file to write")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        tallies = {kind: bench.run(kind, options.files, options.seed) for kind in KINDS}
    text = page(tallies, options.files, options.seed)
    options.out.write_text(text, encoding="utf-8")
    print(text)
    for tally in tallies.values():
        print("\n".join([*tally.tracebacks[:20], *tally.accepted[:20]]))


def page(tallies: Mapping[str, Tally], files: int, seed: int) -> str:
    rows = "\n".join(
        f"| {WHAT[kind]} | {tally.files:,} | {tally.refused:,} | {tally.same:,} | {tally.other:,} "
        f"| {len(tally.accepted)} | {len(tally.tracebacks)} |"
        for kind, tally in tallies.items()
    )
    return f"""# Damaged files of steps and people

Written by `python -m benchmarks.files.faults --files {files} --seed {seed}`.
A control and a mosaic of the demo cohort are
analysed; then one file at a time is damaged and read. Values are changed, taken away, added and exchanged at any
depth; numbers become NaN, infinite or endless, keys are given twice; files are cut, overwritten, put together from two,
emptied, nested without end or exchanged for another sample's.

| what was damaged | files | refused in words | the same as before | another valid one | believed | tracebacks |
|---|---:|---:|---:|---:|---:|---:|
{rows}

Believed would be a file that states something else than was written and is accepted. Another valid one is what people
may write: another review, another cut-off, another gate. A result or a reference is such only where its digest was
made anew as well, by somebody who meant to: a digest reveals accident and editing, it is no signature. Even then
values outside of the schema, and such as contradict each other, are refused.
"""


if __name__ == "__main__":
    main()
