"""What the benchmarks are held against, and the table of it in ``benchmarks/README.md``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.timing import ROOT

README = ROOT / "benchmarks" / "README.md"
BEGIN, END = "<!-- goals: written by make bench -->", "<!-- goals end -->"


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
    lines = ["| what | measured | goal | | page |", "|---|---:|---:|---|---|"]
    for goal in goals:
        verdict = "met" if goal.met else "**missed**"
        lines.append(f"| {goal.what} | {goal.measured} | {goal.goal} | {verdict} | [{goal.page}]({goal.page}) |")
    return "\n".join(lines)


def write(goals: Sequence[Goal], machine: str) -> None:
    """Put the table of the goals into its place in the README of the benchmarks."""
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    README.write_text(f"{before}{BEGIN}\n{machine}\n\n{table(goals)}\n{END}{after}", encoding="utf-8")
