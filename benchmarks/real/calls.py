"""Real target signals through the whole pipeline: ``python -m benchmarks.real.calls`` writes ``real_calls.md``.

The files are simulated but for the target: every event's value is a real cell's, of the stain where the event's cell
expresses, of the background where it does not. So which cells express is known, and what their signal looks like is not
of our making. Sheets, reader, gates, fits, guards and calls are those of the workflow.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import flowio
import numpy as np

from benchmarks.common.places import PAGES
from benchmarks.families.donors import LEVEL_SD, SPREAD_SD, Donors, donor
from benchmarks.real.cells import MAKERS, Blood, stains
from cd40l_flow.analyse import analyse
from cd40l_flow.base.model import Floats
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.simulate import Scenario, healthy_control, write_cohort

# Values of this instrument are compensated before they are written: another signal spills nowhere.
INSTRUMENT, TOP = "aurora", 4_194_304.0
TARGET_DETECTOR = "PE-A"
STAINED = ("cd154", "cd40ig")
BINDING_LEVEL = 0.6  # CD40-Ig is the dimmer stain


@dataclass(frozen=True)
class Kind:
    """A kind of sample: negative fraction and level of the expressing cells of a usual donor, and the right call."""

    name: str
    negative: float
    level: float
    call: str


KINDS = (
    Kind("healthy", 0.10, 1.0, "NORMAL"),
    Kind("carrier, half", 0.55, 1.0, "MOSAIC"),
    Kind("carrier, 65 % positive", 0.35, 1.0, "MOSAIC"),
    Kind("absent", 0.99, 0.05, "ABSENT"),
    Kind("reduced to a quarter", 0.10, 0.25, "REDUCED"),
)


@dataclass(frozen=True)
class Judged:
    """One sample: its stain, its kind, its call and why."""

    stain: str
    kind: Kind
    seed: int
    call: str
    reasons: tuple[str, ...]

    @property
    def wrong(self) -> bool:
        """Whether a call was made that is not the right one."""
        return self.call not in ("INDETERMINATE", self.kind.call)


def judge(seed: int, stain: str, number: int) -> list[Judged]:
    """Make one run, a control and a sample of each kind, and judge its calls."""
    random = np.random.default_rng((seed, list(MAKERS).index(stain), number))
    people = [("C01", 1.0), *((f"S{place}", kind.level) for place, kind in enumerate(KINDS, start=1))]
    blood = Blood.of(stains()[stain], random, halves=False)
    with TemporaryDirectory() as folder, contextlib.chdir(folder):
        write_cohort(Path(), int(random.integers(2**31)), cohort=scenarios(random), per_event=True)
        for sample, level in people:
            own = level * math.exp(random.normal(0.0, LEVEL_SD)), math.exp(random.normal(0.0, SPREAD_SD))
            for path in sorted(Path("fcs").glob(f"{sample}_*.fcs")):
                put_real_cells(path, blood, random, *own)
        plan = load_plan("config/config.yaml")
        control, _ = analyse(plan.job("C01"), {})
        results = [analyse(plan.job(sample), {"C01": control})[0] for sample, _ in people[1:]]
    return [
        Judged(stain, kind, number, result.call, tuple(result.reasons))
        for kind, result in zip(KINDS, results, strict=True)
    ]


def scenarios(random: np.random.Generator) -> list[Scenario]:
    """Return the control and the samples of a run, on one instrument, of donors that differ as people do."""
    usual = [replace(healthy_control(), sample="C01")]
    usual += [
        replace(healthy_control(), sample=f"S{place}", role="test", negative_fraction=kind.negative)
        for place, kind in enumerate(KINDS, start=1)
    ]
    return [replace(donor(one, random, Donors()), instrument=INSTRUMENT) for one in usual]


def put_real_cells(path: Path, blood: Blood, random: np.random.Generator, level: float, spread: float) -> None:
    """Replace the target's values of a file by those of real cells."""
    data = flowio.FlowData(str(path))
    column = data.pnn_labels.index(TARGET_DETECTOR)
    count = data.event_count * data.channel_count
    content = bytearray(path.read_bytes())
    order = "<" if data.text["byteord"].startswith("1") else ">"
    values = np.frombuffer(content, f"{order}f4", count=count, offset=int(data.header["data_start"]))
    values = values.reshape(data.event_count, data.channel_count)
    reagent = next((name for name in STAINED if path.stem.endswith(name)), None)
    expressing = np.load(f"truth/{path.name}.npz")["expressing"].copy()
    if reagent is None:
        expressing[:] = False
    values[:, column] = drawn(blood, random, expressing, level * (BINDING_LEVEL if reagent == "cd40ig" else 1), spread)
    path.write_bytes(content)


def drawn(blood: Blood, random: np.random.Generator, expressing: np.ndarray, level: float, spread: float) -> Floats:
    """Return a real cell's value for each event, (events,), in channel values of the instrument."""
    values = blood.tube(random, expressing.size).copy()
    values[expressing] = blood.sample(random, int(expressing.sum()), 0.0, level=level, spread=spread)
    return values * (TOP / blood.stain.scale.t)


def page(found: Sequence[Judged], command: str) -> str:
    """Return the page."""
    rows = []
    for stain in MAKERS:
        for kind in KINDS:
            some = [one for one in found if one.stain == stain and one.kind == kind]
            open_ = Counter(reason for one in some if one.call == "INDETERMINATE" for reason in one.reasons)
            why = ", ".join(f"{code} {count}" for code, count in open_.most_common(3))
            right = sum(one.call == kind.call for one in some)
            rows.append(
                f"| {stains()[stain].name} | {kind.name} | {len(some)} | {right} | "
                f"{sum(one.call == 'INDETERMINATE' for one in some)} | {sum(one.wrong for one in some)} | {why} |"
            )
    wrong = [one for one in found if one.wrong]
    shown = "\n".join(f"- {one.stain}, run {one.seed}, {one.kind.name}: {one.call}" for one in wrong)
    return f"""# Real target signals through the whole pipeline

Written by `{command}`. {len(found)} samples in runs of
a control and {len(KINDS)} samples. The files are simulated ({INSTRUMENT}) but for the target: each event has the value
of a real cell, of the stain or of its background (`benchmarks/real/cells.py`), so that it is known which express.
People differ: ln level SD {LEVEL_SD}, ln spread SD {SPREAD_SD}, negative fraction SD {Donors().negative_sd}; CD40-Ig
has cells of the same stain, {BINDING_LEVEL} times as bright. Limits are the default ones. **Wrong** is any call but the
right one: {len(wrong)} of {len(found)}.

| stain | sample | samples | right | INDETERMINATE | wrong | most frequent reasons |
|---|---|---:|---:|---:|---:|---|
{chr(10).join(rows)}

## Wrong calls

{shown or "None."}
"""


def main() -> None:
    """Make, judge and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real.calls", description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="of each stain (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="(default: %(default)s)")
    parser.add_argument("--cores", type=int, default=2, help="processes at a time (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=PAGES / "real_calls.md", help="file to write")
    options = parser.parse_args()
    found: list[Judged] = []
    with ProcessPoolExecutor(options.cores) as pool:
        for stain in MAKERS:
            for run in pool.map(partial(judge, options.seed, stain), range(options.runs)):
                found += run
    text = page(found, " ".join(["python -m benchmarks.real.calls", *sys.argv[1:]]))
    options.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
