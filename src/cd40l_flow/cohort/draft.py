"""Sheets and a configuration drafted from a folder of FCS files: guesses, each marked that is not certain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.base.model import Header
from cd40l_flow.cohort.cells import tab_separated
from cd40l_flow.cohort.config import UNFILLED
from cd40l_flow.cohort.drafts import folder as folders
from cd40l_flow.cohort.drafts.config_text import Layout, config_text, layout, panels_of, unlabelled
from cd40l_flow.cohort.drafts.ids import ascii_id
from cd40l_flow.cohort.drafts.kinds import Kind, Scene, kind_of, plus_signs, readings, template_label
from cd40l_flow.cohort.drafts.people import File, Sample, find_samples, name_samples
from cd40l_flow.cohort.drafts.questions import ask
from cd40l_flow.cohort.drafts.table import needed, table
from cd40l_flow.cohort.sheets import SAMPLES, TUBES

WORKBOOK = "config/sheets.xlsx"
Rows = Sequence[Sequence[str]]
SAMPLES_COLUMNS = ("sample", "run", "role", "sex", "calcineurin_inhibitor", "transplant", "check")
TUBES_COLUMNS = ("sample", "fcs", "stimulation", "reagent", "panel", "clone", "lot", "check")
OVERRIDES_COLUMNS = ("sample", "tube", "gate", "value", "by", "reason")


@dataclass(frozen=True)
class DraftTube:
    """One file: its path inside the folder (``fcs``), its sample, what it is, what is asked, its header and panel."""

    fcs: str
    sample: str
    kind: Kind
    doubts: tuple[str, ...]
    header: Header | None
    panel: str = "default"


@dataclass(frozen=True)
class DraftSample:
    """One sample: its name, run, whether a name says that it is a control, its tubes and where its name was read."""

    name: str
    run: str
    control: bool
    read_from: str
    tubes: tuple[DraftTube, ...]


@dataclass(frozen=True)
class Draft:
    """What is written: the text of every file by its path inside the directory.

    ``sheets`` are name, schema and rows of the worksheets of `WORKBOOK`, where one is asked for. ``table`` shows
    samples and tubes at a glance, ``todo`` says in words what is still to do.
    """

    files: Mapping[str, str]
    sheets: Mapping[str, tuple[str, Rows]]
    table: str
    todo: tuple[str, ...]


def draft(folder: Path, fcs_dir: str, *, workbook: bool = False) -> Draft:
    """Return sheets and configuration for the FCS files of a folder and its folders.

    ``fcs_dir`` is the folder as the configuration is to name it; with ``workbook`` the sheets of samples and tubes are
    worksheets of one file. Headers are read, never events. Raises Cd40lFlowError for a folder without FCS files.
    """
    paths, hidden = folders.find_files(folder, fcs_dir)
    read = {path: folders.read_file(folder, path) for path in paths}
    calibrations = {path: folders.calibration(file) for path, (file, _, _) in read.items()}
    left_out = [path for path, certain in calibrations.items() if certain]
    files = {path: file for path, (file, _, _) in read.items() if path not in set(left_out)}
    if not files:
        raise Cd40lFlowError(f"{fcs_dir}: all FCS files are compensation controls by their names; name the others.")
    samples = draft_samples(files, {path: read[path][1] for path in files}, _other_doubts(read, calibrations))
    tubes = [tube for sample in samples for tube in sample.tubes]
    headers = [tube.header for tube in tubes if tube.header is not None]
    panels = panels_of(headers) or {"default": ()}
    by_panel: dict[str, list[Header]] = {name: [] for name in panels}
    for tube in tubes:
        if tube.header is not None:
            by_panel[tube.panel].append(tube.header)
    rows = {"samples": (SAMPLES, _samples_rows(samples)), "tubes": (TUBES, _tubes_rows(tubes))}
    places = {name: WORKBOOK if workbook else f"config/{name}.tsv" for name in rows}
    drafted = {
        "config/config.yaml": config_text(fcs_dir, panels, by_panel, places["samples"], places["tubes"]),
        "config/overrides.tsv": _sheet([OVERRIDES_COLUMNS]),
        **({} if workbook else {places[name]: _sheet(each) for name, (_, each) in rows.items()}),
    }
    todo = [*_left_out(left_out, hidden), *_todo(samples, tubes, panels, by_panel, places)]
    return Draft(drafted, rows if workbook else {}, table(samples), tuple(todo))


def _other_doubts(
    read: Mapping[str, tuple[File, Header | None, str]], calibrations: Mapping[str, bool | None]
) -> dict[str, list[str]]:
    """Return what must be asked of files for other reasons than what their names say of sample and tube."""
    found = {}
    for path, (_, _, fault) in read.items():
        doubts = [fault, folders.unfit(path)]
        if calibrations[path] is None:
            doubts.append("a tube of the assay? If it is a compensation control or beads, take out this row")
        found[path] = [doubt for doubt in doubts if doubt]
    return found


def draft_samples(
    files: Mapping[str, File], headers: Mapping[str, Header | None], others: Mapping[str, Sequence[str]]
) -> list[DraftSample]:
    """Return the samples of files (by path), each with its tubes; ``others`` are further questions of each file."""
    scene = _scene(files)
    grouping, scene = find_samples(files, scene)
    samples = name_samples(files, grouping)
    kinds = _kinds(files, samples, scene)
    asked = ask(files, grouping, samples, kinds)
    read = [each for each in headers.values() if each is not None]
    panels = {labelled: name for name, labelled in panels_of(read).items()}
    runs = _runs(files, samples)
    drafted = []
    for sample in samples:
        tubes = []
        for path in sample.files:
            header = headers[path]
            doubts = tuple(dict.fromkeys((*others[path], *kinds[path].doubts, *asked[path])))
            panel = panels[layout(header)] if header is not None else "default"
            tubes.append(DraftTube(path, sample.name, kinds[path], doubts, header, panel))
        control = any(level.of("control") for path in sample.files for level in files[path].levels)
        drafted.append(DraftSample(sample.name, runs[sample.name], control, sample.read_from, tuple(tubes)))
    return drafted


def _scene(files: Mapping[str, File]) -> Scene:
    plus = frozenset(side for file in files.values() for side in plus_signs(file.levels))
    template = template_label([(file.levels, file.labels) for file in files.values()])
    scene = Scene(plus=plus, common=folders.common_folders(list(files.values())), template=template)
    said: dict[str, set[str]] = {}
    for file in files.values():
        for path in file.folders:
            said.setdefault(path, set()).update(readings(file.levels, scene))
    mixed = set()
    for file in files.values():
        for path, level in zip(file.folders, file.levels[1:], strict=True):
            own = readings((level,), scene)
            if len(own) == 1 and said[path] - own:
                mixed.add(path)
    return replace(scene, mixed=frozenset(mixed))


def _kinds(files: Mapping[str, File], samples: Sequence[Sample], scene: Scene) -> dict[str, Kind]:
    """Return what every tube is. A label gives the reagent for certain where no other tube of the sample is like it."""
    found = {}
    for sample in samples:
        states = {path: _kind(files[path], scene, alone=True).stimulation for path in sample.files}
        for path, state in states.items():
            alone = bool(state) and list(states.values()).count(state) == 1
            found[path] = _kind(files[path], scene, alone=alone)
    return found


def _kind(file: File, scene: Scene, *, alone: bool) -> Kind:
    return kind_of(file.levels, file.folders, file.labels, scene, alone=alone)


def _runs(files: Mapping[str, File], samples: Sequence[Sample]) -> dict[str, str]:
    """Return sample -> run: a date or a run that its names hold, else the day of its files among those of all."""
    days: dict[str, int] = {}
    found = {}
    for sample in samples:
        first = files[sample.files[0]]
        parts = [part for level in reversed(first.levels) for part in level.of("date", "run")]
        dates = [part for part in parts if part.role == "date"]
        day = first.identity.get("$DATE", "")
        days.setdefault(day, len(days) + 1)
        found[sample.name] = ascii_id((dates or parts)[0].text) if parts else f"run{days[day]}"
    return found


def _sheet(rows: Rows) -> str:
    return tab_separated(rows)


def _samples_rows(samples: Sequence[DraftSample]) -> Rows:
    rows = [SAMPLES_COLUMNS]
    for sample in samples:
        asked = ["sex", "run", *(["role (the name says control)"] if sample.control else [])]
        doubt = f"fill in or confirm {', '.join(asked)}; then empty this cell"
        rows.append((sample.name, sample.run, "control" if sample.control else "test", "unknown", "", "", doubt))
    return rows


def _tubes_rows(tubes: Sequence[DraftTube]) -> Rows:
    rows = [TUBES_COLUMNS]
    for tube in tubes:
        check = folders.cell("; ".join(tube.doubts))
        kind = tube.kind
        rows.append((tube.sample, folders.cell(tube.fcs), kind.stimulation, kind.reagent, tube.panel, "", "", check))
    return rows


def _left_out(calibrations: Sequence[str], hidden: Sequence[str]) -> list[str]:
    todo = []
    if calibrations:
        shown = ", ".join(folders.cell(path) for path in calibrations[:5]) + (", ..." if len(calibrations) > 5 else "")
        todo.append(
            f"See that {_count(len(calibrations), 'file')} left out as compensation controls or beads by their names "
            f"are that: {shown}."
        )
    if hidden:
        todo.append(f"{_count(len(hidden), 'file')} left out that systems hide (as {folders.cell(hidden[0])}).")
    return todo


def _todo(
    samples: Sequence[DraftSample],
    tubes: Sequence[DraftTube],
    panels: Mapping[str, Layout],
    headers: Mapping[str, Sequence[Header]],
    places: Mapping[str, str],
) -> list[str]:
    """Return what somebody must still do, in the order in which it is done."""
    tubes_sheet, samples_sheet = places["tubes"], places["samples"]
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
        f"{samples_sheet}: say sex, role, run, transplant and calcineurin_inhibitor of "
        f"{_count(len(samples), 'sample')}, one row for each sample that {tubes_sheet} names; then empty the cells "
        "of `check`."
    )
    if not any(sample.control for sample in samples):
        todo.append(
            "No sample's name says that it is a healthy control. Write `control` into its column role; without one no "
            "sample of its run is called."
        )
    for name, labelled in panels.items():
        missing = unlabelled(labelled, headers[name]) if headers[name] else []
        if missing:
            todo.append(
                f"config/config.yaml, panel {name}: write the detector of {', '.join(missing)} for {UNFILLED}; what "
                "the files have stands below it. target is the detector of CD154 or CD40-Ig."
            )
    lacking = sum(any(not tubes for tubes in needed(sample).values()) for sample in samples)
    if lacking:
        todo.append(
            f"{_count(lacking, 'sample')} of {len(samples)} without a tube that the table shows as missing (-)."
        )
    return todo


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
