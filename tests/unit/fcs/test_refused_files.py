"""What cannot be read for certain is refused in words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cd40l_flow.base.errors import TubeError
from cd40l_flow.base.model import Sample, Tube
from cd40l_flow.cohort.check import check_files
from cd40l_flow.cohort.settings import Job, Settings
from cd40l_flow.fcs.reader import open_recording, parse_recording, read_events
from helpers.by_hand.fcs_files import Fcs
from helpers.by_hand.readings import refusal, stored, tube

SECRET = "Jane-Q-Patient"


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


def test_offsets_that_fit_nowhere_are_refused_with_both_pairs() -> None:
    message = refusal(Fcs(header_shift=(0, 40), text_shift=(0, -40)).bytes() + bytes(40))
    assert "HEADER" in message
    assert "TEXT" in message
    assert "20 x 32 bytes an event = 640 bytes" in message


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


def test_a_keyword_with_two_values_is_refused() -> None:
    assert "$P5S is given twice" in refusal(Fcs(raw_text="$P5S|CD3|").bytes())
    assert stored(Fcs(raw_text="$P5S|CD154|").bytes()).shape == (20, 8)


def test_a_delimiter_too_many_is_refused_where_it_would_hide_a_keyword() -> None:
    assert "doubled delimiter" in refusal(Fcs(keywords={"$P5S": "CD154|"}).bytes())


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
