"""Sheets and a configuration drafted from a folder of FCS files: guesses, with every uncertain one marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cd40l_flow.assay.lookup import ASSAYS, assay_named, current_assay, using
from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.base.model import Header
from cd40l_flow.cohort.cells import tab_separated
from cd40l_flow.cohort.drafts import folder as folders
from cd40l_flow.cohort.drafts.b_cell_tubes import B_CELL_ASSAYS, alone, assay_of
from cd40l_flow.cohort.drafts.config_text import Layout, config_text, layout, panels_of
from cd40l_flow.cohort.drafts.ids import ascii_id, unused
from cd40l_flow.cohort.drafts.kinds import Kind, Scene, kind_of, plus_signs, readings, template_label
from cd40l_flow.cohort.drafts.model import DraftSample, DraftTube
from cd40l_flow.cohort.drafts.names import read_path
from cd40l_flow.cohort.drafts.people import File, Sample, find_samples, name_samples
from cd40l_flow.cohort.drafts.questions import ask
from cd40l_flow.cohort.drafts.table import table
from cd40l_flow.cohort.drafts.todo import left_out, still_to_do
from cd40l_flow.cohort.sheets import SAMPLES, TUBES

WORKBOOK = "config/sheets.xlsx"
Rows = Sequence[Sequence[str]]
SAMPLES_COLUMNS = ("sample", "run", "role", "sex", "calcineurin_inhibitor", "transplant", "check")
OF_B_CELLS = ("assay", "age_years", "subject")
TUBES_COLUMNS = ("sample", "fcs", "stimulation", "reagent", "panel", "clone", "lot", "check")
OVERRIDES_COLUMNS = ("sample", "tube", "gate", "value", "by", "reason")


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
    calibrating = [path for path, certain in calibrations.items() if certain]
    files = {path: file for path, (file, _, _) in read.items() if path not in set(calibrating)}
    if not files:
        raise Cd40lFlowError(f"{fcs_dir}: all FCS files are compensation controls by their names; name the others.")
    samples = _of_every_assay(files, {path: read[path][1] for path in files}, _other_doubts(read, calibrations))
    tubes = [tube for sample in samples for tube in sample.tubes]
    panels = _panels(samples)
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
    todo = [*left_out(calibrating, hidden), *still_to_do(samples, panels, by_panel, places)]
    return Draft(drafted, rows if workbook else {}, _table(samples), tuple(todo))


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


def _of_every_assay(
    files: Mapping[str, File], headers: Mapping[str, Header | None], others: Mapping[str, Sequence[str]]
) -> list[DraftSample]:
    """Return the samples of every assay, each read with its words; a sample has one assay, and names are used once."""
    found = {path: assay_of(path, headers[path]) for path in files}
    others = {path: [*others[path], *([found[path][1]] if found[path][1] else [])] for path in files}
    days: dict[str, int] = {}
    samples: list[DraftSample] = []
    taken: set[str] = set()
    for assay in ASSAYS:
        with using(assay_named(assay)):
            own = {path: file for path, file in files.items() if found[path][0] == assay}
            if assay in B_CELL_ASSAYS:
                own = {path: replace(file, levels=read_path(path)) for path, file in own.items()}
            for sample in draft_samples(own, headers, others, days) if own else ():
                samples.append(_renamed(sample, taken))
    return samples


def _renamed(sample: DraftSample, taken: set[str]) -> DraftSample:
    """Return a sample under a name that no sample of another assay has; ``taken`` gets it."""
    name = sample.name
    if name.casefold() in taken:
        name = f"{name}-{sample.assay}"
        name = name if name.casefold() not in taken else next(unused(name, taken))
    taken.add(name.casefold())
    return replace(sample, name=name, tubes=tuple(replace(tube, sample=name) for tube in sample.tubes))


def draft_samples(
    files: Mapping[str, File],
    headers: Mapping[str, Header | None],
    others: Mapping[str, Sequence[str]],
    days: dict[str, int] | None = None,
) -> list[DraftSample]:
    """Return the samples of files (by path), each with its tubes; ``others`` are further questions of each file.

    All are of the current assay. ``days`` numbers the days of all files, and gets those that it lacks.
    """
    assay = current_assay().name
    scene = _scene(files)
    grouping, scene = find_samples(files, scene)
    samples = name_samples(files, grouping)
    kinds = _kinds(files, samples, scene)
    asked = ask(files, grouping, samples, kinds)
    read = [header for path in files if (header := headers[path]) is not None]
    panels = {labelled: name for name, labelled in panels_of(read).items()}
    runs = _runs(files, samples, {} if days is None else days)
    drafted = []
    for sample in samples:
        # Labels name all that tubes of B cells must have, in each file for itself.
        own_panel = assay if assay in B_CELL_ASSAYS else ""
        unserved = alone([kinds[path].reagent for path in sample.files]) if own_panel else ""
        tubes = []
        for path in sample.files:
            header = headers[path]
            doubts = tuple(dict.fromkeys((*others[path], *kinds[path].doubts, *asked[path])))
            doubts = (*doubts, unserved) if unserved else doubts
            panel = own_panel or (panels[layout(header)] if header is not None else "default")
            tubes.append(DraftTube(path, sample.name, kinds[path], doubts, header, panel))
        control = any(level.of("control") for path in sample.files for level in files[path].levels)
        drafted.append(DraftSample(sample.name, runs[sample.name], control, sample.read_from, tuple(tubes), assay))
    return drafted


def _scene(files: Mapping[str, File]) -> Scene:
    plus = frozenset(side for file in files.values() for side in plus_signs(file.levels))
    template = template_label([(file.levels, file.labels) for file in files.values()])
    scene = Scene(plus=plus, common=folders.common_folders(list(files.values())), template=template)
    stated: dict[str, set[str]] = {}
    for file in files.values():
        for path in file.folders:
            stated.setdefault(path, set()).update(readings(file.levels, scene))
    mixed = set()
    for file in files.values():
        for path, level in zip(file.folders, file.levels[1:], strict=True):
            own = readings((level,), scene)
            if len(own) == 1 and stated[path] - own:
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


def _runs(files: Mapping[str, File], samples: Sequence[Sample], days: dict[str, int]) -> dict[str, str]:
    """Return sample -> run: a date or a run that its names hold, else the day of its files among those of all."""
    found = {}
    for sample in samples:
        first = files[sample.files[0]]
        parts = [part for level in reversed(first.levels) for part in level.of("date", "run")]
        dates = [part for part in parts if part.role == "date"]
        day = first.identity.get("$DATE", "")
        days.setdefault(day, len(days) + 1)
        found[sample.name] = ascii_id((dates or parts)[0].text) if parts else f"run{days[day]}"
    return found


def _panels(samples: Sequence[DraftSample]) -> dict[str, Layout]:
    """Return panel -> what its labels give; that of a B-cell assay what the fullest of its tubes has."""
    read: dict[str, list[Header]] = {}
    for sample in samples:
        read.setdefault(sample.assay, []).extend(tube.header for tube in sample.tubes if tube.header is not None)
    panels = panels_of(read.pop("cd40l", [])) if "cd40l" in {sample.assay for sample in samples} else {}
    for assay, headers in read.items():
        with using(assay_named(assay)):
            panels[assay] = max(map(layout, headers), key=len)
    return panels or {"default": ()}


def _table(samples: Sequence[DraftSample]) -> str:
    """Return the table of each assay's samples."""
    shown = []
    for assay in dict.fromkeys(sample.assay for sample in samples):
        with using(assay_named(assay)):
            text = table([sample for sample in samples if sample.assay == assay])
        shown.append(text if assay == "cd40l" else f"Assay {assay}:\n{text}")
    return "\n\n".join(shown)


def _sheet(rows: Rows) -> str:
    return tab_separated(rows)


def _samples_rows(samples: Sequence[DraftSample]) -> Rows:
    more = any(sample.assay in B_CELL_ASSAYS for sample in samples)
    rows = [(*SAMPLES_COLUMNS[:-1], *(OF_B_CELLS if more else ()), SAMPLES_COLUMNS[-1])]
    for sample in samples:
        asked = ["sex", "run", *(["role (the name says control)"] if sample.control else [])]
        doubt = f"fill in or confirm {', '.join(asked)}; then empty this cell"
        assay = (sample.assay, "", "") if more else ()
        rows.append(
            (sample.name, sample.run, "control" if sample.control else "test", "unknown", "", "", *assay, doubt)
        )
    return rows


def _tubes_rows(tubes: Sequence[DraftTube]) -> Rows:
    rows = [TUBES_COLUMNS]
    for tube in tubes:
        check = folders.cell("; ".join(tube.doubts))
        kind = tube.kind
        rows.append((tube.sample, folders.cell(tube.fcs), kind.stimulation, kind.reagent, tube.panel, "", "", check))
    return rows
