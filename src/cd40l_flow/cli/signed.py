"""The reviews that a command is given."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from cd40l_flow.base.errors import Cd40lFlowError

if TYPE_CHECKING:
    from cd40l_flow.result.reviews.files import Reviews


def reviews_of(options: argparse.Namespace) -> Reviews:
    """Return the reviews that ``--reviews``, ``--ledger`` and ``--reviewers`` name, against the ledger."""
    from cd40l_flow.cohort.reviewers import People
    from cd40l_flow.result.reviews.files import LEDGER, review_files
    from cd40l_flow.result.reviews.taken import taken_reviews

    files = [path for place in options.reviews for path in ([place] if _is_file(place) else review_files(place)[0])]
    ledgers = [Path(place) / LEDGER for place in options.reviews if (Path(place) / LEDGER).is_file()]
    try:
        people = People.of(json.loads(options.reviewers))
    except (ValueError, TypeError, KeyError):
        wanted = 'expected a list in JSON, as [{"name": "A. Smith", "role": "immunologist", "may_sign_second": true}].'
        raise Cd40lFlowError(f"--reviewers: {wanted}") from None
    return taken_reviews(files, next(iter([*options.ledger, *ledgers]), None), people)


def _is_file(place: str) -> bool:
    return place.endswith(".json")
