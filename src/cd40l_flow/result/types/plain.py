"""Records from what the analysis computes: plain values, rounded, each in its range."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, TypeVar

import msgspec

from cd40l_flow.base.records import Record
from cd40l_flow.result.types.result import Result

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from numpy import generic
    from numpy.typing import NDArray

T = TypeVar("T")
DIGITS = 10


def finished(result: Result) -> Result:
    """Return a result as it is written: plain values, floats rounded, what is not finite None, each in its range.

    Raises msgspec.ValidationError for a value that no result may hold.
    """
    return msgspec.convert(rounded(result), Result)


def rounded(record: Record) -> dict[str, object]:
    """Return a record as plain values: floats rounded, what is not finite None."""
    return clean(msgspec.to_builtins(record, enc_hook=of_numpy))


def of_numpy(value: NDArray[generic] | generic) -> object:
    """Return the plain values of what numpy holds."""
    return value.tolist()


def from_dataclass(value: DataclassInstance, kind: type[T]) -> T:
    """Return a dataclass as the record with the same keys."""
    return msgspec.convert(clean(asdict(value)), kind)


def clean(values: Mapping[str, object]) -> dict[str, object]:
    """Return plain JSON values: numpy numbers as Python's, floats rounded, what is not finite as None."""
    return {str(key): _plain(value) for key, value in values.items()}


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return clean(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float):
        # Ten digits: more than any measure means, fewer than machines differ in.
        return float(f"{value:.{DIGITS}g}") + 0.0 if math.isfinite(value) else None
    return value
