"""Why a signed review is no longer valid: a code, for which the texts have the words, and what fills them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Doubt:
    """One reason: ``code`` is a key of the review's texts, ``values`` what they name."""

    code: str
    values: Mapping[str, str] = field(default_factory=dict)
