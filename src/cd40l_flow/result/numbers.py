"""Numbers as readers see them: with unit and sensible digits; a value that could not be computed says so."""

from __future__ import annotations

from collections.abc import Mapping

from cd40l_flow.assay.texts import load_texts

_THIN = "\u202f"
_UNIT_KINDS = {
    "events": "events",
    "%": "percent",
    "percent": "percent",
    "fraction": "fraction",
    "ratio": "ratio",
    "x": "ratio",
    "h": "hours",
    "hours": "hours",
    "p": "p",
}
_OPERATORS = {"<": "<", "<=": "≤", ">": ">", ">=": "≥", "==": "=", "!=": "≠"}


def operator_sign(op: str) -> str:
    """Return the typeset comparison."""
    return _OPERATORS.get(op, op)


def measure_base(measure: str) -> tuple[str, str]:
    """Split a measure into its base and ``low``, ``high`` or nothing: ``("percent_positive", "high")``."""
    for bound in ("low", "high"):
        base = measure.removesuffix(f"_{bound}")
        if base != measure and base in load_texts()["measures"]:
            return base, bound
    return measure, ""


def measure_kind(measure: str) -> str:
    """Return the kind that decides digits and unit; measures without an entry are judged by their name."""
    base, _ = measure_base(measure)
    entry = load_texts()["measures"].get(base)
    if entry is not None:
        return str(entry["kind"])
    for word, kind in (("percent", "percent"), ("fraction", "fraction"), ("ratio", "ratio"), ("events", "events")):
        if word in base:
            return kind
    return "number"


def measure_label(measure: str) -> str:
    """Return a measure's name in words, its interval's ends included."""
    texts = load_texts()
    base, bound = measure_base(measure)
    entry = texts["measures"].get(base)
    label = str(entry["label"]) if entry is not None else base.replace("_", " ")
    if not bound:
        return label
    ends = "one_sided" if entry is not None and entry.get("one_sided") else "measure"
    return str(texts[f"{ends}_{bound}"]).format(label=label)


def format_number(kind: str, value: float | None) -> str:
    """Write ``value`` (fractions 0 to 1 are shown as percent) in the digits of its kind."""
    if value is None:
        return str(load_texts()["not_computed"])
    return _digits(kind, float(value)).replace("-", "−")


def _digits(kind: str, value: float) -> str:
    if kind in ("percent", "fraction"):
        percent = value * 100 if kind == "fraction" else value
        return f"{percent:.{_percent_decimals(percent)}f}{_THIN}%"
    if kind == "events":
        return f"{value:,.0f}"
    if kind == "intensity":
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}"
    if kind == "hours":
        return f"{value:g}{_THIN}h"
    if kind == "p":
        return "<0.001" if value < 0.001 else f"{value:.3f}"
    if kind == "ratio" and 0 < value < 0.005:
        return "<0.01"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.2f}"


def _percent_decimals(percent: float) -> int:
    # Two digits below 1 %: an absent sample's 0.03 % must not read as zero.
    return 2 if 0 < abs(percent) < 1 else 1


def format_measure(measure: str, value: float | None) -> str:
    """Write the value of a measure."""
    return format_number(measure_kind(measure), value)


def format_against(measure: str, value: float | None, limit: float | None) -> str:
    """Write the value of a measure with enough digits to differ from its limit: never ``0.50`` with ``< 0.5``."""
    shown = format_measure(measure, value)
    kind = measure_kind(measure)
    if value is None or limit is None or value == limit or kind not in ("percent", "fraction", "ratio", "number"):
        return shown
    factor, unit = {"fraction": (100.0, f"{_THIN}%"), "percent": (1.0, f"{_THIN}%")}.get(kind, (1.0, ""))
    decimals = _percent_decimals(value * factor) if unit else 2
    for digits in range(decimals, decimals + 4):
        if float(f"{value * factor:.{digits}f}") != limit * factor:
            return shown if digits == decimals else f"{value * factor:.{digits}f}{unit}".replace("-", "−")
    return shown


def format_limit(measure: str, limit: float | None) -> str:
    """Write a cut-off, without the digits it does not have: ``10 %``, ``0.15``."""
    if limit is None:
        return format_measure(measure, None)
    kind = measure_kind(measure)
    if kind in ("percent", "fraction"):
        return f"{limit * 100 if kind == 'fraction' else limit:.3g}{_THIN}%".replace("-", "−")
    if kind == "events":
        return format_measure(measure, limit)
    return f"{limit:.4g}".replace("-", "−")


def format_unit(unit: str, value: float | None, *, limit: bool = False) -> str:
    """Write a value of a check with the unit it came with; a limit without the digits it does not have."""
    kind = _UNIT_KINDS.get(unit)
    if value is None:
        return format_number("number", None)
    if limit and kind in ("percent", "fraction"):
        return f"{value * 100 if kind == 'fraction' else value:.3g}{_THIN}%".replace("-", "−")
    if limit and kind == "ratio":
        return f"{value:.3g}"
    if kind is not None:
        return format_number(kind, value)
    whole = abs(value) >= 100 or float(value).is_integer()
    number = f"{value:,.0f}" if whole else f"{value:.3g}" if limit else f"{value:.2f}"
    return f"{number}{_THIN}{unit}".rstrip().replace("-", "−")


def format_interval(measure: str, values: Mapping[str, float | None]) -> str:
    """Write the 95 % interval of a measure as ``low to high``; empty when there is none."""
    low, high = values.get(f"{measure}_low"), values.get(f"{measure}_high")
    if low is None or high is None:
        return ""
    kind = measure_kind(measure)
    if kind not in ("percent", "fraction"):
        return f"{format_number(kind, low)} to {format_number(kind, high)}"
    ends = [end * 100 if kind == "fraction" else end for end in (low, high)]
    decimals = max(_percent_decimals(end) for end in ends)
    return f"{ends[0]:.{decimals}f} to {ends[1]:.{decimals}f}{_THIN}%".replace("-", "−")


def clipped(measure: str, value: float | None) -> float | None:
    """Return a mutant fraction, or an end of its interval, within 0 and 1; another measure as it is.

    Beyond lies only what counting and the control's own error add to it. ``result.json`` has it unclipped.
    """
    return min(max(value, 0.0), 1.0) if value is not None and measure.startswith("mutant_fraction") else value
