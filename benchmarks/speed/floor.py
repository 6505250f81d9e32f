"""The least that must be done: read, compensate and scale the needed detectors, gate and count, in numpy alone.

``python -m benchmarks.speed.floor RESULTS FCS`` prints the activated cells of every tube; one process for all tubes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import flowio
import numpy as np
from flowutils.transforms import logicle

MARKERS = ("viability", "CD3", "CD8", "CD69", "target")
BINS = 1024


def read(path: Path) -> tuple[dict[str, int], Any, Any]:
    """Return the columns by name, the events as they lie in the file and the spillover matrix."""
    shown = flowio.FlowData(str(path), only_text=True)
    names = {channel["pnn"]: number - 1 for number, channel in shown.channels.items()}
    start, events = int(shown.text["begindata"]), shown.event_count
    raw = np.memmap(path, "<f4", "r", start, (events, len(names)))
    return names, raw, shown.text["spillover"].split(",")


def table(scale: dict[str, Any]) -> tuple[Any, Any]:
    """Return the knots of a piecewise linear logicle scale."""
    knots = np.concatenate([-np.geomspace(scale["t"], 1e-3, 4096), [0.0], np.geomspace(1e-3, scale["t"], 4096)])
    return knots, logicle(knots, None, t=scale["t"], m=scale["m"], w=scale["w"], a=scale["a"])


def main() -> None:
    results, fcs = map(Path, sys.argv[1:])
    tables: dict[tuple[float, ...], Any] = {}
    for path in sorted(results.glob("*/result.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        scales = result["scales"]
        edges = {(g["gate"], g["tube"]): g["scaled"] for g in result["gates"] if g["gate"] != "lymphocytes"}
        box = np.array(next(g["vertices"] for g in result["gates"] if g["gate"] == "lymphocytes"))
        (left, bottom), (right, top) = box.min(axis=0), box.max(axis=0)
        for tube in result["tubes"]:
            names, raw, words = read(fcs / tube["fcs"])
            size = int(words[0])
            detectors = words[1 : size + 1]
            inverse = np.linalg.inv(np.array(words[size + 1 :], float).reshape(size, size)).astype(np.float32)
            fluorescence = np.asarray(raw[:, [names[one] for one in detectors]]) @ inverse
            edge = {key: value for (key, of), value in edges.items() if of in (None, tube["fcs"])}
            fsc, ssc, height = (np.asarray(raw[:, names[one]]) for one in ("FSC-A", "SSC-A", "FSC-H"))
            kept = (fsc > left) & (fsc < right) & (ssc > bottom) & (ssc < top)
            kept &= (fsc > edge["singlet_low"] * height) & (fsc < edge["singlet_high"] * height)
            scaled = {}
            for marker in MARKERS:
                name = tube["markers"][marker]
                scale = scales[name]
                key = (scale["t"], scale["w"], scale["m"], scale["a"])
                if key not in tables:
                    tables[key] = table(scale)
                scaled[marker] = np.interp(fluorescence[:, detectors.index(name)], *tables[key])
            kept &= scaled["viability"] < edge["viability_high"]
            kept &= (scaled["CD3"] >= edge["cd3_low"]) & (scaled["CD8"] < edge["cd8_high"])
            kept &= scaled["CD69"] >= edge["cd69_low"]
            bins = np.clip(scaled["target"][kept] * BINS, 0, BINS - 1).astype(np.int64)
            print(tube["fcs"], int(np.bincount(bins, minlength=BINS).sum()), sep="\t")


if __name__ == "__main__":
    main()
