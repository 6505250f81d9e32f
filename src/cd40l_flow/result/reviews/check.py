"""Every problem of the reviews folder, as the check reports it before anything is run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cd40l_flow.base.errors import Problem
from cd40l_flow.result.reviews.files import blocked, fingerprints, read_reviews, review_files, review_problem
from cd40l_flow.result.reviews.ledger import ahead_problem, altered, altered_problem, is_ahead, ledger_of, read_ledger


def folder_problems(folder: str | None, samples: Mapping[str, Any], now: float) -> list[Problem]:
    """Return every problem of the reviews folder at once.

    ``samples`` are the samples of the sheet by name, ``now`` the clock in seconds since 1970. What the ledger holds of
    samples that the sheet does not name any more is ignored.
    """
    files, problems = review_files(folder)
    reviews, ledger, place = read_reviews(files), read_ledger(ledger_of(folder)), Path(folder or "")
    problems += [*reviews.problems, *ledger.problems]
    lost = altered(ledger.of(set(samples)), set(fingerprints(files)), {path.name for path in files})
    problems += [altered_problem(str(place), line, how) for line, how in lost]
    known = {line.review for line in ledger.lines}
    for review in reviews.reviews:
        file = str(place / review.file)
        sample = samples.get(review.sample)
        if review.digest not in known and is_ahead(review, now):
            problems.append(ahead_problem(file, review))
        if sample is None:
            message = f"is a review of '{review.sample}', which is no sample of the sheet."
            problems.append(review_problem(file, message, "Move it to the reviews of its own cohort.", "sample"))
        elif blocked(sample.role, sample.sex, review.call):
            message = f"signs {review.call}, whose words depend on the sex, which the sheet does not state."
            remedy = "Fill in the sex, run the workflow again and sign the new report."
            problems.append(review_problem(file, message, remedy, "decision", review.sample))
    return problems
