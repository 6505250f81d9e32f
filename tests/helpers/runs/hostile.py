"""A small cohort to which bad things are done, and what is reported about it."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path
from typing import Any

from cd40l_flow.base.errors import InputsError
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.simulate import Scenario
from helpers.results.records import analyse
from helpers.runs.cohorts import read_sheet, write_sheet

SMALL = Scenario("P01", events=3000, background_events=2500, unstimulated_events=2500)


def rename(folder: Path, old: str, new: str, sheet: str | None = None) -> None:
    """Give an FCS file another name on disk and in the sheet, where it may be spelt otherwise."""
    (folder / "fcs" / new).parent.mkdir(parents=True, exist_ok=True)
    (folder / "fcs" / old).rename(folder / "fcs" / new)
    path = folder / "config/tubes.tsv"
    rows = [{**row, "fcs": new if sheet is None else sheet} if row["fcs"] == old else row for row in read_sheet(path)]
    write_sheet(path, rows)


def called(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the results of the sample and of its control."""
    with chdir(folder):
        plan = load_plan("config/config.yaml")
        control = analyse(plan.job("C01"), {})[0]
        return analyse(plan.job("P01"), {"C01": control})[0], control


def problems(folder: Path) -> list[str]:
    """Return every fatal problem of the inputs as it is reported; nothing where there is none."""
    with chdir(folder):
        try:
            load_plan("config/config.yaml")
        except InputsError as error:
            return [str(problem) for problem in error.problems]
    return []
