"""Plausible results and binned data for the tests of what is read: no FCS file, no analysis."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cd40l_flow import ENGINE_VERSION
from cd40l_flow.figures.outlines import add_outlines
from cd40l_flow.figures.pictures import draw_pictures
from cd40l_flow.result.record import SCHEMA_VERSION
from helpers.acquisition_samples import acquisition, course, matrix, slopes
from helpers.records import write_pair

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
DETECTORS = {"CD3": "APC-A", "CD8": "APC-Cy7-A", "CD69": "PE-Cy7-A", "target": "PE-A", "viability": "BV510-A"}


@dataclass(frozen=True)
class Scenario:
    """What one sample looks like: per reagent the share of ``negative`` cells and the ``level`` of the others."""

    sample: str = "P01"
    role: str = "test"
    sex: str = "M"
    call: str = "NORMAL"
    reasons: tuple[str, ...] = ()
    qc: str = "pass"
    negative: Mapping[str, float] = field(default_factory=lambda: {"CD154": 0.08, "CD40-Ig": 0.1})
    level: Mapping[str, float] = field(default_factory=lambda: {"CD154": 0.66, "CD40-Ig": 0.56})
    refused: Mapping[str, str] = field(default_factory=dict)
    overridden: bool = False
    activated: int = 2800
    controls: tuple[str, ...] = ("C01",)
    missing_panel: bool = False


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
            scatter = ("FSC-A", "SSC-A", "FSC-H")
            x_ticks = LINEAR_TICKS if x in scatter else [[0.1, "0"], [0.5, "30"], [0.9, "60"]] if "Time" in x else TICKS
            panels.append(
                {
                    "population": population,
                    "parent": parent,
                    "x": {"label": x, "ticks": x_ticks},
                    "y": {"label": y, "ticks": LINEAR_TICKS if y in scatter else TICKS},
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
    pictures = draw_pictures(tubes, arrays)
    if scenario.role == "control":
        add_outlines(tubes, arrays)
    readable = bool(tubes)
    index = {"tubes": tubes, "targets": targets, "activation": activation if readable else None}
    index["scatter"] = scatter
    return {"index": np.array(json.dumps(index)), "pictures": pictures, **(arrays if readable else {})}


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


def _measures(scenario: Scenario, reagent: str) -> dict[str, Any]:
    negative = scenario.negative[reagent]
    positive = 100 * (1 - negative) * (1.0 if scenario.level[reagent] > 0.4 else 0.02)
    control = scenario.role == "control"
    mutant = max(0.0, 1 - (1 - negative) / 0.92)
    number = 1 if reagent == "CD154" else 2
    return {
        "tubes": [f"{scenario.sample}_{number}.fcs"],
        "background": {"source": "isotype" if number == 1 else "secondary", "tubes": [f"{scenario.sample}_3.fcs"]},
        "detector": "PE-A",
        "events": scenario.activated,
        "percent_positive": positive,
        "percent_positive_low": max(positive - 1.3, 0.0),
        "percent_positive_high": min(positive + 1.3, 100.0),
        "threshold": 812.4,
        "threshold_source": "99th percentile of the isotype tube",
        "mfi_all": 8210.0,
        "mfi_all_low": 8050.0,
        "mfi_all_high": 8370.0,
        "mfi_positive_low": 8990.0,
        "mfi_positive_high": 9251.0,
        "mfi_positive": 9120.5,
        "mfi_background": 141.2,
        "mfi_ratio": None if control else 0.97,
        "mfi_all_ratio": None if control else 0.94,
        "relative_positive": None if control else positive / 92,
        "negative_fraction": negative,
        "negative_fraction_low": max(negative - 0.02, 0.0),
        "negative_fraction_high": min(negative + 0.02, 1.0),
        "mutant_fraction": None if control else mutant,
        "mutant_fraction_low": None if control else max(mutant - 0.03, 0.0),
        "mutant_fraction_high": None if control else min(mutant + 0.03, 1.0),
        "separation": 5.61,
        "stain_index": 12.4,
        "lob": 0.07,
        "lod": 0.12,
        "shift": 0.08,
        "valley": None,
        "dip_p": 0.00002,
        "converged": True,
        "borrowed": 0.1,
        "goodness": 0.4,
        "misplaced": 0.004,
        "gmm_negative_fraction": round(negative, 3),
        "gmm_components": 2,
        "model_error": 0.002,
        "at_bound": [],
        "margin_events": 0,
        "unstimulated_percent_positive": 0.4,
        "background_shift": 0.1,
        "linear_width_ratio": 1.9,
        "bright_events": 1200.0,
        "mfi_ratio_low": None if control else 0.94,
        "mfi_ratio_high": None if control else 1.0,
        "mfi_all_ratio_low": None if control else 0.91,
        "mfi_all_ratio_high": None if control else 0.97,
        "relative_positive_low": None if control else max(positive / 92 - 0.02, 0.0),
        "relative_positive_high": None if control else positive / 92 + 0.02,
        "mutant_error": None if control else 0.008,
        "normal_odds": None if control else 7.4,
        "mosaic_odds": None if control else -7.4,
        "reduced_odds": None if control else -9.8,
        "absent_odds": None if control else -30.2,
        "residual_kept": None,
        "shape_distance": None if control else 0.3,
        "overdispersion": None if control else 1.04,
        "negatives_by_cd69": 0.05,
        "negatives_by_cd69_error": 0.08,
        "negatives_by_cd3": -0.06,
        "negatives_by_cd3_error": 0.08,
        "agreement": 0.3,
        "ks_background": 0.9,
        "ks_control": None if control else 0.04,
        "overton_background": 0.9,
        "overton_control": None if control else 0.01,
        "titration": None
        if control
        else {
            "limit_counting": 0.03,
            "limit_with_healthy_spread": 0.125,
            "bias": 0.0002,
            "recovery": 1.01,
            "drawn_detected": 0.94,
            "drawn_error": 1.02,
        },
    }


def _tube(scenario: Scenario, number: int, stimulation: str, reagent: str) -> dict[str, Any]:
    fault = scenario.refused.get(f"{stimulation} {reagent}")
    tube: dict[str, Any] = {
        "fcs": f"{scenario.sample}_{number}.fcs",
        "stimulation": stimulation,
        "reagent": reagent,
        "panel": "default",
        "clone": "TRAP1" if reagent == "CD154" else "",
        "lot": "B21",
        "status": "refused" if fault else "ok",
        "error": {"code": "FILE_INTEGRITY", "message": fault} if fault else None,
        "digest": None if fault else f"{number:x}" * 64,
        "events": None if fault else 12_000,
        "populations": [],
        "markers": {},
        "voltages": {},
    } | dict.fromkeys(
        (
            "version",
            "cytometer",
            "month",
            "duration_s",
            "time_problem",
            "removed_percent",
            "margin_percent",
            "spillover",
        )
    )
    if fault:
        return tube
    populations, count = [], 12_000
    shares = (0.98, 0.62, 0.94, 0.92, 0.7, 0.63, 0.95 if stimulation == "stimulated" else 0.04)
    for (population, parent, _, _), share in zip(PANELS, shares, strict=True):
        kept = round(count * share)
        populations.append(
            {"population": population, "parent": parent, "count": kept, "percent_of_parent": 100 * kept / count}
        )
        count = kept
    populations.append({"population": "CD3+CD8+", "parent": "CD3+", "count": 1400, "percent_of_parent": 34.2})
    return tube | {
        "version": "FCS3.1",
        "cytometer": "FACSLyric",
        "month": "2026-01",
        "duration_s": 61.0,
        "time_problem": "",
        "removed_percent": 2.0,
        "margin_percent": 0.1,
        "markers": DETECTORS,
        "spillover": {
            "source": "$SPILLOVER",
            "detectors": list(DETECTORS.values()),
            "matrix": matrix(len(DETECTORS)),
            "condition": 1.31,
            "remarks": [],
        },
        "populations": populations,
        "voltages": dict.fromkeys(DETECTORS.values(), 480.0),
    }


_CODED: dict[str, Any] = {
    **{"system": "http://loinc.org", "name": "n", "value": "present", "words": "present"},
    **{"reference": "present", "abnormal": False, "interpretation": "N"},
}
CODES = {
    "panel": {"system": "http://loinc.org", "code": "98239-7", "name": "panel"},
    "CD154": {"code": "98240-5", **_CODED},
    "CD40-Ig": {"code": "98241-3", **_CODED},
}


def make_result(scenario: Scenario) -> dict[str, Any]:
    """Return a result that fits ``result.schema.json``."""
    measured = [reagent for reagent in ("CD154", "CD40-Ig") if f"stimulated {reagent}" not in scenario.refused]
    undecided = scenario.call == "INDETERMINATE"
    gates = [
        {
            "gate": "cd3_low",
            "population": "CD3+",
            "tube": None,
            "detector": "APC-A",
            "value": 2310.0 if scenario.overridden else 1890.0,
            "scaled": 0.5,
            "method": "override" if scenario.overridden else "valley",
            "flag": "",
            "evidence": None,
            "automatic": 1890.0,
            "override": {"by": "A. Analyst", "reason": "CD3 dim cells excluded"} if scenario.overridden else None,
        },
        {
            "gate": "lymphocytes",
            "population": "lymphocytes",
            "tube": None,
            "detectors": ["FSC-A", "SSC-A"],
            "vertices": [[52_000.0, 12_000.0], [116_000.0, 16_000.0], [120_000.0, 60_000.0]],
            "method": "density",
            "flag": "",
            "evidence": None,
            "override": None,
            "automatic": None,
            "detector": None,
            "value": None,
            "scaled": None,
        },
    ]
    guards = [
        {
            "code": "TOO_FEW_EVENTS",
            "reagent": None,
            "fired": scenario.activated < 500,
            "effect": "hard",
            "value": scenario.activated,
            "limit": 500,
            "unit": "events",
            "message": f"{scenario.activated} activated T cells; a call needs 500.",
        },
        {
            "code": "ACTIVATION_FAILED",
            "reagent": None,
            "fired": False,
            "effect": "hard",
            "value": 95.0,
            "limit": 70.0,
            "unit": "%",
            "message": "95.0 % of CD3+CD8- cells are CD69 positive.",
        },
        *(
            {
                "code": code,
                "reagent": None,
                "fired": True,
                "effect": "hard",
                "value": None,
                "limit": None,
                "unit": "",
                "message": f"{code} in words.",
            }
            for code in scenario.reasons
            if code != "TOO_FEW_EVENTS"
        ),
    ]
    rules = [
        {
            "reagent": reagent,
            "call": "ABSENT",
            "met": scenario.call == "ABSENT",
            "conditions": [
                {"measure": measure, "op": "<=", "met": True, "either": None, **values}
                for measure, values in (
                    ("positive_high", {"value": 0.019, "limit": 0.1, "distance": 0.081}),
                    ("relative_positive", {"value": 0.01, "limit": 0.15, "distance": 0.14}),
                )
            ],
        }
        for reagent in measured
    ]
    tubes = [_tube(scenario, number, *tube) for number, tube in enumerate(TUBES)]
    read = [(number, tube) for number, tube in enumerate(tubes) if tube["status"] == "ok"]
    return {
        "schema_version": SCHEMA_VERSION,
        "digest": "ab" * 32,
        "densities": None,
        "engine_version": ENGINE_VERSION,
        "sample": scenario.sample,
        "assay": "cd40l",
        "subject": "",
        "run": "R1",
        "role": scenario.role,
        "sex": scenario.sex,
        "age_band": "1-2 y",
        "controls": list(scenario.controls),
        "family": "",
        "inputs": {"job": "", "files": {}, "controls": {}},
        "reference": None,
        "metadata": {
            "transplant": "no",
            "calcineurin_inhibitor": "no",
            "steroid": "unknown",
            "anti_cd154": "no",
            "transfusion": "no",
            "anticoagulant": "Na-heparin",
            "collected_h": 6.0,
            "stimulation_h": 4.0,
            **{"collected": "", "b_depletion": "unknown", "anti_cd40": "unknown", "genotype": ""},
            **dict.fromkeys(("igm_g_l", "igg_g_l", "iga_g_l", "ige_iu_ml", "b_per_ul", "expected_fraction")),
            "show": {"ward": "<b>7</b>"},
        },
        "configuration": {
            "limits": {"gating": {"min_events": 200}, "mixture": {"background_quantile": 0.98}},
            "panels": {"default": {}},
            "spillover": "file",
            "require_function": True,
            "show_columns": [],
        },
        "call": scenario.call,
        "pattern": scenario.call,
        "lent": {
            "reagents": {},
            "activation_percent": {},
            "failures": [],
            "reagent_failures": {},
            "gates": {},
            "scatter_tops": [150000.0, 90000.0],
        }
        if scenario.role == "control"
        else None,
        "reasons": list(scenario.reasons),
        "qc": scenario.qc,
        "subcalls": {reagent: {"call": scenario.call, "reasons": []} for reagent in measured},
        "statement": ["The pattern is described here.", "Analysis of CD40LG is advised where the history suggests it."],
        "codes": CODES,
        "would_change": [],
        "guards": guards,
        "rules": [] if undecided else rules,
        "activated_events": scenario.activated,
        "cd69_percent": 95.0,
        "tubes": tubes,
        "acquisition": acquisition([(number, tube["fcs"]) for number, tube in read], scenario.call),
        "compensation": slopes(read[-1][1]["fcs"]) if read else [],
        "replicates": [],
        "gates": gates,
        "scales": {"APC-A": {"t": 262144.0, "w": 0.5, "m": 4.5, "a": 0.0, "source": "run controls"}},
        "odds": {"joint": {"NORMAL": 9.1, "MOSAIC": -9.1}, "binding_ratio": None},
        "reagents": {reagent: _measures(scenario, reagent) for reagent in measured},
        "memory": None,
        "cd40": None,
        "messages": [
            {"code": "STEROID", "severity": "info", "tube": None, "text": "Steroid treatment is not stated."},
            *(
                {"code": "FILE_INTEGRITY", "severity": "error", "tube": None, "text": text}
                for text in scenario.refused.values()
            ),
        ],
    }


CONTROL = Scenario(sample="C01", role="control", sex="F", controls=())
SCENARIOS = {
    "NORMAL": Scenario(),
    "ABSENT": Scenario(
        call="ABSENT",
        negative={"CD154": 0.995, "CD40-Ig": 0.995},
        level={"CD154": 0.36, "CD40-Ig": 0.36},
        overridden=True,
    ),
    "MOSAIC": Scenario(call="MOSAIC", sex="F", negative={"CD154": 0.5, "CD40-Ig": 0.52}, missing_panel=True),
    "REDUCED": Scenario(call="REDUCED", qc="warn", level={"CD154": 0.5, "CD40-Ig": 0.45}),
    "FUNCTIONAL_DEFECT": Scenario(
        call="FUNCTIONAL_DEFECT", negative={"CD154": 0.1, "CD40-Ig": 0.99}, level={"CD154": 0.62, "CD40-Ig": 0.36}
    ),
    "INDETERMINATE": Scenario(
        call="INDETERMINATE",
        qc="fail",
        activated=212,
        reasons=("TOO_FEW_EVENTS", "FILE_INTEGRITY", "FUNCTION_NOT_TESTED"),
        refused={"stimulated CD40-Ig": "fcs/P01_2.fcs: DATA ends 4,096 bytes early; export the tube again."},
    ),
}
NOTHING = Scenario(
    call="INDETERMINATE",
    qc="fail",
    activated=0,
    reasons=("FILE_INTEGRITY", "CONTROL_ABSENT"),
    controls=(),
    refused={f"{stimulation} {reagent}": f"{reagent}: no such file" for stimulation, reagent in TUBES},
)


def write_sample(folder: Path, scenario: Scenario) -> tuple[Path, Path]:
    """Write ``result.json`` and ``densities.npz`` of a sample and return their paths."""
    return write_pair(folder, make_result(scenario), make_densities(scenario))
