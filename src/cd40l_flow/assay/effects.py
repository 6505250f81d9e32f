"""The calls of every assay, and the sets of them that guards take away."""

from __future__ import annotations

NORMAL, REDUCED, ABSENT, MOSAIC = "NORMAL", "REDUCED", "ABSENT", "MOSAIC"
FUNCTIONAL_DEFECT, INDETERMINATE = "FUNCTIONAL_DEFECT", "INDETERMINATE"
ALL_CALLS = frozenset({NORMAL, REDUCED, ABSENT, MOSAIC, FUNCTIONAL_DEFECT})
LOW_CALLS = frozenset({REDUCED, ABSENT})
EXPRESSING_CALLS = frozenset({NORMAL, REDUCED, MOSAIC})  # those that need expressing cells
NO_CALLS: frozenset[str] = frozenset()
INFANT_CALLS = frozenset({MOSAIC, REDUCED})
# Times the ln odds of a call: its odds squared, for what another kind of cells or person may look like.
SQUARED = 2.0

# Class-switched memory B cells.
SWITCHED_NORMAL, SWITCHED_LOW, SWITCHED_ABSENT = "SWITCHED_NORMAL", "SWITCHED_LOW", "SWITCHED_ABSENT"
MEMORY_CALLS = frozenset({SWITCHED_NORMAL, SWITCHED_LOW, SWITCHED_ABSENT})
SWITCHED_FEW = frozenset({SWITCHED_LOW, SWITCHED_ABSENT})
# CD40 on B cells and monocytes.
PRESENT, CD40_LOW, CD40_ABSENT, DISCORDANT = "PRESENT", "CD40_LOW", "CD40_ABSENT", "DISCORDANT"
CD40_CALLS = frozenset({PRESENT, CD40_LOW, CD40_ABSENT, DISCORDANT})
# No two assays share a call, so a set of calls identifies its assay.
OF_ASSAYS = (ALL_CALLS, MEMORY_CALLS, CD40_CALLS)
# The calls of healthy people, and those that need a second signature.
HEALTHY = frozenset({NORMAL, SWITCHED_NORMAL, PRESENT})
GRAVE = (ABSENT, FUNCTIONAL_DEFECT, SWITCHED_ABSENT, CD40_ABSENT)


def calls_of(assay: str) -> frozenset[str]:
    """Return every call that samples of an assay can have, by its value in the sheet; raises KeyError for another."""
    own = {"cd40l": ALL_CALLS, "memory_b": MEMORY_CALLS, "cd40": CD40_CALLS}[assay]
    return own | {INDETERMINATE}


def takes_every_call(blocks: frozenset[str]) -> bool:
    """Return whether a guard that takes these calls away leaves none of its assay."""
    return any(calls <= blocks for calls in OF_ASSAYS)
