"""Which assay is at work: the one place where it is looked up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from cd40l_flow.assay.cd40l import CD40L
from cd40l_flow.assay.tables import Assay

_current: ContextVar[Assay] = ContextVar("assay", default=CD40L)


def current_assay() -> Assay:
    """Return the tables of the assay at work."""
    return _current.get()


@contextmanager
def using(assay: Assay) -> Iterator[None]:
    """Put another assay to work within the block."""
    before = _current.set(assay)
    try:
        yield
    finally:
        _current.reset(before)
