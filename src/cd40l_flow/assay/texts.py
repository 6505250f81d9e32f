"""The words of the report, read from ``texts.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from cd40l_flow.base.resources import shipped

Texts = Mapping[str, Any]


@cache
def load_texts() -> Texts:
    """Return every sentence of the report and the index, as nested mappings."""
    texts: Texts = shipped(Path(__file__).with_name("texts.yaml"))
    return texts


def population_name(population: str) -> str:
    """Return a population's name as readers write it."""
    name: str = load_texts()["populations"].get(population, population)
    return name


def reason_texts(code: str) -> Mapping[str, str]:
    """Return ``name``, ``what`` and ``remedy`` of a reason; a code without an entry stands for itself."""
    texts: Mapping[str, str] = load_texts()["reasons"].get(code, {"name": code, "what": "", "remedy": ""})
    return texts
