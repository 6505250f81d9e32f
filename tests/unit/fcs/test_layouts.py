"""Whatever types, widths, ranges and order of bytes a file has, what was written is read."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cd40l_flow.fcs.reader import parse_recording
from helpers.by_hand.fcs_files import NAMES, Fcs

WIDTHS = {"I": (8, 16, 24, 32, 40, 48), "F": (32,), "D": (64,)}


@st.composite
def files(draw: st.DrawFn) -> tuple[Fcs, np.ndarray, np.ndarray]:
    """Return a file, the values to store in it and those to be read: the bits below the range."""
    types = draw(st.sampled_from([("I",) * 8, ("F",) * 8, ("D",) * 8]) | st.tuples(*[st.sampled_from("IFD")] * 8))
    bits = tuple(draw(st.sampled_from(WIDTHS[kind])) for kind in types)
    mixed = len(set(types)) > 1
    events = draw(st.integers(1, 300))
    source = np.random.default_rng(draw(st.integers(0, 2**32)))
    stored, expected, ranges = [], [], {}
    for n, (kind, width) in enumerate(zip(types, bits, strict=True), start=1):
        if kind == "I":
            used = draw(st.integers(1, width))
            limit = draw(st.integers((1 << used - 1) + 1, 1 << used))
            column = source.integers(0, 1 << width, events, dtype=np.int64)
            expected.append(column & ((1 << used) - 1))
        else:
            limit = 262144
            column = source.normal(0, 1e4, events).astype("f4" if kind == "F" else "f8")
            expected.append(column)
        ranges[f"$P{n}R"] = str(limit)
        stored.append(column.astype(np.float64))
    fcs = Fcs(
        events=events,
        version="FCS3.2" if mixed else draw(st.sampled_from(("FCS2.0", "FCS3.0", "FCS3.1", "FCS3.2"))),
        datatype=types[0],
        types=types if mixed else (),
        bits=bits,
        order=draw(st.sampled_from(("1,2,3,4", "4,3,2,1"))),
        delimiter=draw(st.sampled_from("|/\\\x0c\x1e*")),
        keywords=dict(ranges),
    )
    return fcs, np.column_stack(stored), np.column_stack(expected).astype(np.float64)


@settings(max_examples=150, deadline=None)
@given(files())
def test_what_was_written_is_read(file: tuple[Fcs, np.ndarray, np.ndarray]) -> None:
    fcs, values, expected = file
    recording = parse_recording(memoryview(fcs.bytes(fcs.data(values))), "a.fcs")
    np.testing.assert_array_equal(recording.stored(range(len(NAMES))), expected)
    chosen = [5, 0, 7]
    np.testing.assert_array_equal(recording.stored(chosen), expected[:, chosen])
    columns = recording.columns()
    scale = np.abs(expected).max(axis=0) + 1
    assert (np.abs(np.array(columns.means) - expected.mean(axis=0)) <= 1e-12 * scale).all()
    np.testing.assert_array_equal(columns.lowest, expected.min(axis=0))
    np.testing.assert_array_equal(columns.highest, expected.max(axis=0))
