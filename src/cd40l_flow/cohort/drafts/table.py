"""A draft at a glance: one line for each sample, with its tubes, what is missing, and where its name was read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.cohort.drafts.folder import cell

MOST_LINES = 60
_LONGEST_ORIGIN = 60


class _Kind(Protocol):
    @property
    def stimulation(self) -> str: ...
    @property
    def reagent(self) -> str: ...


class _Tube(Protocol):
    @property
    def kind(self) -> _Kind: ...
    @property
    def doubts(self) -> tuple[str, ...]: ...


class _Sample(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def run(self) -> str: ...
    @property
    def control(self) -> bool: ...
    @property
    def read_from(self) -> str: ...
    @property
    def tubes(self) -> Sequence[_Tube]: ...


def _needed() -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """Return what a sample needs, each with the column's name, the stimulation and reagents of which one is enough."""
    assay = current_assay()
    first, function = assay.targets[assay.expression[0]], assay.targets[assay.function]
    return (
        (f"stim {first.name}", "stimulated", (first.name,)),
        ("background", "stimulated", first.backgrounds),
        ("unstim", "unstimulated", (first.name, *first.backgrounds)),
        (function.name, "stimulated", (function.name,)),
        (" or ".join(function.backgrounds), "stimulated", function.backgrounds),
    )


def needed(sample: _Sample) -> dict[str, list[str]]:
    """Return, for every tube that a sample needs, the reagents of those that were recognised."""
    return {
        name: [
            tube.kind.reagent
            for tube in sample.tubes
            if tube.kind.stimulation == stimulation and tube.kind.reagent in reagents
        ]
        for name, stimulation, reagents in _needed()
    }


def table(samples: Sequence[_Sample]) -> str:
    """Return a table of samples for a terminal: how many tubes of each kind, ``-`` where none was recognised.

    ``other`` are tubes that are none of these or whose kind is not known, ``asked`` those with a question.
    """
    heads = ["sample", "run", "role", *(name for name, _, _ in _needed()), "other", "asked", "the sample was read from"]
    rows = [heads, *(_row(sample) for sample in samples[:MOST_LINES])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    if len(samples) > MOST_LINES:
        lines.append(f"... and {len(samples) - MOST_LINES} samples more: config/samples.tsv, config/tubes.tsv")
    return "\n".join(lines)


def _row(sample: _Sample) -> list[str]:
    tubes = needed(sample)
    counts = [str(len(each)) if each else "-" for each in tubes.values()]
    other = len(sample.tubes) - sum(len(each) for each in tubes.values())
    asked = sum(bool(tube.doubts) for tube in sample.tubes)
    origin = cell(sample.read_from)
    origin = origin if len(origin) <= _LONGEST_ORIGIN else f"{origin[: _LONGEST_ORIGIN - 3]}..."
    role = "control" if sample.control else "test"
    return [sample.name, sample.run, role, *counts, str(other or ""), str(asked or ""), origin]
