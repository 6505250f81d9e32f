"""Sheets and a configuration drafted from a folder of FCS files: guesses, each marked that is not certain."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cd40l_flow.config import UNFILLED
from cd40l_flow.errors import Cd40lFlowError, TubeError
from cd40l_flow.inputs.cells import tab_separated
from cd40l_flow.inputs.fcs import open_recording
from cd40l_flow.inputs.guess import Guess, guess_tube
from cd40l_flow.inputs.model import MARKERS, REQUIRED_MARKERS, Header
from cd40l_flow.inputs.panel import find_roles

SUFFIXES = (".fcs", ".lmd")
FIRST_RUN = "run1"
# What a run of one sample needs: (stimulation, reagents of which one is enough, what it is for).
NEEDED = (
    ("stimulated", ("CD154",), "expression"),
    ("stimulated", ("isotype", "FMO"), "the background of CD154"),
    ("unstimulated", ("CD154", "isotype", "FMO"), "the CD69 boundary"),
    ("stimulated", ("CD40-Ig",), "function"),
    ("stimulated", ("secondary",), "the background of CD40-Ig"),
)


@dataclass(frozen=True)
class DraftTube:
    """One file: its path inside the folder (``fcs``), what was guessed, its header, and ``panel`` once known."""

    fcs: str
    guess: Guess
    header: Header | None
    panel: str = "default"


@dataclass(frozen=True)
class Draft:
    """What is written: the text of every file by its path inside the directory, and what is still to do in words."""

    files: Mapping[str, str]
    todo: tuple[str, ...]


def draft(folder: Path, fcs_dir: str) -> Draft:
    """Return sheets and configuration for the FCS files of a folder and its folders.

    ``fcs_dir`` is the folder as the configuration is to name it. Headers are read, never events. Raises Cd40lFlowError
    for a folder without FCS files.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.casefold() in SUFFIXES and path.is_file())
    if not paths:
        raise Cd40lFlowError(f"{fcs_dir}: no file ends in {' or '.join(SUFFIXES)}. Name the folder of the FCS files.")
    tubes = [_read(folder, path) for path in paths]
    panels = _panels([tube.header for tube in tubes if tube.header is not None])
    names = {markers: name for name, markers in panels.items()}
    tubes = [replace(tube, panel=names[_layout(tube.header)]) if tube.header else tube for tube in tubes]
    samples = {sample: [tube for tube in tubes if tube.guess.sample == sample] for sample in _samples(tubes)}
    files = {
        "config/config.yaml": _config(fcs_dir, panels, tubes),
        "config/samples.tsv": _samples_sheet(samples),
        "config/tubes.tsv": _tubes_sheet(tubes),
        "config/overrides.tsv": "sample\ttube\tgate\tvalue\tby\treason\n",
    }
    return Draft(files, tuple(_todo(samples, panels, tubes)))


def _read(folder: Path, path: Path) -> DraftTube:
    fcs = path.relative_to(folder).as_posix()
    folders, stem = fcs.split("/")[:-1], path.stem
    try:
        header = open_recording(path).header
    except TubeError as error:
        guess = guess_tube(folders, stem, ())
        return DraftTube(fcs, replace(guess, doubts=(*guess.doubts, f"cannot be read ({error.rule})")), None)
    return DraftTube(fcs, guess_tube(folders, stem, [each.label or each.name for each in header.detectors]), header)


def _samples(tubes: Sequence[DraftTube]) -> list[str]:
    return sorted({tube.guess.sample for tube in tubes})


def _layout(header: Header) -> tuple[tuple[str, str], ...]:
    """Return marker and detector of everything that labels tell for certain: equal layouts share a panel."""
    roles, _ = find_roles(header)
    found = {role.split(" (")[0]: detector for detector, names in roles.items() for role in names}
    return tuple((marker, found[marker]) for marker in MARKERS if marker in found and marker != "target")


def _unlabelled(layout: tuple[tuple[str, str], ...], headers: Sequence[Header]) -> list[str]:
    """Return the markers of a panel that no label tells; the target is told where one of its files labels it."""
    roles = {role for header in headers for names in find_roles(header)[0].values() for role in names}
    told = {marker for marker, _ in layout} | (
        {"target"} if any(role.startswith("target") for role in roles) else set()
    )
    return [marker for marker in REQUIRED_MARKERS if marker not in told]


def _panels(headers: Sequence[Header]) -> dict[str, tuple[tuple[str, str], ...]]:
    """Return panel -> what its labels tell; the first, which most files have, is ``default``."""
    layouts = [_layout(header) for header in headers]
    ranked = sorted(set(layouts), key=lambda layout: (-layouts.count(layout), layout))
    return {"default" if n == 0 else f"panel{n + 1}": layout for n, layout in enumerate(ranked)}


def _run(tubes: Sequence[DraftTube]) -> str:
    """Return the run of a sample, from the outermost folder of its files: a guess that must be confirmed."""
    outer = {tube.fcs.split("/")[0] for tube in tubes if tube.fcs.count("/") >= 1}
    own = {tube.guess.sample for tube in tubes}
    if len(outer) == 1 and not own & outer:
        return "".join(c if c.isalnum() or c in "._-" else "-" for c in outer.pop())
    return FIRST_RUN


def _samples_sheet(samples: Mapping[str, Sequence[DraftTube]]) -> str:
    rows: list[tuple[str, ...]] = [("sample", "run", "role", "sex", "calcineurin_inhibitor", "transplant", "check")]
    for sample, tubes in samples.items():
        control = any(tube.guess.control for tube in tubes)
        asked = ["sex", "run", *(["role (the name says control)"] if control else [])]
        doubt = f"fill in or confirm {', '.join(asked)}; then empty this cell"
        rows.append((sample, _run(tubes), "control" if control else "test", "unknown", "", "", doubt))
    return tab_separated(rows)


def _tubes_sheet(tubes: Sequence[DraftTube]) -> str:
    rows: list[tuple[str, ...]] = [("sample", "fcs", "stimulation", "reagent", "panel", "clone", "lot", "check")]
    for tube in tubes:
        guess = tube.guess
        check = "; ".join(guess.doubts)
        rows.append((guess.sample, tube.fcs, guess.stimulation, guess.reagent, tube.panel, "", "", check))
    return tab_separated(rows)


def _config(fcs_dir: str, panels: Mapping[str, tuple[tuple[str, str], ...]], tubes: Sequence[DraftTube]) -> str:
    lines = [
        "# A draft from the headers of the FCS files. README.md beside this file explains every key.",
        "samples: config/samples.tsv",
        "tubes: config/tubes.tsv",
        "overrides: config/overrides.tsv",
        f"fcs_dir: {json.dumps(fcs_dir)}",
        "# file: the matrix each FCS file carries | the path of a CSV file | none: compensated already",
        "spillover: file",
        "panels:",
    ]
    for name, layout in panels.items():
        example = next(tube.header for tube in tubes if tube.panel == name and tube.header is not None)
        missing = _unlabelled(layout, [tube.header for tube in tubes if tube.panel == name and tube.header is not None])
        lines.append(f"  {name}:{'' if missing else ' {}'}")
        lines += [f"    # {marker}: {detector}, by its label" for marker, detector in layout]
        if missing:
            lines += [f"    {marker}: {{detector: {UNFILLED}}}" for marker in missing]
            shown = [f"{each.name} ({each.label})" if each.label else each.name for each in example.detectors]
            lines.append(f"    # the files have: {', '.join(shown)}")
        optional = [marker for marker in MARKERS if marker not in (*REQUIRED_MARKERS, *dict(layout))]
        if missing and optional:
            lines.append(f"    # where the tubes were stained for them, likewise: {', '.join(optional)}")
        if example.spillover is None:
            lines.append(
                "    # the files carry no matrix: `spillover: none` here says that they are compensated already"
            )
    return "\n".join(lines) + "\n"


def _todo(
    samples: Mapping[str, Sequence[DraftTube]],
    panels: Mapping[str, tuple[tuple[str, str], ...]],
    tubes: Sequence[DraftTube],
) -> list[str]:
    """Return what somebody must still do, in the order in which it is done."""
    todo = ["See that no name of a sample or file is a patient's: these names appear on every report."]
    doubts = sum(bool(tube.guess.doubts) for tube in tubes)
    if doubts:
        todo.append(
            f"config/tubes.tsv: {doubts} of {len(tubes)} rows have a question in the column `check`. Answer it in the "
            "row, then empty the cell; take out the rows of files that are no tubes of the assay."
        )
    todo.append(
        f"config/samples.tsv: say sex, role, run, transplant and calcineurin_inhibitor of {_count(len(samples))}, one "
        "row for each sample that config/tubes.tsv names; then empty the cells of `check`."
    )
    if not any(tube.guess.control for tube in tubes):
        todo.append(
            "No sample's name says that it is a healthy control. Write `control` into its column role; without one no "
            "sample of its run is called."
        )
    for name, layout in panels.items():
        missing = _unlabelled(layout, [tube.header for tube in tubes if tube.panel == name and tube.header is not None])
        if missing:
            todo.append(
                f"config/config.yaml, panel {name}: write the detector of {', '.join(missing)} for {UNFILLED}; what "
                "the files have stands below it. target is the detector of CD154 or CD40-Ig."
            )
    lacking = _lacking(samples)
    if lacking:
        todo.append("No tube was recognised for " + "; ".join(lacking) + ".")
    return todo


def _count(samples: int) -> str:
    return "1 sample" if samples == 1 else f"{samples} samples"


def _lacking(samples: Mapping[str, Sequence[DraftTube]]) -> list[str]:
    found = []
    for sample, tubes in samples.items():
        have = {(tube.guess.stimulation, tube.guess.reagent) for tube in tubes}
        missing = [
            f"{state} {' or '.join(reagents)} ({use})"
            for state, reagents, use in NEEDED
            if not any((state, reagent) in have for reagent in reagents)
        ]
        if missing:
            found.append(f"{sample}: {', '.join(missing)}")
    return found[:5] + ([f"and {len(found) - 5} samples more"] if len(found) > 5 else [])
