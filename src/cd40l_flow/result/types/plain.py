"""Records from what the analysis computes: plain values, rounded, each in its range."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TypeVar

import msgspec

from cd40l_flow.base.records import Record
from cd40l_flow.result.types.result import Result

T = TypeVar("T")
DIGITS = 10


def finished(result: Result) -> Result:
    """Return a result as it is written: plain values, floats rounded, what is not finite None, each in its range.

    Raises msgspec.ValidationError for a value that no result may hold.
    """
    return msgspec.convert(rounded(result), Result)


def rounded(record: Record) -> dict[str, Any]:
    """Return a record as plain values: floats rounded, what is not finite None."""
    plain: dict[str, Any] = clean(msgspec.to_builtins(record, enc_hook=_of_numpy))
    return plain


def _of_numpy(value: Any) -> Any:
    return value.tolist()


def from_dataclass(value: Any, kind: type[T]) -> T:
    """Return a dataclass as the record with the same keys."""
    return msgspec.convert(clean(asdict(value)), kind)


def clean(value: Any) -> Any:
    """Return plain JSON values: numpy numbers as Python's, floats rounded, what is not finite as None."""
    if isinstance(value, Mapping):
        return {str(key): clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    if hasattr(value, "tolist"):
        return clean(value.tolist())
    if isinstance(value, float):
        # Ten digits: more than any measure means, fewer than machines differ in.
        return float(f"{value:.{DIGITS}g}") + 0.0 if math.isfinite(value) else None
    return value
