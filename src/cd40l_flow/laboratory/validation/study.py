"""The results of a study of a validation: numbers with intervals, what is missing, what to keep in mind, plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cd40l_flow.laboratory.validation.estimate import Estimate
from cd40l_flow.laboratory.validation.observations import Key

Series = tuple[str, Sequence[float], Sequence[float]]


@dataclass(frozen=True)
class Number:
    """One number of a study: of which measure and group, what it is, and its kind as `format_number` has it."""

    key: Key
    group: str
    quantity: str
    estimate: Estimate
    kind: str


@dataclass(frozen=True)
class Plot:
    """A plot: points and lines as name, x and y; ``names`` are written along x where it counts groups."""

    title: str
    x: str
    y: str
    points: tuple[Series, ...] = ()
    lines: tuple[Series, ...] = ()
    names: tuple[str, ...] = ()


@dataclass
class Study:
    """One study: its name, the guideline it follows, what it asks, and what came out.

    ``missing`` is what would be needed where it could not be done, ``remarks`` what limits its results;
    ``few``: it rests on fewer samples than its guideline asks for.
    """

    name: str
    title: str
    guideline: str
    asks: str
    numbers: list[Number] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    few: bool = False

    def add(self, key: Key, group: str, quantity: str, estimate: Estimate | None, kind: str) -> None:
        """Add a number where there is one."""
        if estimate is not None:
            self.numbers.append(Number(key, group, quantity, estimate, kind))
