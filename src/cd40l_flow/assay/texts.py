"""The words of the report, read from ``texts.yaml``, and those of the other assays."""

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


@cache
def texts_of(assay: str) -> Texts:
    """Return the sentences of an assay (``cd40l``, ``memory_b``, ``cd40``): the common ones, its own in their place.

    An assay has the reasons of all and its own words of some; ``calls`` and ``interpretation`` are its own alone.
    Raises FileNotFoundError for an assay without texts.
    """
    common = load_texts()
    if assay == "cd40l":
        return common
    own: Texts = shipped(Path(__file__).parent / assay / "texts.yaml")
    return {**common, **own, "reasons": {**common["reasons"], **own["reasons"]}}


def population_name(population: str) -> str:
    """Return a population's name as readers write it."""
    name: str = load_texts()["populations"].get(population, population)
    return name


def reason_texts(code: str, assay: str = "cd40l") -> Mapping[str, str]:
    """Return ``name``, ``what`` and ``remedy`` of a reason; a code without an entry stands for itself."""
    texts: Mapping[str, str] = texts_of(assay)["reasons"].get(code, {"name": code, "what": "", "remedy": ""})
    return texts
