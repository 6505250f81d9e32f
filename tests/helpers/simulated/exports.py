"""A small sample, analysed, and its exported gates: what tests of other programs' files begin with."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lxml import etree

from cd40l_flow.cli.main import main
from cd40l_flow.cohort.job import planned, write_job
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.interop.readback import Row
from cd40l_flow.simulate import Scenario, write_cohort

NAMES = ("gates.gatingml.xml", "gates.wsp", "gates.readback.tsv")


@contextmanager
def inside(directory: Path) -> Iterator[None]:
    """Work in a directory for a while."""
    before = Path.cwd()
    os.chdir(directory)
    try:
        yield
    finally:
        os.chdir(before)


@dataclass(frozen=True)
class Lab:
    """A working directory with one control, C01, analysed."""

    directory: Path

    @property
    def folder(self) -> Path:
        """Where its results are."""
        return self.directory / "results" / "samples" / "C01"

    @property
    def result(self) -> dict[str, Any]:
        """Its result."""
        read: dict[str, Any] = json.loads((self.folder / "result.json").read_text(encoding="utf-8"))
        return read

    @property
    def overrides(self) -> Path:
        """The sheet of overrides."""
        return self.directory / "config" / "overrides.tsv"

    def analyse(self) -> None:
        """Analyse the control, and write its report."""
        with inside(self.directory):
            assert main(["run", "--sample", "C01"]) == 0

    def export(self, *more: str) -> int:
        """Export its gates; returns the exit code."""
        with inside(self.directory):
            job = str(write_job(planned(load_plan("config/config.yaml").job("C01"))))
            options = ["--result", str(self.folder / "result.json"), "--job", job]
            files = [str(self.folder / name) for name in NAMES]
            return main(["export", *options, *more, "--gatingml", files[0], "--wsp", files[1], "--table", files[2]])

    def override(self, *options: str, file: str = "moved.wsp") -> int:
        """Take the gates of a file; returns the exit code."""
        with inside(self.directory):
            result = str(self.folder / "result.json")
            return main(["override", "--from", str(self.folder / file), "--result", result, *options])

    def rows(self) -> list[Row]:
        """Return the comparison that the export left."""
        lines = (self.folder / NAMES[2]).read_text(encoding="utf-8").splitlines()[1:]
        told = [line.split("\t") for line in lines]
        return [
            Row(one[0], one[1], int(one[2]) if one[2] else None, *(int(each) for each in one[3:7]), one[7])  # type: ignore[arg-type, call-arg]
            for one in told
        ]

    def move(self, change: Callable[[Any], None], name: str = "gates.wsp") -> None:
        """Write the exported file again with something moved, as ``moved`` and its ending."""
        tree = etree.parse(str(self.folder / name))
        change(tree.getroot())
        tree.write(str(self.folder / ("moved" + name.removeprefix("gates"))), encoding="UTF-8", xml_declaration=True)


def make_lab(directory: Path, cohort: Sequence[Scenario] = (), **options: Any) -> Lab:
    """Return a working directory with a small simulated control, or another cohort whose control is C01."""
    cohort = cohort or (Scenario("C01", role="control", sex="F"),)
    write_cohort(directory, 11, cohort=cohort, **({"events_scale": 0.5} | options))
    return Lab(directory)


def multiqc_rows(text: str) -> dict[str, dict[str, str]]:
    """Return the rows of a tab-separated section for MultiQC by name, cells that are empty left out."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {
        row.pop("name"): {column: cell for column, cell in row.items() if cell}
        for row in csv.DictReader(lines, delimiter="\t")
    }
