"""Worst first: the order in which samples need a reader."""

from __future__ import annotations

# What needs a reader most comes first: no call, then loss of the protein or its function, then mixtures and shades.
CALL_ORDER = (
    *("INDETERMINATE", "ABSENT", "FUNCTIONAL_DEFECT", "CD40_ABSENT", "SWITCHED_ABSENT", "DISCORDANT", "MOSAIC"),
    *("REDUCED", "CD40_LOW", "SWITCHED_LOW", "NORMAL", "PRESENT", "SWITCHED_NORMAL"),
)
QC_ORDER = ("fail", "warn", "pass")
