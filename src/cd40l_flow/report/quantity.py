"""What was measured, as page one states it: one sentence, and a table of results with flag and reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from cd40l_flow.assay.cd40l.rules import ODDS
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.texts import load_texts
from cd40l_flow.decision.calls import UNDECIDED
from cd40l_flow.report.banner import shown_subcalls
from cd40l_flow.report.figures import why_absent
from cd40l_flow.result.numbers import clipped, format_interval, format_measure, format_number, format_unit
from cd40l_flow.result.types.decision import Guard, Subcall
from cd40l_flow.result.types.result import Result

# Why a measurement is not there, in a sentence that has to stay short.
_LONGEST = 150


class ResultRow(TypedDict):
    """A result as page one states it: a word, a value with its unit and 95 % interval, the control's, flag, reference.

    What there is nothing to say of is empty.
    """

    name: str
    word: str
    value: str
    interval: str
    control: str
    flag: str
    flag_word: str
    reference: str


def quantity(result: Result, controls: Sequence[Result]) -> str:
    """Return one sentence: CD154 and CD40-Ig with interval and control of the day, and whether cells were activated."""
    words = load_texts()["page"]["sentence"]
    parts = []
    for reagent in shown_reagents(result):
        values = result.numbers(reagent)
        value = values.get("percent_positive")
        if value is None:
            parts.append(words["not_measured"].format(reagent=reagent, why=_short(why_absent(result, reagent))))
            continue
        function = reagent == current_assay().function
        interval = format_interval("percent_positive", values)
        control = _control(controls, reagent, "percent_positive")
        parts.append(
            words["function" if function else "expression"].format(
                reagent=reagent,
                value=format_measure("percent_positive", value),
                interval=words["interval"].format(interval=interval) if interval else "",
                control=words["control"].format(value=control) if control else "",
            )
        )
        if not function and (more := _more(result, reagent)):
            parts.append(more)
    sentence = "; ".join([*parts, _activation(result)])
    return sentence[:1].upper() + sentence[1:] + "."


def shown_reagents(result: Result) -> list[str]:
    """Return the reagents that page one reports: those the assay expects, and further ones that were measured."""
    targets = current_assay().targets.items()
    return [name for name, reagent in targets if reagent.expected or name in result.reagents]


def _more(result: Result, reagent: str) -> str:
    """Return what is reported for a mosaic or a reduced pattern beyond the percent positive."""
    words, values = load_texts()["page"]["sentence"], result.numbers(reagent)
    of_mosaic = "mutant_fraction" if values.get("residual_kept") is None else "residual_kept"
    measure = {"MOSAIC": of_mosaic, "REDUCED": "mfi_all_ratio"}.get(result.call)
    if measure is None or values.get(measure) is None:
        return ""
    interval = format_interval(measure, values)
    return str(
        words[measure].format(
            value=format_measure(measure, values[measure]),
            interval=words["interval"].format(interval=interval) if interval else "",
        )
    )


def _activation(result: Result) -> str:
    words = load_texts()["page"]["sentence"]
    guards = [guard for guard in result.guards if guard.code == "ACTIVATION_FAILED"]
    if result.cd69_percent is None:
        return str(words["activation_unknown"])
    failed = any(guard.fired for guard in guards)
    state = words["inadequate" if failed else "adequate"]
    return str(words["activation"].format(state=state, percent=format_measure("cd69_percent", result.cd69_percent)))


def results_table(result: Result, controls: Sequence[Result]) -> list[ResultRow]:
    """Return the rows of results: what was measured, in a word and a number, with control, flag and reference."""
    rows = [_reagent_row(result, controls, reagent) for reagent in shown_reagents(result)]
    for reagent in current_assay().expression:
        for measure in _compared(result):
            if (row := _comparison_row(result, reagent, measure)) is not None:
                rows.append(row)
    rows += [_plain_row(result, controls, *line) for line in _PLAIN]
    return rows


# Measures of the sample as a whole: name, kind, the check that holds its limit and the unit of it.
_PLAIN = (
    ("cd69_percent", "percent", "ACTIVATION_FAILED", "%"),
    ("activated_events", "events", "TOO_FEW_EVENTS", "events"),
)


def _compared(result: Result) -> list[str]:
    """Return what page one compares with the control: the level where cells express, the share that lacks the target
    where it is a mosaic's or a carrier's question.
    """
    level = result.call in ("NORMAL", "REDUCED", "FUNCTIONAL_DEFECT", "INDETERMINATE")
    share = result.call == "MOSAIC" or (result.sex != "M" and level)
    return [name for name, asked in (("mfi_all_ratio", level), ("mutant_fraction", share)) if asked]


def _reagent_row(result: Result, controls: Sequence[Result], reagent: str) -> ResultRow:
    words = load_texts()["page"]
    values = result.numbers(reagent)
    value = values.get("percent_positive")
    subcalls = shown_subcalls(result)
    call = subcalls[reagent].call if reagent in subcalls else None
    undecided = _undecided(subcalls.get(reagent))
    if undecided and result.call in ODDS:
        call = result.call  # all reagents together decided
    if call is None and value is not None and result.role == "control":
        call = _by_itself(result, reagent)
    flagged = ""
    if value is None:
        qualitative, flag = words["not_tested"], "open"
    elif call == "INDETERMINATE" and undecided:
        qualitative, flag, flagged = words["results"]["undecided"], "open", "undecided"
    elif call is None or call == "INDETERMINATE":
        qualitative, flag = words["results"]["INDETERMINATE"], "open"
    else:
        qualitative, flag = words["results"][call], "normal" if call == "NORMAL" else "abnormal"
    interval = format_interval("percent_positive", values) if value is not None else ""
    return {
        "name": words["rows"]["function" if reagent == current_assay().function else "expression"].format(
            reagent=reagent
        ),
        "word": qualitative,
        "value": words["positive"].format(value=format_measure("percent_positive", value)) if value is not None else "",
        "interval": interval,
        "control": _control(controls, reagent, "percent_positive"),
        "flag": flag,
        "flag_word": words["flags"][flagged or flag],
        "reference": words["reference"],
    }


def _undecided(subcall: Subcall | None) -> bool:
    """Return whether a reagent was measured well, but no explanation is likely enough."""
    return subcall is not None and bool(subcall.reasons) and set(subcall.reasons) <= set(UNDECIDED)


def _by_itself(result: Result, reagent: str) -> str:
    """Return the result of a single control for a reagent, by the checks that it must pass."""
    own = [guard for guard in result.guards if guard.reagent == reagent and guard.fired and guard.effect == "hard"]
    return "INDETERMINATE" if own or result.call != "NORMAL" else "NORMAL"


def _comparison_row(result: Result, reagent: str, measure: str) -> ResultRow | None:
    """Return the row of a measure that compares a sample with its control, with the limit of a rule that uses it."""
    values = {name: clipped(name, value) for name, value in result.numbers(reagent).items()}
    if values.get(measure) is None:
        return None
    words, limits = load_texts()["page"], result.configuration.limits.get("calls", {})
    reference, flag = "", "normal"
    if measure == "mfi_all_ratio":
        least = limits.get("normal_level_min")
        if isinstance(least, int | float):
            reference = f"≥ {least:g}"
            flag = "abnormal" if float(values[measure] or 0.0) < least else "normal"
    elif (blank := values.get("lob")) is not None:
        reference = f"≤ {format_measure(measure, blank)}"
        flag = "abnormal" if float(values[measure] or 0.0) > blank else "normal"
    return {
        "name": words["rows"][measure].format(reagent=reagent),
        "word": "",
        "value": format_measure(measure, values[measure]),
        "interval": format_interval(measure, values),
        "control": "",
        "flag": flag,
        "flag_word": words["flags"][flag],
        "reference": reference,
    }


def _plain_row(result: Result, controls: Sequence[Result], measure: str, kind: str, code: str, unit: str) -> ResultRow:
    words = load_texts()["page"]
    value: float | None = getattr(result, measure)
    checks = [guard for guard in result.guards if guard.code == code and guard.unit == unit and guard.limit is not None]
    least = next((guard for guard in checks if _from_below(guard)), None)
    flag = "open" if value is None or least is None else "abnormal" if least.fired else "normal"
    theirs = next((number for each in controls if (number := getattr(each, measure)) is not None), None)
    return {
        "name": words["rows"][measure],
        "word": "",
        "value": format_number(kind, value) if value is not None else words["not_tested"],
        "interval": "",
        "control": format_number(kind, theirs) if theirs is not None else "",
        "flag": flag,
        "flag_word": words["flags"]["low" if flag == "abnormal" else flag],
        "reference": f"≥ {format_unit(unit, least.limit, limit=True)}" if least is not None else "",
    }


def _from_below(guard: Guard) -> bool:
    """Return whether a check asks for at least its limit."""
    if guard.value is None or guard.limit is None:
        return False
    return (guard.value < guard.limit) == (guard.fired is True)


def _control(controls: Sequence[Result], reagent: str, measure: str) -> str:
    for control in controls:
        value = control.numbers(reagent).get(measure)
        if value is not None:
            return format_measure(measure, value)
    return ""


def _short(text: str) -> str:
    text = text.rstrip(".")
    return text if len(text) <= _LONGEST else text[:_LONGEST].rsplit(" ", 1)[0] + " …"
