"""The words of the report: those of all assays, ``texts.yaml``, and those in the folder of each."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from cd40l_flow.assay.lookup import ASSAYS, current_assay
from cd40l_flow.base.resources import shipped

Texts = Mapping[str, Any]


def load_texts() -> Texts:
    """Return every sentence of the report and the index, as nested mappings, in the words of the current assay."""
    return texts_of(current_assay().name)


@cache
def texts_of(assay: str) -> Texts:
    """Return the sentences of an assay (``cd40l``, ``memory_b``, ``cd40``): the common ones, its own in their place.

    Every assay has the words of all calls and reasons, so that a page may show samples of all. Raises KeyError for an
    assay without texts.
    """
    here = Path(__file__).parent
    own: dict[str, Texts] = {name: shipped(here / name / "texts.yaml") for name in ASSAYS}
    pages: Texts = shipped(here / "b_cell_texts.yaml")
    texts = _with(shipped(here / "texts.yaml"), pages["every"])
    for words in own.values():
        for part in ("calls", "reasons"):
            known = texts.get(part, {})
            new = {name: text for name, text in words[part].items() if name not in known}
            texts = _with(texts, {part: new})
    on_pages = [pages["b_cells"], own[assay], pages[assay]] if assay in pages else [own[assay]]
    for more in on_pages:
        texts = _with(texts, more)
    return texts


def _with(texts: Texts, others: Texts) -> Texts:
    """Return texts with some replaced by others: mappings key by key, None removes one."""
    joined = {**texts, **others}
    for name in set(texts) & set(others):
        if isinstance(texts[name], Mapping) and isinstance(others[name], Mapping):
            joined[name] = _with(texts[name], others[name])
    return {name: text for name, text in joined.items() if text is not None}


def population_name(population: str) -> str:
    """Return a population's name as readers write it."""
    name: str = load_texts()["populations"].get(population, population)
    return name


def reason_texts(code: str, assay: str = "") -> Mapping[str, str]:
    """Return ``name``, ``what`` and ``remedy`` of a reason; a code without an entry is its own name.

    ``assay`` is the one whose words they are, by default the current one.
    """
    reasons = texts_of(assay or current_assay().name)["reasons"]
    texts: Mapping[str, str] = reasons.get(code, {"name": code, "what": "", "remedy": ""})
    return texts


@cache
def person_texts() -> Texts:
    """Return every sentence of a person's page, as nested mappings."""
    texts: Texts = shipped(Path(__file__).with_name("subject_page.yaml"))
    return texts
