"""The description of one limit of the assay: its meaning, its unit, its source and the values allowed."""

from __future__ import annotations

from msgspec import Meta

NOT_VALIDATED = "default, not validated"


def limit(text: str, unit: str, *, source: str = NOT_VALIDATED, **bounds: float) -> Meta:
    """Return the description of a limit; ``bounds`` are the values allowed: ``ge``, ``gt``, ``le`` and ``lt``."""
    return Meta(description=f"{text} Unit: {unit}. Source: {source}.", extra=dict(bounds))
