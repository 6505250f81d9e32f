"""The head of a report: the call that holds after review, what it means, whose sample it is, and who signed for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.texts import load_texts, reason_texts
from cd40l_flow.report.banner import findings, title_of
from cd40l_flow.report.review import Signature
from cd40l_flow.result.reviews.state import ReviewState
from cd40l_flow.result.types.result import Result

FINAL = ("accepted", "overridden")
# What page one has room for; all of it is in the annex.
MOST_REASONS, MOST_FOUND, LONGEST_COMMENT, LONGEST_FOUND = 3, 1, 180, 180


class Headline(TypedDict):
    """The call that holds, in words: who made it, what it means, what it replaces and what was amended."""

    call: str
    word: str
    title: str
    kicker: str
    beneath: str
    sentences: list[str]
    amended: str


class Quality(TypedDict):
    """The line of quality control: pass, warn or fail, in words, and the names of the checks that fired."""

    key: str
    word: str
    text: str
    fired: list[str]


class LimitingReason(TypedDict):
    """A reason that stops or limits the call: its name, what was found and what to do."""

    name: str
    found: list[str]
    remedy: str


class Limiting(TypedDict):
    """The reasons that page one has room for, and in words how many more there are, or nothing."""

    rows: list[LimitingReason]
    more: str


def headline(result: Result, state: ReviewState) -> Headline:
    """Return the headline: the reviewed call where it holds, else the automatic one with what is missing to it.

    An override stands above the automatic call as soon as one person signed it: nothing is called before the second.
    """
    words, calls = load_texts()["page"], load_texts()["calls"]
    automatic = calls[result.call]
    view: Headline = {
        "call": result.call,
        "word": automatic["word"],
        "title": title_of(result, result.call),
        "kicker": words["kicker"]["automatic"],
        "beneath": "",
        "sentences": list(result.statement),
        "amended": _amended(state),
    }
    if state.state in FINAL:
        view |= {"kicker": words["kicker"]["reviewed"], "call": state.reviewed_call}
        view |= {"word": calls[state.reviewed_call]["word"], "title": title_of(result, state.reviewed_call)}
    latest = state.signatures[-1] if state.signatures else None
    if state.state == "overridden":
        view |= {"sentences": reviewed_sentences(result, state.reviewed_call)}
        view["beneath"] = words["beneath"]["overridden"].format(call=automatic["word"])
    elif state.state == "repeat":
        view |= {"call": "INDETERMINATE", "word": words["repeat"]["word"], "title": words["repeat"]["title"]}
        view |= {"kicker": words["kicker"]["reviewed"], "sentences": [words["repeat"]["sentence"]]}
        view["beneath"] = words["beneath"]["repeat"].format(call=automatic["word"])
    elif state.state == "pending" and latest is not None and latest.decision == "override":
        proposed = calls[str(latest.call)]["word"]
        view |= {"call": "INDETERMINATE", "word": words["pending"]["word"].format(call=proposed)}
        view |= {"title": words["pending"]["title"], "kicker": words["kicker"]["reviewed"]}
        view |= {"sentences": [words["pending"]["sentence"]]}
        view["beneath"] = words["beneath"]["pending"].format(call=automatic["word"])
    return view


def reviewed_sentences(result: Result, call: str) -> list[str]:
    """Return what a call that a reviewer set means: for the sex and history of the sample, without numbers."""
    words = load_texts()["page"]["overridden"][call]
    if result.role == "control":
        return [words["all"]]
    male = "transplanted" if result.metadata.transplant == "yes" and "transplanted" in words else "M"
    keys = {"F": ["F"], "M": [male]}.get(result.sex, ["F", male])
    return [words["all"], *(words[key] for key in keys if key in words)]


def _amended(state: ReviewState) -> str:
    """Return that an earlier signed decision differed, or concerned an earlier result; nothing where none did."""
    if state.state not in (*FINAL, "repeat") or not state.signatures:
        return ""
    stands = {review.verdict for review in state.signatures}
    before = [
        review
        for review, standing in state.history
        if standing == "stale" or (standing == "replaced" and review.verdict not in stands)
    ]
    if not before:
        return ""
    last = before[-1]
    words, calls = load_texts()["page"], load_texts()["calls"]
    decision = load_texts()["sections"]["review"]["decisions"][last.decision]
    decided = decision.format(call=calls[last.call]["word"] if last.call else "")
    call = f" ({calls[last.call]['word']})" if last.call and last.decision == "accept" else ""
    return str(words["amended"].format(decision=f"{decided}{call}", name=last.reviewer, date=last.signed_at[:10]))


def slots(result: Result) -> list[tuple[str, str]]:
    """Return whose sample it is, as (label, value): what the configuration asks for, then what every sheet states."""
    texts = load_texts()
    words, unknown = texts["context"], str(texts["unknown"])
    named = [name for name in result.configuration.show_columns if name in result.metadata.show]
    named += sorted(set(result.metadata.show) - set(named))
    return [
        (words["sample"], result.sample),
        *((name, result.metadata.show[name] or "–") for name in named),
        (words["sex"], words["sexes"][result.sex]),
        (words["age_band"], result.age_band or unknown),
        (words["role"], words["roles"][result.role]),
        (words["run"], result.run),
        (words["controls"], ", ".join(result.controls) or words["no_controls"]),
    ]


def history(result: Result) -> list[tuple[str, str]]:
    """Return what bears on the assay: drugs, transplant, transfusion and the times of the blood, as (label, value)."""
    texts = load_texts()
    words, unknown = texts["context"], str(texts["unknown"])
    metadata = result.metadata

    def hours(value: float | None) -> str:
        return unknown if value is None else str(words["hours"].format(value=f"{value:g}"))

    assay = current_assay()
    answers = ["transplant", "calcineurin_inhibitor", "steroid", "anti_cd154", "transfusion"]
    times = ["collected_h", "stimulation_h"]
    if not assay.stimulated:
        answers, times = [guard.answer for guard in assay.guards if guard.answer], times[:1]
    return [
        *((words[name], str(getattr(metadata, name))) for name in answers),
        (words["anticoagulant"], metadata.anticoagulant or unknown),
        *((words[name], hours(getattr(metadata, name))) for name in times),
    ]


def quality(result: Result) -> Quality:
    """Return the line of quality control: its word, how many checks passed, and those that fired, by name."""
    words, guards = load_texts()["page"]["quality"], result.guards
    counts = {state: sum(guard.fired is state for guard in guards) for state in (True, False, None)}
    text = words["passed"].format(passed=counts[False], all=len(guards))
    if counts[None]:
        text += words["open"].format(open=counts[None])
    fired = dict.fromkeys(guard.code for guard in guards if guard.fired)
    names = [reason_texts(code)["name"] for code in fired]
    return {"key": result.qc, "word": load_texts()["qc"][result.qc]["word"], "text": text, "fired": names}


def limiting(result: Result) -> Limiting:
    """Return the reasons that stop or limit the call, as many as page one has room for, and how many more there are."""
    rows: list[LimitingReason] = []
    for code in result.reasons[:MOST_REASONS]:
        texts = list(dict.fromkeys(_cut(text, LONGEST_FOUND) for text in findings(result, code)))
        words = reason_texts(code)
        rows.append({"name": words["name"], "found": texts[:MOST_FOUND], "remedy": words["remedy"]})
    more = len(result.reasons) - len(rows)
    return {"rows": rows, "more": load_texts()["page"]["more_reasons"].format(count=more) if more else ""}


def signers(signatures: Sequence[Signature]) -> list[Signature]:
    """Return the signatures with comments as long as page one has room for."""
    return [{**signature, "comment": _cut(signature["comment"], LONGEST_COMMENT)} for signature in signatures]


def _cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    return f"{text[:longest].rsplit(' ', 1)[0]} … {load_texts()['page']['in_full']}"
