"""What the reviews of a control do to those of its patients: no signature stands on a control that was rejected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cd40l_flow.assay.effects import HEALTHY
from cd40l_flow.result.reviews.doubts import Doubt

if TYPE_CHECKING:
    from cd40l_flow.result.reviews.files import Review
    from cd40l_flow.result.reviews.state import ReviewState


def control_doubts(controls: Mapping[str, ReviewState], latest: list[Review]) -> list[Doubt]:
    """Return why reviews of a patient cannot stand on those of its controls.

    ``controls`` are what the reviews of each control amount to, ``latest`` the patient's last reviews. A control that
    is to be repeated, is out of date, or has a decision other than accepted is no ground for any; one that was
    overridden to what a healthy person is called only for reviews that were signed in sight of it.
    """
    found = (_doubt(name, state, latest) for name, state in sorted(controls.items()))
    return [doubt for doubt in found if doubt is not None]


def _doubt(name: str, control: ReviewState, latest: list[Review]) -> Doubt | None:
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
