"""Drafts of the B-cell assays: labels tell the assay, names the background; what they leave open is asked."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from cd40l_flow.cli.main import main
from cd40l_flow.cohort.draft import draft
from cd40l_flow.cohort.sheets import SAMPLES, TUBES, read_sheet
from cd40l_flow.simulate.b_cells import named_b_cells, write_b_cells
from helpers.by_hand.fcs_files import Fcs

TEST_DATA = Path(__file__).parents[3] / "test_data"
TUBE = ("sample", "fcs", "stimulation", "reagent")
# $P4S to $P7S of the small files.
MEMORY = ("CD27", "IgD", "CD19", "CD3")
CD40 = ("CD14", "CD40", "CD19", "CD3")
ISOTYPE = ("CD14", "isotype", "CD19", "CD3")
T_CELLS = ("CD8", "CD154", "CD3", "CD69")


def cells(path: Path, schema: str, columns: tuple[str, ...]) -> set[tuple[str, ...]]:
    """Return these columns of a sheet, a tuple for each row."""
    sheet, _ = read_sheet(str(path), schema)
    return {tuple(str(row.cells[column]) for column in columns) for row in sheet.rows}


def drafted(folder: Path, files: Mapping[str, tuple[str, ...]]) -> dict[str, dict[str, str]]:
    """Return path -> row of the drafted sheet of tubes, with its sample's assay, for files of these labels."""
    for path, labels in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(Fcs(keywords={f"$P{4 + n}S": each for n, each in enumerate(labels)}).bytes())
    found = draft(folder, "fcs").files
    samples, tubes = (
        [dict(zip(lines[0].split("\t"), line.split("\t"), strict=True)) for line in lines[1:]]
        for lines in (found[f"config/{name}.tsv"].splitlines() for name in ("samples", "tubes"))
    )
    assays = {row["sample"]: row.get("assay", "cd40l") for row in samples}
    return {row["fcs"]: {**row, "assay": assays[row["sample"]]} for row in tubes}


def kinds(rows: Mapping[str, Mapping[str, str]]) -> dict[str, tuple[str, str, str]]:
    return {path: (row["sample"], row["assay"], row["reagent"]) for path, row in rows.items()}


def test_a_draft_of_the_whole_demonstration_is_its_own_sheets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every tube of all three assays is guessed right without a question; once rows are settled the check passes."""
    lab = tmp_path / "lab"
    assert main(["init", str(lab), "--fcs", str(TEST_DATA / "fcs")]) == 0

    told = capsys.readouterr().out
    assert "Assay memory_b:\nsample  run   role  memory  background" in told
    assert "11 samples of memory_b or cd40. Write age_years" in told
    assert cells(lab / "config/tubes.tsv", TUBES, (*TUBE, "check")) == {
        (*row, "") for row in cells(TEST_DATA / "config/tubes.tsv", TUBES, TUBE)
    }
    sheet = lab / "config/samples.tsv"
    assert cells(sheet, SAMPLES, ("sample", "assay")) == cells(
        TEST_DATA / "config/samples.tsv", SAMPLES, ("sample", "assay")
    )
    lines = sheet.read_text().splitlines()
    settled = ["\t".join([*line.split("\t")[:-1], ""]) for line in lines[1:]]
    settled = [line.replace("\ttest\t", "\tcontrol\t") if line.startswith("C01") else line for line in settled]
    sheet.write_text("\n".join([lines[0], *settled]) + "\n")
    assert main(["check", "--directory", str(lab)]) == 0


@pytest.mark.parametrize(
    "scenario", ["memory-xhim", "memory-log", "memory-weak-igd", "cd40-absent", "cd40-monocytes-disagree"]
)
def test_simulated_tubes_are_drafted_as_their_sheets_say(tmp_path: Path, scenario: str) -> None:
    """Whatever tubes a sample has and however the instrument names its detectors."""
    write_b_cells(tmp_path, 3, named_b_cells(scenario, 3), events_scale=0.05)

    assert main(["init", str(tmp_path / "lab"), "--fcs", str(tmp_path / "fcs")]) == 0

    # With one person alone no word of the names is seen to vary: samples may be named otherwise.
    told, truth = (cells(place / "config/tubes.tsv", TUBES, TUBE[1:]) for place in (tmp_path / "lab", tmp_path))
    assert told == truth
    assays = {row[0] for row in cells(tmp_path / "lab/config/samples.tsv", SAMPLES, ("assay",))}
    assert assays == {row[0] for row in cells(tmp_path / "config/samples.tsv", SAMPLES, ("assay",))}


def test_one_person_has_a_sample_for_each_assay(tmp_path: Path) -> None:
    """Tubes are told apart by their labels alone; the samples of one person get names that differ, and one run."""
    rows = drafted(
        tmp_path,
        {
            **{f"{name} unstim CD154.fcs": T_CELLS for name in ("P1", "P2")},
            **{f"{name} Bmem.fcs": MEMORY for name in ("P1", "P2")},
            **{f"{name} FMO CD27.fcs": MEMORY for name in ("P1", "P2")},
            **{f"{name} CD40.fcs": CD40 for name in ("P1", "P2")},
            **{f"{name} iso.fcs": ISOTYPE for name in ("P1", "P2")},
        },
    )
    assert {path: kind for path, kind in kinds(rows).items() if path.startswith("P1")} == {
        "P1 unstim CD154.fcs": ("P1", "cd40l", "CD154"),
        "P1 Bmem.fcs": ("P1-memory_b", "memory_b", "memory"),
        "P1 FMO CD27.fcs": ("P1-memory_b", "memory_b", "memory-FMO27"),
        "P1 CD40.fcs": ("P1-cd40", "cd40", "CD40"),
        "P1 iso.fcs": ("P1-cd40", "cd40", "CD40-isotype"),
    }
    assert not any(row["check"] for row in rows.values())
    assert {row["panel"] for row in rows.values()} == {"default", "memory_b", "cd40"}


@pytest.mark.parametrize(
    ("name", "labels", "reagent"),
    [
        ("fmo27", ("", "IgD", "CD19", "CD3"), "memory-FMO27"),
        ("CD27-FMO", MEMORY, "memory-FMO27"),
        ("FMO_Ig", ("CD27", "", "CD19", "CD3"), "memory-FMOIg"),
        ("FMO IgD IgM", MEMORY, "memory-FMOIg"),
        ("tube 3", MEMORY, "memory"),
        ("unstimulated", MEMORY, "memory"),
        ("tube 4", ISOTYPE, "CD40-isotype"),
        ("isotype", CD40, "CD40-isotype"),
    ],
)
def test_a_background_is_recognised_by_its_name_or_its_label(
    tmp_path: Path, name: str, labels: tuple[str, ...], reagent: str
) -> None:
    stained = ("P1 stained.fcs", CD40) if reagent == "CD40-isotype" else ("P1 stained.fcs", MEMORY)
    files = dict([stained]) if reagent != "memory" else {}
    rows = drafted(tmp_path, {**files, f"P1 {name}.fcs": labels})
    assert rows[f"P1 {name}.fcs"]["reagent"] == reagent
    assert rows[f"P1 {name}.fcs"]["stimulation"] == "unstimulated"
    assert "background" not in rows[f"P1 {name}.fcs"]["check"]


@pytest.mark.parametrize(
    ("name", "labels", "reagent", "question"),
    [
        ("FMO", MEMORY, "", "which reagent? A name says 'FMO'; there are memory, memory-FMO27 and memory-FMOIg"),
        ("FMO CD38", MEMORY, "", "which reagent? A name says 'FMO'"),
        ("FMO IgD", MEMORY, "memory-FMOIg", "memory-FMOIg? The name says 'FMO IgD'"),
        ("FMO CD27 CD38", MEMORY, "memory-FMO27", "memory-FMO27? The name says 'FMO CD27', and 'CD38'"),
        ("isotype", MEMORY, "", "which reagent? A name says 'isotype'"),
        ("FMO27", MEMORY, "memory-FMO27", "whose background? This sample has no tube of memory"),
        ("isotype", ISOTYPE, "CD40-isotype", "whose background? This sample has no tube of CD40"),
        ("CD40", ISOTYPE, "", "CD40 or CD40-isotype? The name says 'CD40', a label 'isotype'"),
        ("memory PMA", MEMORY, "memory", "unstimulated? A name says 'PMA'"),
    ],
)
def test_what_a_name_leaves_open_is_asked(
    tmp_path: Path, name: str, labels: tuple[str, ...], reagent: str, question: str
) -> None:
    row = drafted(tmp_path, {f"P1 {name}.fcs": labels})[f"P1 {name}.fcs"]
    assert row["assay"] == ("memory_b" if labels == MEMORY else "cd40")
    assert row["reagent"] == reagent
    assert question in row["check"]


@pytest.mark.parametrize(
    ("labels", "shown"),
    [
        (("CD27", "CD40", "CD19", "IgD"), "CD19, CD27, IgD and CD40"),
        (("CD27", "CD8", "CD19", "CD3"), "CD19 and CD27"),
        (("CD38", "CD8", "CD19", "CD3"), "CD19"),
    ],
)
def test_labels_that_show_no_assay_for_certain_are_asked_about(
    tmp_path: Path, labels: tuple[str, ...], shown: str
) -> None:
    """Such a file stays a row without a reagent, as every file of which names and labels do not tell."""
    row = drafted(tmp_path, {"P1 tube.fcs": labels})["P1 tube.fcs"]
    assert (row["assay"], row["reagent"]) == ("cd40l", "")
    assert f"a tube of which assay? Of CD19, CD27, IgD and CD40 its labels name {shown}" in row["check"]


def test_files_of_t_cells_are_drafted_as_without_any_b_cells(tmp_path: Path) -> None:
    """What lies beside them changes no cell of their rows."""
    for path in sorted((TEST_DATA / "fcs").glob("P0[1-3]*.fcs")):
        for folder in ("all", *(["alone"] if "stim" in path.name else [])):
            (tmp_path / folder).mkdir(exist_ok=True)
            shutil.copy(path, tmp_path / folder)
    alone = draft(tmp_path / "alone", "fcs").files["config/tubes.tsv"].splitlines()
    beside = draft(tmp_path / "all", "fcs").files["config/tubes.tsv"].splitlines()
    assert beside[: len(alone)] == alone
    assert "assay" not in draft(tmp_path / "alone", "fcs").files["config/samples.tsv"].splitlines()[0].split("\t")
