"""The words of the report, read from ``texts.yaml`` and ``b_cell_texts.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.base.resources import shipped

Texts = Mapping[str, Any]


def load_texts() -> Texts:
    """Return every sentence of the report and the index, as nested mappings, in the words of the assay at work."""
    return _texts(current_assay().name)


@cache
def _texts(assay: str) -> Texts:
    texts: Texts = shipped(Path(__file__).with_name("texts.yaml"))
    more = shipped(Path(__file__).with_name("b_cell_texts.yaml"))
    parts = ["every", "b_cells", assay] if assay in more else ["every"]
    for part in parts:
        texts = _with(texts, more[part])
    return texts


def _with(texts: Texts, others: Texts) -> Texts:
    """Return texts with others in their place: mappings one by one, None takes away."""
    joined = {**texts, **others}
    for name in set(texts) & set(others):
        if isinstance(texts[name], Mapping) and isinstance(others[name], Mapping):
            joined[name] = _with(texts[name], others[name])
    return {name: text for name, text in joined.items() if text is not None}


def population_name(population: str) -> str:
    """Return a population's name as readers write it."""
    name: str = load_texts()["populations"].get(population, population)
    return name


def reason_texts(code: str) -> Mapping[str, str]:
    """Return ``name``, ``what`` and ``remedy`` of a reason; a code without an entry stands for itself."""
    texts: Mapping[str, str] = load_texts()["reasons"].get(code, {"name": code, "what": "", "remedy": ""})
    return texts
