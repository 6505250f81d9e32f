"""Worst first: the order in which samples need a reader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What needs a reader most comes first: no call, then loss of the protein or its function, then mixtures and shades.
CALL_ORDER = ("INDETERMINATE", "ABSENT", "FUNCTIONAL_DEFECT", "MOSAIC", "REDUCED", "NORMAL")
QC_ORDER = ("fail", "warn", "pass")


def worst_first(result: Mapping[str, Any]) -> tuple[int, int, str, str]:
    """Return the sorting key of a result: call, QC, run, sample."""
    return CALL_ORDER.index(result["call"]), QC_ORDER.index(result["qc"]), result["run"], result["sample"]
