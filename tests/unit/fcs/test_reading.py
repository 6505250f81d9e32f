"""What is read of an FCS file is right, in every dialect."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import flowio
import numpy as np
import pytest

from cd40l_flow.base.errors import TubeError
from cd40l_flow.fcs.reader import open_recording, parse_recording, read_events
from helpers.by_hand.fcs_files import NAMES, Fcs, dialects
from helpers.by_hand.readings import refusal, stored, tube

REAL = Path(os.environ.get("CD40L_FLOW_FCS", Path(__file__).parents[3] / ".." / "shared" / "fcs"))


@pytest.mark.parametrize("dialect", dialects())
def test_every_dialect_gives_back_what_was_written(dialect: str) -> None:
    fcs = dialects()[dialect]
    np.testing.assert_array_equal(stored(fcs.bytes()), fcs.values())
    columns = parse_recording(memoryview(fcs.bytes()), "P01.fcs").columns()
    np.testing.assert_allclose(columns.means, fcs.values().mean(axis=0), rtol=1e-15)
    np.testing.assert_array_equal(columns.lowest, fcs.values().min(axis=0))
    np.testing.assert_array_equal(columns.highest, fcs.values().max(axis=0))


def test_events_hold_what_the_gates_need(tmp_path: Path) -> None:
    fcs = Fcs()
    path = tmp_path / "a.fcs"
    path.write_bytes(fcs.bytes())
    events = read_events(tube(path), {}, "file")
    assert events.names == ("FSC-A", "SSC-A", "FSC-H", "APC-A", "FITC-A", "PerCP-A", "PE-A")
    assert events.markers == {"CD3": "APC-A", "CD8": "FITC-A", "CD69": "PerCP-A", "target": "PE-A"}
    np.testing.assert_array_equal(events.column("PE-A"), fcs.values()[:, NAMES.index("PE-A")])
    assert events.time is not None
    np.testing.assert_allclose(events.time, fcs.values()[:, -1] * 0.5)
    assert events.spillover is not None
    assert len(events.digest) == 64


def test_the_digest_is_that_of_the_data_alone() -> None:
    one, other = (parse_recording(memoryview(fcs.bytes()), "a") for fcs in (Fcs(), Fcs(keywords={"$CYT": "other"})))
    assert one.digest() == other.digest()
    different = parse_recording(memoryview(Fcs(events=21).bytes()), "a")
    assert one.digest() != different.digest()


@pytest.mark.parametrize("size", [20_000, 400_000])
def test_a_value_of_many_delimiters_is_read_in_a_moment(size: int) -> None:
    """Escaped delimiters, empty values and keywords without end cost time in proportion to their number."""
    for text in ("$COM|" + "a||" * size + "|", "$A|" * size, "x|" * size, "|" * size):
        content = Fcs(raw_text=text).bytes()
        start = time.thread_time()
        with contextlib.suppress(TubeError):
            parse_recording(memoryview(content), "a")
        assert time.thread_time() - start < 2


def test_integers_are_masked_by_their_range() -> None:
    fcs = Fcs(datatype="I", bits=(16,) * 8, keywords={f"$P{n}R": "1000" for n in range(1, 9)})
    marked = fcs.values() + 0b100_0000_0000_0000
    np.testing.assert_array_equal(stored(fcs.bytes(fcs.data(marked))), fcs.values())


@pytest.mark.parametrize(
    ("amplifier", "gain"), [("4,1", "1"), ("4,0", "1"), ("3.5,0.1", "2"), ("0,0", "4"), ("0,0", "0")]
)
def test_log_amplifier_and_gain_are_undone_as_flowio_does(tmp_path: Path, amplifier: str, gain: str) -> None:
    keywords = {f"$P{n}{letter}": value for n in range(1, 8) for letter, value in (("E", amplifier), ("G", gain))}
    path = tmp_path / "a.fcs"
    path.write_bytes(Fcs(datatype="I", bits=(16,) * 8, keywords={**keywords, "$P8G": "3"}).bytes())
    recording = open_recording(path)
    expected = flowio.FlowData(str(path)).as_array()
    expected[:, -1] /= 0.5
    np.testing.assert_array_equal(recording.linear(range(8)), expected)
    if amplifier == "4,0":
        assert recording.header.detectors[3].maximum == pytest.approx(10_000)


@pytest.mark.parametrize("place", ["header", "text"])
@pytest.mark.parametrize("shift", [(3, 3), (1, 1), (-9, 0), (0, 500), (0, -4)])
def test_the_offset_pair_that_holds_the_events_is_taken(place: str, shift: tuple[int, int]) -> None:
    fcs = Fcs(header_shift=shift) if place == "header" else Fcs(text_shift=shift)
    content = fcs.bytes() + bytes(600)
    if place == "header" and shift == (-9, 0):
        assert "inside TEXT" in refusal(content)
    else:
        np.testing.assert_array_equal(stored(content), fcs.values())


def test_an_end_one_byte_too_far_is_read() -> None:
    fcs = Fcs(header_shift=(0, 1), text_shift=(0, 1))
    np.testing.assert_array_equal(stored(fcs.bytes()), fcs.values())


def test_large_files_have_their_offsets_in_text_only() -> None:
    fcs = Fcs(header_zero=True)
    np.testing.assert_array_equal(stored(fcs.bytes()), fcs.values())


@pytest.mark.parametrize("delimiter", ["/", "\\", "\x0c", "\x1e", "^", "*", ".", "!"])
def test_delimiters_escaped_and_empty_values_are_understood(delimiter: str) -> None:
    escaped = f"PE{delimiter}{delimiter}2-A"
    keywords = {"$P5N": escaped, "$COM": "", "$SPILLOVER": None, "$TIMESTEP": "1"}
    if delimiter == ".":
        keywords |= {"$P5N": "PE..2-A", "$CYT": "b"}
    recording = parse_recording(memoryview(Fcs(delimiter=delimiter, version="FCS3.0", keywords=keywords).bytes()), "a")
    assert recording.header.detectors[4].name == f"PE{delimiter}2-A"


def test_padded_and_lower_case_keywords_and_latin_1_are_understood() -> None:
    content = Fcs(keywords={" $p5s ": "CD154", "$P5S": None, "$CYT": "XXX"}).bytes()
    recording = parse_recording(memoryview(content.replace(b"XXX", "Zü ".encode("latin-1"))), "a")
    assert recording.header.detectors[4].label == "CD154"
    assert recording.header.cytometer == "Zü"


@pytest.mark.skipif(not (REAL / "activation").is_dir(), reason="real FCS files not found; set CD40L_FLOW_FCS")
def test_a_file_without_labels_is_read_by_configuration_alone() -> None:
    panel = {
        marker: {"detector": detector}
        for marker, detector in (
            ("CD3", "PE-A"),
            ("CD8", "Alexa Fluor 488-A"),
            ("CD69", "7-AAD-A"),
            ("target", "Alexa Fluor 647-A"),
        )
    }
    path = REAL / "activation" / "Activation_9.fcs"
    events = read_events(tube(path), panel, str(REAL / "activation" / "spillover.csv"))
    assert events.values.shape == (50_000, 15)
    assert set(events.markers) == set(panel)
    assert events.spillover is not None
    assert len(events.spillover.detectors) == 11
    assert events.time is not None


@pytest.mark.skipif(not (REAL / "whole_blood").is_dir(), reason="real FCS files not found; set CD40L_FLOW_FCS")
def test_a_compensated_file_is_read_when_the_configuration_says_so() -> None:
    path = REAL / "whole_blood" / "sample11.fcs"
    panel = {"target": {"detector": "HLADr"}}
    events = read_events(tube(path), {**panel, "spillover": "none"}, "file")
    assert events.spillover is None
    assert events.values.shape[0] == 10_000
    with pytest.raises(TubeError) as caught:
        read_events(tube(path), panel, "file")
    assert caught.value.code == "NO_COMP"
