"""The automatic call in words, and why: its reasons, the checks and the rules, each value with its limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.texts import load_texts, reason_texts
from cd40l_flow.result.numbers import format_against, format_limit, format_unit, measure_label, operator_sign
from cd40l_flow.result.types.decision import Guard, Subcall
from cd40l_flow.result.types.result import Result


class QualityWords(TypedDict):
    """The summary of the checks in a word and a sentence."""

    word: str
    text: str


class Reason(TypedDict):
    """A reason of the call: what usually causes it, what was found for this sample, and what to do."""

    code: str
    name: str
    what: str
    remedy: str
    found: list[str]


class Flag(TypedDict):
    """A check that fired without being a reason of the call."""

    name: str


class SubcallRow(TypedDict):
    """The sub-call of one reagent with the names of its reasons."""

    reagent: str
    call: str
    word: str
    reasons: list[str]


class Banner(TypedDict):
    """The automatic call in words and why."""

    word: str
    title: str
    statement: list[str]
    qc: QualityWords
    reasons: list[Reason]
    flags: list[Flag]
    subcalls: list[SubcallRow]


class CheckRow(TypedDict):
    """One check: value and limit with their units, its state and effect in words."""

    code: str
    name: str
    reagent: str
    value: str
    limit: str
    state: str
    word: str
    effect: str
    serious: bool
    message: str


class ConditionRow(TypedDict):
    """One comparison of a rule; ``joined`` is the word that joins it to the alternative before it, or empty."""

    joined: str
    label: str
    value: str
    sign: str
    limit: str
    state: str
    word: str


class RuleRow(TypedDict):
    """One rule with the call that it makes and its conditions."""

    reagent: str
    call: str
    name: str
    state: str
    word: str
    conditions: list[ConditionRow]


def banner(result: Result) -> Banner:
    """Return the call, its words, its reasons with cause and remedy, and the sub-calls."""
    texts = load_texts()
    qc = texts["qc"][result.qc]
    return {
        "word": texts["calls"][result.call]["word"],
        "title": title_of(result, result.call),
        "statement": list(result.statement),
        "qc": {"word": qc["word"], "text": qc["text"]},
        "reasons": [_reason(result, code) for code in result.reasons],
        "flags": _flags(result),
        "subcalls": [
            {
                "reagent": reagent,
                "call": subcall.call,
                "word": texts["calls"][subcall.call]["word"],
                "reasons": [reason_texts(code)["name"] for code in subcall.reasons],
            }
            for reagent, subcall in sorted(shown_subcalls(result).items(), key=_reagent_order)
        ],
    }


def title_of(result: Result, call: str) -> str:
    """Return what a call means in one line; of a control it may have another meaning than of a patient."""
    words = load_texts()["calls"][call]
    return str(words.get("title_control", words["title"]) if result.role == "control" else words["title"])


def shown_subcalls(result: Result) -> Mapping[str, Subcall]:
    """Return the sub-calls, none for a single control: it is judged by its checks, not compared with another."""
    alone = result.role == "control" and not result.controls
    return {} if alone else result.subcalls


def _reagent_order(item: tuple[str, Subcall]) -> int:
    order = list(current_assay().targets)
    return order.index(item[0]) if item[0] in order else len(order)


def _reason(result: Result, code: str) -> Reason:
    """Return a reason in words with what the checks found for this very sample."""
    words = reason_texts(code)
    return {
        "code": code,
        "name": words["name"],
        "what": words["what"],
        "remedy": words["remedy"],
        "found": findings(result, code),
    }


def findings(result: Result, code: str) -> list[str]:
    """Return what the checks with a code found, each text once, those that take calls away first; without a check the
    messages of that code.
    """
    order = {"hard": 0, "limits": 1, "soft": 2}
    guards = [guard for guard in result.guards if guard.code == code and guard.fired is not False]
    found = [finding(guard) for guard in sorted(guards, key=lambda guard: order[guard.effect])]
    found = found or [message.text for message in result.messages if message.code == code]
    return list(dict.fromkeys(text for text in found if text))


def finding(guard: Guard, *, named: bool = True) -> str:
    """Return what one check found, with value and limit where it has them."""
    words = load_texts()["sections"]["why"]
    reagent = f"{guard.reagent}: " if named and guard.reagent else ""
    message = guard.message.rstrip(".")
    if guard.fired is None:
        return str(words["unknown"].format(reagent=reagent, message=message))
    if guard.value is None or guard.limit is None:
        return reagent + str(guard.message)
    value = format_unit(guard.unit, guard.value)
    limit = format_unit(guard.unit, guard.limit, limit=True)
    return str(words["found"].format(reagent=reagent, message=message, value=value, limit=limit))


def _flags(result: Result) -> list[Flag]:
    """Return the checks that fired without being a reason of the call."""
    codes = dict.fromkeys(guard.code for guard in result.guards if guard.fired)
    return [{"name": reason_texts(code)["name"]} for code in codes if code not in result.reasons]


def guard_rows(result: Result) -> list[CheckRow]:
    """Return the checks, fired ones first, then those that could not be evaluated."""
    words = load_texts()["sections"]["guards"]
    states = {True: "fired", False: "passed", None: "not_evaluated"}
    order = {True: 0, None: 1, False: 2}
    return [
        {
            "code": guard.code,
            "name": reason_texts(guard.code).get("check", reason_texts(guard.code)["name"]),
            "reagent": guard.reagent or "",
            "value": format_unit(guard.unit, guard.value) if guard.value is not None else "–",
            "limit": format_unit(guard.unit, guard.limit, limit=True) if guard.limit is not None else "–",
            "state": states[guard.fired],
            "word": words[states[guard.fired]],
            "effect": load_texts()["effects"][guard.effect],
            "serious": guard.effect == "hard",
            "message": guard.message,
        }
        for guard in sorted(result.guards, key=lambda guard: order[guard.fired])
    ]


def rule_rows(result: Result) -> list[RuleRow]:
    """Return the rules in the order tried, grouped by reagent, each condition with value and limit."""
    words = load_texts()["sections"]["rules"]
    states = {True: "met", False: "not_met", None: "open"}
    rows: list[RuleRow] = []
    for rule in result.rules:
        conditions: list[ConditionRow] = []
        before = None
        for condition in rule.conditions:
            group = condition.either
            conditions.append(
                {
                    "joined": words["or"] if group is not None and group == before else "",
                    "label": measure_label(condition.measure),
                    "value": format_against(condition.measure, condition.value, condition.limit),
                    "sign": operator_sign(condition.op),
                    "limit": format_limit(condition.measure, condition.limit),
                    "state": states[condition.met],
                    "word": words[states[condition.met]],
                }
            )
            before = group
        rows.append(
            {
                "reagent": rule.reagent or words["overall"],
                "call": rule.call,
                "name": load_texts()["calls"][rule.call]["word"],
                "state": states[rule.met],
                "word": words[states[rule.met]],
                "conditions": conditions,
            }
        )
    return rows
