"""The review of a report: what was signed, by whom and when, and the form to sign with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cd40l_flow.assay.texts import load_texts
from cd40l_flow.result.order import CALL_ORDER
from cd40l_flow.result.review_state import NEED_SECOND_SIGNATURE, ReviewState
from cd40l_flow.result.reviews import Review, blocked
from cd40l_flow.result.types.result import Result

View = dict[str, Any]
SCHEMA_VERSION = "1.0"


def review_view(result: Result, digest: str, state: ReviewState) -> View:
    """Return what the report tells of its reviews, and what its form needs."""
    texts = load_texts()
    words = texts["sections"]["review"]
    calls = texts["calls"]
    forbidden = [call for call in CALL_ORDER if blocked(result.role, result.sex, call)]
    second = words["second"][state.second].format(call=calls[result.call]["word"]) if state.second else ""
    return {
        "state": state.state,
        **words["states"][state.state],
        "call": state.reviewed_call,
        "word": words["states"][state.state]["word"],
        "call_word": calls[state.reviewed_call]["word"] if state.reviewed_call else "",
        "signatures": [_signature(review) for review in state.signatures],
        "second": f"{second} {words['second_how']}" if state.state == "pending" else "",
        "history": [_entry(review, standing) for review, standing in state.history],
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
            for call in CALL_ORDER
            if call != result.call
        ],
        "form": json.dumps(_form(result, digest, state), sort_keys=True),
    }


def gate_verdicts(state: ReviewState) -> dict[tuple[str, str, str, str], list[View]]:
    """Return what the standing reviews say of each gate: (tube, stimulation, reagent, population) -> verdicts."""
    words = load_texts()["sections"]["review"]["gate_words"]
    found: dict[tuple[str, str, str, str], list[View]] = {}
    for review in (review for review, standing in state.history if standing == "stands"):
        for gate in review.gates:
            key = (gate["tube"], gate["stimulation"], gate["reagent"], gate["population"])
            row = {
                "name": review.reviewer,
                "verdict": gate["verdict"],
                "word": words[gate["verdict"]],
                "comment": gate["comment"],
            }
            found.setdefault(key, []).append(row)
    return found


def _form(result: Result, digest: str, state: ReviewState) -> View:
    """Return what the script of the form has to know."""
    words = load_texts()["sections"]["review"]
    return {
        "schema_version": SCHEMA_VERSION,
        "sample": result.sample,
        "result_digest": digest,
        "automatic_call": result.call,
        "grave": list(NEED_SECOND_SIGNATURE),
        "signed": [review.reviewer for review in state.signatures] if state.state == "pending" else [],
        "words": words["script"],
        "gate": words["gate"],
    }


def _entry(review: Review, standing: str) -> View:
    words = load_texts()["sections"]["review"]
    counts = {verdict: sum(gate["verdict"] == verdict for gate in review.gates) for verdict in words["gate_words"]}
    return {
        **_signature(review),
        "standing": standing,
        "standing_word": words["standings"][standing],
        "gates": words["gates_told"].format(**counts) if review.gates else words["gates_none"],
        "file": review.file,
    }


def _signature(review: Review) -> View:
    words = load_texts()["sections"]["review"]
    call = load_texts()["calls"][review.call]["word"] if review.call else ""
    decision = words["decisions"][review.decision].format(call=call)
    time = words["time"].format(date=review.signed_at[:10], clock=review.signed_at[11:16])
    return {
        "name": review.reviewer,
        "time": time,
        "decision": decision,
        "reason": words["reason_codes"][review.reason_code] if review.reason_code else "",
        "comment": review.comment,
        "line": words["signed"].format(decision=decision, name=review.reviewer, time=time),
    }
