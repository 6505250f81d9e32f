"""Cross-checks: every sheet must agree with the others and with the configuration."""

from __future__ import annotations

import os
import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from cd40l_flow.assay.lookup import assay_named, assay_of_reagent, every_assay, every_reagent
from cd40l_flow.base.disk import as_on_disk
from cd40l_flow.base.errors import Problem
from cd40l_flow.base.model import Override, Sample, Tube
from cd40l_flow.base.schema import listed, nearest
from cd40l_flow.cohort.config import Config
from cd40l_flow.cohort.repeats import PlacedTube, repeated_files, replicates
from cd40l_flow.cohort.sheets import OVERRIDES, SAMPLES, TUBES, Row, Sheet, read_sheet
from cd40l_flow.cohort.tube_sets import tube_set_problems

# Names of devices, with any ending (Microsoft, "Naming Files, Paths, and Namespaces").
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Cohort:
    """All sheets together; ``refused`` is sample -> fcs -> why that tube may not be used."""

    samples: Mapping[str, Sample]
    overrides: tuple[Override, ...]
    refused: Mapping[str, Mapping[str, str]]
    problems: tuple[Problem, ...]


def assemble(config: Config) -> Cohort:
    """Read the sheets of a configuration and check them against one another.

    With fatal problems the cohort is incomplete: its samples must not be analysed.
    """
    problems: list[Problem] = []
    sheet, found = read_sheet(config.samples, SAMPLES, (*config.show_columns, *config.identity))
    problems += found
    samples, lines = _samples(config, sheet, problems)
    known = set(lines) if sheet.columns else None
    assays = {name: sample.assay for name, sample in samples.items()}
    tubes = _tubes(config, known, assays, problems)
    overrides = _overrides(config, known, tubes, problems)
    refused = repeated_files(config, tubes, problems)
    by_sample: dict[str, list[Tube]] = defaultdict(list)
    for placed in tubes:
        by_sample[placed.sample].append(placed.tube)
    samples = {
        name: replace(samples[name], tubes=tuple(sorted(by_sample[name], key=_tube_order))) for name in sorted(samples)
    }
    problems += replicates(config, tubes, refused)
    problems += tube_set_problems(config, samples, lines)
    problems += _missing_controls(config, samples, lines)
    return Cohort(samples, overrides, refused, tuple(problems))


def _fatal(file: str, row: Row, column: str, message: str, remedy: str) -> Problem:
    return Problem("SHEET", "fatal", message, file, row.line, column, row.cells.get("sample"), remedy)


def _samples(config: Config, sheet: Sheet, problems: list[Problem]) -> tuple[dict[str, Sample], dict[str, int]]:
    """Return the samples whose rows are good, and the line of every sample the sheet names."""
    if sheet.columns:
        named = [("show_columns", column) for column in config.show_columns]
        for key, column in [*named, *((f"identity.{column}", column) for column in config.identity)]:
            if column not in sheet.columns:
                close = nearest(column, sheet.columns)
                remedy = f"Did you mean '{close}'?" if close else "Remove it, or add the column to the sheet."
                problems.append(config.problem(key, f"{sheet.file} has no column '{column}'.", remedy))
        if not sheet.rows:
            problems.append(
                Problem("SHEET", "fatal", "the sheet names no sample.", sheet.file, remedy="Add a row for each sample.")
            )
    rows: dict[str, Row] = {}
    folded: dict[str, str] = {}
    for row in sheet.rows:
        name = row.cells["sample"]
        if name is None:
            continue
        other = folded.setdefault(name.casefold().rstrip("."), name)
        if name in rows:
            message = f"sample '{name}' is on line {rows[name].line} already."
            problems.append(_fatal(sheet.file, row, "sample", message, "Give every sample a name of its own."))
        elif other != name:
            what = "case" if other.casefold() == name.casefold() else "case or a full stop at the end"
            message = f"'{name}' differs only in {what} from '{other}' on line {rows[other].line}."
            problems.append(_fatal(sheet.file, row, "sample", message, "Some computers would mix them up: rename one."))
        elif _RESERVED.fullmatch(name):
            message = f"'{name}' is a name that Windows reserves for a device: no folder of it can be opened there."
            problems.append(_fatal(sheet.file, row, "sample", message, "Give the sample another name."))
        rows.setdefault(name, row)
    for column in ("run", "family", "subject"):
        problems += _alike(sheet, column)
    for row in sheet.rows:
        problems += _control_problems(sheet.file, row, rows)
    samples = {}
    for name, row in rows.items():
        if row.good:
            labels = [*((column, column) for column in config.show_columns), *config.identity.items()]
            extra = tuple((label, row.text.get(column, "")) for column, label in labels)
            cells = dict(row.cells)
            del cells["check"]
            samples[name] = Sample(**cells, extra=extra)
    return samples, {name: row.line for name, row in rows.items()}


def _alike(sheet: Sheet, column: str) -> list[Problem]:
    """Return a problem of every name that looks like another one of its column and is not the same."""
    first: dict[str, Row] = {}
    reported: set[str] = set()
    problems = []
    for row in sheet.rows:
        name = row.cells[column]
        if not name:
            continue
        folded = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
        other = first.setdefault(folded, row)
        if other.cells[column] != name and name not in reported:
            reported.add(name)
            message = (
                f"'{name}' differs from '{other.cells[column]}' on line {other.line} only in case, spaces or signs "
            )
            message += "that look alike."
            remedy = "If both are one, write them alike; if not, give them names that differ."
            problems.append(_fatal(sheet.file, row, column, message, remedy))
    return problems


def _control_problems(file: str, row: Row, rows: Mapping[str, Row]) -> list[Problem]:
    name = row.cells["control"]
    if name is None:
        return []
    fatal = partial(_fatal, file, row, "control")
    other = rows.get(name)
    if other is None:
        close = nearest(name, [key for key, candidate in rows.items() if candidate.cells["role"] == "control"])
        return [fatal(f"there is no sample '{name}'.", f"Did you mean '{close}'?" if close else "Name a control.")]
    if name == row.cells["sample"]:
        return [fatal("a sample cannot be its own control.", "Leave the cell empty or name another control.")]
    problems = []
    if other.cells["role"] == "test":
        problems.append(fatal(f"'{name}' has the role test.", "Name a sample whose role is control."))
    if None not in (other.cells["run"], row.cells["run"]) and other.cells["run"] != row.cells["run"]:
        message = f"'{name}' belongs to run '{other.cells['run']}', this sample to run '{row.cells['run']}'."
        problems.append(fatal(message, "A sample is compared with a control of its own run."))
    if None not in (other.cells["assay"], row.cells["assay"]) and other.cells["assay"] != row.cells["assay"]:
        message = f"'{name}' belongs to assay '{other.cells['assay']}', this sample to '{row.cells['assay']}'."
        problems.append(fatal(message, "A sample is compared with a control of its own assay."))
    return problems


def _tubes(
    config: Config, known: set[str] | None, assays: Mapping[str, str], problems: list[Problem]
) -> list[PlacedTube]:
    """Return the tubes whose rows are good, in the sheet's order.

    ``known`` is None when the samples are not known; ``assays`` maps good samples to their assays.
    """
    sheet, found = read_sheet(config.tubes, TUBES)
    problems += found
    folders: dict[str, set[str]] = {}
    tubes = []
    for row in sheet.rows:
        cells = dict(row.cells)
        name, fcs, panel = cells.pop("sample"), cells["fcs"], cells["panel"]
        del cells["check"]
        if name is not None and known is not None and name not in known:
            problems.append(_fatal(sheet.file, row, "sample", *_no_sample(name, known)))
        if panel is not None and panel not in config.panels:
            close = nearest(panel, config.panels)
            remedy = f"Did you mean '{close}'?" if close else "Add it to panels in the configuration."
            problems.append(_fatal(sheet.file, row, "panel", f"there is no panel '{panel}'.", remedy))
        foreign = _foreign(row, assays.get(name or ""))
        if foreign:
            problems.append(_fatal(sheet.file, row, *foreign))
        elif row.good:
            path = as_on_disk(posixpath.join(config.fcs_dir, fcs))
            tubes.append(PlacedTube(row.line, name, Tube(path=path, present=_is_file(path, folders), **cells)))
    return tubes


def _foreign(row: Row, named: str | None) -> tuple[str, str, str] | None:
    """Return column, message and remedy where a tube does not fit the assay of its sample; None where it does."""
    reagent = row.cells["reagent"]
    if named is None or reagent is None:
        return None
    assay = assay_named(named)
    if reagent not in assay.reagent_names:
        theirs = assay_of_reagent(reagent).name
        found = f"'{reagent}' is no reagent of the assay '{named}', which has {listed(assay.reagent_names, 'and')}."
        return "reagent", found, f"Correct the row, or write '{theirs}' into the column assay of the sample."
    if not assay.stimulated and row.cells["stimulation"] == "stimulated":
        found = f"cells of the assay '{named}' are not stimulated."
        return "stimulation", found, "Write 'unstimulated', or correct the reagent."
    return None


def _no_sample(name: str, known: set[str]) -> tuple[str, str]:
    close = nearest(name, sorted(known))
    return (
        f"there is no sample '{name}'.",
        f"Did you mean '{close}'?" if close else "Add it to the samples sheet, or remove this row.",
    )


def _is_file(path: str, folders: dict[str, set[str]]) -> bool:
    """Return whether a file is there, listing each folder once: a look at every file is slow on a network drive."""
    folder, name = os.path.split(path)
    if folder not in folders:
        try:
            with os.scandir(folder or ".") as entries:
                folders[folder] = {entry.name for entry in entries if entry.is_file()}
        except OSError:
            folders[folder] = set()
    return name in folders[folder]


def _tube_order(tube: Tube) -> tuple[object, ...]:
    stimulated = tube.stimulation == "stimulated"
    return stimulated, every_reagent().index(tube.reagent), tube.fcs, tube.panel, tube.clone, tube.lot


def _overrides(
    config: Config, known: set[str] | None, tubes: Sequence[PlacedTube], problems: list[Problem]
) -> tuple[Override, ...]:
    if config.overrides is None:
        return ()
    sheet, found = read_sheet(config.overrides, OVERRIDES)
    problems += found
    fcs_of: dict[str, list[str]] = defaultdict(list)
    for placed in tubes:
        fcs_of[placed.sample].append(placed.tube.fcs)
    set_at: dict[tuple[str, str, str], Row] = {}
    rows = [item for assay in every_assay() for item in assay.gate_of.items()]
    not_negative = {name for name, gate in rows if gate.unit in ("ratio", "seconds")}
    for row in sheet.rows:
        name, tube, gate, value = (row.cells[key] for key in ("sample", "tube", "gate", "value"))
        fatal = partial(_fatal, sheet.file, row)
        if name is not None and known is not None and name not in known:
            problems.append(fatal("sample", *_no_sample(name, known)))
        elif name is not None and tube and fcs_of[name] and tube not in fcs_of[name]:
            close = nearest(tube, fcs_of[name])
            remedy = f"Did you mean '{close}'?" if close else "Leave it empty for all tubes of the sample."
            problems.append(fatal("tube", f"sample '{name}' has no tube '{tube}'.", remedy))
        if not row.good:
            continue
        first = set_at.setdefault((name, tube, gate), row)
        if first is not row:
            message = f"{gate} of '{name}' is set on line {first.line} already."
            problems.append(fatal("gate", message, "Keep one of the two rows."))
        if value < 0 and gate in not_negative:
            problems.append(fatal("value", f"found {value:g}.", "A ratio and a time cannot be below 0."))
    for (name, tube, gate), row in set_at.items():
        upper = set_at.get((name, tube, gate.removesuffix("_low") + "_high"))
        if upper is not None and gate.endswith("_low") and row.cells["value"] >= upper.cells["value"]:
            message = f"{gate}, {row.cells['value']:g}, is not below {upper.cells['gate']} on line {upper.line}."
            problems.append(_fatal(sheet.file, row, "value", message, "Exchange or correct the two values."))
    return tuple(Override(**set_at[key].cells) for key in sorted(set_at))


def _missing_controls(config: Config, samples: Mapping[str, Sample], lines: Mapping[str, int]) -> list[Problem]:
    controlled = {(sample.run, sample.assay) for sample in samples.values() if sample.role == "control"}
    first: dict[tuple[str, str], str] = {}
    for name, sample in sorted(samples.items(), key=lambda item: lines[item[0]]):
        if (sample.run, sample.assay) not in controlled and assay_named(sample.assay).needs_control:
            first.setdefault((sample.run, sample.assay), name)
    remedy = "All of its samples end INDETERMINATE. Add the healthy control of that run, or give it the role control."
    problems = []
    for (run, assay), name in first.items():
        of = "" if assay == "cd40l" else f" of the assay {assay}"
        message = f"run '{run}' has no control{of}."
        problems.append(Problem("CONTROL_ABSENT", "warning", message, config.samples, lines[name], "run", None, remedy))
    return problems
