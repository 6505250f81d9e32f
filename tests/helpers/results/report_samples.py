"""Plausible results with their binned data for the tests of what is read: no FCS file, no analysis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cd40l_flow import ENGINE_VERSION
from cd40l_flow.result.record import SCHEMA_VERSION
from helpers.results.acquisition_samples import acquisition, matrix, slopes
from helpers.results.records import write_pair
from helpers.results.report_densities import PANELS, TUBES, make_densities
from helpers.results.report_measures import measures_of

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
            "limits": {
                "gating": {"min_events": 200},
                "mixture": {"background_quantile": 0.98},
                "odds": {"call_odds": 100.0},
            },
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
        "reagents": {reagent: measures_of(scenario, reagent) for reagent in measured},
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
