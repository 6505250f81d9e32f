"""Which detector measures which marker, found by label and never by position or dye."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.tables import TARGET, Assay
from cd40l_flow.base.errors import TubeError
from cd40l_flow.base.model import Detector, Header
from cd40l_flow.fcs.scatter import find_scatter, is_time, scatter_name

_REMEDY = (
    "Name the detector under `panels` in the configuration, such as `CD3: {detector: APC-A}`, or correct the labels."
)


@cache
def _word(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z0-9])(?:{pattern})(?![A-Za-z0-9])", re.IGNORECASE)


# These words mean viability anywhere ...
_VIABILITY = _word(r"viab(?:le|ility)|via[ _-]?dye|live[ _/-]?dead|l[_/-]?d|zombie|fv[ds]\d*|dead(?: ?cells?)?")
# ... while dyes that also label antibodies mean it only in a label ($PnS) without an antigen.
_VIABILITY_DYE = _word(r"7[ -]?AAD|PI|propidium(?: iodide)?|DAPI|aqua|ghost(?: ?dye)?|sytox")
_ANTIGEN = _word(r"CD\d+[A-Za-z]*")
_MEASURED = re.compile(r"[ ._-](a|area|h|height|w|width)$", re.IGNORECASE)


def find_markers(
    header: Header,
    panel: Mapping[str, object],
    reagent: str,
    name: str,
    borrowed: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return marker -> ``$PnN`` of one tube, required markers always, optional ones where stained.

    The panel's own entry comes first, then ``borrowed`` (marker -> the detector it has in the tube whose background
    this one is), then the labels. Raises TubeError (CHANNEL_MAP) naming every missing or ambiguous marker at once;
    ``name`` is what the message calls the tube.
    """
    assay = current_assay()
    problems: list[str] = []
    found: dict[str, str] = {}
    given: set[str] = set()
    used: set[str] = set()
    for marker in assay.marker_names:
        detector = panel_detector(panel, marker)
        if detector is None and borrowed is not None:
            detector = borrowed.get(marker)
        if detector is None:
            continue
        given.add(marker)
        used.add(detector)
        if header.detector(detector) is None:
            problems.append(f"{marker}: detector {detector} is not in the file")
        else:
            found[marker] = detector
    for marker in (row.name for row in assay.markers if row.name not in given and row.by_label):
        candidates = [detector for detector in _labelled(header, marker, reagent) if detector not in used]
        if len(candidates) == 1:
            found[marker] = candidates[0]
        elif candidates:
            problems.append(f"{marker}: ambiguous, {' or '.join(candidates)}")
        elif marker in assay.required_of(reagent):
            other = "other " if used else ""
            problems.append(f"{_shown(marker, reagent)}: no {other}detector carries this label")
    problems += _doubled(header, found)
    if problems:
        raise TubeError("CHANNEL_MAP", name, f"{'; '.join(problems)}. The file has {describe(header)}.", _REMEDY)
    return {marker: found[marker] for marker in assay.marker_names if marker in found}


def find_roles(header: Header) -> tuple[dict[str, list[str]], list[str]]:
    """Return detector -> roles for a panel without entries, and the roles that are missing or ambiguous.

    The target is searched under each of its names, since a file does not state its reagent.
    """
    assay = current_assay()
    roles: dict[str, list[str]] = {}
    problems: list[str] = []
    names = _named_targets(assay)
    target = next((row for row in assay.markers if row.name == TARGET), None)
    wanted = [(row.name, row, "") for row in assay.markers if row is not target]
    if target is not None:
        wanted += [(_shown(TARGET, reagent), target, reagent) for reagent in names]
    targets = 0
    for role, marker, reagent in wanted:
        found = _labelled(header, marker.name, reagent)
        targets += marker is target and len(found) == 1
        if len(found) == 1:
            roles.setdefault(found[0], []).append(role)
        elif found and marker.by_label:
            problems.append(f"{role}: ambiguous, {' or '.join(found)}")
        elif marker.required and marker is not target:
            problems.append(f"{role}: no detector carries this label")
    if target is not None and not targets:
        problems.append(f"{TARGET}: no detector carries a label of {' or '.join(names)}")
    try:
        scatter = find_scatter(header, {}, "")
    except TubeError:
        problems.append("scatter: no FSC or no SSC detector under a usual name")
    else:
        places = (
            *((scatter.fsc, "forward scatter"), (scatter.ssc, "side scatter"), (scatter.time, "time")),
            *((scatter.fsc_height, "pulse height"), (scatter.fsc_width, "pulse width")),
        )
        for detector, role in places:
            if detector:
                roles.setdefault(detector, []).append(role)
    return roles, problems


def panel_detector(panel: Mapping[str, object], marker: str) -> str | None:
    """Return the detector that a panel of the configuration names for a marker, or None."""
    entry = panel.get(marker)
    detector = entry.get("detector") if isinstance(entry, Mapping) else None
    return str(detector) if detector else None


def panel_ranges(panel: Mapping[str, object]) -> dict[str, float]:
    """Return detector -> range (channel values) of those whose range a panel gives."""
    entries = [entry for entry in panel.values() if isinstance(entry, Mapping) and entry.get("range")]
    return {str(entry["detector"]): float(entry["range"]) for entry in entries}


def borrowed_detectors(reagent: str, known: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return marker -> detector of what a background tube is not stained for: as in the tube whose background it is.

    ``known`` maps reagent -> marker -> detector of the sample's tubes of targets; empty without one, and for others.
    """
    assay = current_assay()
    markers = next((known[each] for each in assay.background_of.get(reagent, ()) if each in known), None)
    if markers is None:
        return {}
    return {marker: markers[marker] for marker in assay.reagent[reagent].borrowed_markers if marker in markers}


def awaited(reagent: str, known: Mapping[str, Mapping[str, str]], lost: Mapping[str, str]) -> str | None:
    """Return the ``fcs`` of the refused tube without which a background tube's detector is unknown, or None.

    ``known`` as in `borrowed_detectors`; ``lost`` maps reagent -> ``fcs`` of the tubes of targets that were refused.
    """
    if borrowed_detectors(reagent, known):
        return None
    return next((lost[each] for each in current_assay().background_of.get(reagent, ()) if each in lost), None)


def is_fluorescence(detector: Detector) -> bool:
    """Return whether a detector is neither scatter nor time."""
    return scatter_name(detector.name) is None and not is_time(detector.name)


def describe(header: Header) -> str:
    """Return the detectors of a file with their labels, for messages."""
    return ", ".join(
        f"{detector.name} ({detector.label})" if detector.label else detector.name for detector in header.detectors
    )


def _labelled(header: Header, marker: str, reagent: str) -> list[str]:
    """Return the detectors of a marker: by ``$PnS``, else by ``$PnN`` if ``$PnS`` names no antigen."""
    detectors = [detector for detector in header.detectors if is_fluorescence(detector)]
    by_label = [detector for detector in detectors if _names_marker(detector.label, marker, reagent, dyes=True)]
    by_name = [
        detector
        for detector in detectors
        if _names_marker(detector.name, marker, reagent, dyes=False) and not _ANTIGEN.search(detector.label)
    ]
    return [detector.name for detector in _one_measure(by_label or by_name)]


def _names_marker(text: str, marker: str, reagent: str, dyes: bool) -> bool:
    """Return whether a text names a marker; ``dyes`` whether the name of a viability dye is enough."""
    if marker == "viability":
        if _VIABILITY.search(text):
            return True
        return dyes and bool(_VIABILITY_DYE.search(text)) and not _ANTIGEN.search(text)
    assay = current_assay()
    if marker == TARGET:
        reagents = (reagent,) if reagent in assay.targets else assay.background_of.get(reagent, ())
        return any(_word(assay.targets[each].labels).search(text) for each in reagents)
    labels = next(row.labels for row in assay.markers if row.name == marker)
    return bool(labels and _word(labels).search(text))


def _named_targets(assay: Assay) -> list[str]:
    """Return the targets with distinct labels: of several clones with the same labels only the first."""
    labels = [target.labels for target in assay.targets.values()]
    return [name for at, name in enumerate(assay.targets) if labels.index(labels[at]) == at]


def _one_measure(detectors: Sequence[Detector]) -> list[Detector]:
    """Keep one measure per detector: area, else height, else width."""
    best: dict[str, tuple[int, Detector]] = {}
    for detector in detectors:
        match = _MEASURED.search(detector.name)
        base = detector.name[: match.start()] if match else detector.name
        rank = "ahw".index(match[1][0].lower()) if match else 0
        if base not in best or rank < best[base][0]:
            best[base] = (rank, detector)
    return [detector for _, detector in best.values()]


def _doubled(header: Header, found: Mapping[str, str]) -> list[str]:
    """Return the problems: one detector for two markers, or several detectors of the same name."""
    problems = []
    for detector in dict.fromkeys(found.values()):
        markers = [marker for marker, used in found.items() if used == detector]
        if len(markers) > 1:
            problems.append(f"{' and '.join(markers)}: both on {detector}")
        if sum(each.name == detector for each in header.detectors) > 1:
            problems.append(f"{markers[0]}: the file has more than one detector called {detector}")
    return problems


def _shown(marker: str, reagent: str) -> str:
    return f"{TARGET} ({reagent})" if marker == TARGET else marker
