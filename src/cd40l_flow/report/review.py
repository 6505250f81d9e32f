"""The review of a report: what was signed, by whom and when, and the form to sign with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from cd40l_flow.assay.effects import calls_of
from cd40l_flow.assay.texts import Texts, load_texts
from cd40l_flow.cohort.reviewers import People
from cd40l_flow.result.order import CALL_ORDER
from cd40l_flow.result.reviews.doubts import Doubt
from cd40l_flow.result.reviews.files import Review, blocked
from cd40l_flow.result.reviews.fitting import NEED_GATES, NEED_SECOND_SIGNATURE
from cd40l_flow.result.reviews.signable import GatePlace, Signable, parts_of
from cd40l_flow.result.reviews.state import UNSIGNED, ReviewState
from cd40l_flow.result.types.result import Result

SCHEMA_VERSION = "1.1"
# Why a second signature is needed that any other person who may sign second can give.
WAIT_FOR_ANOTHER = ("abnormal", "override", "disagreement", "may_not")


@dataclass(frozen=True)
class SignOff:
    """What a report needs for signing: what is signed, the state of its and its controls' reviews, who may sign."""

    subject: Signable
    state: ReviewState = UNSIGNED
    controls: Mapping[str, ReviewState] = field(default_factory=dict)
    people: People = People()


class Signature(TypedDict):
    """One review in words; ``line`` states decision, name and time at once."""

    name: str
    time: str
    decision: str
    reason: str
    comment: str
    line: str


class HistoryRow(Signature):
    """One review of the history, with what became of it and how many gates it judged."""

    standing_word: str
    gates: str


class ControlReview(TypedDict):
    """The state of a control's review in a word."""

    sample: str
    word: str


class FileProblem(TypedDict):
    """What is wrong with the file of a review; ``column`` is the key concerned, if it is one."""

    file: str
    column: str | None
    message: str


class OtherCall(TypedDict):
    """A call that a reviewer may set in place of the automatic one, unless it is ``blocked``."""

    call: str
    word: str
    blocked: bool


class ReviewPart(TypedDict):
    """What a report states about its reviews; ``form`` is JSON that the script of the form reads."""

    state: str
    word: str
    text: str
    signatures: list[Signature]
    second: str
    doubts: list[str]
    controls: list[ControlReview]
    history: list[HistoryRow]
    problems: list[FileProblem]
    blocked: str
    accept_blocked: bool
    overrides: list[OtherCall]
    people: list[str]
    form: str


class Verdict(TypedDict):
    """What a reviewer found of one gate."""

    name: str
    word: str
    comment: str


class Form(TypedDict):
    """What the script of the form needs: what is signed, by its digests, and the words that it shows.

    ``parts`` has a digest for each part of the result, ``previous`` and ``controls`` those of the reviews that came
    last, ``known`` those of every review the report shows; the last two are words by their names.
    """

    schema_version: str
    sample: str
    result_digest: str
    automatic_call: str
    second_for: list[str]
    need_gates: list[str]
    gates: tuple[GatePlace, ...]
    shared: list[str]
    previous: tuple[str, ...]
    missing: tuple[str, ...]
    controls: dict[str, tuple[str, ...]]
    parts: dict[str, str]
    known: list[str]
    signed: list[str]
    words: Texts
    gate: Texts


def review_view(result: Result, sign_off: SignOff) -> ReviewPart:
    """Return what the report states about its reviews, and what its form needs."""
    texts = load_texts()
    state, people = sign_off.state, sign_off.people
    words = texts["sections"]["review"]
    calls = texts["calls"]
    own = [call for call in CALL_ORDER if call in calls_of(result.assay)]
    forbidden = [call for call in own if blocked(result.role, result.sex, call)]
    waits = state.state == "pending" and state.second
    second = words["second"][state.second].format(call=calls[result.call]["word"]) if waits else ""
    return {
        "state": state.state,
        "word": words["states"][state.state]["word"],
        "text": words["states"][state.state]["text"],
        "signatures": [_signature(review, people) for review in state.signatures],
        "second": f"{second} {words['second_how']}" if waits and state.second in WAIT_FOR_ANOTHER else second,
        "doubts": doubt_words(state, result),
        "controls": _control_words(sign_off.controls),
        "history": [_entry(review, standing, people) for review, standing in state.history],
        "problems": [
            {"file": Path(problem.file).name, "column": problem.column, "message": problem.message}
            for problem in state.problems
        ],
        "blocked": words["blocked"].format(calls=", ".join(calls[call]["word"] for call in forbidden))
        if forbidden
        else "",
        "accept_blocked": result.call in forbidden,
        "overrides": [
            {"call": call, "word": calls[call]["word"], "blocked": call in forbidden}
            for call in own
            if call != result.call
        ],
        "people": [person.name for person in people.listed],
        "form": json.dumps(_form(result, sign_off), sort_keys=True),
    }


def doubt_words(state: ReviewState, result: Result | None = None) -> list[str]:
    """Return why signed reviews are not valid, a sentence each; with ``result`` also what in it has changed."""
    return [_doubt(doubt, state, result) for doubt in state.doubts]


def _doubt(doubt: Doubt, state: ReviewState, result: Result | None) -> str:
    words, calls = load_texts()["sections"]["review"], load_texts()["calls"]
    values = dict(doubt.values)
    if values.get("when"):
        values["when"] = _time(values["when"])
    if values.get("call"):
        values["call"] = calls[values["call"]]["word"]
    text: str = words["doubts"][doubt.code].format(**values)
    if doubt.code == "result_changed" and result is not None:
        last = [review for review, standing in state.history if standing == "stale"][-1]
        text = f"{text} {_what_changed(last, result)}"
    return text


def _what_changed(review: Review, result: Result) -> str:
    """Return in words which parts of a result are not those that were signed."""
    words, calls = load_texts()["sections"]["review"]["changed"], load_texts()["calls"]
    sentences = []
    if review.automatic_call != result.call:
        was, now = (calls[call]["word"] for call in (review.automatic_call, result.call))
        sentences.append(words["call"].format(was=was, now=now))
    if not review.parts:
        return " ".join([*sentences, words["unknown"]])
    present = parts_of(result)
    names = [name for part, name in words["parts"].items() if review.parts.get(part) != present[part]]
    return " ".join([*sentences, words["told"].format(parts=", ".join(names or [words["other"]]))])


def _control_words(controls: Mapping[str, ReviewState]) -> list[ControlReview]:
    """Return the state of each control's review, in words."""
    states = load_texts()["index"]["review"]
    return [{"sample": name, "word": states[state.state]} for name, state in controls.items()]


def gate_verdicts(state: ReviewState, subject: Signable) -> dict[GatePlace, list[Verdict]]:
    """Return the verdicts of the valid reviews on each gate: (tube, stimulation, reagent, population) -> verdicts.

    A verdict on a gate that all tubes share is one of each of them.
    """
    words = load_texts()["sections"]["review"]["gate_words"]
    found: dict[GatePlace, list[Verdict]] = {}
    for review in (review for review, standing in state.history if standing in ("stands", "suspended")):
        for gate in review.gates:
            row: Verdict = {
                "name": review.reviewer,
                "word": words[gate["verdict"]],
                "comment": gate["comment"],
            }
            own = (gate["tube"], gate["stimulation"], gate["reagent"])
            for tube in [own] if gate["tube"] is not None else sorted(subject.tubes):
                found.setdefault((*tube, gate["population"]), []).append(row)
    return found


def _form(result: Result, sign_off: SignOff) -> Form:
    """Return what the script of the form needs."""
    words = load_texts()["sections"]["review"]
    state, subject = sign_off.state, sign_off.subject
    waits = state.state == "pending" and state.second in WAIT_FOR_ANOTHER
    return {
        "schema_version": SCHEMA_VERSION,
        "sample": result.sample,
        "result_digest": subject.digest,
        "automatic_call": result.call,
        "second_for": [call for call in NEED_SECOND_SIGNATURE if call in calls_of(result.assay)],
        "need_gates": [call for call in NEED_GATES if call in calls_of(result.assay)],
        "gates": subject.gates,
        "shared": sorted(subject.shared),
        "previous": state.heads,
        "missing": state.missing,
        "controls": {name: one.heads for name, one in sorted(sign_off.controls.items())},
        "parts": parts_of(result),
        "known": sorted({*(review.digest for review, _ in state.history), *state.missing}),
        "signed": [review.reviewer for review in state.signatures] if waits else [],
        "words": words["script"],
        "gate": words["gate"],
    }


def _entry(review: Review, standing: str, people: People) -> HistoryRow:
    words = load_texts()["sections"]["review"]
    counts = {verdict: sum(gate["verdict"] == verdict for gate in review.gates) for verdict in words["gate_words"]}
    return {
        **_signature(review, people),
        "standing_word": words["standings"][standing],
        "gates": words["gates_told"].format(**counts) if review.gates else words["gates_none"],
    }


def _signature(review: Review, people: People) -> Signature:
    words = load_texts()["sections"]["review"]
    call = load_texts()["calls"][review.call]["word"] if review.call else ""
    decision = words["decisions"][review.decision].format(call=call)
    person, time = people.find(review.reviewer), _time(review.signed_at)
    # A listed reviewer has the name of the list, however it was typed.
    name, role = (person.name, person.role) if person is not None else (review.reviewer, "")
    return {
        "name": name,
        "time": time,
        "decision": decision,
        "reason": words["reason_codes"][review.reason_code] if review.reason_code else "",
        "comment": review.comment,
        "line": words["signed"].format(decision=decision, name=f"{name} ({role})" if role else name, time=time),
    }


def _time(signed_at: str) -> str:
    text: str = load_texts()["sections"]["review"]["time"].format(date=signed_at[:10], clock=signed_at[11:16])
    return text
