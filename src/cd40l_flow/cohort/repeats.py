"""What the tubes sheet names twice: data named for two purposes, which are refused, and tubes that are pooled."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from cd40l_flow.base.errors import Problem
from cd40l_flow.base.model import Tube
from cd40l_flow.base.schema import listed, shown
from cd40l_flow.cohort.config import Config
from cd40l_flow.cohort.identity import MOST_REPEATS, copies


@dataclass(frozen=True)
class PlacedTube:
    """A tube, its sample and its line in the sheet."""

    line: int
    sample: str
    tube: Tube


def repeated_files(config: Config, tubes: Sequence[PlacedTube], problems: list[Problem]) -> dict[str, dict[str, str]]:
    """Find data named for two purposes at once: one file named twice, or a copy of it.

    A combined tube, one file read for several reagents, is no repeat.
    """
    first = {path: group[0] for group in copies(placed.tube.path for placed in tubes) for path in group}
    same: dict[str, list[PlacedTube]] = defaultdict(list)
    for placed in tubes:
        same[posixpath.normpath(first.get(placed.tube.path, placed.tube.path))].append(placed)
    refused: dict[str, dict[str, str]] = defaultdict(dict)
    for group in same.values():
        reagents = {placed.tube.reagent for placed in group}
        combined = (
            len({placed.tube.path for placed in group}) == 1
            and len({placed.sample for placed in group}) == 1
            and len(reagents) == len(group)
            and all(placed.tube.stimulation == "stimulated" for placed in group)
        )
        if len(group) == 1 or combined:
            continue
        for placed in group:
            # A few of them: of a thousand tubes of the same bytes, each would name all the others.
            others = list(islice((other for other in group if other is not placed), MOST_REPEATS))
            beyond = [f"{len(group) - 1 - len(others)} more"] if len(group) - 1 > len(others) else []
            uses = listed([*sorted({f"{_use(other.tube)} of {other.sample}" for other in others}), *beyond], "and")
            message = f"the tubes sheet names this file for {_use(placed.tube)} and again for {uses}."
            own = posixpath.normpath(placed.tube.path)
            copied = sorted({other.tube.fcs for other in others if posixpath.normpath(other.tube.path) != own})
            if copied:
                same_as = listed([*copied, *beyond], "and")
                message = f"it is the same file as {same_as}, which the tubes sheet names for {uses}."
            lines = listed([*(str(other.line) for other in others), *beyond], "and")
            text = f"{shown(placed.tube.fcs)} is named again on line {lines}; neither is used."
            remedy = "Name each file once; only a stimulated tube may be named for several reagents of its sample."
            if copied:
                text = f"{shown(placed.tube.fcs)} is the same file as the one on line {lines}; neither is used."
                remedy = "Put the right file in the place of the copy."
            refused[placed.sample][placed.tube.fcs] = f"{message} {remedy}"
            problems.append(
                Problem("FILE_INTEGRITY", "sample", text, config.tubes, placed.line, "fcs", placed.sample, remedy)
            )
    return dict(refused)


def replicates(config: Config, tubes: Sequence[PlacedTube], refused: Mapping[str, Mapping[str, str]]) -> list[Problem]:
    """Return a warning of every set of tubes that will be pooled, at the line of the last."""
    together: dict[tuple[str, str, str], list[PlacedTube]] = defaultdict(list)
    for placed in tubes:
        if placed.tube.fcs not in refused.get(placed.sample, {}):
            together[placed.sample, placed.tube.stimulation, placed.tube.reagent].append(placed)
    remedy = "If they are not the same blood, stimulated and stained alike, correct the row that is wrong."
    return [
        Problem(
            "REPLICATES",
            "warning",
            f"{listed([shown(one.tube.fcs) for one in group], 'and')} are {'both' if len(group) == 2 else 'all'} "
            f"{_use(group[0].tube)} of '{name}': their cells are pooled, if they agree.",
            config.tubes,
            group[-1].line,
            "fcs",
            name,
            remedy,
        )
        for (name, _, _), group in together.items()
        if len(group) > 1
    ]


def _use(tube: Tube) -> str:
    return f"{tube.stimulation} {tube.reagent}"
