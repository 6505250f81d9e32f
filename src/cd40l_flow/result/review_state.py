"""What the reviews of a result amount to: who stands for what, and whether that is enough.

The rules, for the reviews whose digest is that of the present result:

1. They are taken by time, in one second by the name of the file, which has thousandths. Of one person the last review
   stands; earlier ones are kept and shown.
2. The last review of all says what is decided: accept, override or repeat.
3. A second signature is needed where ABSENT or FUNCTIONAL_DEFECT is accepted, where a call is overridden, and where the
   standing review of another person says something else. It is given by the standing review of another person that
   decides the same: same decision, same call. Until then the sample is pending and has no reviewed call.
4. A repeat needs one signature only: no call can rest on a result that the last reviewer wants repeated.
5. Reviews of an earlier result decide nothing; where there are no others, the sample is stale.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from cd40l_flow.base.errors import Problem
from cd40l_flow.result.reviews import Review, Reviews, blocked
from cd40l_flow.result.types.result import Result

STATES = ("unsigned", "pending", "accepted", "overridden", "repeat", "stale")
NEED_SECOND_SIGNATURE = ("ABSENT", "FUNCTIONAL_DEFECT")


@dataclass(frozen=True)
class ReviewState:
    """What the reviews of one sample amount to.

    ``reviewed_call`` is empty until it is signed as often as it must be. ``history`` has every review with its
    standing: ``stands``, ``replaced`` (by a later one of the same person), ``stale`` or ``refused``. ``signatures`` are
    the reviews that carry the state; ``second`` tells why a second one is needed: ``grave``, ``override``,
    ``disagreement`` or nothing.
    """

    state: str
    reviewed_call: str
    history: tuple[tuple[Review, str], ...]
    signatures: tuple[Review, ...]
    second: str
    problems: tuple[Problem, ...]


def digest_of(path: str | Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits: what a review of ``result.json`` is bound to."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def review_state(result: Result, digest: str, reviews: Reviews) -> ReviewState:
    """Return what the reviews say of a result; reviews of other samples are left aside."""
    mine = reviews.of(str(result.sample))
    current, problems = [], list(mine.problems)
    standing: dict[str, str] = {}
    for review in mine.reviews:
        if review.result_digest != digest:
            standing[review.file] = "stale"
            continue
        fault = _fault(result, review)
        if fault:
            standing[review.file] = "refused"
            problems.append(_refusal(review, fault))
        else:
            current.append(review)
    last = {review.person: review for review in current}
    standing |= {review.file: "stands" if last[review.person] is review else "replaced" for review in current}
    history = tuple((review, standing[review.file]) for review in mine.reviews)
    state, call, signatures, second = _decided(list(last.values()), current)
    if not current and any(word == "stale" for word in standing.values()):
        state = "stale"
    return ReviewState(state, call, history, signatures, second, tuple(problems))


def _decided(standing: list[Review], current: list[Review]) -> tuple[str, str, tuple[Review, ...], str]:
    """Return state, reviewed call, the reviews that carry them and why a second signature is needed."""
    if not current:
        return "unsigned", "", (), ""
    latest = current[-1]
    others = [review for review in standing if review.person != latest.person]
    alike = [review for review in others if review.verdict == latest.verdict]
    if latest.decision == "repeat":
        return "repeat", "", (*alike, latest), ""
    second = needs_second(latest.decision, str(latest.call), len(alike) < len(others))
    if second and not alike:
        return "pending", "", (latest,), second
    state = "accepted" if latest.decision == "accept" else "overridden"
    return state, str(latest.call), (*alike, latest), second


def needs_second(decision: str, call: str, disagreement: bool) -> str:
    """Return why a decision needs a second person, or nothing."""
    if decision == "override":
        return "override"
    if decision == "accept" and call in NEED_SECOND_SIGNATURE:
        return "grave"
    return "disagreement" if disagreement else ""


def _fault(result: Result, review: Review) -> tuple[str, str, str] | None:
    """Return (key, message, remedy) where a well-formed review cannot be one of this result."""
    if review.automatic_call != result.call:
        message = f"says that the automatic call is {review.automatic_call}; the result says {result.call}."
        return "automatic_call", message, "Sign again in the report; do not edit the file."
    if blocked(str(result.role), str(result.sex), review.call):
        message = f"signs {review.call}, whose words depend on the sex, which the sheet does not tell."
        return "decision", message, "Fill in the sex, run the workflow again and sign the new report."
    tubes = {(tube.fcs, tube.stimulation, tube.reagent) for tube in result.tubes}
    for gate in review.gates:
        if (gate["tube"], gate["stimulation"], gate["reagent"]) not in tubes:
            message = "judges a gate of a tube that the result does not have."
            return "gates", message, "Sign again in the report; do not edit the file."
    return None


def _refusal(review: Review, fault: tuple[str, str, str]) -> Problem:
    key, message, remedy = fault
    return Problem("REVIEW", "warning", message, review.file, None, key, review.sample, remedy)
