"""Read damaged FCS files and write ``benchmarks/fuzzing.md``: ``python -m benchmarks.files.fuzzing``."""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.common.places import PAGES, REAL, ROOT
from cd40l_flow import __version__

sys.path.insert(0, str(ROOT / "tests"))

from helpers.damage.fuzz_seeds import recorded_seeds, simulated_seeds, small_seeds
from helpers.damage.fuzzing import ALLOCATED, ALLOCATED_TIMES, SECONDS, Tally, run

ZOO = REAL / "zoo"
FILES = 200_000
SEED = 20_260_105
PACKAGES = ("FlowIO", "numpy")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.files.fuzzing", description=__doc__)
    parser.add_argument("--files", type=int, default=FILES, help="damaged files (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="the same seed damages alike (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=PAGES / "fuzzing.md", help="file to write")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        kinds = {"dialects": small_seeds(), "simulated": simulated_seeds(Path(folder))}
    kinds["recorded"] = recorded_seeds(ZOO) if ZOO.is_dir() else []
    tally = run([seed for seeds in kinds.values() for seed in seeds], options.files, options.seed)
    counts = {kind: len(seeds) for kind, seeds in kinds.items()}
    text = page(tally, counts, options.seed)
    options.out.write_text(text, encoding="utf-8")
    print(text)
    print("\n".join(tally.failures[:20]))


def page(tally: Tally, seeds: dict[str, int], seed: int) -> str:
    refused = "\n".join(f"| refused: `{code}` | {count:,} |" for code, count in tally.refused.most_common())
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(tally.kinds.items()))
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    start = f"{seeds['dialects']} small files of every dialect, {seeds['simulated']} simulated tubes"
    return f"""# Damaged files

Written by `python -m benchmarks.files.fuzzing --files {tally.files} --seed {seed}`. Each file begins as one of {start},
{seeds["recorded"]} public recordings, and is damaged once or twice: {kinds}.

Every file must be refused with a rule of its own, or read so that all of this holds: the events are `$TOT`, DATA is as
long as they take and lies within the file and outside TEXT at the offsets of HEADER or TEXT, all values are finite,
integers keep within their masks, and `inspect` prints the means of the values decoded detector by detector. Nothing
else may be raised; a file may take {SECONDS:g} s of processor time and allocate {ALLOCATED_TIMES} times its size and
{ALLOCATED >> 20} MB.

| what became of it | files |
|---|---:|
| read, everything holds | {tally.read:,} |
{refused}
| anything else: another exception, a check that failed, too slow, too large | **{len(tally.failures):,}** |
| all | {tally.files:,} |

Slowest file: {tally.slowest_s:.2f} s of processor time, its memory being traced. Largest allocation:
{ALLOCATED_TIMES} times the file and {tally.most_allocated:.1f} MB.

Measured with cd40l-flow {__version__}, {versions}.
"""


if __name__ == "__main__":
    main()
