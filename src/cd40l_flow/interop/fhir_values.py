"""Values of FHIR observations: codes that do not mislead, and quantities with unit, interval, limit and flag."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.texts import load_texts
from cd40l_flow.result.numbers import clipped, measure_kind
from cd40l_flow.result.types.b_cells import deciding
from cd40l_flow.result.types.decision import Coded
from cd40l_flow.result.types.result import Result

Json = dict[str, Any]
# The systems of codes that are this program's own.
LOCAL = "urn:cd40l-flow"
_UCUM = "http://unitsofmeasure.org"
_LOINC = "http://loinc.org"
_INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
_MEANINGS = {"N": "Normal", "A": "Abnormal", "L": "Low", "H": "High", "IND": "Indeterminate"}
# Answers of LOINC, for the calls that one word describes completely.
_ANSWERS = {"present": ("LA9633-4", "Present"), "absent": ("LA9634-2", "Absent")}
# Measure -> (factor, unit, UCUM code). Fractions become percents.
_UNITS = {"percent": (1.0, "%", "%"), "fraction": (100.0, "%", "%"), "ratio": (1.0, "ratio", "1")}
_EVENTS = (1.0, "cells", "{cells}")
MEASURES = ("percent_positive", "mfi_ratio", "mfi_all_ratio", "mutant_fraction")
_DIGITS = 6


def coding(system: str, code: str, display: str) -> Json:
    """Return a code of a system with its words."""
    return {"system": system, "code": code, "display": display}


def interpretation(code: str) -> Json:
    """Return HL7's interpretation code."""
    return {"coding": [coding(_INTERPRETATION, code, _MEANINGS[code])]}


def call_value(call: str) -> Json:
    """Return a call as a code of this program with its words."""
    words = load_texts()["calls"][call]
    return {"coding": [coding(f"{LOCAL}:call", call, words["word"])], "text": f"{words['word']}: {words['short']}"}


def presence_value(coded: Coded) -> Json:
    """Return what LOINC's term is answered with: its own answer only where that one word hides nothing."""
    value: Json = {"text": coded.words}
    if coded.value in _ANSWERS:
        value["coding"] = [coding(_LOINC, *_ANSWERS[coded.value])]
    else:
        value["coding"] = [coding(f"{LOCAL}:presence", coded.value.replace(" ", "-"), coded.value)]
    return value


def quantities(result: Result, controls: Sequence[Result]) -> Iterator[Json]:
    """Yield the numbers that carry a call: percent, MFI and mutant fraction of each reagent, and the activation."""
    yield from _b_cells(result)
    for reagent in current_assay().targets:
        values = result.numbers(reagent)
        for measure in MEASURES:
            if (value := clipped(measure, values.get(measure))) is not None:
                yield _quantity(result, controls, reagent, measure, value)
    if result.cd69_percent is not None:
        guard = _guard(result, "ACTIVATION_FAILED", result.cd69_percent)
        yield _activation("cd69_percent", result.cd69_percent, "percent", guard, controls)
    if result.activated_events is not None:
        guard = _guard(result, "TOO_FEW_EVENTS", float(result.activated_events))
        yield _activation("activated_events", float(result.activated_events), "events", guard, ())


def _b_cells(result: Result) -> Iterator[Json]:
    """Yield the numbers that carry a call of the B-cell assays, with the limit that they were compared with."""
    if (memory := result.memory) is not None:
        found = {"switched": memory.switched, "two_marker": memory.switched_two_marker}
        known = deciding(memory) == "switched"
        for name, share in found.items():
            if share is not None and share.percent is not None:
                decides = name == ("switched" if known else "two_marker")
                low = memory.limit_low if decides else None
                yield _measured(f"memory.{name}", name, "percent", (share.percent, share.low, share.high), low)
        yield _measured("memory.b_events", "b_events", "events", (float(memory.b_events), None, None))
    for cells in result.cd40.cells if result.cd40 is not None else ():
        limit = result.configuration.limits.get("b_cells", {}).get("cd40_low_ratio_max")
        low = float(limit) if isinstance(limit, int | float) else None
        if cells.ratio is not None:
            ends = (cells.ratio, cells.ratio_low, cells.ratio_high)
            yield _measured(f"cd40.{cells.population}", "cd40_ratio", "ratio", ends, low, f" ({cells.population})")


def _measured(
    code: str,
    measure: str,
    kind: str,
    numbers: tuple[float, float | None, float | None],
    least: float | None = None,
    of: str = "",
) -> Json:
    """Return an observation of a number with its interval and, where there is one, the least of a healthy person."""
    label = f"{load_texts()['measures'][measure]['label']}{of}"
    value, *ends = numbers
    found: Json = {
        "code": {"coding": [coding(f"{LOCAL}:measure", code.replace(" ", "_"), label)], "text": label},
        "valueQuantity": _amount(value, kind),
    }
    parts = [_end(name, end, kind) for name, end in zip(("low", "high"), ends, strict=True) if end is not None]
    if parts:
        found["component"] = parts
    if least is not None:
        found["referenceRange"] = [{"low": _amount(least, kind)}]
    return found


def _end(name: str, bound: float, kind: str) -> Json:
    """Return an end of a 95 % interval as a component of an observation."""
    words = load_texts()["fhir"][name]
    return {
        "code": {"coding": [coding(f"{LOCAL}:interval", f"{name}-95", words)], "text": words},
        "valueQuantity": _amount(bound, kind),
    }


def _quantity(result: Result, controls: Sequence[Result], reagent: str, measure: str, value: float) -> Json:
    values, kind = result.numbers(reagent), measure_kind(measure)
    label = f"{current_assay().title(reagent)}, {load_texts()['measures'][measure]['label']}"
    found: Json = {
        "code": {"coding": [coding(f"{LOCAL}:measure", f"{reagent}.{measure}", label)], "text": label},
        "valueQuantity": _amount(value, kind),
    }
    ends = [(end, clipped(measure, values.get(f"{measure}_{end}"))) for end in ("low", "high")]
    parts = [_end(end, bound, kind) for end, bound in ends if bound is not None]
    if parts:
        found["component"] = parts
    low, high = _limits(result, reagent, measure)
    limits: Json = {}
    if low is not None:
        limits["low"] = _amount(low, kind)
    if high is not None:
        limits["high"] = _amount(high, kind)
    usual = [one.numbers(reagent).get(measure) for one in controls]
    shown = [f"{_amount(one, kind)['value']:g} {_unit(kind)[1]}" for one in usual if one is not None]
    if shown:
        limits["text"] = load_texts()["fhir"]["control"].format(values=", ".join(shown))
    if limits:
        found["referenceRange"] = [limits]
    if low is not None or high is not None:
        flag = "L" if low is not None and value < low else "H" if high is not None and value > high else "N"
        found["interpretation"] = [interpretation("IND" if result.call == "INDETERMINATE" else flag)]
    return found


def _limits(result: Result, reagent: str, measure: str) -> tuple[float | None, float | None]:
    """Return the lowest and the highest value like a healthy person's that the rules or the run's own cells give."""
    if measure == "mutant_fraction":
        return None, result.numbers(reagent).get("lod")
    if measure != "mfi_all_ratio":
        return None, None
    rules = [rule for rule in result.rules if rule.reagent == reagent and rule.call == "NORMAL"]
    found = [one.limit for rule in rules for one in rule.conditions if one.measure == "level"]
    return (found[0] if found else None), None


def _guard(result: Result, code: str, value: float) -> tuple[float, bool] | None:
    """Return the limit of the check that tested exactly this value, and whether it fired."""
    for guard in result.guards:
        if guard.code == code and guard.value == value and guard.limit is not None:
            return float(guard.limit), guard.fired is True
    return None


def _activation(
    measure: str, value: float, kind: str, guard: tuple[float, bool] | None, controls: Sequence[Result]
) -> Json:
    label = load_texts()["measures"][measure]["label"]
    found: Json = {
        "code": {"coding": [coding(f"{LOCAL}:measure", measure, label)], "text": label},
        "valueQuantity": _amount(value, kind),
    }
    if guard is not None:
        limit, fired = guard
        found["referenceRange"] = [{"low": _amount(limit, kind)}]
        found["interpretation"] = [interpretation("L" if fired else "N")]
        usual = [one.cd69_percent for one in controls if one.cd69_percent is not None]
        if usual:
            shown = ", ".join(f"{_amount(one, kind)['value']:g} %" for one in usual)
            found["referenceRange"][0]["text"] = load_texts()["fhir"]["control"].format(values=shown)
    return found


def _unit(kind: str) -> tuple[float, str, str]:
    return _UNITS.get(kind, _EVENTS)


def _amount(value: float, kind: str) -> Json:
    factor, unit, code = _unit(kind)
    number = float(f"{value * factor:.{_DIGITS}g}") + 0.0
    return {"value": number, "unit": unit, "system": _UCUM, "code": code}
