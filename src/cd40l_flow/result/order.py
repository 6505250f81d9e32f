"""Every call in the two orders in which people read them, and the outcomes of the checks."""

from __future__ import annotations

# As a run counts them: for each assay what is normal, then what is less.
CALLS = (
    *("NORMAL", "REDUCED", "ABSENT", "MOSAIC", "FUNCTIONAL_DEFECT", "INDETERMINATE"),
    *("SWITCHED_NORMAL", "SWITCHED_LOW", "SWITCHED_ABSENT", "PRESENT", "CD40_LOW", "CD40_ABSENT", "DISCORDANT"),
)
# What needs a reader most comes first: no call, then loss of the protein or its function, then mixtures and shades.
CALL_ORDER = (
    *("INDETERMINATE", "ABSENT", "FUNCTIONAL_DEFECT", "CD40_ABSENT", "SWITCHED_ABSENT", "DISCORDANT", "MOSAIC"),
    *("REDUCED", "CD40_LOW", "SWITCHED_LOW", "NORMAL", "PRESENT", "SWITCHED_NORMAL"),
)
QC_ORDER = ("fail", "warn", "pass")
