"""The automatic call in words and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.texts import load_texts, reason_texts
from cd40l_flow.result.numbers import format_unit
from cd40l_flow.result.types.decision import Guard, Subcall
from cd40l_flow.result.types.result import Result

View = dict[str, Any]


def banner(result: Result) -> View:
    """Return the call, its words, its reasons with cause and remedy, and the sub-calls."""
    texts = load_texts()
    return {
        "call": result.call,
        "word": texts["calls"][result.call]["word"],
        "title": title_of(result, result.call),
        "statement": list(result.statement),
        "qc": {"key": result.qc, **texts["qc"][result.qc]},
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


def _reagent_order(item: tuple[str, Any]) -> int:
    order = list(current_assay().targets)
    return order.index(item[0]) if item[0] in order else len(order)


def _reason(result: Result, code: str) -> View:
    """Return a reason in words with what the checks found for this very sample."""
    found = [finding(guard) for guard in result.guards if guard.code == code and guard.fired is not False]
    found = found or [message.text for message in result.messages if message.code == code]
    return {"code": code, **reason_texts(code), "found": list(dict.fromkeys(text for text in found if text))}


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


def _flags(result: Result) -> list[View]:
    """Return the checks that fired without being a reason of the call."""
    codes = dict.fromkeys(guard.code for guard in result.guards if guard.fired)
    return [{"code": code, **reason_texts(code)} for code in codes if code not in result.reasons]
