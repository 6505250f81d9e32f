"""The state of a result by its reviews: whose review counts, and whether that is enough.

The rules, for the reviews whose digest is that of the present result:

1. Each review names the one before it, and they are taken in that order, whatever the clocks said. Of one person the
   last review counts; earlier ones are kept and shown.
2. The last review of all decides: accept, override or repeat. Two that were signed independently, neither reviewer
   having seen the other, both count: where they differ nothing is decided until somebody who has seen both signs.
3. A second signature is needed where ABSENT or FUNCTIONAL_DEFECT is accepted, where a call is overridden, and where the
   valid review of another person decides otherwise. It is given by another person who decides the same: same
   decision, same call. Another person is another entry among the reviewers of the configuration, who may sign second.
   Until then the sample is pending and has no reviewed call.
4. A repeat needs one signature only: no call can rest on a result that the last reviewer wants repeated.
5. Reviews of an earlier result decide nothing; where there are no others, the sample is stale.
6. It is stale as well where a review of it was changed or taken away, until somebody signs after reading so, and where
   the reviews of a control reject what it was compared with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cd40l_flow.assay.effects import HEALTHY
from cd40l_flow.base.errors import Problem
from cd40l_flow.cohort.reviewers import People
from cd40l_flow.result.reviews.chain import Chain
from cd40l_flow.result.reviews.doubts import Doubt
from cd40l_flow.result.reviews.files import Review, Reviews, review_problem
from cd40l_flow.result.reviews.fitting import NEED_SECOND_SIGNATURE, fault_of
from cd40l_flow.result.reviews.signable import Signable

STATES = ("unsigned", "pending", "accepted", "overridden", "repeat", "stale")


@dataclass(frozen=True)
class ReviewState:
    """What the reviews of one sample amount to.

    ``reviewed_call`` is empty until it is signed as often as it must be. ``history`` has every review with its
    standing: ``stands``, ``replaced`` (by a later one of the same person), ``suspended`` (by a doubt), ``stale``,
    ``waiting`` (for the review it follows) or ``refused``. ``signatures`` are the reviews that carry the state;
    ``second`` is why another one is needed: ``abnormal``, ``override``, ``disagreement``, ``fork``, ``unlisted``,
    ``may_not`` or nothing. ``doubts`` are why signed reviews are not valid; ``missing`` are the digests of reviews that
    were changed or taken away.
    """

    state: str
    reviewed_call: str
    history: tuple[tuple[Review, str], ...]
    signatures: tuple[Review, ...]
    second: str
    problems: tuple[Problem, ...]
    doubts: tuple[Doubt, ...] = ()
    missing: tuple[str, ...] = ()
    chain: Chain = field(default_factory=lambda: Chain(()), compare=False)

    @property
    def heads(self) -> tuple[str, ...]:
        """Return the digests that the next review must name: those that no later review follows yet."""
        reviews = [review for review, standing in self.history if standing != "waiting"]
        return tuple(sorted(review.digest for review in self.chain.last(reviews)))


UNSIGNED = ReviewState("unsigned", "", (), (), "", ())


def digest_of(path: str | Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits: what a review of ``result.json`` is bound to."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def states_of(results: Mapping[str, Signable], reviews: Reviews) -> dict[str, ReviewState]:
    """Return what the reviews of each result amount to, by sample; those of controls bear on their patients'."""
    by_sample = reviews.by_sample()
    states = {name: review_state(one, by_sample.get(name, reviews.none())) for name, one in results.items()}
    for name, one in results.items():
        if one.role == "test" and states[name].history:
            controls = {control: states[control] for control in one.controls if control in states}
            states[name] = review_state(one, by_sample[name], controls)
    return states


def review_state(result: Signable, reviews: Reviews, controls: Mapping[str, ReviewState] | None = None) -> ReviewState:
    """Return the state of the reviews of a result; reviews of other samples are ignored.

    ``controls`` are what the reviews of its controls amount to, by their sample.
    """
    mine = reviews.of(result.sample)
    missing = tuple(sorted(line.review for line, _ in mine.lost))
    chain = Chain(mine.reviews, missing)
    current, problems = [], list(mine.problems)
    standing: dict[str, str] = {}
    for review in chain.order:
        if review.result_digest != result.digest:
            standing[review.digest] = "stale"
        elif review in chain.waiting:
            standing[review.digest] = "waiting"
            problems.append(_refusal(review, _WAITING))
        elif fault := fault_of(result, review, reviews.people):
            standing[review.digest] = "refused"
            problems.append(_refusal(review, fault))
        else:
            current.append(review)
    standing |= {
        review.digest: "replaced" if any(_replaces(chain, other, review) for other in current) else "stands"
        for review in current
    }
    state, call, signatures, second = _decided(chain, current, reviews.people)
    doubts = _lost_doubts(mine, current)
    latest = chain.last(current)
    if current and result.role == "test":
        doubts += _control_doubts(controls or {}, latest)
    if not current and "stale" in standing.values():
        doubts.append(Doubt("result_changed"))
    if doubts and state != "repeat":
        state, call, signatures, second = "stale", "", (), ""
        standing |= {review.digest: "suspended" for review in current if standing[review.digest] == "stands"}
    history = tuple((review, standing[review.digest]) for review in chain.order)
    return ReviewState(state, call, history, signatures, second, tuple(problems), tuple(doubts), missing, chain)


_WAITING = (
    "previous",
    "follows a review that is not in the folder; it is not counted until that one is there.",
    "Put the file of the review before it there as well: the browser where it was signed saves it again.",
)


def _replaces(chain: Chain, later: Review, review: Review) -> bool:
    return later.person == review.person and chain.follows(later, review)


def _lost_doubts(mine: Reviews, current: list[Review]) -> list[Doubt]:
    """Return one doubt for each review changed or taken away that no later review acknowledges."""
    acknowledged = {digest for review in current for digest in review.missing}
    return [
        Doubt(f"review_{how}", {"who": line.reviewer, "when": line.signed_at, "file": line.file})
        for line, how in mine.lost
        if line.review not in acknowledged
    ]


def _control_doubts(controls: Mapping[str, ReviewState], latest: list[Review]) -> list[Doubt]:
    """Return why reviews of a patient are not valid given those of its controls.

    ``controls`` are what the reviews of each control amount to, ``latest`` the patient's last reviews. A control that
    is to be repeated, is out of date, or has a decision other than accepted invalidates all of them; one that
    was overridden to the call of a healthy person, those signed by somebody who had not seen it.
    """
    found = (_control_doubt(name, state, latest) for name, state in sorted(controls.items()))
    return [doubt for doubt in found if doubt is not None]


def _control_doubt(name: str, control: ReviewState, latest: list[Review]) -> Doubt | None:
    by = [review for review in control.signatures if review.decision != "accept"]
    who, when = (by[-1].reviewer, by[-1].signed_at) if by else ("", "")
    values = {"control": name, "who": who, "when": when, "call": control.reviewed_call}
    if control.state == "repeat":
        return Doubt("control_repeat", values)
    if control.state == "stale":
        return Doubt("control_stale", values)
    if control.state == "pending" and by:
        return Doubt("control_disputed", values | {"call": by[-1].call or ""})
    if control.state != "overridden":
        return None
    if control.reviewed_call not in HEALTHY:
        return Doubt("control_overridden", values)
    signed = {review.digest for review in control.signatures}
    seen = all(signed <= control.chain.behind(review.controls.get(name, ())) for review in latest)
    return None if seen else Doubt("control_unseen", values)


def _decided(chain: Chain, current: list[Review], people: People) -> tuple[str, str, tuple[Review, ...], str]:
    """Return state, reviewed call, the reviews that carry them and why a second signature is needed."""
    if not current:
        return "unsigned", "", (), ""
    last = chain.last(current)
    standing = [one for one in current if not any(_replaces(chain, other, one) for other in current)]
    repeats = [review for review in last if review.decision == "repeat"]
    if repeats:
        return "repeat", "", tuple(one for one in standing if one.decision == "repeat"), ""
    if len({review.verdict for review in last}) > 1:
        return "pending", "", tuple(last), "fork"
    latest = last[-1]
    differ = {review.person for review in standing if review.verdict != latest.verdict}
    alike = [one for one in standing if one.verdict == latest.verdict and (one.person not in differ or one in last)]
    second = needs_second(latest.decision, str(latest.call), bool(differ - {latest.person}))
    if second:
        lacking = _lacks_second(chain, alike, people)
        if lacking:
            return "pending", "", tuple(alike), second if lacking == "another" else lacking
    state = "accepted" if latest.decision == "accept" else "overridden"
    return state, str(latest.call), tuple(alike), second


def _lacks_second(chain: Chain, alike: list[Review], people: People) -> str:
    """Return what a second signature lacks: ``another`` person, a list of reviewers (``unlisted``), one who may sign
    second (``may_not``), or nothing.
    """
    pairs = [(one, other) for one in alike for other in alike if one.person != other.person]
    if not pairs:
        return "another"
    if not people.listed:
        return "unlisted"
    for first, second in pairs:
        person = people.find(second.reviewer)
        if person is not None and person.may_sign_second and not chain.follows(first, second):
            return ""
    return "may_not"


def needs_second(decision: str, call: str, disagreement: bool) -> str:
    """Return why a decision needs a second person, or nothing."""
    if decision == "override":
        return "override"
    if decision == "accept" and call in NEED_SECOND_SIGNATURE:
        return "abnormal"
    return "disagreement" if disagreement else ""


def _refusal(review: Review, fault: tuple[str, str, str]) -> Problem:
    key, message, remedy = fault
    return review_problem(review.file, message, remedy, key, review.sample)
