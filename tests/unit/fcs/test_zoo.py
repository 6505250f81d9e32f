"""Real FCS files of many instruments: exactly what an independent decoder read from them, or the rule they break."""

from __future__ import annotations

import csv
import json
import warnings
from pathlib import Path

import flowio
import numpy as np
import pytest

from cd40l_flow.base.errors import TubeError
from cd40l_flow.fcs.inspect import Inspection, inspect_file
from cd40l_flow.fcs.reader import open_recording
from cd40l_flow.result.inspection import as_json, as_text

# Which rule of the standard each refused file breaks, found by hand.
REFUSED = {
    "20f172_corrupted.fcs": "NOT_FCS",
    "414fdc_data_start_offset_discrepancy_example.fcs": "SEGMENTS_OVERLAP",
    "414f08_AriaFile1.fcs": "TRUNCATED",
    "2bb499_AriaFile1.fcs": "TRUNCATED",
}


@pytest.fixture(scope="module")
def zoo(recordings: Path) -> list[dict[str, str]]:
    with (recordings / "zoo.tsv").open(encoding="utf-8") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


@pytest.fixture(scope="module")
def inspected(zoo: list[dict[str, str]], recordings: Path) -> dict[str, Inspection]:
    return {row["file"]: inspect_file(recordings / "zoo" / row["file"]) for row in zoo}


def test_every_file_is_read_exactly_or_refused_by_the_right_rule(
    zoo: list[dict[str, str]], inspected: dict[str, Inspection]
) -> None:
    assert {name: found.error.code for name, found in inspected.items() if found.error} == REFUSED
    for row in zoo:
        told = inspected[row["file"]].as_dict()
        if told["status"] == "refused":
            continue
        assert told["events"] == int(row["events"]), row["file"]
        truth = [float(mean) for mean in row["col_means"].split(";")]
        means = [each["mean"] for each in told["detectors"]]
        np.testing.assert_allclose(means, truth, rtol=1e-6, err_msg=row["file"])
        assert (told["version"], told["datatype"]) == (row["version"], row["datatype"])
        assert told["byteord"] == row["byteord"]


def test_every_answer_is_one_line_of_json_and_a_table(inspected: dict[str, Inspection]) -> None:
    for found in inspected.values():
        line = as_json(found)
        assert "\n" not in line
        assert json.loads(line)["file"] == found.file
        assert found.file in as_text(found)


def test_what_the_files_are_known_for_is_reported(inspected: dict[str, Inspection]) -> None:
    codes = {name: {note.code for note in found.notes} for name, found in inspected.items()}
    assert "DATASETS" in codes["2b450e_int-multiple_datasets.fcs"]
    assert inspected["2b450e_int-multiple_datasets.fcs"].datasets == 2
    assert "NAME_REPEATED" in codes["cabd26_invalid-duplicate_parameter_name.fcs"]
    assert "KEYWORD_PADDED" in codes["cf64ad_PU87_5_B200.fcs"]
    assert {"ABOVE_RANGE", "SPILLOVER"} <= codes["88d293_variable_int_example.fcs"]
    assert "OFFSETS_DISAGREE" in codes["49956b_data_stop_offset_discrepancy_example.fcs"]
    transformed = [name for name in codes if "ALREADY_COMPENSATED" in codes[name]]
    assert len(transformed) == 19
    carrying = [name for name in transformed if inspected[name].spillover]
    assert all("spillover: none" in str(inspected[name].notes) for name in carrying)


def test_the_values_are_those_flowio_gives(zoo: list[dict[str, str]], recordings: Path) -> None:
    compared = 0
    for row in zoo:
        if row["flowio"] != "ok":
            continue
        path = recordings / "zoo" / row["file"]
        try:
            recording = open_recording(path)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                parsed = flowio.FlowData(str(path))
                expected = parsed.as_array()
        except (TubeError, ValueError):
            continue
        values = recording.linear(range(len(recording.header.detectors))).astype(np.float64)
        if parsed.time_index is not None:
            values[:, parsed.time_index] *= float(parsed.text.get("timestep", "").strip() or 1)
        np.testing.assert_array_equal(values, expected, err_msg=row["file"])
        compared += 1
    assert compared >= 95


def test_amplifiers_gains_and_names_are_those_flowio_gives(root: Path, recordings: Path) -> None:
    paths = [*(root / "test_data").rglob("*.fcs"), *recordings.rglob("*.fcs")]
    compared = 0
    for path in paths:
        try:
            recording = open_recording(path)
            with warnings.catch_warnings(), path.open("rb") as stream:
                warnings.simplefilter("ignore")
                channels = flowio.FlowData(stream, only_text=True).channels
        except (TubeError, ValueError, KeyError, UnicodeDecodeError, flowio.exceptions.FlowIOException):
            continue
        read = recording.header.detectors
        assert [channels[n]["pne"] for n in range(1, len(read) + 1)] == [*recording.amplifiers], path.name
        assert [channels[n]["png"] for n in range(1, len(read) + 1)] == [one.gain for one in read], path.name
        assert [channels[n]["pnn"].strip() for n in range(1, len(read) + 1)] == [one.name for one in read], path.name
        compared += 1
    assert compared >= 0.9 * len(paths) > 100
