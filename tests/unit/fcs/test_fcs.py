"""Reading FCS files: what is read is right, what cannot be read for certain is refused, and names stay inside."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import flowio
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cd40l_flow.base.errors import TubeError
from cd40l_flow.base.model import Sample, Tube
from cd40l_flow.cohort.check import check_files
from cd40l_flow.cohort.settings import Job, Settings
from cd40l_flow.fcs.reader import open_recording, parse_recording, read_events, read_header
from helpers.by_hand.fcs_files import LABELS, NAMES, Fcs, dialects

REAL = Path(os.environ.get("CD40L_FLOW_FCS", Path(__file__).parents[3] / ".." / "shared" / "fcs"))
SECRET = "Jane-Q-Patient"


def refusal(content: bytes) -> str:
    with pytest.raises(TubeError) as caught:
        recording = parse_recording(memoryview(content), "P01.fcs")
        recording.linear(range(len(recording.header.detectors)))
    assert caught.value.code == "FILE_INTEGRITY"
    assert str(caught.value).startswith("P01.fcs: ")
    return str(caught.value)


def stored(content: bytes) -> np.ndarray:
    recording = parse_recording(memoryview(content), "P01.fcs")
    return recording.stored(range(len(recording.header.detectors)))


def tube(path: Path, reagent: str = "CD154", stimulation: str = "stimulated") -> Tube:
    return Tube(path.name, str(path), stimulation, reagent)


@pytest.mark.parametrize("dialect", dialects())
def test_every_dialect_gives_back_what_was_written(dialect: str) -> None:
    fcs = dialects()[dialect]
    np.testing.assert_array_equal(stored(fcs.bytes()), fcs.values())
    columns = parse_recording(memoryview(fcs.bytes()), "P01.fcs").columns()
    np.testing.assert_allclose(columns.means, fcs.values().mean(axis=0), rtol=1e-15)
    np.testing.assert_array_equal(columns.lowest, fcs.values().min(axis=0))
    np.testing.assert_array_equal(columns.highest, fcs.values().max(axis=0))


def test_the_header_is_read_through_the_allow_list(tmp_path: Path) -> None:
    path = tmp_path / "a.fcs"
    path.write_bytes(Fcs().bytes())
    header = read_header(path)
    assert (header.version, header.events, header.cytometer) == ("FCS3.1", 20, "Cytometer 9000")
    assert (header.month, header.duration_s) == ("2025-03", 30.0)
    assert [detector.name for detector in header.detectors] == list(NAMES)
    assert [detector.label for detector in header.detectors] == list(LABELS)
    assert header.detectors[4].voltage == 450.0
    assert header.spillover is not None
    assert header.spillover.source == "$SPILLOVER"


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


@pytest.mark.parametrize(
    ("keywords", "problem"),
    [
        ({"$TIMESTEP": None}, "no $TIMESTEP"),
        ({"$TIMESTEP": "xxxx"}, "no $TIMESTEP"),
        ({"$P8N": "Clock"}, "no Time detector"),
    ],
)
def test_time_that_cannot_be_used_is_reported(tmp_path: Path, keywords: dict[str, str | None], problem: str) -> None:
    path = tmp_path / "a.fcs"
    path.write_bytes(Fcs(keywords=keywords).bytes())
    events = read_events(tube(path), {}, "file")
    assert events.time is None
    assert problem in events.time_problem


@pytest.mark.parametrize(("clock", "problem"), [(np.zeros(20), "constant"), (np.arange(20) % 7, "backwards 2 times")])
def test_time_that_stands_or_wraps_is_reported(tmp_path: Path, clock: np.ndarray, problem: str) -> None:
    fcs = Fcs()
    values = fcs.values()
    values[:, -1] = clock
    path = tmp_path / "a.fcs"
    path.write_bytes(fcs.bytes(fcs.data(values)))
    events = read_events(tube(path), {}, "file")
    assert events.time is None
    assert problem in events.time_problem


def test_transformed_values_are_not_compensated(tmp_path: Path) -> None:
    """Values of a logicle scale beside a matrix are refused with the remedy, and read where it is taken."""
    fcs = Fcs(events=200)
    path = tmp_path / "a.fcs"
    path.write_bytes(fcs.bytes(fcs.data(fcs.values() % 4.5)))
    with pytest.raises(TubeError, match="already transformed.* none if") as caught:
        read_events(tube(path), {}, "file")
    assert caught.value.code == "NO_COMP"
    assert read_events(tube(path), {}, "none").spillover is None


def test_a_checksum_that_does_not_fit_is_refused_when_events_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.fcs"
    path.write_bytes(Fcs(tail=b"00004711").bytes())
    with pytest.raises(TubeError, match="checksum") as caught:
        read_events(tube(path), {}, "file")
    assert (caught.value.code, caught.value.rule) == ("FILE_INTEGRITY", "CRC")


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


def test_offsets_that_fit_nowhere_are_refused_with_both_pairs() -> None:
    message = refusal(Fcs(header_shift=(0, 40), text_shift=(0, -40)).bytes() + bytes(40))
    assert "HEADER" in message
    assert "TEXT" in message
    assert "20 x 32 bytes an event = 640 bytes" in message


def test_large_files_have_their_offsets_in_text_only() -> None:
    fcs = Fcs(header_zero=True)
    np.testing.assert_array_equal(stored(fcs.bytes()), fcs.values())


@pytest.mark.parametrize(
    ("keywords", "found"),
    [
        ({"$TOT": "0"}, "no events"),
        ({"$TOT": None}, "$TOT"),
        ({"$TOT": "19"}, "= 608 bytes"),
        ({"$MODE": "C"}, "$MODE"),
        ({"$MODE": None}, "$MODE"),
        ({"$DATATYPE": "A"}, "$DATATYPE"),
        ({"$BYTEORD": "3,4,1,2"}, "$BYTEORD"),
        ({"$P3B": "16"}, "$P3B is 16"),
        ({"$P3E": "4"}, "$PnE"),
        ({"$P3E": SECRET}, "$PnE"),
        ({"$P3E": "4,-1"}, "$P3E"),
        ({"$P3G": "nan"}, "$P3G"),
        ({"$PAR": "9"}, "$P9B"),
        ({"$PAR": "0"}, "$PAR"),
        ({"$P3DATATYPE": "D"}, "$PnDATATYPE"),
    ],
)
def test_keywords_that_leave_a_doubt_are_refused(keywords: dict[str, str | None], found: str) -> None:
    message = refusal(Fcs(keywords=keywords).bytes())
    assert found in message
    assert SECRET not in message


@pytest.mark.parametrize(("bits", "limit", "found"), [(10, "1024", "$P1B is 10"), (16, "1", "$P1R")])
def test_integers_of_unknown_width_or_range_are_refused(bits: int, limit: str, found: str) -> None:
    fcs = Fcs(datatype="I", bits=(16,) * 8, keywords={"$P1B": str(bits), "$P1R": limit})
    assert found in refusal(fcs.bytes())


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "empty"),
        (b"PK\x03\x04 something else", "not an FCS file"),
        (b"FCS1.0" + bytes(100), "FCS version"),
        (b"FCS3.1    ", "truncated"),
        (Fcs().bytes()[:300], "truncated: TEXT"),
        (Fcs().bytes()[:-1], "room for 19 of 20 events"),
    ],
)
def test_what_is_no_whole_fcs_file_is_refused(content: bytes, found: str) -> None:
    assert found in refusal(content)


def test_a_missing_file_or_a_folder_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.fcs", tmp_path):
        with pytest.raises(TubeError, match=r"P01.fcs: "):
            open_recording(path, "P01.fcs")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused_with_their_detector(bad: float) -> None:
    fcs = Fcs()
    values = fcs.values()
    values[3:5, 4] = bad
    assert "2 in PE-A" in refusal(fcs.bytes(fcs.data(values)))


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


def test_a_keyword_with_two_values_is_refused() -> None:
    assert "$P5S is given twice" in refusal(Fcs(raw_text="$P5S|CD3|").bytes())
    assert stored(Fcs(raw_text="$P5S|CD154|").bytes()).shape == (20, 8)


def test_a_delimiter_too_many_is_refused_where_it_would_hide_a_keyword() -> None:
    assert "doubled delimiter" in refusal(Fcs(keywords={"$P5S": "CD154|"}).bytes())


def test_no_other_keyword_leaves_the_reader(tmp_path: Path) -> None:
    others = ("$SRC", "$FIL", "$OP", "$SMNO", "$EXP", "$INST", "$COM", "$PROJ", "PATIENT NAME", "@SAMPLEID", "$P1F")
    keywords = {**dict.fromkeys(others, SECRET), "$DATE": SECRET, "$BTIM": SECRET, "$P1V": SECRET, "$TIMESTEP": SECRET}
    path = tmp_path / "a.fcs"
    path.write_bytes(Fcs(keywords=keywords).bytes())
    events = read_events(tube(path), {}, "file")
    assert SECRET not in repr(replace(events, tube=tube(path)))
    assert (events.header.month, events.header.duration_s) == ("", None)


@pytest.mark.parametrize(
    ("date", "month"),
    [("7-mar-2025", "2025-03"), ("2025-03-07", "2025-03"), ("07/03/2025", ""), ("2025-13-07", ""), ("", "")],
)
def test_dates_are_reported_as_months(date: str, month: str) -> None:
    assert parse_recording(memoryview(Fcs(keywords={"$DATE": date}).bytes()), "a").header.month == month


@pytest.mark.parametrize(
    ("end", "seconds"), [("10:00:30", 30.0), ("10:00:30:30", 30.5), ("10:00:30.25", 30.25), ("noon", None)]
)
def test_durations(end: str, seconds: float | None) -> None:
    keywords = {"$BTIM": "10:00:00", "$ETIM": end}
    assert parse_recording(memoryview(Fcs(keywords=keywords).bytes()), "a").header.duration_s == seconds


@dataclass
class Plan:
    """As much of a plan as `check_files` asks for."""

    samples: dict[str, Sample]
    settings: Settings

    def job(self, sample: str) -> Job:
        """Return the job of one sample."""
        return Job(self.samples[sample], (), (), (), self.settings)


def test_check_tells_of_all_tubes_at_once(tmp_path: Path) -> None:
    files = {
        "good.fcs": Fcs().bytes(),
        "isotype.fcs": Fcs(events=21, keywords={"$P5S": "mouse IgG1"}).bytes(),
        "cut.fcs": Fcs().bytes()[:-700],
        "unlabelled.fcs": Fcs(events=22, keywords={"$P7S": None}).bytes(),
        "bare.fcs": Fcs(events=23, keywords={"$SPILLOVER": None}).bytes(),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    def sample(name: str, *tubes: tuple[str, str]) -> Sample:
        made = tuple(Tube(fcs, str(tmp_path / fcs), "stimulated", reagent) for fcs, reagent in tubes)
        return Sample(name, "R1", "test", "M", made)

    samples = [
        sample("P01", ("isotype.fcs", "isotype"), ("good.fcs", "CD154")),
        sample("P02", ("cut.fcs", "CD154"), ("unlabelled.fcs", "CD154"), ("bare.fcs", "CD154"), ("no.fcs", "isotype")),
    ]
    plan = Plan({each.sample: each for each in samples}, Settings())
    problems = check_files(plan)
    assert [(each.sample, each.file, each.code) for each in problems] == [
        ("P02", "cut.fcs", "FILE_INTEGRITY"),
        ("P02", "unlabelled.fcs", "CHANNEL_MAP"),
        ("P02", "bare.fcs", "NO_COMP"),
        ("P02", "no.fcs", "FILE_INTEGRITY"),
    ]
    assert all(each.severity == "sample" for each in problems)
    # What is wrong and what to do are told apart.
    assert all(each.remedy.endswith(".") and each.remedy not in each.message for each in problems)
    assert problems[0].remedy == "Copy or export the file again from the cytometer."


SEEDS = [
    Fcs().bytes(),
    Fcs(datatype="I", bits=(16,) * 8, order="4,3,2,1", version="FCS2.0", delimiter="\\").bytes(),
    Fcs(datatype="I", bits=(8, 24) * 4, events=3, keywords={"$P2E": "4,0"}).bytes(),
    Fcs(datatype="D", bits=(64,) * 8, version="FCS3.0", delimiter="/").bytes(),
]


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_damaged_files_are_refused_or_read_whole(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        piece = data.draw(
            st.sampled_from([b"", b"|", b"$", b"9" * 9, b"\xff", b"-1", b"1e999", b"0"]) | st.binary(max_size=3)
        )
        content[at : at + data.draw(st.integers(0, 4))] = piece
    content = content[: data.draw(st.integers(len(content) // 2, len(content)) | st.just(len(content)))]
    try:
        recording = parse_recording(memoryview(bytes(content)), "a.fcs")
        values = recording.linear(range(len(recording.header.detectors)))
    except TubeError as error:
        assert error.code == "FILE_INTEGRITY"
    else:
        assert values.shape == (recording.header.events, len(recording.header.detectors))
        assert np.isfinite(values).all()
        assert recording.segment.nbytes == recording.layout.size


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
