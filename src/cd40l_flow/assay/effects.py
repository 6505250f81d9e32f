"""The calls, and the sets of them that guards take away."""

from __future__ import annotations

NORMAL, REDUCED, ABSENT, MOSAIC = "NORMAL", "REDUCED", "ABSENT", "MOSAIC"
FUNCTIONAL_DEFECT, INDETERMINATE = "FUNCTIONAL_DEFECT", "INDETERMINATE"
ALL_CALLS = frozenset({NORMAL, REDUCED, ABSENT, MOSAIC, FUNCTIONAL_DEFECT})
LOW_CALLS = frozenset({REDUCED, ABSENT})
NO_CALLS: frozenset[str] = frozenset()
INFANT_CALLS = frozenset({MOSAIC, REDUCED})
# Times the ln odds of a call: its odds squared, for what another kind of cells or person may look like.
SQUARED = 2.0
