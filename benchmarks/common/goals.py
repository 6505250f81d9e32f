"""The goals that the benchmarks are compared with, and the table of them in ``benchmarks/README.md``.

``python -m benchmarks.common.goals`` makes that table anew from the pages as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from benchmarks.common.places import PAGES
from benchmarks.common.timing import machine

BEGIN, END = "<!-- goals: written by make bench -->", "<!-- goals end -->"
HEAD = ["| what | measured | goal | | page |", "|---|---:|---:|---|---|"]
WITH_GOALS = ("speed.md", "scale_samples.md", "scale_events.md", "scale.md")


@dataclass(frozen=True)
class Goal:
    """One number that was measured: what it is, its page, the number with its unit, the goal in words, whether met."""

    what: str
    page: str
    measured: str
    goal: str
    met: bool


def table(goals: Sequence[Goal]) -> str:
    """Return the goals as a Markdown table."""
    lines = list(HEAD)
    for goal in goals:
        verdict = "met" if goal.met else "**missed**"
        lines.append(f"| {goal.what} | {goal.measured} | {goal.goal} | {verdict} | [{goal.page}]({goal.page}) |")
    return "\n".join(lines)


def write(folder: Path) -> None:
    """Put the goals of all pages of a folder into their place in its README."""
    rows = [row for page in WITH_GOALS for row in _rows((folder / page).read_text(encoding="utf-8"))]
    readme = folder / "README.md"
    before, rest = readme.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    shown = "\n".join([machine(), "", *HEAD, *rows])
    readme.write_text(f"{before}{BEGIN}\n{shown}\n{END}{after}", encoding="utf-8")


def _rows(page: str) -> list[str]:
    """Return the rows of a page's table of goals; raises ValueError for a page without one."""
    lines = page.splitlines()
    return list(takewhile(lambda line: line.startswith("|"), lines[lines.index(HEAD[0]) + len(HEAD) :]))


if __name__ == "__main__":
    write(PAGES)
