"""A draft at a glance: one line for each sample, with its tubes, what is missing, and where its name was read."""

from __future__ import annotations

from collections.abc import Sequence

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.cohort.drafts.folder import cell
from cd40l_flow.cohort.drafts.model import DraftSample

MOST_LINES = 60
_LONGEST_ORIGIN = 60


def _needed() -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """Return what a sample needs, each with the column's name, the stimulation and reagents of which one is enough."""
    assay = current_assay()
    if not assay.stimulated:
        return tuple(
            part
            for target in assay.targets.values()
            for part in (
                (target.name, "unstimulated", (target.name,)),
                ("background", "unstimulated", target.backgrounds),
            )
        )
    first, function = assay.targets[assay.expression[0]], assay.targets[assay.function]
    return (
        (f"stim {first.name}", "stimulated", (first.name,)),
        ("background", "stimulated", first.backgrounds),
        ("unstim", "unstimulated", (first.name, *first.backgrounds)),
        (function.name, "stimulated", (function.name,)),
        (" or ".join(function.backgrounds), "stimulated", function.backgrounds),
    )


def needed(sample: DraftSample) -> dict[str, list[str]]:
    """Return, for every tube that a sample needs, the reagents of those that were recognised."""
    return {
        name: [
            tube.kind.reagent
            for tube in sample.tubes
            if tube.kind.stimulation == stimulation and tube.kind.reagent in reagents
        ]
        for name, stimulation, reagents in _needed()
    }


def table(samples: Sequence[DraftSample]) -> str:
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


def _row(sample: DraftSample) -> list[str]:
    tubes = needed(sample)
    counts = [str(len(each)) if each else "-" for each in tubes.values()]
    other = len(sample.tubes) - sum(len(each) for each in tubes.values())
    asked = sum(bool(tube.doubts) for tube in sample.tubes)
    origin = cell(sample.read_from)
    origin = origin if len(origin) <= _LONGEST_ORIGIN else f"{origin[: _LONGEST_ORIGIN - 3]}..."
    role = "control" if sample.control else "test"
    return [sample.name, sample.run, role, *counts, str(other or ""), str(asked or ""), origin]
