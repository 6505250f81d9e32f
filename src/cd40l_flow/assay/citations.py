"""How the analysis is described in a paper: a paragraph of methods with its references, from ``citations.yaml``."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cd40l_flow import ENGINE_VERSION, __version__
from cd40l_flow.assay.limits import Limits, LimitValue, plain_limits
from cd40l_flow.assay.texts import texts_of
from cd40l_flow.base.resources import shipped
from cd40l_flow.base.schema import listed
from cd40l_flow.base.software import distribution_version, python_version

# Shown for a limit that a result lacks.
UNKNOWN = "(not stated)"
_MARK = re.compile(r"\[([a-z]+[0-9]{4}(?:; [a-z]+[0-9]{4})*)\]")


@dataclass(frozen=True)
class Reference:
    """One reference: its text without the doi, which may be empty; the distribution that it describes, if any."""

    text: str
    doi: str = ""
    software: str = ""

    @property
    def url(self) -> str:
        """Return where it is found, or nothing."""
        return f"https://doi.org/{self.doi}" if self.doi else ""

    def __str__(self) -> str:
        return f"{self.text} doi:{self.doi}" if self.doi else self.text


@dataclass(frozen=True)
class Methods:
    """A text, by paragraphs, with numbers of references in brackets, and the references in the order of the numbers."""

    paragraphs: tuple[str, ...]
    references: tuple[Reference, ...]

    def text(self) -> str:
        """Return all of it as plain text, to be pasted."""
        numbered = [f"{number}. {one}" for number, one in enumerate(self.references, 1)]
        return "\n\n".join([*self.paragraphs, "References", "\n".join(numbered)]) + "\n"


@cache
def _shipped() -> dict[str, Any]:
    content: dict[str, Any] = shipped(Path(__file__).with_name("citations.yaml"))
    return content


def references() -> dict[str, Reference]:
    """Return every reference by its name."""
    return {name: Reference(**part) for name, part in _shipped()["references"].items()}


def methods(
    limits: Mapping[str, Mapping[str, LimitValue]] | None = None,
    engine: str = ENGINE_VERSION,
    assays: Collection[str] = ("cd40l",),
) -> Methods:
    """Return the methods of assays as they were used: versions of the installed software, and the limits of a result.

    Without ``limits`` the defaults are stated; ``engine`` is the version of the analysis of the result.
    """
    used = plain_limits(Limits()) if limits is None else limits
    known = references()
    cited = [one.software for one in known.values() if one.software]
    facts: dict[str, Any] = {name.replace("-", "_"): distribution_version(name) for name in cited}
    facts |= {"version": __version__, "engine": engine, "python": python_version()}
    quantile = used.get("mixture", {}).get("background_quantile")
    facts["percentile"] = _ordinal(100 * quantile) if isinstance(quantile, float) else UNKNOWN
    for name, group, limit in (("shift", "mixture", "shift_max"), ("call_odds", "odds", "call_odds")):
        value = used.get(group, {}).get(limit)
        facts[name] = f"{value:g}" if isinstance(value, int | float) else UNKNOWN
    own = {name: part for name, part in _shipped()["assays"].items() if name in assays}
    facts["subjects"] = listed([part["subject"] for part in own.values()], "and of")
    facts["gated"] = next(iter(own.values()))["gated"] if len(own) == 1 else "The populations of each assay"
    statistics = [part.get("statistics") or _statistics(name) for name, part in own.items()]
    numbers: dict[str, int] = {}

    def numbered(mark: re.Match[str]) -> str:
        found = [numbers.setdefault(name, len(numbers) + 1) for name in mark[1].split("; ")]
        return f"[{', '.join(map(str, found))}]"

    paragraphs = tuple(_MARK.sub(numbered, part.format(**facts)) for part in [*_shipped()["common"], *statistics])
    return Methods(paragraphs, tuple(known[name] for name in numbers))


def _statistics(assay: str) -> str:
    """Return the statistics paragraph of the report of an assay."""
    words: str = texts_of(assay)["sections"]["methods"]["miflowcyt"]["assay_statistics"]
    return words


def _ordinal(value: float) -> str:
    """Return a number as English counts: 99th, 95.5th, 1st."""
    whole = round(value)
    odd = abs(value - whole) > 1e-9 or whole % 100 in (11, 12, 13)
    return f"{value:g}{'th' if odd else {1: 'st', 2: 'nd', 3: 'rd'}.get(whole % 10, 'th')}"
