"""Results of the B-cell assays made by hand, without an analysis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cd40l_flow.result.cohort import Entry
from cd40l_flow.result.types.result import Result
from helpers.results.records import as_result
from helpers.results.report_samples import Scenario, make_result


def by_hand(sample: str, assay: str = "cd40l", subject: str = "S1", **changes: Any) -> Result:
    """Return a result of a CD154 sample of a person, given another assay's call or other answers of the sheet.

    ``metadata`` is merged into the usual one; ``memory`` and ``cd40`` are plain values.
    """
    call = changes.get("call", "NORMAL")
    plain = make_result(Scenario(sample=sample, call=call if assay == "cd40l" else "NORMAL", controls=()))
    plain["metadata"] |= changes.pop("metadata", {})
    if assay != "cd40l":
        plain |= {"reagents": {}, "subcalls": {}, "rules": [], "guards": [], "codes": None, "tubes": [], "gates": []}
        plain |= {"acquisition": {"tubes": [], "uncut": None}, "compensation": [], "pattern": call}
        plain |= {"activated_events": None, "cd69_percent": None, "odds": {"joint": {}, "binding_ratio": None}}
    return as_result(plain | {"assay": assay, "subject": subject} | changes)


def share(percent: float, events: int = 1000) -> dict[str, Any]:
    """Return a share as plain values, with an interval a fifth wide either way."""
    return {
        "percent": percent,
        "low": 0.8 * percent,
        "high": min(1.2 * percent + 0.2, 100.0),
        "events": round(percent * events / 100),
        "threshold_percent": percent,
    }


def memory(switched_percent: float = 12.0, **changes: Any) -> dict[str, Any]:
    """Return the record of a memory tube as plain values."""
    numbers = dict.fromkeys(
        (
            *("transitional_percent", "cd27_separation", "cd27_threshold", "cd27_negative_median", "igd_separation"),
            *("igd_negative_percent", "igd_median", "igm_median", "cd3_percent"),
        ),
        4.0,
    )
    shares = {"naive": 70.0, "non_switched": 10.0, "igm_only": 0.5, "double_negative": 4.0, "plasmablasts": 0.4}
    return {
        **numbers,
        **{name: share(percent) for name, percent in shares.items()},
        "tubes": ["m.fcs"],
        "lymphocytes": 8000,
        "b_events": 1000,
        "b_cells": share(12.5, 8000),
        "switched": share(switched_percent),
        "switched_two_marker": share(switched_percent + 0.5),
        "cd27_background": "memory-FMO27",
        "cd27_converged": True,
        "unresolved": "",
        "notes": [],
        "cd27_shape": [],
        "age_band": "3 y",
        "age_z": -0.2,
        "limit_low": 5.0,
        "limit_absent": 0.5,
        "age_median": 10.6,
        "table": "ARUP 2008901",
        **changes,
    }


def cd40(ratio: float = 1.0, lacking: float = 0.01) -> dict[str, Any]:
    """Return the record of a CD40 tube as plain values, both kinds of cells alike."""
    one = {
        "events": 900,
        "mfi": 5000.0 * ratio + 40,
        "mfi_background": 40.0,
        "ratio": ratio,
        "ratio_low": 0.9 * ratio,
        "ratio_high": 1.1 * ratio,
        "positive": share(100 * (1 - lacking)),
        "level": 5000.0 * ratio,
        "level_low": 4500.0 * ratio,
        "level_high": 5500.0 * ratio,
        "negative_fraction": lacking,
        "negative_fraction_low": max(lacking - 0.02, 0.0),
        "negative_fraction_high": min(lacking + 0.02, 1.0),
    }
    cells = [{"population": name, **one} for name in ("B cells", "monocytes")]
    return {
        "tubes": ["c.fcs"],
        "lymphocytes": 8000,
        "b_events": 900,
        "b_cells": share(11.0, 8000),
        "cells": cells,
        "background": "CD40-isotype",
        "cd3_percent": 0.3,
        "notes": [],
    }


def entry(result: Result, path: Path | None = None) -> Entry:
    """Return a result as an entry of a cohort."""
    return Entry(result.sample, result, path, "ab" * 32)
