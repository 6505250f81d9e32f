"""The assays, and which of them is current: the only place where they are looked up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from cd40l_flow.assay.cd40 import CD40
from cd40l_flow.assay.cd40l import CD40L
from cd40l_flow.assay.memory_b import MEMORY_B
from cd40l_flow.assay.tables import Assay

ASSAYS: Mapping[str, Assay] = {assay.name: assay for assay in (CD40L, MEMORY_B, CD40)}
_current: ContextVar[Assay] = ContextVar("assay", default=CD40L)


def current_assay() -> Assay:
    """Return the tables of the current assay."""
    return _current.get()


def assay_named(name: str) -> Assay:
    """Return the tables of an assay by the value of the column ``assay``; raises KeyError for another."""
    return current_assay() if current_assay().name == name else ASSAYS[name]


def assay_of_reagent(reagent: str) -> Assay:
    """Return the tables of the assay that has a reagent; those of the current assay where none has it."""
    return next((assay for assay in every_assay() if reagent in assay.reagent_names), current_assay())


def every_reagent() -> tuple[str, ...]:
    """Return the reagents of every assay, those of the current assay first."""
    return tuple(dict.fromkeys(name for assay in every_assay() for name in assay.reagent_names))


def every_boundary() -> tuple[str, ...]:
    """Return the names of every assay's boundaries, as ``overrides.tsv`` has them."""
    return tuple(dict.fromkeys(name for assay in every_assay() for name in assay.override_names))


def every_assay() -> tuple[Assay, ...]:
    """Return the current assay, then the others."""
    return (current_assay(), *(assay for name, assay in ASSAYS.items() if name != current_assay().name))


@contextmanager
def using(assay: Assay) -> Iterator[None]:
    """Make another assay the current one within the block."""
    before = _current.set(assay)
    try:
        yield
    finally:
        _current.reset(before)
