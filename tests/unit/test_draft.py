"""Drafts from a folder of FCS files: what names and labels tell is taken, what they do not is asked."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from cd40l_flow.cli import main
from cd40l_flow.inputs.guess import guess_tube
from helpers.fcs_files import Fcs

TEST_DATA = Path(__file__).parents[2] / "test_data"


@pytest.mark.parametrize(
    ("folders", "stem", "sample", "stimulation", "reagent"),
    [
        ([], "P01_unstim_cd154", "P01", "unstimulated", "CD154"),
        ([], "XH-17 PMA+iono CD40L clone 2", "XH-17", "stimulated", "CD154-2"),
        ([], "XH-17 PMA+iono CD40-muIg", "XH-17", "stimulated", "CD40-Ig"),
        (["Patient 3"], "Specimen_001_stim CD154_002", "Patient-3", "stimulated", "CD154"),
        ([], "Specimen_001_AB12 PMA CD154_003", "AB12", "stimulated", "CD154"),
        ([], "AB12 A05 unstim iso", "AB12", "unstimulated", "isotype"),
        ([], "00012345 CD154 stim 00000123 456", "00012345", "stimulated", "CD154"),
        (["XH17", "stim"], "FMO PE", "XH17", "stimulated", "FMO"),
        (["XH17"], "not stimulated sec only", "XH17", "unstimulated", "secondary"),
    ],
)
def test_names_of_instruments_and_people_are_understood(
    folders: list[str], stem: str, sample: str, stimulation: str, reagent: str
) -> None:
    """Tokens of the file's own name first, then its folders; counters, wells and Specimen_001 name no sample."""
    guess = guess_tube(folders, stem, ())

    assert (guess.sample, guess.stimulation, guess.reagent) == (sample, stimulation, reagent)


@pytest.mark.parametrize(("folders", "stem"), [([], "Specimen_001_Tube_001"), (["plate1"], "A01"), ([], "003")])
def test_a_name_that_tells_nothing_is_doubted(folders: list[str], stem: str) -> None:
    """Neither stimulation nor reagent is made up, and each thing not known is one doubt."""
    guess = guess_tube(folders, stem, ())

    assert (guess.stimulation, guess.reagent) == ("", "")
    assert len(guess.doubts) == 3


def test_name_and_label_that_disagree_are_told() -> None:
    """A CD40-Ig label on a file called CD154 is a doubt; an isotype measured with the template of CD154 is none."""
    assert guess_tube([], "P1 stim CD154", ["CD3 APC", "CD40-Ig PE"]).doubts == (
        "the name says CD154, a label CD40-Ig",
    )
    assert guess_tube([], "P1 stim isotype", ["CD3 APC", "CD154 PE"]).doubts == ()


def rows(path: Path) -> list[dict[str, str]]:
    """Return a sheet."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_a_draft_of_the_test_data_is_its_own_sheet_of_tubes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every tube is guessed right; nothing runs before the doubts are settled, and then the check passes."""
    shutil.copytree(TEST_DATA / "fcs", tmp_path / "fcs")
    lab = tmp_path / "lab"

    assert main(["init", str(lab), "--fcs", str(tmp_path / "fcs")]) == 0

    names = ("sample", "fcs", "stimulation", "reagent")
    drafted = {tuple(row[name] for name in names) for row in rows(lab / "config/tubes.tsv")}
    assert drafted == {tuple(row[name] for name in names) for row in rows(TEST_DATA / "config/tubes.tsv")}
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


def test_unreadable_files_and_unlabelled_detectors_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
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
    """Beside the sheets there is what Snakemake needs, and what explains them; a folder that is not there is told."""
    lab = tmp_path / "lab"
    assert main(["init", str(lab), "--fcs", str(TEST_DATA / "fcs")]) == 0
    assert {path.relative_to(lab).as_posix() for path in lab.rglob("*") if path.is_file()} == {
        *(f"config/{name}" for name in ("config.yaml", "samples.tsv", "tubes.tsv", "overrides.tsv", "README.md")),
        *("workflow/Snakefile", "profiles/default/profile.yaml", "profiles/slurm/profile.yaml"),
    }
    capsys.readouterr()
    assert main(["init", str(tmp_path / "other"), "--workflow"]) == 0
    assert not (tmp_path / "other/config/samples.tsv").exists()
    assert (tmp_path / "other/workflow/Snakefile").read_text() == (lab / "workflow/Snakefile").read_text()
    assert main(["init", str(tmp_path / "other")]) == 2
    assert "other/fcs: there is no such folder. Name the folder of the FCS files with --fcs." in capsys.readouterr().err
