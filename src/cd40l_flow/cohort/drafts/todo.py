"""What somebody must still do after a draft, in words and in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cd40l_flow.assay.lookup import assay_named, using
from cd40l_flow.base.model import Header
from cd40l_flow.cohort.config import UNFILLED
from cd40l_flow.cohort.drafts.b_cell_tubes import B_CELL_ASSAYS
from cd40l_flow.cohort.drafts.config_text import Layout, assay_of_panel, unlabelled
from cd40l_flow.cohort.drafts.folder import cell
from cd40l_flow.cohort.drafts.model import DraftSample
from cd40l_flow.cohort.drafts.table import needed


def left_out(calibrations: Sequence[str], hidden: Sequence[str]) -> list[str]:
    """Return which of the files that were left out must be looked at: calibrations, and those that systems hide."""
    todo = []
    if calibrations:
        shown = ", ".join(cell(path) for path in calibrations[:5]) + (", ..." if len(calibrations) > 5 else "")
        todo.append(
            f"See that {_count(len(calibrations), 'file')} left out as compensation controls or beads by their names "
            f"are that: {shown}."
        )
    if hidden:
        todo.append(f"{_count(len(hidden), 'file')} left out that operating systems hide (such as {cell(hidden[0])}).")
    return todo


def still_to_do(
    samples: Sequence[DraftSample],
    panels: Mapping[str, Layout],
    headers: Mapping[str, Sequence[Header]],
    places: Mapping[str, str],
) -> list[str]:
    """Return what somebody must still do, in the order in which it is done."""
    tubes_sheet, samples_sheet = places["tubes"], places["samples"]
    tubes = [tube for sample in samples for tube in sample.tubes]
    todo = [
        "Go through the table above: is every sample one person's blood, and are these its tubes?",
        "See that no name of a sample or file is a patient's: these names appear on every report.",
    ]
    doubts = sum(bool(tube.doubts) for tube in tubes)
    if doubts:
        todo.append(
            f"{tubes_sheet}: {doubts} of {len(tubes)} rows have a question in the column `check`. Answer it in the "
            "row, then empty the cell; take out the rows of files that are no tubes of the assay."
        )
    todo.append(
        f"{tubes_sheet}: write clone and lot of the target reagents into the columns of these names; reports show "
        "them, and a lot that the laboratory's controls have not seen is warned of."
    )
    todo.append(
        f"{samples_sheet}: fill in sex, role, run, transplant and calcineurin_inhibitor of "
        f"{_count(len(samples), 'sample')}, one row for each sample that {tubes_sheet} names; then empty the cells "
        "of `check`."
    )
    if not any(sample.control for sample in samples):
        todo.append(
            "No sample's name says that it is a healthy control. Write `control` into its column role; without one no "
            "sample of its run is called."
        )
    for name, labelled in panels.items():
        with using(assay_of_panel(name)):
            missing = unlabelled(labelled, headers[name]) if headers[name] else []
        if missing:
            todo.append(
                f"config/config.yaml, panel {name}: write the detector of {', '.join(missing)} for {UNFILLED}; what "
                "the files have is listed below it. target is the detector of CD154 or CD40-Ig."
            )
    of_b_cells = sum(sample.assay in B_CELL_ASSAYS for sample in samples)
    if of_b_cells:
        todo.append(
            f"{samples_sheet}: {_count(of_b_cells, 'sample')} of {' or '.join(B_CELL_ASSAYS)}. Write age_years, by "
            "which memory B cells are judged, and the same subject for all samples of one person."
        )
    lacking = sum(_lacks(sample) for sample in samples)
    if lacking:
        todo.append(
            f"{_count(lacking, 'sample')} of {len(samples)} without a tube that the table shows as missing (-)."
        )
    return todo


def _lacks(sample: DraftSample) -> bool:
    """Return whether a sample is without a tube that its assay needs."""
    with using(assay_named(sample.assay)):
        return any(not tubes for tubes in needed(sample).values())


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
