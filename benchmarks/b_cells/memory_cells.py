"""Shares of memory B cells measured, without calls: simulated tubes of known truth, and real recordings.

``python -m benchmarks.b_cells.memory_cells`` writes ``memory_cells.md``. Real recordings are read where they lie,
``../shared/fcs/bcells``, where they are there.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.b_cells.memory_cells_real import real_page
from benchmarks.common.places import PAGES
from cd40l_flow.assay.limits import Limits
from cd40l_flow.assay.lookup import using
from cd40l_flow.assay.memory_b import MEMORY_B
from cd40l_flow.base.model import Events, Sample, Tube
from cd40l_flow.decision.b_cells.measure import memory_measures
from cd40l_flow.decision.b_cells.measures import MemoryControl, MemoryMeasures, Share
from cd40l_flow.fcs.panel import borrowed_detectors
from cd40l_flow.fcs.reader import read_events
from cd40l_flow.gating.strategy import gate
from cd40l_flow.signal.compensation import compensate
from cd40l_flow.signal.prepare import choose_scales, prepare
from cd40l_flow.simulate.b_cells import BSample, b_fcs_name, healthy_subsets, write_b_cells
from cd40l_flow.simulate.b_cells.separation import cd27_ratio_for

OUT = PAGES / "memory_cells.md"
AGES, B_EVENTS, SEPARATIONS = (0.2, 60.0), (30, 20_000), (1.5, 4.0)
LYMPHOCYTES, LEAST_B = 6000, 0.6
TUBES = ("memory", "memory-FMO27")
LEAST_EXPECTED = 20  # switched cells above which the interval must not be too wide
INTRODUCTION = """# Memory B cells measured

Shares of B cells without calls, made by `python -m benchmarks.b_cells.memory_cells`.
{samples} simulated healthy donors (seed
{seed}) of 0.2 to 60 years, 30 to 20,000 B cells, CD27 at Ashman's D of 1.5 to 4, with an FMO of CD27 and without a
control. The truth is the donor's share, so that the error holds that of counting; "binomial" is the error of counting
alone. "below, above" count samples whose truth lies below or above the 95 % interval.
"""
NOTES = """What was read off before anything was tuned, of the NHLBI file (11,041 B cells by hand): 10,854 B cells,
naive 87.1, CD27+IgD+ 5.2, CD27+IgD- 4.3 and plasmablasts 0.7. IgD- was then defined by T cells alone, of which B cells
have more background: since then memory B cells show where IgD- B cells lie. Non-switched cells of that file have less
CD27 than switched ones (a shape fitted to them alone lies 0.8 natural logarithms lower), so their level is now free
within a standard deviation of 0.3. Constants of the intervals were chosen on simulated samples of seeds 7
and 4000.

A share where CD27 is dim (D below 2.25) has an error that the FMO does not fix: antibody that sticks to every cell is
missing there. The mean of what the FMO and the sample's own naive cells give is reported, their difference is in the
interval. Mass cytometry is read with a linear part of 0.8 decades (`linear_decades`), near asinh(x / 5).
"""
SUBSETS = ("switched", "switched_two_marker", "non_switched", "naive")


@dataclass(frozen=True)
class Measured:
    """One simulated sample: what was asked for, and what was measured of it."""

    name: str
    b_events: int
    separation: float
    true: dict[str, float]
    found: dict[str, tuple[float, float, float] | None]
    counted: int
    true_counted: int


def measured(
    folder: Path, sample: BSample, control: MemoryControl | None = None
) -> tuple[MemoryMeasures | None, list[Events]]:
    """Return what is measured of a sample that was written to a folder."""
    with using(MEMORY_B):
        known: dict[str, dict[str, str]] = {}
        read = []
        for reagent in sample.tubes:
            fcs = b_fcs_name(sample.sample, reagent)
            tube = Tube(fcs, str(folder / "fcs" / fcs), "unstimulated", reagent)
            events = compensate(read_events(tube, {}, "file", borrowed_detectors(reagent, known)))
            known[reagent] = dict(events.markers)
            read.append(events)
        limits = Limits()
        scales = choose_scales(read, limits.scale, "own tubes")
        signals = [prepare(events, scales, limits.acquisition) for events in read]
        record = Sample(sample.sample, "R1", "test", "M", tuple(events.tube for events in read))
        return memory_measures(gate(record, signals, scales, (), limits.gating), control, limits), read


def drawn(number: int, seed: int, tubes: Sequence[str] = TUBES) -> tuple[BSample, float]:
    """Return a healthy sample of any age, number of B cells and separation of CD27, and that separation."""
    rng = np.random.default_rng([seed, number])
    age, cells = (math.exp(rng.uniform(*np.log(ends))) for ends in (AGES, B_EVENTS))
    apart = rng.uniform(*SEPARATIONS)
    subsets = healthy_subsets(age, rng)
    ratio = cd27_ratio_for(apart, "CD27-BV421")
    # Where there are few B cells, the other lymphocytes are not few.
    percent = min(max(100 * cells / LYMPHOCYTES, LEAST_B), 30.0)
    sample = BSample(
        f"M{number:04d}", age_years=age, subsets=subsets, b_percent=percent, b_events=round(cells), background=0.6,
        cd27_ratio=ratio, tubes=tuple(tubes),
    )  # fmt: skip
    return sample, apart


def one(number: int, seed: int) -> Measured:
    sample, apart = drawn(number, seed)
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_b_cells(folder, seed, [sample])
        truth = (folder / "truth_b_cells.tsv").read_text().splitlines()
        row = dict(zip(truth[0].split("\t"), truth[1].split("\t"), strict=True))
        found, _ = measured(folder, sample)
    s = sample.subsets
    true = {
        "switched": 100 * s.switched,
        "switched_two_marker": 100 * (s.switched + s.igm_only),
        "non_switched": 100 * s.non_switched,
        "naive": 100 * (s.naive + s.transitional),
    }
    shares = {name: None if found is None else _ends(getattr(found, name)) for name in SUBSETS}
    return Measured(
        sample.sample,
        sample.b_events,
        apart,
        true,
        shares,
        0 if found is None else found.b_events,
        int(row["b_events"]),
    )


def _ends(share: Share | None) -> tuple[float, float, float] | None:
    if share is None or share.percent is None or share.low is None or share.high is None:
        return None
    return share.low, share.percent, share.high


def table(rows: Sequence[Measured], subset: str) -> list[str]:
    """Return the coverage and error of one subset by number of cells and separation."""
    lines = [
        f"| {subset}: B cells, D | samples | no share | covered | below, above | RMS / binomial | bias / binomial |",
        "|---|---:|---:|---:|---|---:|---:|",
    ]
    groups = [
        (f"{low} to {high}", f"{least:g} to {most:g}", [
            row for row in rows if low <= row.b_events < high and least <= row.separation < most
        ])
        for low, high in ((30, 200), (200, 2000), (2000, 20001))
        for least, most in ((1.5, 2.25), (2.25, 3.0), (3.0, 4.0))
    ]  # fmt: skip
    groups += [("all", "all", list(rows)), ("all", "3 to 4", [row for row in rows if row.separation >= 3])]
    expected = [row for row in rows if row.true[subset] * row.b_events / 100 >= LEAST_EXPECTED]
    groups.append((f"{LEAST_EXPECTED} or more of them expected", "all", expected))
    for cells, apart, some in groups:
        known = [(row, row.found[subset]) for row in some]
        shown = [(row, ends) for row, ends in known if ends is not None]
        if not shown:
            continue
        below = sum(row.true[subset] < ends[0] for row, ends in shown)
        above = sum(row.true[subset] > ends[2] for row, ends in shown)
        errors = [
            (ends[1] - row.true[subset])
            / (100 * math.sqrt(row.true[subset] / 100 * (1 - row.true[subset] / 100) / max(row.true_counted, 1)))
            for row, ends in shown
        ]
        lines.append(
            f"| {cells}, D {apart} | {len(shown)} | {len(some) - len(shown)} | "
            f"{100 * (1 - (below + above) / len(shown)):.1f} % | {below}, {above} | "
            f"{math.sqrt(np.mean(np.square(errors))):.2f} | {np.mean(errors):+.2f} |"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.b_cells.memory_cells", description=__doc__)
    parser.add_argument("--samples", type=int, default=120, help="samples to simulate (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=4001, help="seed of the simulation (default: %(default)s)")
    parser.add_argument("--cores", type=int, default=2, help="processes at a time (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=OUT, help="file to write")
    options = parser.parse_args()
    numbers = range(options.samples)
    with ProcessPoolExecutor(options.cores) as pool:
        rows = list(pool.map(one, numbers, [options.seed] * options.samples, chunksize=4))
    lines = [line for subset in SUBSETS for line in (*table(rows, subset), "")]
    shares = [row.counted / max(row.true_counted, 1) for row in rows if row.true_counted >= 200]
    lines.append(f"B cells found of those there: median {np.median(shares):.3f}, least {min(shares):.3f}.")
    words = INTRODUCTION.format(samples=options.samples, seed=options.seed)
    options.out.write_text("\n".join([words, *lines, "", *real_page(), "", NOTES]), encoding="utf-8")


if __name__ == "__main__":
    main()
