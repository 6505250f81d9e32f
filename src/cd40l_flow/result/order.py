"""Worst first: the order in which samples need a reader."""

from __future__ import annotations

from cd40l_flow.result.types.result import Result

# What needs a reader most comes first: no call, then loss of the protein or its function, then mixtures and shades.
CALL_ORDER = ("INDETERMINATE", "ABSENT", "FUNCTIONAL_DEFECT", "MOSAIC", "REDUCED", "NORMAL")
QC_ORDER = ("fail", "warn", "pass")


def worst_first(result: Result) -> tuple[int, int, str, str]:
    """Return the sorting key of a result: call, QC, run, sample."""
    return CALL_ORDER.index(result.call), QC_ORDER.index(result.qc), result.run, result.sample
