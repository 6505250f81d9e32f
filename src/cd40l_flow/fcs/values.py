"""The stored values of a verified DATA segment, and checks of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.base.model import Floats, Singles
from cd40l_flow.fcs.data import Layout
from cd40l_flow.fcs.text import EXPORT_AGAIN, refuse

# Events decoded per batch, so that their bytes stay in the CPU cache.
_BLOCK = 4096
# Values decoded at a time where all detectors are wanted, and events laid side by side to make long rows of few.
_BLOCK_VALUES = 1 << 16
_ROW_VALUES = 1024
_SINGLE_BYTES = 4


@dataclass(frozen=True)
class Columns:
    """Statistics of every detector's stored values: mean, minimum, maximum, and the number of NaN or infinite values.

    With such values, the other three are not valid.
    """

    means: tuple[float, ...]
    lowest: tuple[float, ...]
    highest: tuple[float, ...]
    not_finite: tuple[int, ...]


def stored_values(segment: memoryview, layout: Layout, columns: Sequence[int]) -> Floats | Singles:
    """Return the stored values of some detectors, (events, columns), after bit masking, before gain or log amplifier.

    ``segment`` is exactly the bytes of DATA. The values are in single precision where all are stored in it, and lie
    column by column.
    """
    single = all(layout.types[column] == "F" and layout.widths[column] == _SINGLE_BYTES for column in columns)
    values = np.empty((layout.events, len(columns)), dtype=np.float32 if single else np.float64, order="F")
    rows = _rows(segment, layout)
    firsts = _firsts(layout)
    plain = _plain(layout)
    # A signalling NaN raises a warning when it is cast; check_finite finds it.
    with np.errstate(invalid="ignore"):
        for begin in range(0, layout.events, _BLOCK):
            block = rows[begin : begin + _BLOCK]
            table = block.view(_dtype(layout, 0)) if plain else None
            for at, column in enumerate(columns):
                if table is not None and not layout.masks[column]:
                    values[begin : begin + _BLOCK, at] = table[:, column]
                    continue
                cells = block[:, firsts[column] : firsts[column] + layout.widths[column]]
                values[begin : begin + _BLOCK, at] = _numbers(cells, layout, column)
    return values


def describe_columns(segment: memoryview, layout: Layout) -> Columns:
    """Return mean, extremes and finiteness of every detector in one pass that holds few values at a time."""
    count = len(layout.widths)
    # Rows of several events, added as a whole, are many times faster than rows of a dozen values.
    fold = max(1, min(_ROW_VALUES // count, layout.events))
    sums = np.zeros(count)
    lowest, highest = np.full(count, np.inf), np.full(count, -np.inf)
    with np.errstate(invalid="ignore", over="ignore"):
        for block in _blocks(segment, layout, fold):
            folded = block.reshape(-1, count * (fold if len(block) % fold == 0 else 1))
            sums += folded.sum(axis=0).reshape(-1, count).sum(axis=0)
            np.minimum(lowest, folded.min(axis=0).reshape(-1, count).min(axis=0), out=lowest)
            np.maximum(highest, folded.max(axis=0).reshape(-1, count).max(axis=0), out=highest)
        means = sums / layout.events
        not_finite = np.zeros(count, dtype=np.int64)
        # A finite sum has only finite terms; one that is not may also have overflowed.
        if not np.isfinite(sums).all():
            means[:] = 0.0
            for block in _blocks(segment, layout, fold):
                not_finite += np.count_nonzero(~np.isfinite(block), axis=0)
                means += (block / layout.events).sum(axis=0)
    return Columns(
        tuple(map(float, means)), tuple(map(float, lowest)), tuple(map(float, highest)), tuple(map(int, not_finite))
    )


def check_finite(values: Floats | Singles, names: Sequence[str], name: str) -> None:
    """Raise TubeError (FILE_INTEGRITY) when any of ``values``, (events, names), is NaN or infinite."""
    # Minimum and maximum also reveal NaN.
    ends = [(column.min(initial=0.0), column.max(initial=0.0)) for column in values.T]
    doubtful = [at for at, (low, high) in enumerate(ends) if not (np.isfinite(low) and np.isfinite(high))]
    counts = [int(np.count_nonzero(~np.isfinite(values[:, at]))) for at in doubtful]
    refuse_not_finite(counts, [names[at] for at in doubtful], name)


def refuse_not_finite(counts: Sequence[int], names: Sequence[str], name: str) -> None:
    """Raise TubeError (FILE_INTEGRITY) when any detector has values that are NaN or infinite."""
    where = ", ".join(f"{count} in {column}" for count, column in zip(counts, names, strict=True) if count)
    if where:
        raise refuse(name, "NOT_FINITE", f"values that are not finite numbers: {where}.", EXPORT_AGAIN)


def _firsts(layout: Layout) -> list[int]:
    """Return the first byte of every detector's value in an event."""
    return list(accumulate(layout.widths, initial=0))[:-1]


def _plain(layout: Layout) -> bool:
    """Return whether all values have one type that numpy knows."""
    return len(set(layout.types)) == 1 and len(set(layout.widths)) == 1 and layout.widths[0] in (1, 2, 4, 8)


def _rows(segment: memoryview, layout: Layout) -> NDArray[np.uint8]:
    rows: NDArray[np.uint8] = np.frombuffer(segment, dtype=np.uint8).reshape(layout.events, layout.event_bytes)
    return rows


def _blocks(segment: memoryview, layout: Layout, fold: int) -> Iterator[Floats]:
    """Yield the stored values of all detectors, (some events, detectors), in multiples of ``fold`` events except the
    last.

    Each array is overwritten by the next.
    """
    count = len(layout.widths)
    size = max(1, _BLOCK_VALUES // (count * fold)) * fold
    buffer: Floats = np.empty((min(size, layout.events), count))
    plain = _plain(layout)
    rows = _rows(segment, layout)
    every = [mask or (1 << 8 * width) - 1 for mask, width in zip(layout.masks, layout.widths, strict=True)]
    masks = np.array(every, dtype=np.uint64)
    firsts = _firsts(layout)
    for begin in range(0, layout.events, size):
        block = rows[begin : begin + size]
        values = buffer[: len(block)]
        if plain:
            numbers = block.view(_dtype(layout, 0))
            if any(layout.masks):
                numbers = numbers & masks.astype(numbers.dtype.newbyteorder("="))
            np.copyto(values, numbers)
        else:
            for column, first in enumerate(firsts):
                values[:, column] = _numbers(block[:, first : first + layout.widths[column]], layout, column)
        yield values


def _dtype(layout: Layout, column: int) -> str:
    kind = "u" if layout.types[column] == "I" else "f"
    return f"{'>' if layout.big_endian else '<'}{kind}{layout.widths[column]}"


def detector_bytes(rows: NDArray[np.uint8], layout: Layout, column: int) -> NDArray[np.uint8]:
    """Return the bytes of one detector, (events, width), from those of whole events."""
    first = _firsts(layout)[column]
    return rows[:, first : first + layout.widths[column]]


def unmasked(rows: NDArray[np.uint8], layout: Layout, column: int) -> NDArray[np.number]:
    """Return the numbers of one detector, (events,), from the bytes of whole events; integers with all their bits."""
    cells = detector_bytes(rows, layout, column)
    return _integers(cells, layout.big_endian, 0) if layout.types[column] == "I" else _numbers(cells, layout, column)


def _numbers(cells: NDArray[np.uint8], layout: Layout, column: int) -> NDArray[np.number]:
    """Return the numbers of one detector, (events,), from their bytes, (events, width)."""
    if layout.types[column] == "I":
        return _integers(cells, layout.big_endian, layout.masks[column])
    numbers: NDArray[np.floating] = cells.view(_dtype(layout, column))[:, 0]
    return numbers


def high_bits(segment: memoryview, layout: Layout, column: int) -> NDArray[np.unsignedinteger]:
    """Return the different values, ascending, of the bits above a detector's mask; a single 0 where there are none."""
    mask = layout.masks[column]
    if not mask:
        return np.zeros(1, dtype=np.uint8)
    numbers = _integers(detector_bytes(_rows(segment, layout), layout, column), layout.big_endian, 0)
    return np.unique(numbers >> numbers.dtype.type(mask.bit_length()))


def _integers(cells: NDArray[np.uint8], big_endian: bool, mask: int) -> NDArray[np.unsignedinteger]:
    """Return unsigned integers of 1 to 8 bytes, (events,), from their bytes, (events, width)."""
    width = cells.shape[1]
    size = next(size for size in (1, 2, 4, 8) if size >= width)
    if size != width:
        padded = np.zeros((len(cells), size), dtype=np.uint8)
        padded[:, size - width if big_endian else 0 :][:, :width] = cells
        cells = padded
    numbers: NDArray[np.unsignedinteger] = cells.view(f"{'>' if big_endian else '<'}u{size}")[:, 0]
    return numbers & numbers.dtype.type(mask) if mask else numbers
