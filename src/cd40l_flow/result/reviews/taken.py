"""The reviews that count: good files that the ledger holds as they are, and what became of the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from cd40l_flow.cohort.reviewers import People
from cd40l_flow.result.reviews.files import Reviews, fingerprints, read_reviews, review_problem
from cd40l_flow.result.reviews.ledger import altered, altered_problem, read_ledger


def taken_reviews(files: Iterable[str | Path], ledger: str | Path | None, people: People) -> Reviews:
    """Read review files against the ledger that lies beside them.

    One that is not in it is reported and does not count: it was dated ahead of the clock, or came after the run was
    planned. Without a ledger nothing is known of what was there before, and every good file counts.
    """
    paths = sorted(map(Path, files))
    read = replace(read_reviews(paths), people=people)
    if ledger is None:
        return read
    written = read_ledger(Path(ledger))
    known = {line.review for line in written.lines}
    lost = altered(written.lines, set(fingerprints(paths)), {path.name for path in paths})
    changed = {line.file for line, how in lost if how == "changed"}
    problems = [*read.problems, *written.problems]
    problems += [altered_problem("", line, how) for line, how in lost]
    for review in read.reviews:
        if review.digest not in known and review.file not in changed:
            message = (
                f"is dated {review.signed_at} and was not taken up by this run: its date lies ahead of the clock, "
                "or it was saved after the run began. It is not counted."
            )
            remedy = "Run the workflow again; if this message stays, set the clock and sign again."
            problems.append(review_problem(review.file, message, remedy, "signed_at", review.sample))
    counted = tuple(review for review in read.reviews if review.digest in known)
    return replace(read, reviews=counted, problems=tuple(problems), lost=tuple(lost))
