"""Results of healthy controls made by hand, as far as limits of a laboratory and charts look at them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from cd40l_flow import ENGINE_VERSION
from cd40l_flow.result.types.measures import Measures
from cd40l_flow.result.types.result import Result
from helpers.results import report_samples as made
from helpers.results.records import as_result


def control_result(sample: str = "C01", run: str = "R1", **changes: Any) -> dict[str, Any]:
    """Return the part of a control's result that `collect` and `control_charts` read.

    ``changes`` may set ``negative``, ``percent``, ``mfi``, ``cd69``, ``month``, ``cytometer``, ``lot``, and any key.
    """
    negative, percent = changes.pop("negative", 0.10), changes.pop("percent", 90.0)
    mfi, cd69 = changes.pop("mfi", 8000.0), changes.pop("cd69", 95.0)
    month, cytometer, lot = changes.pop("month", "2026-05"), changes.pop("cytometer", "Canto"), changes.pop("lot", "L1")
    reagents, tubes = {}, []
    for reagent in ("CD154", "CD40-Ig"):
        fcs = f"{sample}_{reagent}.fcs"
        reagents[reagent] = {
            "tubes": [fcs],
            "percent_positive": percent,
            "negative_fraction": negative,
            "negative_fraction_low": negative - 0.0098,
            "negative_fraction_high": negative + 0.0098,
            "mfi_positive": mfi + 200.0,
            "mfi_background": 200.0,
        }
        tubes.append(
            {
                "fcs": fcs,
                "status": "ok",
                "digest": hashlib.sha256(f"{run} {fcs} {negative}".encode()).hexdigest(),
                "month": month,
                "cytometer": cytometer,
                "clone": "TRAP1",
                "lot": lot,
            }
        )
    result = {
        "engine_version": ENGINE_VERSION,
        "sample": sample,
        "run": run,
        "role": "control",
        "call": "NORMAL",
        "reagents": reagents,
        "tubes": tubes,
        "lent": {"failures": [], "activation_percent": {"CD154": cd69, "CD40-Ig": cd69}},
    }
    return result | changes


def full_control(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return a result of `control_result` with everything else that a result holds."""
    whole = made.make_result(made.CONTROL)
    for reagent, measures in result["reagents"].items():
        whole["reagents"][reagent] |= measures
    tubes = [{**whole["tubes"][0], **tube} for tube in result["tubes"]]
    lent = {**whole["lent"], **result["lent"]}
    return {**whole, **result, "reagents": whole["reagents"], "tubes": tubes, "lent": lent}


def whole_result(part: Mapping[str, Any]) -> Result:
    """Return a record of the reported part of a result: the rest is that of another one, no other number is known."""
    base = made.make_result(made.CONTROL if part.get("role") == "control" else made.SCENARIOS["NORMAL"])
    lent = made.make_result(made.CONTROL)["lent"]
    measures = dict.fromkeys(Measures.__struct_fields__) | {"tubes": [], "at_bound": []}
    changed = {
        "reagents": {name: measures | values for name, values in part.get("reagents", {}).items()},
        "tubes": [base["tubes"][0] | tube for tube in part.get("tubes", [])],
        "metadata": base["metadata"] | part.get("metadata", {}),
        "lent": part["lent"] and lent | part["lent"] if "lent" in part else base["lent"],
    }
    return as_result({**base, **part, **changed})


def many_controls(count: int, seed: int = 1, **changes: Any) -> list[dict[str, Any]]:
    """Return controls of as many runs, one each, whose donors differ (negative fraction 0.10, SD 0.02)."""
    random = np.random.default_rng(seed)
    return [
        control_result(
            run=f"R{number:02d}",
            negative=float(random.normal(0.10, 0.02)),
            percent=float(random.normal(90, 2)),
            mfi=float(np.exp(random.normal(9, 0.2))),
            **changes,
        )
        for number in range(count)
    ]
