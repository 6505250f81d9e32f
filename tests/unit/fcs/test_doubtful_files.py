"""Files that contradict the standard or themselves: read as their values prove, or refused with a remedy."""

from __future__ import annotations

import binascii
import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cd40l_flow.base.errors import TubeError
from cd40l_flow.base.model import Events, Sample
from cd40l_flow.cohort.check import _check_sample
from cd40l_flow.cohort.settings import Settings
from cd40l_flow.fcs.inspect import inspect_file
from cd40l_flow.fcs.reader import parse_recording, read_events
from helpers.by_hand.fcs_files import NAMES, Fcs
from helpers.by_hand.readings import tube

CASES = Path(__file__).parents[4] / "shared" / "cases" / "fcs"


def cells(events: int = 400, seed: int = 5) -> np.ndarray:
    """Return values as a digital instrument stores them, (events, detectors): scatter, four colours, time."""
    rng = np.random.default_rng(seed)
    values = rng.lognormal(7.0, 1.5, (events, len(NAMES))) - 200.0
    values[:, :3] = np.abs(rng.normal(90_000.0, 20_000.0, (events, 3))) + 500.0
    values[:, -1] = np.arange(events) * 0.5
    return values


def read(path: Path, panel: dict[str, object] | None = None) -> Events:
    return read_events(tube(path), panel or {}, "file")


def refusal(path: Path, panel: dict[str, object] | None = None) -> TubeError:
    with pytest.raises(TubeError) as caught:
        read(path, panel)
    return caught.value


def written(tmp_path: Path, fcs: Fcs, values: np.ndarray | None = None) -> Path:
    values = cells(fcs.events) if values is None else values
    path = tmp_path / "a.fcs"
    path.write_bytes(fcs.bytes(fcs.data(values)))
    return path


# --- checksums


def crc(content: bytes, start: int) -> int:
    value = start
    for byte in content:
        value ^= byte << 8
        for _ in range(8):
            value = ((value << 1) ^ 0x1021 if value & 0x8000 else value << 1) & 0xFFFF
    return value


@pytest.mark.parametrize("start", [0x1D0F, 0xFFFF, 0])
@pytest.mark.parametrize("form", ["{:08d}", "{:08X}", "{:04x}    "])
def test_checksums_of_every_start_in_use_are_read_and_a_wrong_one_refused(
    tmp_path: Path, start: int, form: str
) -> None:
    content = Fcs(events=60).bytes(Fcs(events=60).data(cells(60)))
    value = crc(content, start)
    assert value == binascii.crc_hqx(content, start)
    path = tmp_path / "a.fcs"
    path.write_bytes(content + form.format(value).encode())
    assert read(path).header.events == 60

    path.write_bytes(content + form.format(value ^ 0x0101).encode())
    assert refusal(path).rule == "CRC"
    problems = _check_sample(
        Sample("P01", "R1", "test", "M", (tube(path),)),
        Settings(),
    )
    assert [problem.code for problem in problems] == ["FILE_INTEGRITY"], "check and analysis agree"


# --- byte order and offsets


@pytest.mark.parametrize("told", ["1", "1,2", "2,1"])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("datatype", ["F", "I"])
def test_a_byte_order_outside_the_standard_is_decided_by_the_values_and_reported(
    tmp_path: Path, told: str, big: bool, datatype: str
) -> None:
    order = "4,3,2,1" if big else "1,2,3,4"
    values = cells() if datatype == "F" else np.abs(np.rint(cells()))
    fcs = Fcs(events=400, datatype=datatype, order=order, keywords={"$BYTEORD": told})
    path = written(tmp_path, fcs, values)

    found = read(path)

    np.testing.assert_allclose(found.column("SSC-A"), values[:, 2], rtol=1e-6)
    assert any("$BYTEORD" in note for note in found.notes)
    assert "BYTEORD" in {note.code for note in inspect_file(path).notes}


def test_full_range_integers_are_recognised_by_their_low_byte_or_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    measured = np.rint(np.clip(rng.normal(20_000, 3_000, (400, 8)), 0, 65_535))
    limits: dict[str, str | None] = {f"$P{n}R": "65536" for n in range(1, 9)}
    fcs = Fcs(events=400, datatype="I", bits=(16,) * 8, order="2,1", keywords={"$BYTEORD": "1", **limits})
    np.testing.assert_array_equal(read(written(tmp_path, fcs, measured)).column("SSC-A"), measured[:, 2])

    noise = rng.integers(0, 65_536, (400, 8)).astype(float)
    assert refusal(written(tmp_path, fcs, noise)).rule == "BYTEORD"


@pytest.mark.parametrize("shift", [(49, 49), (-3, -3), (2, 2), (13, 13)])
@pytest.mark.parametrize("place", ["header", "text"])
def test_of_two_places_of_data_the_one_with_sane_values_is_taken(
    tmp_path: Path, shift: tuple[int, int], place: str
) -> None:
    fcs = Fcs(events=400, header_shift=shift) if place == "header" else Fcs(events=400, text_shift=shift)
    path = tmp_path / "a.fcs"
    path.write_bytes(fcs.bytes(fcs.data(cells())) + bytes(64))
    if place == "header" and shift[0] < 0:
        assert refusal(path).rule == "SEGMENTS_OVERLAP"
        return

    found = read(path)

    np.testing.assert_allclose(found.column("APC-A"), cells()[:, 5], rtol=1e-6)


def test_two_places_with_sane_values_are_refused(tmp_path: Path) -> None:
    """Moved by one whole detector every value is sane, in the wrong column."""
    fcs = Fcs(events=400, header_shift=(4, 4))
    path = tmp_path / "a.fcs"
    path.write_bytes(fcs.bytes(fcs.data(cells())) + bytes(64))
    assert refusal(path).rule == "OFFSETS_DISAGREE"


# --- log amplifiers and ranges

LOG: dict[str, str | None] = {f"$P{n}E": "4,1" for n in range(4, 8)}


def test_linear_floats_with_a_log_amplifier_are_read_as_linear_and_reported(tmp_path: Path) -> None:
    path = written(tmp_path, Fcs(events=400, keywords=LOG))

    found = read(path)

    np.testing.assert_allclose(found.column("PE-A"), cells()[:, 4], rtol=1e-6)
    assert any("linear" in note for note in found.notes)
    assert found.header.detector("PE-A").maximum == 262144


def test_channel_numbers_as_floats_are_still_exponentiated_unless_the_panel_says_linear(tmp_path: Path) -> None:
    channels = np.random.default_rng(2).integers(0, 1024, (400, 8)).astype(float)
    limits: dict[str, str | None] = {f"$P{n}R": "1024" for n in range(4, 8)}
    path = written(tmp_path, Fcs(events=400, keywords={**LOG, **limits, "$SPILLOVER": None}), channels)
    log = read_events(tube(path), {}, "none")
    linear = read_events(tube(path), {"amplifier": "linear"}, "none")

    np.testing.assert_allclose(log.column("PE-A"), 10 ** (4 * channels[:, 4] / 1024))
    np.testing.assert_array_equal(linear.column("PE-A"), channels[:, 4])


@pytest.mark.parametrize("value", ["NA", "NaN", "Inf", "0", "", "-5", None])
def test_an_unknown_range_stops_only_what_needs_it(tmp_path: Path, value: str | None) -> None:
    unused = written(tmp_path, Fcs(events=400, keywords={"$P2R": value, "$P8R": value}))
    assert read(unused).time is not None
    assert "RANGE_UNKNOWN" in {note.code for note in inspect_file(unused).notes}

    needed = written(tmp_path, Fcs(events=400, keywords={"$P6R": value}))
    error = refusal(needed)
    assert "APC-A (CD3)" in error.found
    assert "`CD3: {detector: APC-A, range: 262144}`" in error.remedy
    found = read(needed, {"CD3": {"detector": "APC-A", "range": 262144}})
    assert found.header.detector("APC-A").maximum == 262144


@pytest.mark.parametrize(("limit", "factor"), [("214748", 4000), ("100000", 1.4), ("262144", 3), ("1024", 400)])
def test_integers_that_go_on_above_their_range_are_refused_never_wrapped(
    tmp_path: Path, limit: str, factor: float
) -> None:
    values = np.rint(np.abs(cells()) % float(limit) * factor)
    values[:40] = 0
    fcs = Fcs(events=400, datatype="I", keywords={f"$P{n}R": limit for n in range(1, 9)})
    assert refusal(written(tmp_path, fcs, values)).rule == "ABOVE_RANGE"


def test_tags_above_the_range_are_left_out_and_reported(tmp_path: Path) -> None:
    """Some instruments write the number of the detector, and a flag, above ten bits of data."""
    channels = np.random.default_rng(3).integers(0, 1024, (400, 8)).astype(float)
    flags = np.random.default_rng(4).integers(0, 2, (400, 8)) * 32
    limits: dict[str, str | None] = {f"$P{n}R": "1024" for n in range(1, 9)}
    fcs = Fcs(events=400, datatype="I", bits=(16,) * 8, keywords={**limits, "$SPILLOVER": None})
    tagged = channels + 1024 * (2 * np.arange(8) + 1 + flags)
    path = written(tmp_path, fcs, tagged)

    found = read_events(tube(path), {}, "none")

    np.testing.assert_array_equal(found.column("PE-A"), channels[:, 4])
    assert any("left out" in note for note in found.notes)


# --- bytes that do not belong


def test_line_feeds_that_became_two_bytes_are_refused(tmp_path: Path) -> None:
    fcs = Fcs(events=400, datatype="I", bits=(16,) * 8, keywords={f"$P{n}R": "65536" for n in range(1, 9)})
    values = np.random.default_rng(6).integers(0, 60_000, (400, 8)).astype(float)
    data = fcs.data(values)
    sound = fcs.bytes(data)
    path = tmp_path / "a.fcs"
    path.write_bytes(sound[: -len(data)] + data.replace(b"\n", b"\r\n"))
    assert refusal(path).rule == "LINE_ENDS"


def test_bytes_after_the_last_segment_are_said(tmp_path: Path) -> None:
    path = tmp_path / "a.fcs"
    path.write_bytes(Fcs(events=400).bytes(Fcs(events=400).data(cells())) + b"<appended by a virus scanner>" * 3)
    assert "TRAILING_BYTES" in {note.code for note in inspect_file(path).notes}
    assert read(path).header.events == 400
    path.write_bytes(Fcs(events=400).bytes(Fcs(events=400).data(cells())) + b"00000000" + b"\r\n" + bytes(512))
    assert "TRAILING_BYTES" not in {note.code for note in inspect_file(path).notes}


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (gzip.compress(b"FCS3.1", mtime=0), "gzip"),
        (b"\xef\xbb\xbfFCS3.1", "byte order mark"),
        (b"\x00\x05\x16\x07" + bytes(80), "AppleDouble"),
        (b"<!DOCTYPE html><html>Sign in", "web page"),
        (b"<HTML>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"PK\x03\x04", "ZIP"),
        (b"%PDF-1.7", "PDF"),
    ],
    ids=["gzip", "mark", "AppleDouble", "doctype", "html", "lfs", "zip", "pdf"],
)
def test_what_stands_in_the_place_of_a_file_is_named(tmp_path: Path, content: bytes, word: str) -> None:
    path = tmp_path / "a.fcs"
    path.write_bytes(content + bytes(100))
    error = refusal(path)
    assert error.rule == "NOT_FCS"
    assert word in error.found


# --- the collected cases

EXPECTED = {
    "01_crc_decimal_1d0f": "",
    "01b_crc_hex_1d0f": "",
    "02_float_linear_with_log_PnE": "",
    "02b_float_linear_cytoflex_export": "",
    "03_ints_scaled_by_gain_PnR_display": "ABOVE_RANGE",
    "03c_ints_above_PnR_100000": "",
    "05b_PnR_NaN_time": "",
    "05c_PnR_inf": "",
    "05e_PnR_zero_time": "",
    "09b_header_start_off_49": "",
    "12_byteord_1_big": "",
    "12b_byteord_1_little": "",
    "12c_byteord_12_big": "",
    "12d_byteord_21_float32big": "",
    "19_appended_junk": "",
    "19b_gzip": "NOT_FCS",
    "19c_crlf_damaged": "LINE_ENDS",
    "19e_bom": "NOT_FCS",
    "24b_dim_real_raw_wide_range": "",
    "30b_int16_big_byteord_21": "",
    "31b_int16_lf_to_crlf": "LINE_ENDS",
    "32_extra_bits": "",
}


@pytest.mark.parametrize("name", EXPECTED)
def test_every_case_is_read_or_refused_by_the_right_rule(name: str) -> None:
    if not CASES.is_dir():
        pytest.skip("no cases at ../shared/cases")
    found = inspect_file(CASES / f"{name}.fcs")
    assert (found.error.code if found.error else "") == EXPECTED[name]
    codes = {note.code for note in found.notes}
    assert "ALREADY_TRANSFORMED" not in codes


def test_transformed_values_are_still_distinguished_from_raw_ones() -> None:
    if not CASES.is_dir():
        pytest.skip("no cases at ../shared/cases")
    found = inspect_file(CASES / "24_transformed_arcsinh_with_matrix.fcs")
    assert "ALREADY_TRANSFORMED" in {note.code for note in found.notes}


@pytest.mark.parametrize(
    "name", ["02_float_linear_with_log_PnE", "02b_float_linear_cytoflex_export", "12_byteord_1_big"]
)
def test_cases_with_one_right_reading_have_the_values_of_the_sound_file(name: str) -> None:
    if not CASES.is_dir():
        pytest.skip("no cases at ../shared/cases")
    sound, odd = (inspect_file(CASES / f"{stem}.fcs").means for stem in ("00_good", name))
    np.testing.assert_allclose(odd, sound, rtol=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    big=st.booleans(),
    told=st.sampled_from(["1", "1,2", "2,1"]),
    seed=st.integers(0, 10_000),
    datatype=st.sampled_from(["F", "D"]),
)
def test_no_float_file_is_ever_read_in_the_wrong_order(big: bool, told: str, seed: int, datatype: str) -> None:
    bits = (32 if datatype == "F" else 64,) * 8
    order = "4,3,2,1" if big else "1,2,3,4"
    fcs = Fcs(events=80, datatype=datatype, bits=bits, order=order)
    values = cells(80, seed)
    content = replace(fcs, keywords={"$BYTEORD": told}).bytes(fcs.data(values))
    recording = parse_recording(memoryview(content), "a.fcs")
    np.testing.assert_allclose(recording.stored(range(8)), values, rtol=1e-6)
