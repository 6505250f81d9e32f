"""Which detectors measure scatter and time, found by the names that instruments give them or named by the panel."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cd40l_flow.base.errors import TubeError
from cd40l_flow.base.model import Detector, Header, Scatter

# The panel's word for recordings without scatter, such as those of a mass cytometer.
NO_SCATTER = "none"
AREA = ("a", "area", "int")
_HEIGHT = ("h", "height", "peak")
_WIDTH = ("w", "width", "tof")
_MEASURES = (*AREA, *_HEIGHT, *_WIDTH)
# Words for how a signal is stored, not which it is; Guava writes HLin for linear height.
_KEPT = ("lin", "log", "hlin", "alin", "wlin", "hlog", "alog", "linh", "lina", "logh", "loga")
# Of a detector's laser or place: 488/10, (Violet), B, PMT, Par; the usual scatter is that of the blue laser.
_PLACE = re.compile(
    r"\d{0,4}(?:/\d{1,3})?(?:nm)?|violet|blue|green|yellow|red|uv|ultraviolet|[bvryg]|pmt|par|perp|wide|imaging",
    re.IGNORECASE,
)
_BLUE = re.compile(r"488(?:/\d+)?(?:nm)?|blue|b", re.IGNORECASE)
_KIND = re.compile(
    r"\*?(?P<laser>v|violet[ ._-]+|blue[ ._-]+)?"
    r"(?P<kind>fsc?|forward[ ._-]?scatter|ssc?|side[ ._-]?scatter|bsc)(?P<rest>(?:[^A-Za-z].*)?)",
    re.IGNORECASE | re.DOTALL,
)
_TIME = re.compile(r"time|hdr[ ._-]?t|time[ ._-]?[ml]sw|event[ ._-]?time", re.IGNORECASE)
# Of a clock in two words, only the most significant one always increases.
_TIME_ORDER = ("time", "hdr", "eventtime", "timemsw")
_BACK = "b"


@dataclass(frozen=True)
class ScatterName:
    """A scatter detector by its name: ``axis`` f, s or b (forward, side, back), its place and its measure.

    ``measure`` is empty if the name has none; ``place`` are the words for laser or filter, or empty.
    """

    axis: str
    place: str
    measure: str


def scatter_name(name: str) -> ScatterName | None:
    """Return the scatter detector with this name, None for any other name."""
    match = _KIND.fullmatch(name.strip())
    if match is None:
        return None
    words = [word for word in re.split(r"[^A-Za-z0-9/]+", match["rest"].lower()) if word]
    measure = ""
    places = [match["laser"].strip(" ._-").lower()] if match["laser"] else []
    for word in words:
        if word in _KEPT:
            measure = measure or word.replace("lin", "").replace("log", "")
        elif word in _MEASURES and not measure:
            measure = word
        elif _PLACE.fullmatch(word):
            places.append(word)
        else:
            return None
    return ScatterName(match["kind"][0].lower(), " ".join(places), measure)


def is_time(name: str) -> bool:
    """Return whether a name is a usual one for the time of events."""
    return _TIME.fullmatch(name.strip()) is not None


def find_scatter(header: Header, panel: Mapping[str, object], name: str) -> Scatter:
    """Return the scatter detectors and time: the panel's own, else by their names.

    Area takes precedence over an unnamed measure, then height; a name without a laser over the blue laser, then others;
    side over back scatter. Height and width, used for doublets, are given only if the file also has an area. A panel
    with ``scatter: none`` skips all of them. ``name`` is the tube's name in messages. Raises TubeError (CHANNEL_MAP)
    when forward or side scatter is missing.
    """
    if panel.get("scatter") == NO_SCATTER:
        return Scatter(None, None, None, None, _of_panel(header, panel, "time", name) or _time(header))
    given = {role: _of_panel(header, panel, role, name) for role in ("FSC", "SSC", "time")}
    named = [(detector, parsed) for detector in header.detectors if (parsed := scatter_name(detector.name)) is not None]
    forward = _group(named, "f", given["FSC"])
    side = _group(named, "s", given["SSC"]) or _group(named, _BACK, None)
    fsc = given["FSC"] or _pick(forward, (*AREA, "", *_HEIGHT))
    ssc = given["SSC"] or _pick(side, (*AREA, "", *_HEIGHT))
    if fsc is None or ssc is None:
        missing = " and ".join(axis for axis, detector in (("FSC", fsc), ("SSC", ssc)) if detector is None)
        listed = ", ".join(each.name for each in header.detectors)
        found = f"no {missing} detector under a usual name (such as FSC-A, SSC-A). The file has {listed}."
        first = missing.split(" and ")[0]
        remedy = (
            f"Name the detector under `panels` in the configuration, such as `{first}: {{detector: NAME}}`, or write "
            "`scatter: none` there for a recording that has none."
        )
        raise TubeError("CHANNEL_MAP", name, found, remedy)
    area = _pick(forward, AREA) is not None
    height = _pick(forward, _HEIGHT) if area else None
    width = _pick(forward, _WIDTH) if area else None
    return Scatter(fsc, ssc, height, width, given["time"] or _time(header))


def _of_panel(header: Header, panel: Mapping[str, object], role: str, name: str) -> str | None:
    entry = panel.get(role)
    detector = str(entry["detector"]) if isinstance(entry, Mapping) and entry.get("detector") else None
    if detector is not None and header.detector(detector) is None:
        listed = ", ".join(each.name for each in header.detectors)
        found = f"{role}: detector {detector} is not in the file. The file has {listed}."
        raise TubeError("CHANNEL_MAP", name, found, "Correct it under `panels` in the configuration.")
    return detector


def _group(named: Sequence[tuple[Detector, ScatterName]], axis: str, chosen: str | None) -> Mapping[str, str]:
    """Return measure -> detector of a forward, side or back scatter: a chosen detector's, else the usual one's."""
    groups: dict[str, dict[str, str]] = {}
    for detector, parsed in named:
        if parsed.axis == axis:
            groups.setdefault(parsed.place, {}).setdefault(parsed.measure, detector.name)
    if chosen is not None:
        return next((group for group in groups.values() if chosen in group.values()), {})
    return min(groups.items(), key=_usual, default=("", {}))[1]


def _usual(group: tuple[str, Mapping[str, str]]) -> tuple[bool, int]:
    """Order groups: with an area or an unnamed measure first, then those without a place, of the blue laser, others."""
    place, measures = group
    blue = all(_BLUE.fullmatch(word) for word in place.split())
    return not any(measure in (*AREA, "") for measure in measures), 0 if not place else 1 if blue else 2


def _pick(measures: Mapping[str, str], order: Sequence[str]) -> str | None:
    return next((measures[measure] for measure in order if measure in measures), None)


def _time(header: Header) -> str | None:
    found = [detector.name for detector in header.detectors if is_time(detector.name)]
    plain = {re.sub(r"[^a-z]", "", name.lower()): name for name in reversed(found)}
    return next((plain[key] for order in _TIME_ORDER for key in plain if key.startswith(order)), None)
