"""The binned data that figures are drawn from: no figure needs the events again."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.assay.cd40l.gates import CD8_NEGATIVE
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.base.disk import write_atomically
from cd40l_flow.base.model import Arrays, Floats, NewArrays, Singles
from cd40l_flow.decision.case import Case
from cd40l_flow.figures.axes import Axis
from cd40l_flow.figures.b_cell_densities import b_cell_levels, b_cell_subsets
from cd40l_flow.figures.evidence import Curves
from cd40l_flow.figures.outlines import add_outlines
from cd40l_flow.figures.panels import draw_panels, fluorescence_axis
from cd40l_flow.figures.pictures import draw_pictures
from cd40l_flow.figures.plots import (
    ActivationPlot,
    Course,
    CurveNames,
    Percents,
    PlotIndex,
    QuadrantPlot,
    TargetPlot,
    TubePlots,
    written,
)
from cd40l_flow.gating.model import GatedSample, GatedTube
from cd40l_flow.mixture.histogram import HIGH as SCALE_HIGH
from cd40l_flow.mixture.histogram import LOW as SCALE_LOW
from cd40l_flow.mixture.histogram import histogram
from cd40l_flow.mixture.model import Expression
from cd40l_flow.result.making.gating import scatter_tops
from cd40l_flow.signal.course import BINS as COURSE_BINS
from cd40l_flow.signal.prepare import TubeSignal

BINS = 256
GRID = 96  # cells of either axis of CD69 against the target
LEVEL = 2  # of compression: a quarter of the time of the usual 6 for a fifth more bytes


def densities(gated: GatedSample, case: Case, control_tops: Sequence[Sequence[float]] = ()) -> Arrays:
    """Return the arrays of a sample's figures and their ``index`` (JSON text): what ``densities.npz`` holds.

    `PlotIndex` says what is in the index and the arrays. Counts of panels are whole numbers as short as they can be;
    ``control_tops`` are the tops of the controls' scatter axes.
    """
    arrays: NewArrays = {}
    tops = scatter_tops(gated, control_tops)
    tubes = []
    drawn: dict[str, NDArray[np.uint32]] = {}
    curves = Curves()
    for number, tube in enumerate(gated.tubes):
        panels, counts = draw_panels(gated, tube, tops, f"t{number}p", curves)
        drawn.update(counts)
        sheet = tube.signal.events.tube
        in_time = _course(tube.signal, f"t{number}c", arrays)
        tubes.append(TubePlots(sheet.fcs, sheet.stimulation, sheet.reagent, panels, in_time))
    arrays |= curves.arrays
    tubes, arrays["pictures"] = draw_pictures(tubes, drawn)
    if case.sample.role == "control":
        tubes = add_outlines(tubes, drawn)
    arrays |= {name: counts.astype(np.min_scalar_type(counts.max())) for name, counts in drawn.items()}
    index = PlotIndex(
        tubes=tuple(tubes),
        targets=(*(_target(gated, one, arrays) for one in case.reagents.values()), *b_cell_levels(gated, arrays)),
        activation=_activation(gated, case, arrays),
        scatter=(*(_scatter(gated, one, arrays) for one in case.reagents.values()), *b_cell_subsets(gated, arrays)),
    )
    arrays["index"] = np.array(written(index))
    return arrays


def write_densities(arrays: Arrays, path: Path) -> str:
    """Write the arrays as a compressed npz file, equal arrays as equal bytes; return its SHA-256."""
    buffer = io.BytesIO()
    # As np.savez_compressed writes it, but for the level: many panels, most of their cells empty.
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(arrays):
            array = io.BytesIO()
            np.lib.format.write_array(array, np.asanyarray(arrays[name]), allow_pickle=False)
            file = zipfile.ZipInfo(f"{name}.npy")
            how = zipfile.ZIP_STORED if name == "pictures" else zipfile.ZIP_DEFLATED  # PNGs are compressed already
            archive.writestr(file, array.getbuffer(), how, compresslevel=LEVEL)
    content = buffer.getvalue()
    write_atomically(path, content)
    return hashlib.sha256(content).hexdigest()


def _course(signal: TubeSignal, name: str, arrays: NewArrays) -> Course | None:
    """Return the course of one tube and add its array by ``name``; None where time is not known."""
    time_qc = signal.acquisition.time_qc
    seen = time_qc.course
    if seen is None or not seen.seconds:
        return None
    rows = (seen.counts * (COURSE_BINS / seen.seconds), *seen.shifts.values())
    arrays[name] = np.stack(rows).astype(np.float32)
    return Course(
        seconds=seen.seconds,
        array=name,
        signals=tuple(seen.shifts),
        cut=tuple(
            ((one.start - seen.begin) / seen.seconds, (one.end - seen.begin) / seen.seconds)
            for one in time_qc.stretches
        ),
        limit=float(time_qc.limits.shift_points),
    )


def _target(gated: GatedSample, expression: Expression, arrays: NewArrays) -> TargetPlot:
    """Return the histograms of one reagent, and add their arrays."""
    label = current_assay().title(expression.reagent)
    axis = Axis(f"{label} ({expression.detector})", SCALE_LOW, SCALE_HIGH, expression.scale)
    resting = [
        tube.scaled("target", CD8_NEGATIVE)
        for tube in gated.tubes
        if tube.signal.events.tube.stimulation == "unstimulated"
        and tube.signal.events.tube.reagent == expression.reagent
        and CD8_NEGATIVE in tube.indices
    ]
    key = expression.reagent.lower().replace("-", "")

    def kept(name: str, counts: Floats) -> str:
        """Keep an array, and return its name."""
        arrays[f"{key}_{name}"] = counts.astype(np.float32)
        return f"{key}_{name}"

    fit = expression.expected
    return TargetPlot(
        reagent=expression.reagent,
        axis=axis.describe(),
        threshold=axis.at(expression.threshold_scaled),
        names=CurveNames(expression.anchor.source, "unstimulated CD3+CD8-"),
        sample=kept("sample", _rebin(expression.counts)),
        background=kept("background", _rebin(expression.anchor.counts)),
        unstimulated=kept("unstimulated", histogram(np.concatenate(resting), BINS)) if resting else None,
        fit_negative=kept("fit_negative", _rebin(fit[0])) if fit is not None else None,
        fit_positive=kept("fit_positive", _rebin(fit[1])) if fit is not None else None,
    )


def _scatter(gated: GatedSample, expression: Expression, arrays: NewArrays) -> QuadrantPlot:
    """Return CD69 against a reagent's target, of CD3+CD8- cells, and add its arrays."""
    tubes = [tube for tube in gated.tubes if CD8_NEGATIVE in tube.indices]
    own = [tube for tube in tubes if tube.signal.events.tube.reagent == expression.reagent]
    resting = [tube for tube in tubes if tube.signal.events.tube.stimulation == "unstimulated"]
    # A reagent without an unstimulated tube of its own is shown with another's on the same detector.
    alike = [tube for tube in resting if tube.signal.events.markers["target"] == expression.detector]
    chosen = {
        "unstimulated": [tube for tube in resting if tube in own] or alike[:1],
        "background": [tube for tube in tubes if tube.signal.events.tube.fcs in expression.anchor.tubes],
        "stimulated": [tube for tube in own if tube.signal.events.tube.stimulation == "stimulated"],
    }
    label = current_assay().title(expression.reagent)
    across = Axis(f"{label} ({expression.detector})", SCALE_LOW, SCALE_HIGH, expression.scale)
    up = fluorescence_axis(gated, tubes[0].signal, "CD69")
    boundary = next((found for tube in own if (found := tube.boundary("cd69_low"))), None)
    key = expression.reagent.lower().replace("-", "")
    kinds: dict[str, str | None] = {}
    percents: dict[str, Percents] = {}
    for kind, some in chosen.items():
        kinds[kind] = f"{key}_xy_{kind}" if some else None
        if not some:
            continue
        x, y = (np.concatenate([tube.scaled(marker, CD8_NEGATIVE) for tube in some]) for marker in ("target", "CD69"))
        cells = across.cells(x, GRID).astype(np.intp) * GRID + up.cells(y, GRID)
        counts = np.bincount(cells, minlength=GRID**2).reshape(GRID, GRID)
        arrays[f"{key}_xy_{kind}"] = counts.astype(np.min_scalar_type(counts.max()))
        right, top = x > expression.threshold_scaled, y > (boundary.scaled if boundary else np.inf)
        percents[kind] = _percent(top & ~right), _percent(top & right), _percent(~top & ~right), _percent(~top & right)
    return QuadrantPlot(
        reagent=expression.reagent,
        x=across.describe(),
        y=up.describe(),
        x_threshold=across.at(expression.threshold_scaled),
        y_threshold=up.at(boundary.scaled) if boundary else None,
        kinds=kinds,
        percents=percents,
        unstimulated_reagent=next((tube.signal.events.tube.reagent for tube in chosen["unstimulated"]), None),
    )


def _percent(part: NDArray[np.bool_]) -> float:
    return round(100 * float(np.mean(part)), 3) if part.size else 0.0


def _rebin(counts: Floats) -> Floats:
    """Return counts of a whole multiple of 256 bins in 256 bins; other numbers of bins stay as they are."""
    if counts.size % BINS:
        return counts
    summed: Floats = counts.reshape(BINS, -1).sum(axis=1)
    return summed


def _activation(gated: GatedSample, case: Case, arrays: NewArrays) -> ActivationPlot | None:
    """Return CD69, stimulated over unstimulated, of CD3+CD8- cells, and add its arrays."""
    groups: dict[str, list[Singles]] = {"stimulated": [], "unstimulated": []}
    chosen: Sequence[GatedTube] = [tube for tube in gated.tubes if CD8_NEGATIVE in tube.indices]
    for tube in chosen:
        sheet = tube.signal.events.tube
        if sheet.stimulation == "unstimulated" or sheet.reagent == (case.planned[0] if case.planned else ""):
            groups[sheet.stimulation].append(tube.scaled("CD69", CD8_NEGATIVE))
    if not groups["stimulated"]:
        return None
    axis = fluorescence_axis(gated, chosen[0].signal, "CD69")
    boundary = chosen[0].boundary("cd69_low")
    for name, parts in groups.items():
        if parts:
            arrays[f"cd69_{name}"] = histogram(np.concatenate(parts), BINS).astype(np.float32)
    return ActivationPlot(
        axis=axis.describe(),
        threshold=axis.at(boundary.scaled) if boundary else None,
        stimulated="cd69_stimulated",
        unstimulated="cd69_unstimulated" if groups["unstimulated"] else None,
    )
