"""Real recordings of B cells measured, compared with gates drawn by hand and automatic ones of other programs."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from benchmarks.common.places import REAL
from cd40l_flow.assay.limits import Limits
from cd40l_flow.assay.lookup import using
from cd40l_flow.assay.memory_b import MEMORY_B
from cd40l_flow.base.model import Sample, Tube
from cd40l_flow.decision.b_cells.measure import memory_measures
from cd40l_flow.decision.b_cells.measures import MemoryMeasures, Share
from cd40l_flow.fcs.reader import read_events
from cd40l_flow.gating.model import GatedSample
from cd40l_flow.gating.strategy import gate
from cd40l_flow.signal.compensation import compensate
from cd40l_flow.signal.prepare import choose_scales, prepare

FOLDER = REAL / "bcells"
NHLBI = "lyoplate_bcell_nhlbi_12828_1.fcs"
# Ions of mass cytometry are counted: zero is everywhere, and the linear part reaches to five counts as in asinh(x / 5).
LINEAR_DECADES = 0.8
NOT_CYTOMETRY: Mapping[str, object] = {"scatter": "none"}


@dataclass(frozen=True)
class Recording:
    """A real file, the panel it is read with, and what others report for it."""

    file: str
    panel: Mapping[str, object]
    known: str
    spillover: str = "file"


def _transformed(**detectors: str) -> dict[str, object]:
    return {marker: {"detector": name, "range": 4.5} for marker, name in detectors.items()}


RECORDINGS = (
    Recording(
        NHLBI,
        {"viability": {"detector": "B515-A"}},
        "by hand 11,041 B cells: naive 81.2, IgD+CD27+ 5.06, IgD-CD27+ 6.19 (plasmablasts in it)",
    ),
    Recording(
        "lyoplate_bcell_baylor.fcs",
        _transformed(CD3="V450-A", CD19="PerCP-Cy5-5-A", CD27="PE-Cy7-A", IgD="V500-A", CD38="APC-A", CD24="PE-A"),
        "IgD is not resolved: no share may be reported",
        "none",
    ),
    Recording(
        "flowai_bcells1.fcs",
        {"IgD": {"detector": "Pacific Blue-A"}},
        "no CD3, no IgD (IgM in its place): by hand naive 49-58, CD27+IgM+ 12, CD27+IgM- 14-22",
    ),
    Recording(
        "metacyto_SDY420_11059_cells_found.573523.fcs", NOT_CYTOMETRY, "98 B cells: naive 41, switched 26", "none"
    ),
    Recording(
        "metacyto_SDY420_11462_cells_found.573690.fcs", NOT_CYTOMETRY, "81 B cells: naive 58, switched 25", "none"
    ),
    Recording(
        "metacyto_SDY420_11445_cells_found.573686.fcs", NOT_CYTOMETRY, "40 B cells: naive 75, switched 13", "none"
    ),
)


def measured(recording: Recording, folder: Path = FOLDER) -> tuple[MemoryMeasures | None, GatedSample]:
    """Return what is measured of a real file, and its gates."""
    with using(MEMORY_B):
        limits = Limits()
        if recording.panel is NOT_CYTOMETRY:
            limits = replace(limits, scale=replace(limits.scale, linear_decades=LINEAR_DECADES))
        tube = Tube(recording.file, str(folder / recording.file), "unstimulated", "memory")
        events = compensate(read_events(tube, recording.panel, recording.spillover))
        scales = choose_scales([events], limits.scale, "own tubes")
        sample = Sample(recording.file, "R1", "test", "unknown", (tube,))
        gated = gate(sample, [prepare(events, scales, limits.acquisition)], scales, (), limits.gating)
        return memory_measures(gated, None, limits), gated


def spread(path: Path) -> dict[str, tuple[float, float, float]]:
    """Return column -> SD within centres, SD between centres and span of the hand gates of three samples."""
    with path.open() as handle:
        rows = [row for row in csv.DictReader(handle, delimiter="\t") if row["method"] == "manual_central"]
    found = {}
    for column in ("CD19_pct", "naive_pct", "memIgDpos_pct", "memIgDneg_pct"):
        within, between, spans = [], [], []
        for sample in sorted({row["sample"] for row in rows}):
            cells = [row for row in rows if row["sample"] == sample]
            by_centre = [
                [float(row[column]) for row in cells if row["centre"] == centre]
                for centre in sorted({row["centre"] for row in cells})
            ]
            within.append(np.mean([np.var(values, ddof=1) for values in by_centre]))
            means = [float(np.mean(values)) for values in by_centre]
            between.append(np.var(means, ddof=1))
            spans.append(max(means) - min(means))
        found[column] = (float(np.sqrt(np.mean(within))), float(np.sqrt(np.mean(between))), float(max(spans)))
    return found


def _in_words(share: Share | None) -> str:
    if share is None or share.percent is None:
        return "-"
    return f"{share.percent:.1f} ({share.low:.1f}-{share.high:.1f})"


def real_page() -> list[str]:
    """Return the part of the page on real recordings."""
    lines = ["## Real recordings", ""]
    if not FOLDER.is_dir():
        return [*lines, "Not at hand."]
    lines += [
        "| file | B cells | naive | CD27+IgD+ | CD27+IgD- less plasmablasts | plasmablasts | reported | known |",
        "|---|---:|---|---|---|---|---|---|",
    ]
    for recording in RECORDINGS:
        found, gated = measured(recording)
        if found is None:
            lines.append(f"| {recording.file} | - | | | | | not read | {recording.known} |")
            continue
        words = "; ".join(filter(None, (found.unresolved, *found.notes, *gated.flags)))
        shares = (found.naive, found.non_switched, found.switched_two_marker, found.plasmablasts)
        shown = " | ".join(_in_words(share) for share in shares)
        lines.append(f"| {recording.file} | {found.b_events} | {shown} | {words} | {recording.known} |")
    lines += [
        "",
        "Hand gates of 63 files, 7 centres x 3 samples x 3 replicates (percent of B cells; B cells of lymphocytes):",
        "",
        "| | SD of replicates | SD between centres | largest span of centres |",
        "|---|---:|---:|---:|",
    ]
    for column, values in spread(FOLDER / "lyoplate_bcell_counts.tsv").items():
        lines.append(f"| {column} | {values[0]:.2f} | {values[1]:.2f} | {values[2]:.1f} |")
    return lines
