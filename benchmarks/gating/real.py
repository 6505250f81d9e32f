"""Gated cells of real recordings compared with the gates drawn by hand."""

from __future__ import annotations

import contextlib
import csv
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.common.places import CONFIGURATIONS, REAL
from benchmarks.gating.samples import Known, doubts, gated
from cd40l_flow.assay.cd40l.gates import ACTIVATED, CD8_NEGATIVE
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.gating.model import GatedTube
from cd40l_flow.inputs import read_sample

MANUAL = "manual_gates.tsv"
# CD3+CD8- cells of a recording gated by hand, where there is no table with it.
BY_HAND = {"donor1.fcs": (4600.0, 4900.0)}


@dataclass(frozen=True)
class RealTube:
    """One recorded tube: its counts, and what was found by hand (None: nothing was)."""

    folder: str
    sample: str
    fcs: str
    events: int
    counts: dict[str, int]
    by_hand: tuple[float, float] | None
    percent_by_hand: float | None
    flags: tuple[str, ...]


def real_samples(name: str) -> list[Known]:
    """Return the samples of one folder of recordings that there is a configuration for; none where it is missing."""
    if not (REAL / name).exists() or not (CONFIGURATIONS / name).exists():
        return []
    with TemporaryDirectory() as folder, contextlib.chdir(folder):
        shutil.copytree(CONFIGURATIONS / name / "config", "config")
        Path("fcs").symlink_to(REAL / name)
        plan = load_plan("config/config.yaml")
        found = []
        for sample in plan.samples:
            job = plan.job(sample)
            read = read_sample(job.sample, job.settings)
            found.append(Known(job, read.events, {}, {}, {}, tuple(one.code for one in read.refusals)))
        return found


def names() -> list[str]:
    """Return the folders of recordings that there is a configuration for."""
    return sorted(path.name for path in CONFIGURATIONS.iterdir() if (REAL / path.name).exists())


def measure(name: str) -> list[RealTube]:
    """Gate the samples of one folder of recordings."""
    manual = {}
    if (REAL / name / MANUAL).exists():
        with (REAL / name / MANUAL).open(encoding="utf-8") as sheet:
            manual = {row["file"]: row for row in csv.DictReader(sheet, delimiter="\t")}
    tubes = []
    for known in real_samples(name):
        sample = gated(known)
        for tube in sample.tubes:
            fcs = tube.signal.events.tube.fcs
            row = manual.get(fcs)
            by_hand = BY_HAND.get(fcs)
            if row is not None:
                by_hand = (float(row["T"]) - float(row["CD8_T"]),) * 2
            tubes.append(
                RealTube(
                    folder=name,
                    sample=known.job.sample.sample,
                    fcs=fcs,
                    events=tube.signal.events.values.shape[0],
                    counts=_counts(tube),
                    by_hand=by_hand,
                    percent_by_hand=float(row["percent_CD69_of_CD4_T"]) if row else None,
                    flags=tuple(doubts(sample)),
                )
            )
    return tubes


def _counts(tube: GatedTube) -> dict[str, int]:
    return {population.population: population.count for population in tube.populations}


def section(found: Sequence[RealTube]) -> str:
    """Return the part of the page on these tubes."""
    if not found:
        return "## Real recordings\n\nThe recordings were not there.\n"
    rows = []
    for one in found:
        cells, positive = one.counts.get(CD8_NEGATIVE), one.counts.get(ACTIVATED)
        difference, hand = "", ""
        if one.by_hand and cells is not None:
            low, high = one.by_hand
            hand = f"{low:,.0f}" if low == high else f"{low:,.0f} to {high:,.0f}"
            near = min(max(float(cells), low), high)
            difference = f"{100 * (cells / near - 1):+.1f} %"
        percent = f"{100 * positive / cells:.1f} %" if cells and positive is not None else ""
        manual = f"{one.percent_by_hand:.1f} %" if one.percent_by_hand is not None else ""
        rows.append(
            f"| {one.folder} | {one.fcs} | {one.events:,} | {'' if cells is None else f'{cells:,}'} | {hand} "
            f"| {difference} | {percent} | {manual} | {'; '.join(one.flags) or 'none'} |"
        )
    return f"""## Real recordings

CD3+CD8- cells, and CD69+ of them, compared with the gates drawn by hand: `activation` T cells less CD8 T cells, and
CD69+ of CD4 T cells (which are not the same cells: CD3+CD8- holds the CD4-CD8- ones too); `omip021` CD3+CD8- cells.

| recordings | file | events | CD3+CD8- | by hand | difference | CD69+ | by hand, of CD4 T | flags |
|---|---|---|---|---|---|---|---|---|
{chr(10).join(rows)}
"""
