"""Drafts from a folder of FCS files: what names and labels tell is taken, what they do not is asked."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from cd40l_flow.assay.cd40l import CD40L
from cd40l_flow.cli.main import main
from cd40l_flow.cohort.draft import WORKBOOK
from cd40l_flow.cohort.sheets import SAMPLES, TUBES, read_sheet
from helpers.by_hand.fcs_files import Fcs
from helpers.runs.cohorts import read_sheet as rows

TEST_DATA = Path(__file__).parents[3] / "test_data"


def test_a_draft_of_the_test_data_is_its_own_sheet_of_tubes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every tube is guessed right; nothing runs before the doubts are settled, and then the check passes."""
    of_cd154 = [row for row in rows(TEST_DATA / "config/tubes.tsv") if row["reagent"] in CD40L.reagent_names]
    (tmp_path / "fcs").mkdir()
    for row in of_cd154:
        shutil.copy(TEST_DATA / "fcs" / row["fcs"], tmp_path / "fcs")
    lab = tmp_path / "lab"

    assert main(["init", str(lab), "--fcs", str(tmp_path / "fcs")]) == 0

    names = ("sample", "fcs", "stimulation", "reagent")
    drafted = {tuple(row[name] for name in names) for row in rows(lab / "config/tubes.tsv")}
    assert drafted == {tuple(row[name] for name in names) for row in of_cd154}
    capsys.readouterr()
    assert main(["check", "--directory", str(lab)]) == 2
    assert "config/samples.tsv, line 2, check:" in capsys.readouterr().err

    sheet = lab / "config/samples.tsv"
    settled = ["\t".join([*line.split("\t")[:-1], ""]) for line in sheet.read_text().splitlines()[1:]]
    settled[0] = settled[0].replace("\ttest\t", "\tcontrol\t")
    sheet.write_text("\n".join([sheet.read_text().splitlines()[0], *settled]) + "\n")
    assert main(["check", "--directory", str(lab)]) == 0


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One file that is there stops the draft before anything is written."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config/tubes.tsv").write_text("mine")

    assert main(["init", str(tmp_path), "--fcs", str(TEST_DATA / "fcs")]) == 2

    assert (tmp_path / "config/tubes.tsv").read_text() == "mine"
    assert [path.name for path in (tmp_path / "config").iterdir()] == ["tubes.tsv"]
    assert "there already, nothing was written" in capsys.readouterr().err


def test_unreadable_files_and_unlabelled_detectors_are_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is no FCS file stays in the sheet with its fault; a folder without FCS files is refused."""
    folder = tmp_path / "fcs"
    folder.mkdir()
    (folder / "P1 stim CD154.fcs").write_bytes(b"no FCS file at all" * 20)
    shutil.copy(TEST_DATA / "fcs/P01_unstim_cd154.fcs", folder)

    assert main(["init", str(tmp_path / "lab"), "--fcs", str(folder)]) == 0
    (bad,) = [row for row in rows(tmp_path / "lab/config/tubes.tsv") if row["sample"] == "P1"]
    assert "cannot be read (NOT_FCS)" in bad["check"]
    capsys.readouterr()
    assert main(["check", "--directory", str(tmp_path / "lab")]) == 2
    told = capsys.readouterr().err
    assert "Settle in this row what it asks, then empty the cell." in told
    (tmp_path / "empty").mkdir()
    assert main(["init", str(tmp_path / "other"), "--fcs", str(tmp_path / "empty")]) == 2
    assert "no file ends in .fcs or .lmd" in capsys.readouterr().err


def test_what_no_label_tells_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without labels every marker is WHICH, the target too; a draft that was not filled in says so for each."""
    (tmp_path / "fcs").mkdir()
    labels = {f"$P{n}S": None for n in range(1, 9)}
    (tmp_path / "fcs/P1 stim CD154.fcs").write_bytes(Fcs(keywords=labels).bytes())

    assert main(["init", str(tmp_path)]) == 0

    config = (tmp_path / "config/config.yaml").read_text()
    for marker in ("CD3", "CD8", "CD69", "target"):
        assert f"    {marker}: {{detector: WHICH}}" in config
    assert "likewise: viability, CD4, CD45" in config
    assert "write the detector of CD3, CD8, CD69, target for WHICH" in capsys.readouterr().out
    assert main(["check", "--directory", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert told.count("still says WHICH. Write the name of the detector") == 4


def test_the_folder_that_is_drafted_can_be_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the sheets there is what Snakemake needs, and what explains them; a folder that is not there is reported."""
    lab = tmp_path / "lab"
    assert main(["init", str(lab), "--fcs", str(TEST_DATA / "fcs")]) == 0
    assert {path.relative_to(lab).as_posix() for path in lab.rglob("*") if path.is_file()} == {
        *(f"config/{name}" for name in ("config.yaml", "samples.tsv", "tubes.tsv", "overrides.tsv", "README.md")),
        *("workflow/Snakefile", "profiles/default/profile.yaml", "profiles/slurm/profile.yaml"),
        *("profiles/cluster-generic/profile.yaml", "profiles/cluster-generic/status.sh"),
    }
    # What asks the scheduler is started as a program.
    assert os.access(lab / "profiles/cluster-generic/status.sh", os.X_OK)
    assert not os.access(lab / "profiles/cluster-generic/profile.yaml", os.X_OK)
    assert (lab / "reviews").is_dir()
    assert "reviews: reviews\n" in (lab / "config/config.yaml").read_text()
    capsys.readouterr()
    assert main(["init", str(tmp_path / "other"), "--workflow"]) == 0
    assert not (tmp_path / "other/config/samples.tsv").exists()
    assert (tmp_path / "other/workflow/Snakefile").read_text() == (lab / "workflow/Snakefile").read_text()
    assert main(["init", str(tmp_path / "other")]) == 2
    assert "other/fcs: there is no such folder. Name the folder of the FCS files with --fcs." in capsys.readouterr().err


def test_a_draft_is_reported_at_a_glance(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each sample: which tubes it has, which are missing, how many ask, and where its name was read."""
    folder = tmp_path / "fcs"
    (folder / "Patient 2").mkdir(parents=True)
    for name in ("P1 stim CD154.fcs", "P1 unstim CD154.fcs", "P1 stim iso.fcs", "Patient 2/PMA CD154.fcs"):
        (folder / name).write_bytes(Fcs().bytes())

    assert main(["init", str(tmp_path / "lab"), "--fcs", str(folder)]) == 0

    told = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in told.splitlines()]
    assert (
        "sample run role stim CD154 background unstim CD40-Ig secondary other asked the sample was read from" in lines
    )
    assert "P1 run1 test 1 1 1 - - 'P1' in the file name" in lines
    assert "Patient-2 run1 test 1 - - - - 'Patient 2' in a folder" in lines
    assert "2 samples of 2 without a tube that the table shows as missing (-)." in told
    assert "write clone and lot of the target reagents" in told


def test_what_is_no_tube_is_left_out_and_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Compensation controls by BD's name, and what systems hide beside files; CellQuest's numbered files count."""
    folder = tmp_path / "fcs"
    names = (
        *("P1 stim CD154.001", "P1 unstim CD154.002", "Compensation Controls_PE Stained Control.fcs"),
        *("._P1 stim CD154.fcs", "__MACOSX/P2 stim CD154.fcs", ".Trashes/501/P3 stim CD154.fcs"),
    )
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(Fcs().bytes())
    (folder / "notes.003").write_text("no FCS file")

    assert main(["init", str(tmp_path / "lab"), "--fcs", str(folder)]) == 0

    drafted = rows(tmp_path / "lab/config/tubes.tsv")
    assert [row["fcs"] for row in drafted] == ["P1 stim CD154.001", "P1 unstim CD154.002"]
    told = capsys.readouterr().out
    assert "1 file left out as compensation controls or beads by their names are that: Compensation Controls_PE" in told
    assert "3 files left out that operating systems hide" in told


def test_a_draft_as_a_workbook_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --xlsx the sheets are worksheets of one file, which the check reads; nothing is overwritten either."""
    texts, book = tmp_path / "texts", tmp_path / "book"
    assert main(["init", str(texts), "--fcs", str(TEST_DATA / "fcs")]) == 0
    assert main(["init", str(book), "--fcs", str(TEST_DATA / "fcs"), "--xlsx"]) == 0

    assert sorted(path.name for path in book.glob("config/*.tsv")) == ["overrides.tsv"]
    for name, schema in (("samples", SAMPLES), ("tubes", TUBES)):
        theirs = [read_sheet(str(path), schema)[0] for path in (texts / f"config/{name}.tsv", book / WORKBOOK)]
        assert [row.text for row in theirs[0].rows] == [row.text for row in theirs[1].rows]
    capsys.readouterr()
    assert main(["check", "--directory", str(book)]) == 2
    assert "config/sheets.xlsx" in capsys.readouterr().err
    assert main(["init", str(book), "--fcs", str(TEST_DATA / "fcs"), "--xlsx"]) == 2


def test_names_that_no_sheet_can_hold_are_asked_for(tmp_path: Path) -> None:
    """A tab, a line's end, bytes that are no UTF-8: the sheet stays readable, and its row says what to rename."""
    folder = tmp_path / "fcs"
    folder.mkdir()
    for name in (b"P1\tstim CD154.fcs", b"P2\nstim CD154.fcs", b"M\xfcller stim CD154.fcs", b'"P4" stim CD154.fcs'):
        with open(os.fsencode(folder) + b"/" + name, "wb") as file:  # noqa: PTH123  pathlib takes no bytes
            file.write(Fcs().bytes())

    assert main(["init", str(tmp_path / "lab"), "--fcs", str(folder)]) == 0

    drafted = {row["sample"]: row for row in rows(tmp_path / "lab/config/tubes.tsv")}
    assert {name: row["fcs"] for name, row in drafted.items()} == {
        "P1": "P1<09>stim CD154.fcs",
        "P2": "P2<0a>stim CD154.fcs",
        "Mueller": "M<fc>ller stim CD154.fcs",
        "P4": '"P4" stim CD154.fcs',
    }
    assert all(("rename it" in row["check"]) == (name != "P4") for name, row in drafted.items())


def test_headers_are_compared_but_never_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files of one name whose headers tell two specimens are asked about; no word of the headers comes out."""
    folder = tmp_path / "fcs"
    folder.mkdir()
    for name, whose in (("P1 stim CD154", "DOE"), ("P1 unstim CD154", "DOE"), ("P1 stim isotype", "ROE")):
        (folder / f"{name}.fcs").write_bytes(Fcs(keywords={"$SRC": f"SECRET {whose}", "$SMNO": "SECRET"}).bytes())

    assert main(["init", str(tmp_path / "lab"), "--fcs", str(folder)]) == 0

    drafted = rows(tmp_path / "lab/config/tubes.tsv")
    assert {row["sample"] for row in drafted} == {"P1"}
    assert all("one sample? The headers distinguish 'P1 stim CD154.fcs' and 1 more" in row["check"] for row in drafted)
    written = [path.read_text() for path in (tmp_path / "lab").rglob("*") if path.is_file()]
    assert "SECRET" not in "".join([*written, capsys.readouterr().out])
