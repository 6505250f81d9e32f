"""Of the header an allow-list is read: detectors, months, durations and time, but no name of a person."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cd40l_flow.fcs.reader import parse_recording, read_events, read_header
from helpers.by_hand.fcs_files import LABELS, NAMES, Fcs
from helpers.by_hand.readings import tube

SECRET = "Jane-Q-Patient"


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
