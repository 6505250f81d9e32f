"""Whether two results agree: texts and whole numbers exactly, other numbers as closely as libraries keep them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

CLOSE = 1e-6  # relative, as far as libraries may move a number
CLOSE_SECOND = 1e-3  # the free mixture of scikit-learn, which rounding can send to a neighbouring optimum
# Checksums of the arrays and of the whole result: what they seal is compared by its numbers instead.
SEALS = (".densities", ".digest")


def different(mine: Any, theirs: Any, name: str = "") -> Iterator[str]:
    """Yield where two plain values differ: the place, and both values."""
    if isinstance(mine, dict) and isinstance(theirs, dict) and mine.keys() == theirs.keys():
        for key, value in mine.items():
            yield from different(value, theirs[key], f"{name}.{key}")
    elif isinstance(mine, list) and isinstance(theirs, list) and len(mine) == len(theirs):
        for index, (one, two) in enumerate(zip(mine, theirs, strict=True)):
            yield from different(one, two, f"{name}[{index}]")
    elif name not in SEALS and not close(name, mine, theirs):
        yield f"{name}: {mine} {theirs}"


def close(name: str, mine: Any, theirs: Any) -> bool:
    """Return whether two values agree: texts and whole numbers exactly, others within what libraries may differ."""
    if mine == theirs:
        return True
    tolerance = CLOSE_SECOND if "gmm_negative_fraction" in name else CLOSE
    try:
        one, two = (float(value) for value in (mine, theirs) if re.search("[.e]", str(value)))
    except (ValueError, TypeError):  # a text, a whole number, nothing, or parts that one of them lacks
        return False
    return math.isclose(one, two, rel_tol=tolerance, abs_tol=1e-12)
