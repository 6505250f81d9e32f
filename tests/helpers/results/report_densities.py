"""Plausible binned data for the tests of what is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from cd40l_flow.figures.outlines import add_outlines
from cd40l_flow.figures.pictures import draw_pictures
from cd40l_flow.figures.plots import read_index, written
from helpers.results.acquisition_samples import course

if TYPE_CHECKING:
    from helpers.results.report_samples import Scenario

Floats = NDArray[np.float64]
TICKS = [[0.18, "0"], [0.36, "10³"], [0.6, "10⁴"], [0.84, "10⁵"]]
LINEAR_TICKS = [[0.0, "0"], [0.25, "50k"], [0.5, "100k"], [0.75, "150k"], [1.0, "200k"]]
TUBES = (
    ("unstimulated", "CD154"),
    ("stimulated", "CD154"),
    ("stimulated", "CD40-Ig"),
    ("stimulated", "isotype"),
    ("stimulated", "secondary"),
)
PANELS = (
    ("time", "all", "Time (s)", "FSC-A"),
    ("lymphocytes", "time", "FSC-A", "SSC-A"),
    ("singlets", "lymphocytes", "FSC-H", "FSC-A"),
    ("viable", "singlets", "Viability (BV510-A)", "SSC-A"),
    ("CD3+", "viable", "CD3 (APC-A)", "SSC-A"),
    ("CD3+CD8-", "CD3+", "CD8 (APC-Cy7-A)", "CD3 (APC-A)"),
    ("CD3+CD8-CD69+", "CD3+CD8-", "CD69 (PE-Cy7-A)", "CD154 (PE-A)"),
)


def _cloud(random: np.random.Generator, count: int, x: tuple[float, float], y: tuple[float, float]) -> Floats:
    return np.column_stack([random.normal(*x, count), random.normal(*y, count)])


def _panel_events(random: np.random.Generator, name: str, count: int, stimulated: bool) -> Floats:
    if name == "time":
        return np.column_stack([random.uniform(0, 1, count), random.normal(0.45, 0.12, count)])
    if name == "lymphocytes":
        parts = [
            (0.62, (0.42, 0.06), (0.2, 0.035)),
            (0.12, (0.62, 0.06), (0.38, 0.06)),
            (0.2, (0.12, 0.06), (0.12, 0.06)),
        ]
    elif name == "singlets":
        height = random.normal(0.42, 0.06, count)
        area = height * np.where(random.uniform(size=count) < 0.94, 1.0, 1.6) + random.normal(0, 0.012, count)
        return np.column_stack([height, area])
    elif name == "viable":
        parts = [(0.92, (0.24, 0.05), (0.2, 0.035)), (0.08, (0.7, 0.07), (0.22, 0.05))]
    elif name == "CD3+":
        parts = [(0.7, (0.66, 0.04), (0.2, 0.03)), (0.3, (0.24, 0.05), (0.21, 0.035))]
    elif name == "CD3+CD8-":
        parts = [
            (0.63, (0.24, 0.05), (0.66, 0.04)),
            (0.34, (0.78, 0.04), (0.65, 0.04)),
            (0.03, (0.5, 0.1), (0.66, 0.05)),
        ]
    else:
        share = 0.95 if stimulated else 0.04
        parts = [(share, (0.72, 0.05), (0.5, 0.16)), (1 - share, (0.24, 0.05), (0.22, 0.05))]
    return np.vstack([_cloud(random, round(count * share), x, y) for share, x, y in parts])


def _gate(name: str, overridden: bool) -> dict[str, Any] | None:
    if name == "time":
        return None
    if name == "lymphocytes":
        return {"kind": "polygon", "vertices": [[0.26, 0.06], [0.58, 0.08], [0.6, 0.3], [0.46, 0.36], [0.28, 0.28]]}
    if name == "singlets":
        return {"kind": "band", "slopes": [0.9, 1.15], "segments": [[[0, 0], [1, 0.9]], [[0, 0], [0.87, 1]]]}
    side = "below" if name in ("viable", "CD3+CD8-") else "above"
    gate = {"kind": "threshold", "axis": "x", "side": side, "at": 0.46, "automatic": None}
    return gate | {"at": 0.5, "automatic": 0.42} if overridden and name == "CD3+" else gate


def _histogram(values: Floats) -> Floats:
    return np.histogram(np.clip(values, 0, 0.9999), bins=256, range=(0, 1))[0].astype(np.float64)


def _normal(mean: float, sd: float) -> Floats:
    middles = (np.arange(256) + 0.5) / 256
    density = np.exp(-((middles - mean) ** 2) / 2 / sd**2)
    return density / density.sum()


def make_densities(scenario: Scenario) -> dict[str, Any]:
    """Return the arrays of ``densities.npz``."""
    random = np.random.default_rng(sum(scenario.sample.encode()))
    arrays: dict[str, Any] = {}
    tubes, targets = [], []
    for number, (stimulation, reagent) in enumerate(TUBES):
        if f"{stimulation} {reagent}" in scenario.refused:
            continue
        panels: list[dict[str, Any]] = []
        count = 12_000
        for place, (population, parent, x, y) in enumerate(PANELS):
            if scenario.missing_panel and population == "viable":
                panels.append({"population": population, "missing": "no viability dye in this tube"})
                continue
            events = np.clip(_panel_events(random, population, count, stimulation == "stimulated"), 0, 0.9999)
            cells = np.histogram2d(events[:, 0], events[:, 1], bins=128, range=((0, 1), (0, 1)))[0]
            arrays[f"t{number}p{place}"] = cells.astype(np.uint32)
            kept = round(
                count * (0.98, 0.62, 0.94, 0.92, 0.7, 0.63, 0.95 if stimulation == "stimulated" else 0.04)[place]
            )
            overridden = scenario.overridden and population == "CD3+"
            linear = ("FSC-A", "SSC-A", "FSC-H")
            x_ticks = LINEAR_TICKS if x in linear else [[0.1, "0"], [0.5, "30"], [0.9, "60"]] if "Time" in x else TICKS
            panels.append(
                {
                    "population": population,
                    "parent": parent,
                    "x": {"label": x, "ticks": x_ticks},
                    "y": {"label": y, "ticks": LINEAR_TICKS if y in linear else TICKS},
                    "array": f"t{number}p{place}",
                    "gate": _gate(population, overridden),
                    "count": kept,
                    "parent_count": count,
                    "percent_of_parent": 100 * kept / count,
                    "overridden": overridden,
                    "method": "override" if overridden else "valley",
                    "flag": "no valley; default used" if population == "viable" and number == 3 else "",
                }
            )
            count = kept
        tubes.append(
            {
                "fcs": f"{scenario.sample}_{number}.fcs",
                "stimulation": stimulation,
                "reagent": reagent,
                "panels": panels,
                "course": course(number, arrays),
            }
        )
    for place, reagent in enumerate(("CD154", "CD40-Ig")):
        if f"stimulated {reagent}" in scenario.refused:
            continue
        share, level = scenario.negative[reagent], scenario.level[reagent]
        count = scenario.activated
        negatives = random.normal(0.23, 0.05, round(count * share))
        positives = random.normal(level, 0.06, count - len(negatives))
        names = {
            key: f"h{place}{key}" for key in ("sample", "background", "unstimulated", "fit_negative", "fit_positive")
        }
        arrays[names["sample"]] = _histogram(np.concatenate([negatives, positives]))
        arrays[names["background"]] = _histogram(random.normal(0.23, 0.05, count))
        arrays[names["unstimulated"]] = _histogram(random.normal(0.225, 0.05, count))
        arrays[names["fit_negative"]] = _normal(0.23, 0.05) * count * share
        arrays[names["fit_positive"]] = _normal(level, 0.06) * count * (1 - share)
        axis = {"label": f"{reagent} (PE-A)", "ticks": TICKS}
        targets.append({"reagent": reagent, "axis": axis, "threshold": 0.35, "names": {}, **names})
    scatter = [_scatter(random, scenario, target, arrays) for target in targets]
    arrays["h9"] = _histogram(np.concatenate([random.normal(0.72, 0.05, 2800), random.normal(0.24, 0.05, 150)]))
    arrays["h10"] = _histogram(np.concatenate([random.normal(0.72, 0.05, 60), random.normal(0.24, 0.05, 3000)]))
    activation = {
        "axis": {"label": "CD69 (PE-Cy7-A)", "ticks": TICKS},
        "stimulated": "h9",
        "unstimulated": "h10",
        "threshold": 0.46,
    }
    readable = bool(tubes)
    plain = {"tubes": tubes, "targets": targets, "activation": activation if readable else None, "scatter": scatter}
    index = read_index(json.dumps(plain))
    drawn, pictures = draw_pictures(index.tubes, arrays)
    if scenario.role == "control":
        drawn = add_outlines(drawn, arrays)
    text = written(replace(index, tubes=tuple(drawn)))
    return {"index": np.array(text), "pictures": pictures, **(arrays if readable else {})}


def _scatter(
    random: np.random.Generator, scenario: Scenario, target: Mapping[str, Any], arrays: dict[str, Any]
) -> dict[str, Any]:
    """Return the index entry of CD69 against a reagent's target, and add its arrays."""
    reagent, axis = target["reagent"], target["axis"]
    share, level = scenario.negative[reagent], scenario.level[reagent]
    clouds = {
        "unstimulated": [(1.0, 0.23, 0.24)],
        "background": [(0.95, 0.23, 0.72), (0.05, 0.23, 0.24)],
        "stimulated": [(0.95 * share, 0.23, 0.72), (0.95 * (1 - share), level, 0.72), (0.05, 0.23, 0.24)],
    }
    kinds, percents = {}, {}
    for kind, parts in clouds.items():
        count = scenario.activated + 100
        x, y = np.vstack([_cloud(random, round(count * part), (at, 0.05), (up, 0.05)) for part, at, up in parts]).T
        kinds[kind] = f"xy{kind}{reagent}"
        arrays[kinds[kind]] = np.histogram2d(x, y, bins=96, range=((0, 1), (0, 1)))[0].astype(np.uint16)
        right, top = x > target["threshold"], y > 0.46
        quadrants = (top & ~right, top & right, ~top & ~right, ~top & right)
        percents[kind] = [round(100 * float(np.mean(part)), 3) for part in quadrants]
    up = {"label": "CD69 (PE-Cy7-A)", "ticks": TICKS}
    thresholds = {"x_threshold": target["threshold"], "y_threshold": 0.46}
    return {"reagent": reagent, "x": axis, "y": up, **thresholds, "kinds": kinds, "percents": percents}
