"""Choice of the plausible one of several readings of DATA.

It is needed only if a file contradicts itself or the standard in the location or byte order of DATA. A reading is
accepted only if it is the only plausible one; otherwise the file is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.fcs.data import Layout
from cd40l_flow.fcs.text import EXPORT_AGAIN, Note, refuse
from cd40l_flow.fcs.values import detector_bytes, unmasked

# Number of sampled events, spread over DATA.
_EVENTS = 512
# Real values are near their range and rarely this close to zero; a wrong byte order gives any exponent.
_FAR_ABOVE = 100.0
_USUAL_RANGE = 1e7
_TINY = 1e-9
# Fraction of implausible values allowed, since a few are negative or saturated.
_ODD = 0.01
# Difference in entropy (bits, mean of the detectors) between low and high byte that determines the byte order.
_ENTROPY_BITS = 0.5
_LIST_MODE_ONLY = "Export it as FCS 3.1, list mode, floating point."


def choose_layout(content: memoryview, layouts: Sequence[Layout], ranges: Sequence[float | None], name: str) -> Layout:
    """Return the only plausible one of several layouts of a file, with a note.

    ``ranges`` is ``$PnR`` of every detector, None where it is not known. Raises TubeError (FILE_INTEGRITY: BYTEORD,
    OFFSETS_DISAGREE) when none or more than one is.
    """
    if len(layouts) == 1:
        return layouts[0]
    sane = [layout for layout in layouts if is_sane(content, layout, ranges)]
    many = "none of them gives" if not sane else "more than one gives"
    if len({layout.start for layout in sane}) == 1 and len(sane) == 2:
        # Integers that use their full range fit in any byte order.
        sane = [layout for layout in sane if layout.big_endian == ends_low(content, layout)]
    starts = sorted({layout.start for layout in layouts})
    places = f"HEADER and TEXT place DATA at bytes {starts[0]} and {starts[-1]}"
    order = "$BYTEORD is not one of the standard for the width of the values"
    if len(sane) != 1:
        if len(starts) > 1:
            raise refuse(name, "OFFSETS_DISAGREE", f"{places}, and {many} values in their range.", EXPORT_AGAIN)
        raise refuse(name, "BYTEORD", f"{order}, and of the two orders {many} values in their range.", _LIST_MODE_ONLY)
    chosen = sane[0]
    notes = list(chosen.notes)
    if len(starts) > 1:
        notes = [note for note in notes if note.code != "OFFSETS_DISAGREE"]
        notes.append(Note("OFFSETS_DISAGREE", f"{places}; only from {chosen.start} on the values are in their range."))
    if len({layout.big_endian for layout in layouts}) > 1:
        word = "big" if chosen.big_endian else "little"
        notes.append(Note("BYTEORD", f"{order}; only {word} endian gives plausible values, and is read."))
    return replace(chosen, notes=tuple(notes))


def is_sane(content: memoryview, layout: Layout, ranges: Sequence[float | None]) -> bool:
    """Return whether sampled values of a layout are plausible for an instrument.

    Floating-point values must be finite, not far above their range and not next to zero; integers must lie within it.
    """
    rows = _sampled(content, layout)
    return all(_odd_fraction(unmasked(rows, layout, column), limit) <= _ODD for column, limit in enumerate(ranges))


def ends_low(content: memoryview, layout: Layout) -> bool | None:
    """Return whether the last byte of the integers is the low one (big endian); None if undetermined.

    The low byte of a measured value is nearly uniform, the high one is not.
    """
    rows = _sampled(content, layout)
    columns = [detector_bytes(rows, layout, column) for column, width in enumerate(layout.widths) if width > 1]
    gains = [_entropy(column[:, -1]) - _entropy(column[:, 0]) for column in columns]
    mean = float(np.mean(gains)) if gains else 0.0
    return None if abs(mean) < _ENTROPY_BITS else mean > 0


def _sampled(content: memoryview, layout: Layout) -> NDArray[np.uint8]:
    """Return a sample of events, (events, bytes), spread evenly over DATA."""
    segment = content[layout.start : layout.start + layout.size]
    rows: NDArray[np.uint8] = np.frombuffer(segment, dtype=np.uint8).reshape(layout.events, layout.event_bytes)
    return rows[:: max(1, layout.events // _EVENTS)][:_EVENTS]


def _odd_fraction(column: NDArray[np.number], limit: float | None) -> float:
    if np.issubdtype(column.dtype, np.integer):
        return 0.0 if limit is None else float(np.mean(column > limit))
    with np.errstate(invalid="ignore"):
        size = np.abs(column.astype(np.float64))
        odd = ~np.isfinite(size) | ((size > 0) & (size < _TINY)) | (size > _FAR_ABOVE * (limit or _USUAL_RANGE))
    return float(np.mean(odd))


def _entropy(values: NDArray[np.uint8]) -> float:
    """Return the Shannon entropy of bytes, bits."""
    p = np.bincount(values, minlength=256) / len(values)
    p = p[p > 0]
    return float(-(p * np.log2(p)).sum())
