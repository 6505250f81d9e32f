"""Review files for tests: what the form of a report saves, with any part of it changed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from cd40l_flow.cohort.reviewers import People
from cd40l_flow.result.reviews.state import digest_of
from helpers.runs.cohorts import output, result

DIGEST = "a" * 64
PEOPLE = People.of(
    {"name": name, "role": role, "may_sign_second": second}
    for name, role, second in (
        ("A. Smith", "immunologist", True),
        ("Anna Smith", "immunologist", True),
        ("B. Kern", "pathologist", True),
        ("Berta Kern", "pathologist", True),
        ("C. Ruiz", "pathologist", True),
        ("T. Lehr", "technician", False),
    )
)


# The key of a configuration, with two of them.
REVIEWERS = """
reviewers:
  - {name: Anna Smith, role: immunologist, may_sign_second: true}
  - {name: Berta Kern, role: "pathologist {on call}", may_sign_second: true}
"""


def make_review(**changes: Any) -> dict[str, Any]:
    """Return a review that accepts an ABSENT call."""
    review: dict[str, Any] = {
        "schema_version": "1.0",
        "sample": "P01",
        "result_digest": DIGEST,
        "automatic_call": "ABSENT",
        "decision": "accept",
        "reviewed_call": None,
        "reason_code": None,
        "comment": "",
        "reviewer": "A. Smith",
        "signed_at": "2026-01-05T10:00:00Z",
        "gates": [],
    }
    return review | changes


def override(call: str = "REDUCED", **changes: Any) -> dict[str, Any]:
    """Return a review that overrides an ABSENT call."""
    told = {"decision": "override", "reviewed_call": call, "reason_code": "GATING", "comment": "The gate cuts."}
    return make_review(**{**told, **changes})


def repeat(**changes: Any) -> dict[str, Any]:
    """Return a review that asks for a repeat."""
    return make_review(**{"decision": "repeat", "comment": "Too old a blood.", **changes})


def verdict(word: str = "adjust", comment: str = "cuts the cloud", **changes: str | None) -> dict[str, str | None]:
    """Return a verdict on one gate."""
    place = {"tube": "P01_1.fcs", "stimulation": "stimulated", "reagent": "CD154", "population": "CD3+"}
    return {**place, "verdict": word, "comment": comment, **changes}


def review_of(cohort: Path, sample: str, **changes: Any) -> dict[str, Any]:
    """Return a review that accepts the present result of a sample."""
    told = {"sample": sample, "automatic_call": result(cohort, sample)["call"]}
    return make_review(**told, result_digest=digest_of(output(cohort, sample, "result.json")), **changes)


def write_review(folder: Path, name: str, review: object) -> Path:
    """Write a review, or other JSON, into a folder of reviews."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(json.dumps(review), encoding="utf-8")
    return path


def chained(*before: Path, **changes: Any) -> dict[str, Any]:
    """Return a review as present reports save it, signed in sight of those files; ``changes`` as of `make_review`."""
    previous = [hashlib.sha256(path.read_bytes()).hexdigest() for path in before]
    told = {"schema_version": "1.1", "previous": previous, "missing": [], "controls": {}, "parts": {}}
    return make_review(**{**told, **changes})
