"""Whether a well-formed review can be one of a result: its call, its signer, its gates."""

from __future__ import annotations

from cd40l_flow.assay.effects import GRAVE, calls_of
from cd40l_flow.cohort.reviewers import People
from cd40l_flow.result.reviews.files import FIRST_VERSION, JudgedGate, Review, blocked
from cd40l_flow.result.reviews.signable import GatePlace, Signable

NEED_SECOND_SIGNATURE = GRAVE
# Calls that are signed only when every gate was judged.
NEED_GATES = GRAVE
_DO_NOT_EDIT = "Sign again in the report; do not edit the file."


def fault_of(result: Signable, review: Review, people: People) -> tuple[str, str, str] | None:
    """Return (key, message, remedy) where a well-formed review cannot be one of this result."""
    if review.automatic_call != result.call:
        message = f"says that the automatic call is {review.automatic_call}; the result says {result.call}."
        return "automatic_call", message, _DO_NOT_EDIT
    if review.call is not None and review.call not in calls_of(result.assay):
        return "reviewed_call", f"signs {review.call}, which is no call of this assay.", _DO_NOT_EDIT
    if blocked(result.role, result.sex, review.call):
        message = f"signs {review.call}, whose words depend on the sex, which the sheet does not state."
        return "decision", message, "Fill in the sex, run the workflow again and sign the new report."
    if people.listed and people.find(review.reviewer) is None:
        message = f"is signed by '{review.reviewer}', who is not among the reviewers of the configuration."
        return "reviewer", message, "Sign under a name that the configuration lists, or add the person to reviewers."
    judged = {_place(gate) for gate in review.gates}
    for tube, stimulation, reagent, population in judged:
        there = (tube, stimulation, reagent) in result.tubes if tube is not None else population in result.shared
        if not there:
            return "gates", "judges a gate of a tube that the result does not have.", _DO_NOT_EDIT
    missing = [place for place in result.gates if place not in judged]
    if missing and review.call in NEED_GATES and review.version != FIRST_VERSION:
        message = f"signs {review.call} with {len(missing)} of {len(result.gates)} gates not judged."
        return "gates", message, "Judge every gate in the report, and sign again."
    return None


def _place(gate: JudgedGate) -> GatePlace:
    return gate["tube"], gate["stimulation"], gate["reagent"], gate["population"]
