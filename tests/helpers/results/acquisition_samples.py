"""The acquisition and compensation of a made-up result: one tube steady, one with a clog, one without time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

NAMES = ("FSC", "SSC", "CD3", "CD8", "CD69", "target")
CLOG = (0.4, 0.6)
CLOGGED, UNTIMED = 1, 3  # numbers of tubes
NO_TIME = "the file has no Time detector"


def acquisition(files: Sequence[tuple[int, str]], call: str) -> dict[str, Any]:
    """Return the acquisition of tubes, given as (number, file), each with its own fate."""
    uncut: dict[str, Any] = {
        "call": call,
        "reasons": [],
        "same_call": True,
        "change_points": 1.25,
        "reagents": {"CD154": dict.fromkeys(("events", "negative_fraction", "mfi_all", "mfi_positive"), 1.0)},
    }
    uncut["reagents"]["CD154"]["percent_positive"] = 88.1
    clogged = any(number == CLOGGED for number, _ in files)
    return {"tubes": [_tube(*file) for file in files], "uncut": uncut if clogged else None}


def _tube(number: int, fcs: str) -> dict[str, Any]:
    untimed, clogged = number == UNTIMED, number == CLOGGED
    stretch = {"start": 24.4, "end": 36.6, "events": 2400, "shifts": {"FSC": -31.0, "CD3": -17.5}}
    return {
        "fcs": fcs,
        "problem": NO_TIME if untimed else "",
        "note": "",
        "removed_percent": 20.0 if clogged else 0.0,
        "stretches": [stretch] if clogged else [],
        "drifts": {"target": -12.0} if clogged else {},
        "scatter": {"fsc": "FSC-A", "ssc": "SSC-A", "fsc_height": "FSC-H", "fsc_width": None, "time": "Time"},
        "ceilings": {"FSC-A": 262143.0, "SSC-A": 262143.0},
        "time_s": None if untimed else [0.0, 61.0],
        "flow": None
        if untimed
        else {"events_per_second": 220.0, "stops": [[10.0, 13.5]], "bursts": [], "slow_percent": 0.0},
    }


def slopes(fcs: str) -> list[dict[str, Any]]:
    """Return the slopes of one background tube."""
    common = {"fcs": fcs, "population": "CD3+CD8-"}
    return [
        common | {"marker": "CD69", "slope": 0.0012, "residue": 0.21},
        common | {"marker": "CD3", "slope": -0.0003, "residue": -0.08},
    ]


def matrix(size: int) -> list[list[float]]:
    """Return a spillover matrix with 3 % beside the diagonal."""
    return (np.eye(size) + 0.03 * np.eye(size, k=1)).tolist()


def course(number: int, arrays: dict[str, Any]) -> dict[str, Any] | None:
    """Return the course in time of one tube, and add its array."""
    if number == UNTIMED:
        return None
    random = np.random.default_rng(number)
    inside = np.zeros(60, dtype=bool)
    if number == CLOGGED:
        inside[round(60 * CLOG[0]) : round(60 * CLOG[1])] = True
    rate = random.poisson(220, 60) * np.where(inside, 0.3, 1.0)
    shifts = [random.normal(0, 2, 60) - 30.0 * inside for _ in NAMES]
    arrays[f"t{number}c"] = np.stack([rate, *shifts]).astype(np.float32)
    return {
        "seconds": 61.0,
        "array": f"t{number}c",
        "signals": list(NAMES),
        "cut": [list(CLOG)] if number == CLOGGED else [],
        "limit": 15.0,
    }
