"""What is in a file, told in a line of JSON or a table; refusals by rule; no name of a person, no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cd40l_flow.cli.main import main
from cd40l_flow.fcs.inspect import inspect_file
from cd40l_flow.result.inspection import as_text
from helpers.by_hand.fcs_files import NAMES, SPILLOVER, Fcs, chained, dialects

FIELDS = (
    "file",
    "status",
    "version",
    "datatype",
    "byteord",
    "events",
    "detectors",
    "spillover",
    "datasets",
    "problems",
)


def inspect(tmp_path: Path, content: bytes) -> dict[str, Any]:
    path = tmp_path / "a.fcs"
    path.write_bytes(content)
    return inspect_file(path).as_dict()


def codes(told: dict[str, Any]) -> set[str]:
    return {problem["code"] for problem in told["problems"]}


def test_a_sound_file_is_reported_in_full(tmp_path: Path) -> None:
    fcs = Fcs()
    told = inspect(tmp_path, fcs.bytes())
    assert tuple(told) == FIELDS
    assert (told["status"], told["version"], told["datatype"], told["byteord"]) == ("ok", "FCS3.1", "F", "1,2,3,4")
    assert (told["events"], told["datasets"], told["problems"]) == (20, 1, [])
    assert told["spillover"] == ["FITC-A", "PE-A", "APC-A", "PerCP-A"]
    means = fcs.values().mean(axis=0)
    assert told["detectors"] == [
        {"detector": name, "marker": label, "range": 262144.0, "mean": pytest.approx(mean, rel=1e-12)}
        for name, label, mean in zip(NAMES, ("", "", "", "CD8", "CD154", "CD3", "CD69", ""), means, strict=True)
    ]


@pytest.mark.parametrize("dialect", dialects())
def test_means_of_stored_values_in_every_dialect(tmp_path: Path, dialect: str) -> None:
    """After bit masking, before log amplifier and gain."""
    fcs = dialects()[dialect]
    told = inspect(tmp_path, fcs.bytes())
    assert told["status"] == "ok"
    np.testing.assert_allclose([each["mean"] for each in told["detectors"]], fcs.values().mean(axis=0), rtol=1e-12)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "EMPTY_FILE"),
        (b"PK\x03\x04" + bytes(100), "NOT_FCS"),
        (Fcs(version="FCS1.0").bytes(), "VERSION"),
        (Fcs().bytes()[:40], "TRUNCATED"),
        (Fcs().bytes()[:-1], "TRUNCATED"),
        (b"FCS3.1    " + b"     100      50" + bytes(200), "TEXT_OFFSETS"),
        (Fcs(delimiter=" ").bytes(), "DELIMITER"),
        (Fcs(keywords={"$CYT": "odd|"}).bytes(), "DELIMITER"),
        (Fcs(keywords={"$TOT": None}).bytes(), "KEYWORD_MISSING"),
        (Fcs(keywords={"$PAR": "9" * 19}).bytes(), "KEYWORD_MISSING"),
        (Fcs(keywords={"$P3E": "x"}).bytes(), "KEYWORD_VALUE"),
        (Fcs(keywords={"$P3E": "-4,1"}).bytes(), "KEYWORD_VALUE"),
        (Fcs(raw_text="$P5S|CD3|").bytes(), "KEYWORD_REPEATED"),
        (Fcs(keywords={"$TOT": "19"}).bytes(), "DATA_SIZE"),
        (Fcs(keywords={"$TOT": str(2**63)}).bytes(), "DATA_SIZE"),
        (Fcs(header_shift=(4, 4)).bytes() + bytes(9), "OFFSETS_DISAGREE"),
        (Fcs(header_shift=(-9, 0)).bytes(), "SEGMENTS_OVERLAP"),
        (Fcs(header_shift=(-9, -9), text_shift=(-9, -9), header_zero=True).bytes(), "SEGMENTS_OVERLAP"),
        (Fcs(keywords={"$MODE": "C"}).bytes(), "HISTOGRAM"),
        (Fcs(keywords={"$MODE": "u"}).bytes(), "HISTOGRAM"),
        (Fcs(keywords={"$MODE": "X"}).bytes(), "MODE"),
        (Fcs(keywords={"$DATATYPE": "A"}).bytes(), "ASCII_DATA"),
        (Fcs(keywords={"$DATATYPE": "X"}).bytes(), "DATATYPE"),
        (Fcs(keywords={"$P3DATATYPE": "D"}).bytes(), "MIXED_DATATYPES"),
        (Fcs(version="FCS3.2", keywords={"$P3DATATYPE": "A"}).bytes(), "DATATYPE"),
        (Fcs(datatype="I", bits=(16,) * 8, keywords={"$P3B": "10"}).bytes(), "PACKED_BITS"),
        (Fcs(datatype="I", bits=(16,) * 8, keywords={"$P3B": "128"}).bytes(), "BIT_WIDTH"),
        (Fcs(keywords={"$P3B": "16"}).bytes(), "BIT_WIDTH"),
        (Fcs(keywords={"$BYTEORD": "3,4,1,2"}).bytes(), "BYTEORD"),
        (Fcs(keywords={"$TOT": "0"}).bytes(), "NO_EVENTS"),
        (Fcs().bytes(Fcs().data(Fcs().values() * np.nan)), "NOT_FINITE"),
        (Fcs(tail=b"00001234").bytes(), "CRC"),
    ],
)
def test_what_cannot_be_read_is_refused_by_the_rule_it_breaks(tmp_path: Path, content: bytes, code: str) -> None:
    told = inspect(tmp_path, content)
    assert tuple(told) == (*FIELDS, "error")
    assert (told["status"], told["error"]["code"]) == ("refused", code)
    assert (told["events"], told["detectors"], told["spillover"]) == (None, [], None)
    assert str(tmp_path) not in told["error"]["message"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (Fcs(header_shift=(0, 1), text_shift=(0, 1)).bytes(), "DATA_END"),
        (Fcs(text_shift=(0, 40)).bytes(), "OFFSETS_DISAGREE"),
        (Fcs(keywords={"$P3N": None}).bytes(), "NAME_MISSING"),
        (Fcs(keywords={"$P3N": "FSC-A"}).bytes(), "NAME_REPEATED"),
        (Fcs(keywords={"$CYT": None, " $CYT": "x"}).bytes(), "KEYWORD_PADDED"),
        (Fcs(raw_text="$P5S|CD154|").bytes(), "KEYWORD_REPEATED"),
        (Fcs(keywords={"$P3E": "4,0"}).bytes(), "AMPLIFIER_ZERO"),
        (Fcs(keywords={"$P3E": "4,1"}).bytes(), "AMPLIFIER_FLOAT"),
        (Fcs(keywords={"$P3E": "4,1", "$P3G": "2"}).bytes(), "AMPLIFIER_GAIN"),
        (Fcs(keywords={"$P3E": None}).bytes(), "AMPLIFIER_MISSING"),
        (Fcs(keywords={"$P4R": "100"}).bytes(), "ABOVE_RANGE"),
        (chained().bytes(), "DATASETS"),
        (Fcs(keywords={"$NEXTDATA": "70"}).bytes(), "NEXTDATA"),
        (Fcs(keywords={"$NEXTDATA": str(2**63)}).bytes(), "NEXTDATA"),
        (Fcs(keywords={"$SPILLOVER": SPILLOVER.replace("PE-A", "V450-A")}).bytes(), "SPILLOVER"),
        (Fcs(keywords={"$SPILLOVER": None, "$COMP": "8,1"}).bytes(), "SPILLOVER"),
        (Fcs(keywords={"SPILL": SPILLOVER.replace("0.1", "0.2")}).bytes(), "SPILLOVER"),
        (Fcs(keywords={"TRANSFORMATION": "custom"}).bytes(), "ALREADY_COMPENSATED"),
        (Fcs(keywords={"$P5N": "Comp-PE-A", "$SPILLOVER": None}).bytes(), "ALREADY_COMPENSATED"),
        (Fcs(events=200).bytes(Fcs(events=200).data(Fcs(events=200).values() % 5)), "ALREADY_TRANSFORMED"),
    ],
)
def test_what_is_odd_is_read_and_reported(tmp_path: Path, content: bytes, code: str) -> None:
    told = inspect(tmp_path, content)
    assert told["status"] == "ok"
    assert codes(told) == {code} | (
        {"AMPLIFIER_FLOAT"} if code.startswith("AMPLIFIER_") and "MISS" not in code else set()
    )


def test_a_matrix_by_channel_numbers_is_reported_by_name(tmp_path: Path) -> None:
    numbered = SPILLOVER.replace("FITC-A,PE-A,APC-A,PerCP-A", "4,5,6,7")
    told = inspect(tmp_path, Fcs(keywords={"$SPILLOVER": numbered}).bytes())
    assert (told["spillover"], told["problems"]) == (["FITC-A", "PE-A", "APC-A", "PerCP-A"], [])
    assert inspect(tmp_path, Fcs(keywords={"$SPILLOVER": None}).bytes())["spillover"] is None


def test_events_are_counted_where_fcs_2_leaves_them_out(tmp_path: Path) -> None:
    told = inspect(tmp_path, Fcs(version="FCS2.0", keywords={"$TOT": None}).bytes())
    assert (told["events"], codes(told)) == (20, {"TOT_MISSING"})


def ccitt(content: bytes, value: int, mirrored: bool) -> int:
    """Return the 16-bit CRC of the CCITT polynomial, bit by bit."""
    for byte in content:
        value ^= byte if mirrored else byte << 8
        for _ in range(8):
            if mirrored:
                value = value >> 1 ^ (0x8408 if value & 1 else 0)
            else:
                value = (value << 1 ^ (0x1021 if value & 0x8000 else 0)) & 0xFFFF
    return value


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("initial", [0, 0xFFFF])
@pytest.mark.parametrize("form", ["{:08d}", "{:>8d}", "{:08X}"])
def test_a_checksum_that_fits_is_accepted_and_a_changed_bit_found(
    tmp_path: Path, form: str, initial: int, mirrored: bool
) -> None:
    content = Fcs().bytes()
    tail = form.format(ccitt(content, initial, mirrored)).encode()
    assert inspect(tmp_path, content + tail)["status"] == "ok"
    damaged = bytearray(content)
    damaged[-10] ^= 1
    assert inspect(tmp_path, bytes(damaged) + tail)["error"]["code"] == "CRC"


def test_the_table_shows_markers_roles_and_problems(tmp_path: Path) -> None:
    path = tmp_path / "a.fcs"
    path.write_bytes(Fcs(keywords={"$P7S": "CD38", "$P4S": "CD8\x1b[31m", "$P4R": "50"}).bytes())
    text = as_text(inspect_file(path))
    lines = text.splitlines()
    assert lines[0].endswith(
        "FCS3.1, single precision, byte order 1,2,3,4, 20 events, 8 detectors, spillover of 4 detectors"
    )
    cells = {line.split()[0]: line for line in lines[2:10]}
    assert cells["APC-A"].endswith("  CD3")
    assert cells["PE-A"].endswith("  target (CD154)")
    assert cells["Time"].endswith("  time")
    assert len({line.index("262144") for name, line in cells.items() if name != "FITC-A"}) == 1
    assert "  panel: CD69: no detector carries this label" in lines
    assert any(line.startswith("  ABOVE_RANGE: ") for line in lines)
    assert "\x1b" not in text


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cd40l_flow.cli.main", "inspect", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_the_command_ends_with_1_when_any_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "good.fcs", tmp_path / "bad.fcs"
    good.write_bytes(Fcs().bytes())
    bad.write_bytes(b"FCS3.1")
    assert main(["inspect", str(good), "--json"]) == 0
    assert main(["inspect", str(bad), str(good), str(tmp_path / "none.fcs"), str(tmp_path), "--json"]) == 1
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["status"] for each in told] == ["ok", "refused", "ok", "refused", "refused"]
    assert [each["error"]["code"] for each in told if "error" in each] == ["TRUNCATED", "NO_FILE", "NOT_A_FILE"]


def test_labels_that_the_terminal_cannot_show_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "a.fcs"
    path.write_bytes(Fcs(keywords={"$P5S": "CD154 \u03b1"}).bytes())
    for arguments in ((str(path),), (str(path), "--json")):
        done = command(*arguments, PYTHONIOENCODING="ascii", PYTHONUTF8="0", LC_ALL="C")
        assert (done.returncode, done.stderr) == (0, "")
        assert "CD154 \\u03b1" in done.stdout


def test_no_name_of_a_person_is_reported(tmp_path: Path) -> None:
    """Whatever keyword holds a name but the labels and the cytometer's, neither form tells it, refused or not."""
    secret = "Jane-Q-Patient"
    others = (
        "$SRC",
        "$FIL",
        "$OP",
        "$SMNO",
        "$EXP",
        "$INST",
        "$COM",
        "$PROJ",
        "$SYS",
        "$CELLS",
        "$P1F",
        "$P1L",
        "$P1T",
    )
    others += ("PATIENT NAME", "@SAMPLEID", "$LAST_MODIFIER", "GUID", "TUBE NAME", "$UNICODE", "$WELLID", "$PLATEID")
    free = dict.fromkeys(others, secret)
    matrix = SPILLOVER.replace("APC-A", secret)
    judged = (
        "$P1R",
        "$DATE",
        "$BTIM",
        "$ETIM",
        "$TIMESTEP",
        "$P1V",
        "$NEXTDATA",
        "TRANSFORMATION",
        "$BEGINSTEXT",
        "$COMP",
    )
    read = [dict.fromkeys(judged, secret), {"$SPILLOVER": matrix}, {"SPILL": secret}]
    fatal = ("$TOT", "$PAR", "$MODE", "$DATATYPE", "$BYTEORD", "$P1B", "$P1E", "$P1G", "$P2DATATYPE")
    cases = [free | keywords for keywords in read] + [free | {keyword: secret} for keyword in fatal]
    path = tmp_path / "a.fcs"
    statuses = []
    for keywords in cases:
        path.write_bytes(Fcs(keywords=dict(keywords)).bytes())
        assert secret.encode() in path.read_bytes()
        found = inspect_file(path)
        statuses.append(found.as_dict()["status"])
        assert secret not in json.dumps(found.as_dict()) + as_text(found)
    assert statuses == ["ok"] * len(read) + ["refused"] * len(fatal)
    path.write_bytes(Fcs(datatype="I", bits=(8,) * 8, events=3, keywords={"$BYTEORD": secret}).bytes())
    assert inspect_file(path).as_dict()["byteord"] == "1,2,3,4"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_memory_stays_within_the_file_and_a_little(tmp_path: Path) -> None:
    """Peak memory under 1.3 times the file and 80 MB, here on 1.5 million events."""
    events = 1_500_000
    path = tmp_path / "large.fcs"
    values = np.random.default_rng(3).gamma(2.0, 300.0, (events, len(NAMES))).astype("<f4")
    path.write_bytes(Fcs(events=events, header_zero=True).bytes(values.tobytes()))
    # The peak of the program itself: what a process is said to have used may be its parent's.
    script = (
        "import re, sys; from cd40l_flow.cli.main import main; main(['inspect', '--json', sys.argv[1]]);"
        "print(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1])"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    told, peak = done.stdout.splitlines()
    assert int(peak) * 1024 < 1.3 * path.stat().st_size + 80e6
    means = [each["mean"] for each in json.loads(told)["detectors"]]
    np.testing.assert_allclose(means, values.mean(axis=0, dtype=np.float64), rtol=1e-9)
