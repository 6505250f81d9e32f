"""Detectors and acquisition from the keywords of an FCS file."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from cd40l_flow.base.errors import TubeError
from cd40l_flow.base.model import Detector, Header
from cd40l_flow.fcs.data import Layout
from cd40l_flow.fcs.spillover import SpilloverFault, keyword_spillover
from cd40l_flow.fcs.text import EXPORT_AGAIN, Note, Text, refuse

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NUMBER = re.compile(r"(?=\.?[0-9])[0-9]{0,12}\.?[0-9]{0,20}([eE][-+]?[0-9]{1,2})?")
_ZERO_AT_ZERO = re.compile(r"[^,]*, *0*\.?0* *")
_STANDARD_DATE = re.compile(r"\d{1,2}[-/. ]([A-Za-z]{3})[A-Za-z]*[-/. ](\d{4})")
_ISO_DATE = re.compile(r"(\d{4})-(0[1-9]|1[0-2])-\d{2}.*")
_TIME = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})(?:([:.])(\d{1,3}))?")
_DAY_S = 86400.0
_MOST_DECADES = 30
_MOST_NAMED = 5


def read_keywords(text: Text, layout: Layout, name: str) -> tuple[Header, tuple[tuple[float, float], ...], list[Note]]:
    """Return the header, ``$PnE`` of every detector as (decades, value at zero; decades 0 if linear), and notes.

    Raises TubeError (FILE_INTEGRITY).
    """
    notes: list[Note] = []
    names = _names(text, layout, notes)
    detectors, amplifiers = [], []
    for n, detector in enumerate(names, start=1):
        (decades, zero, gain), limit = _amplifier(text.keywords, n, name), range_of(text.keywords, n)
        # Some instruments write a gain for Time, which has none: that of other detectors, or $TIMESTEP.
        gain = 1.0 if detector.lower() == "time" else gain
        if not np.isfinite([decades, zero, gain]).all() or not 0 <= decades <= _MOST_DECADES or gain < 0:
            raise refuse(name, "KEYWORD_VALUE", f"$P{n}E or $P{n}G is out of any possible range.", EXPORT_AGAIN)
        if decades > 0 and not zero > 0:
            found = f"$P{n}E says a log amplifier with no value at zero."
            raise refuse(name, "KEYWORD_VALUE", found, EXPORT_AGAIN)
        label = text.keywords.get(f"$P{n}S", "")
        voltage = positive(text.keywords.get(f"$P{n}V", ""))
        detectors.append(Detector(detector, label, n - 1, limit, math.inf, voltage, gain))
        amplifiers.append((decades, zero))
    unknown = [f"$P{n}R" for n, detector in enumerate(detectors, start=1) if detector.range is None]
    if unknown:
        notes.append(Note("RANGE_UNKNOWN", f"{_listed(unknown)}: missing, 0 or no number; the range is not known."))
    notes += _amplifier_notes(text, layout, amplifiers, detectors)
    try:
        spillover = keyword_spillover(text.keywords, detectors)
    except SpilloverFault:
        spillover = None
    header = Header(
        version=text.version,
        events=layout.events,
        detectors=tuple(
            with_range(each, each.range, one[0], one[1]) for each, one in zip(detectors, amplifiers, strict=True)
        ),
        spillover=spillover,
        cytometer=text.keywords.get("$CYT", ""),
        month=_month(text.keywords.get("$DATE", "")),
        duration_s=_duration(text.keywords.get("$BTIM", ""), text.keywords.get("$ETIM", "")),
    )
    return header, tuple(amplifiers), notes


def positive(text: str) -> float | None:
    """Return a number above 0 as FCS keywords write it, or None."""
    if not _NUMBER.fullmatch(text):
        return None
    return float(text) or None


def range_of(keywords: Mapping[str, str], n: int) -> float | None:
    """Return ``$PnR``, or None where it is missing, 0 or no finite number."""
    return positive(keywords.get(f"$P{n}R", ""))


def with_range(detector: Detector, limit: float | None, decades: float, zero: float) -> Detector:
    """Return a detector with the given range and its largest linear value, inf if unknown.

    ``decades`` and ``zero`` are its log amplifier (decades 0 for a linear one).
    """
    top = math.inf if limit is None else 10**decades * zero if decades > 0 else limit
    return replace(detector, range=limit, maximum=top / (detector.gain or 1.0))


def unknown_range(name: str, roles: Mapping[str, str]) -> TubeError:
    """Return the error of a tube whose detectors of some roles, role -> detector, have no range."""
    listed = ", ".join(f"{detector} ({role})" for role, detector in roles.items())
    role, detector = next(iter(roles.items()))
    remedy = (
        "Export the file again, or write the range, the largest value that the detector can give, into the panel, as "
        f"`{role}: {{detector: {detector}, range: 262144}}`."
    )
    return refuse(name, "KEYWORD_VALUE", f"$PnR is missing, 0 or no number for {listed}.", remedy)


def _names(text: Text, layout: Layout, notes: list[Note]) -> list[str]:
    """Return ``$PnN`` of every detector, ``P1`` and so on where it is missing (FCS 2.0 and 3.0 do not require it)."""
    names = [text.keywords.get(f"$P{n}N", "") for n in range(1, len(layout.widths) + 1)]
    missing = [n for n, name in enumerate(names, start=1) if not name]
    if missing:
        notes.append(Note("NAME_MISSING", f"TEXT has no {_listed(f'$P{n}N' for n in missing)}; called P and number."))
    names = [name or f"P{n}" for n, name in enumerate(names, start=1)]
    if len(set(names)) < len(names):
        first: dict[str, int] = {}
        doubled = [n for n, name in enumerate(names, start=1) if first.setdefault(name, n) != n]
        notes.append(Note("NAME_REPEATED", f"{_listed(f'$P{n}N' for n in doubled)}: a name another detector has."))
    return names


def _amplifier_notes(
    text: Text, layout: Layout, amplifiers: Sequence[tuple[float, float]], detectors: Sequence[Detector]
) -> list[Note]:
    log = [n for n, (decades, _) in enumerate(amplifiers, start=1) if decades > 0]
    zero = [n for n in log if _ZERO_AT_ZERO.fullmatch(text.keywords.get(f"$P{n}E", ""))]
    float_log = [n for n in log if layout.types[n - 1] != "I"]
    both = [n for n in log if detectors[n - 1].gain not in (0.0, 1.0)]
    missing = [n for n in range(1, len(amplifiers) + 1) if not text.keywords.get(f"$P{n}E")]
    listed = (
        ("AMPLIFIER_ZERO", zero, "a log amplifier whose lowest value is 0, read as 1"),
        ("AMPLIFIER_FLOAT", float_log, "a log amplifier on floating-point values, which must be linear"),
        ("AMPLIFIER_GAIN", both, "a log amplifier with a gain ($PnG)"),
        ("AMPLIFIER_MISSING", missing, "missing, read as linear"),
    )
    return [Note(code, f"{_listed(f'$P{n}E' for n in found)}: {what}.") for code, found, what in listed if found]


def _listed(keywords: Iterable[str]) -> str:
    every = list(keywords)
    more = f" and {len(every) - _MOST_NAMED} more" if len(every) > _MOST_NAMED else ""
    return ", ".join(every[:_MOST_NAMED]) + more


def _amplifier(keywords: Mapping[str, str], n: int, name: str) -> tuple[float, float, float]:
    """Return decades and value at zero of ``$PnE``, (0, 0) where it is missing, and ``$PnG``, 1 where it is missing.

    A value at zero of 0 is read as 1: ``4,0`` means ``4,1`` (FCS 3.1, $PnE). Raises TubeError.
    """
    try:
        decades, zero = map(float, (keywords.get(f"$P{n}E") or "0,0").split(","))
        return decades, zero or float(decades != 0), float(keywords.get(f"$P{n}G") or 1)
    except ValueError:
        found = f"$P{n}E or $P{n}G is not a number (two numbers for $PnE)."
        raise refuse(name, "KEYWORD_VALUE", found, EXPORT_AGAIN) from None


def _month(date: str) -> str:
    """Return the month of ``$DATE`` (``dd-mmm-yyyy`` by the standard, or an ISO date) as ``YYYY-MM``, or nothing."""
    match = _STANDARD_DATE.fullmatch(date)
    if match and match[1].lower() in _MONTHS:
        return f"{match[2]}-{_MONTHS.index(match[1].lower()) + 1:02}"
    match = _ISO_DATE.fullmatch(date)
    return f"{match[1]}-{match[2]}" if match else ""


def _duration(begin: str, end: str) -> float | None:
    """Return the seconds from ``$BTIM`` to ``$ETIM``, past midnight too, or None."""
    times = []
    for text in (begin, end):
        match = _TIME.fullmatch(text)
        if match is None:
            return None
        # hh:mm:ss:tt counts sixtieths (FCS 3.0), hh:mm:ss.cc decimals (FCS 3.1).
        part = 0.0 if match[4] is None else int(match[5]) / (60 if match[4] == ":" else 10 ** len(match[5]))
        times.append(int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3]) + part)
    return round((times[1] - times[0]) % _DAY_S, 2)
