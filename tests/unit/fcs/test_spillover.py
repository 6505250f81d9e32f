"""The spillover matrix: from the file, from CSV, or a refusal with the remedy, never a silent fallback."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cd40l_flow.base.errors import TubeError
from cd40l_flow.base.model import Detector, Spillover
from cd40l_flow.fcs.spillover import (
    choose_spillover,
    condition_number,
    looks_transformed,
    refuse_transformed,
)

NAMES = ("FSC-A", "FITC-A", "PE-A", "APC-A")
MATRIX = [[1.0, 0.2, 0.0], [0.05, 1.0, 0.0], [0.0, 0.01, 1.0]]
SOUND = "3,FITC-A,PE-A,APC-A,1,0.2,0,0.05,1,0,0,0.01,1"
NEEDED = ("FITC-A", "PE-A", "APC-A")


def detectors(*names: str) -> list[Detector]:
    return [Detector(name, "", index, 262144, 262144.0, None, 1.0) for index, name in enumerate(names or NAMES)]


def choose(
    keywords: dict[str, str], setting: str = "file", needed: tuple[str, ...] = NEEDED, names: tuple[str, ...] = NAMES
) -> Spillover | None:
    return choose_spillover(setting, keywords, detectors(*names), needed, "P01.fcs")


def refusal(
    keywords: dict[str, str], setting: str = "file", needed: tuple[str, ...] = NEEDED, names: tuple[str, ...] = NAMES
) -> str:
    with pytest.raises(TubeError) as caught:
        choose(keywords, setting, needed, names)
    assert caught.value.code == "NO_COMP"
    assert str(caught.value).startswith("P01.fcs: ")
    assert "none if the values are already compensated" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("keyword", ["$SPILLOVER", "SPILLOVER", "$SPILL", "SPILL"])
def test_the_files_own_matrix_under_every_keyword(keyword: str) -> None:
    found = choose({keyword: SOUND})
    assert found is not None
    assert (found.detectors, found.source) == (NEEDED, keyword)
    np.testing.assert_array_equal(found.matrix, MATRIX)


def test_channel_numbers_are_resolved() -> None:
    found = choose({"$SPILLOVER": SOUND.replace("FITC-A,PE-A,APC-A", " 2,3,4 ")})
    assert found is not None
    assert found.detectors == NEEDED
    assert "channel number" in refusal({"$SPILLOVER": SOUND.replace("FITC-A,PE-A,APC-A", "2,3,5")})


def test_numbers_that_are_names_stay_names() -> None:
    names = ("FSC-A", "2", "3", "1")
    keywords = {"SPILL": SOUND.replace("FITC-A,PE-A,APC-A", "2,3,1")}
    found = choose(keywords, names=names, needed=("2", "3", "1"))
    assert found is not None
    assert found.detectors == ("2", "3", "1")


def test_two_keywords_must_agree() -> None:
    swapped = "3,PE-A,FITC-A,APC-A,1,0.05,0,0.2,1,0,0.01,0,1"
    found = choose({"$SPILLOVER": SOUND, "SPILL": swapped})
    assert found is not None
    assert found.source == "$SPILLOVER"
    assert "disagree" in refusal({"$SPILLOVER": SOUND, "SPILL": SOUND.replace("0.2", "0.3")})
    assert choose({"$SPILLOVER": SOUND, "SPILL": ""}) is not None


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("x", "number of detectors"),
        ("²,a,b,1,0,0,1", "number of detectors"),
        ("0", "0 x 0"),
        ("3,FITC-A,PE-A,APC-A,1,0.2,0,0.05,1,0,0,0.01", "3 x 3 numbers, found 8"),
        ("3,FITC-A,PE-A,APC-A,1,0.2,0,0.05,1,0,0,0.01,one", "3 x 3 numbers, found 8 numbers in 9 cells"),
        ("9999,FITC-A", "9999 x 9999"),
        (SOUND.replace("APC-A", "V450-A"), "number 3 of its 3 detectors is not in the file"),
        (SOUND.replace("APC-A", "PE-A"), "twice"),
        (SOUND.replace("0.2", "nan"), "not finite"),
        (SOUND.replace("0.2", "1e999"), "not finite"),
        ("3,FITC-A,PE-A,APC-A,100,20,0,5,100,0,0,1,100", "diagonal must be 1"),
        ("3,FITC-A,PE-A,APC-A,1,1,0,1,1,0,0,0,1", "cannot be inverted"),
        ("2,FITC-A,PE-A,1,0.2,0.05,1", "does not cover APC-A"),
    ],
)
def test_a_matrix_that_cannot_be_right_is_refused(value: str, found: str) -> None:
    assert found in refusal({"$SPILLOVER": value})


def test_no_matrix_is_refused_unless_there_is_nothing_to_compensate() -> None:
    assert "carries no matrix" in refusal({})
    assert "$COMP" in refusal({"$COMP": "2,1,0,0,1"})
    assert choose({}, needed=("PE-A",)) is None
    assert choose({}, setting="none") is None
    assert choose({"$SPILLOVER": SOUND}, setting="none") is None


@pytest.mark.parametrize("prefix", ["Comp-", "FJComp-", "comp-"])
def test_compensated_values_are_never_compensated_again(prefix: str, tmp_path: Path) -> None:
    names = ("FSC-A", *(prefix + name for name in NEEDED))
    keywords = {"$SPILLOVER": SOUND.replace("3,FITC-A,PE-A,APC-A", f"3,{','.join(names[1:])}")}
    assert "already compensated" in refusal(keywords, names=names, needed=names[1:])
    assert "already compensated" in refusal(keywords, str(tmp_path / "any.csv"), names=names, needed=names[1:])
    assert choose(keywords, "none", names=names, needed=names[1:]) is None


def test_transformed_values_are_refused_but_not_linearised_ones(tmp_path: Path) -> None:
    for setting in ("file", str(tmp_path / "any.csv")):
        assert "TRANSFORMATION" in refusal({"$SPILLOVER": SOUND, "TRANSFORMATION": "custom"}, setting)
    assert choose({"$SPILLOVER": SOUND, "TRANSFORMATION": "applied"}) is not None


@pytest.mark.parametrize(
    ("highest", "lowest", "events", "expected"),
    [
        ((4.4, 4.5, 3.9), -1.3, 200, True),
        ((4.4, 4.5, 3.9), -9.5, 200, True),
        ((4.4, 4.5, 300.0), 0.0, 200, False),
        ((4.4, 4.5, 3.9), 0.0, 99, False),
        # Noise as far below zero as no scale puts it: dim cells on a wide range, as they were measured.
        ((200.4, 220.5, 101.9), -85.2, 200, False),
        ((), 0.0, 200, False),
    ],
)
def test_values_far_inside_their_range_are_taken_for_transformed(
    highest: tuple[float, ...], lowest: float, events: int, expected: bool
) -> None:
    known = detectors(*NEEDED)[: len(highest)]
    columns = [np.linspace(lowest, high, events) for high in highest]
    assert looks_transformed(known, [(lowest, high) for high in highest], events) is expected
    if expected:
        with pytest.raises(TubeError, match=r"P01.fcs: .* far inside .* none if") as caught:
            refuse_transformed(known, columns, "P01.fcs")
        assert caught.value.code == "NO_COMP"
    else:
        refuse_transformed(known, columns, "P01.fcs")


def test_whole_numbers_are_never_taken_for_transformed() -> None:
    known = detectors(*NEEDED)[:2]
    counts = np.arange(200.0) % 37
    refuse_transformed(known, [counts, counts], "P01.fcs")
    with pytest.raises(TubeError):
        refuse_transformed(known, [counts, counts + 0.5], "P01.fcs")


def test_numbers_are_those_of_the_standard_not_of_python() -> None:
    assert "8 numbers in 9 cells" in refusal({"$SPILLOVER": SOUND.replace("0.2", "0_2")})


def test_no_text_of_a_keyword_but_the_files_own_detectors_is_reported() -> None:
    assert "Jane-Doe" not in refusal({"$SPILLOVER": SOUND.replace("APC-A", "Jane-Doe")})


CSV = {
    "blank corner": ",FITC-A,PE-A,APC-A\nFITC-A,1,0.2,0\nPE-A,0.05,1,0\nAPC-A,0,0.01,1\n",
    "named corner": "detector,FITC-A,PE-A,APC-A\nFITC-A,1,0.2,0\nPE-A,0.05,1,0\nAPC-A,0,0.01,1\n",
    "quoted": '"","FITC-A","PE-A","APC-A"\r\n"FITC-A",1,0.2,0\r\n"PE-A",0.05,1,0\r\n"APC-A",0,0.01,1\r\n',
    "byte order mark": "\ufeff,FITC-A,PE-A,APC-A\nFITC-A,1,0.2,0\nPE-A,0.05,1,0\nAPC-A,0,0.01,1\n",
    "no first column": "FITC-A,PE-A,APC-A\n1,0.2,0\n0.05,1,0\n0,0.01,1\n",
    "semicolons": ";FITC-A;PE-A;APC-A\nFITC-A;1;0.2;0\nPE-A;0.05;1;0\nAPC-A;0;0.01;1\n",
    "tabs": "\tFITC-A\tPE-A\tAPC-A\nFITC-A\t1\t0.2\t0\nPE-A\t0.05\t1\t0\nAPC-A\t0\t0.01\t1\n",
    "labels": ",FITC-A :: CD8,PE-A :: CD154,APC-A :: CD3\nFITC-A :: CD8,1,0.2,0\nPE-A :: CD154,0.05,1,0\n"
    "APC-A :: CD3,0,0.01,1\n\n",
    "other order of rows": ",FITC-A,PE-A,APC-A\nAPC-A,0,0.01,1\nFITC-A,1,0.2,0\nPE-A,0.05,1,0\n",
}


@pytest.mark.parametrize("form", CSV)
def test_csv_files_in_every_form(tmp_path: Path, form: str) -> None:
    path = tmp_path / "spillover.csv"
    path.write_text(CSV[form], encoding="utf-8", newline="")
    found = choose({"$SPILLOVER": "not read"}, str(path))
    assert found is not None
    assert (found.detectors, found.source) == (NEEDED, str(path))
    np.testing.assert_array_equal(found.matrix, MATRIX)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, "missing"),
        ("", "empty"),
        (",FITC-A,PE-A\nFITC-A,1,0\n", "2 x 2 numbers"),
        (",FITC-A,PE-A\nFITC-A,1,0\nAPC-A,0,1\n", "do not name the same detectors"),
        (",FITC-A,PE-A\nFITC-A,1,0\nPE-A,0,x\n", "2 x 2 numbers"),
        (",FITC-A,PE-A\nFITC-A,1,0\nPE-A,0,1\n", "does not cover APC-A"),
        (",,\n", "empty"),
        ("a", "1 x 1 numbers"),
    ],
)
def test_csv_files_that_cannot_be_used(tmp_path: Path, text: str | None, found: str) -> None:
    path = tmp_path / "spillover.csv"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    assert found in refusal({}, str(path))


def test_condition_number() -> None:
    assert condition_number(Spillover(("a", "b"), np.eye(2), "")) == pytest.approx(1.0)
    assert condition_number(Spillover(("a", "b"), np.array([[1.0, 0.9], [0.9, 1.0]]), "")) == pytest.approx(19.0)
