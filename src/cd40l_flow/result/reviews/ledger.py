"""The ledger: one line for every review that was ever taken up, so that one edited or taken away later is found.

Each line names the digest of the line before it. Lines are only added: by one write each time, under a lock, by the
process that plans a run.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cd40l_flow.base.disk import WriteError
from cd40l_flow.base.errors import Problem
from cd40l_flow.base.plain_json import JsonFault, parse_strictly
from cd40l_flow.result.reviews.files import (
    LEDGER,
    Line,
    Review,
    fingerprints,
    read_reviews,
    review_files,
    review_problem,
)

# Clocks of two computers differ a little: so far ahead, in seconds, is no fault.
CLOCKS_DIFFER = 600
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
_KEYS = ("before", "decision", "file", "review", "reviewer", "sample", "signed_at")


@dataclass(frozen=True)
class Ledger:
    """Every line that could be read, and what is wrong with the others."""

    lines: tuple[Line, ...] = ()
    problems: tuple[Problem, ...] = ()

    def of(self, samples: Collection[str]) -> tuple[Line, ...]:
        """Return the lines of some samples."""
        return tuple(line for line in self.lines if line.sample in samples)


def ledger_of(folder: str | None) -> Path | None:
    """Return where the ledger of a reviews folder lies; None where there is no such folder."""
    return Path(folder) / LEDGER if folder and Path(folder).is_dir() else None


def read_ledger(path: Path | None) -> Ledger:
    """Read a ledger; one that is not there has no lines."""
    try:
        content = path.read_bytes() if path is not None else b""
    except FileNotFoundError:
        content = b""
    except OSError as error:
        message = f"cannot be read: {error.strerror}."
        return Ledger((), (review_problem(str(path), message, "Give read permission."),))
    return _parse(str(path), content)[0]


def take_up(folder: str | None, samples: Collection[str], now: float) -> list[Problem]:
    """Add every review of ``samples`` that is not in the ledger yet; return why some could not be added.

    A review dated ahead of the clock (``now``, seconds since 1970) is not taken up, nor is a file that has another
    content than when it was taken up.
    """
    path = ledger_of(folder)
    files = review_files(folder)[0]
    if path is None or (not files and not path.exists()):
        return []
    if path.exists() and not path.is_file():
        return [review_problem(str(path), "is no file.", "Move it away: the ledger of the reviews goes there.")]
    try:
        with path.open("a+b") as file:
            _lock(file.fileno())
            file.seek(0)
            content = file.read()
            ledger, before, whole = _parse(str(path), content)
            known = {line.review for line in ledger.lines}
            digests = fingerprints(files)
            named = {line.file for line in ledger.lines if line.review not in digests}
            new = [path for path, digest in zip(files, digests, strict=True) if digest not in known]
            due = [
                review for review in read_reviews(new).reviews if review.sample in samples and review.file not in named
            ]
            ahead = [review for review in due if is_ahead(review, now)]
            added = b""
            for review in (review for review in due if review not in ahead):
                line = _line(review, before)
                before = hashlib.sha256(line).hexdigest()
                added += line
            if added:
                # What a write that was cut has left is no line: those reviews are added again.
                file.truncate(whole)
                os.write(file.fileno(), added)
                os.fsync(file.fileno())
    except OSError as error:
        why = str(error) if isinstance(error, WriteError) else f"cannot be written: {error.strerror or error}."
        return [review_problem(str(path), why, "Give write permission: until then no new review is counted.")]
    return [ahead_problem(str(path.with_name(review.file)), review) for review in ahead]


def _lock(descriptor: int) -> None:
    """Wait for whoever writes the ledger now; on a file system without locks the single write must suffice."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise


def is_ahead(review: Review, now: float) -> bool:
    """Return whether a review is dated ahead of the clock."""
    signed = datetime.strptime(review.signed_at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return signed.timestamp() > now + CLOCKS_DIFFER


def ahead_problem(file: str, review: Review) -> Problem:
    """Return the problem of a review that is dated ahead of the clock."""
    message = f"is dated {review.signed_at}, which lies ahead of this computer's clock; it is not counted."
    remedy = "Set the clock of the computer where it was signed, or of this one, and sign again."
    return review_problem(file, message, remedy, "signed_at", review.sample)


def altered(lines: Iterable[Line], present: Collection[str], files: Collection[str]) -> list[tuple[Line, str]]:
    """Return every review that was taken up and is no longer there: ``changed`` where its file has another content.

    ``present`` are the digests of the review files that lie there, ``files`` their names.
    """
    lost = [line for line in lines if line.review not in present]
    return [(line, "changed" if line.file in files else "gone") for line in lost]


def altered_problem(folder: str, line: Line, how: str) -> Problem:
    """Return the problem of a review that was changed or taken away after it was taken up."""
    signed = f"signed by {line.reviewer}, {line.signed_at} ({line.decision})"
    message = (
        f"was changed after it was taken up: the review {signed} is not what it was, and is not counted."
        if how == "changed"
        else f"is not there any more: it was taken up as the review {signed}."
    )
    remedy = "Put the file back as it was; if that cannot be done, sign again in the new report, which states this."
    return review_problem(str(Path(folder) / line.file), message, remedy, "", line.sample)


def _line(review: Review, before: str) -> bytes:
    values = (before, review.decision, review.file, review.digest, review.reviewer, review.sample, review.signed_at)
    row = dict(zip(_KEYS, values, strict=True))
    return (json.dumps(row, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _parse(path: str, content: bytes) -> tuple[Ledger, str, int]:
    """Return the ledger, the digest of its last whole line and how many bytes are whole lines."""
    lines, problems, before = [], [], ""
    whole = content.rfind(b"\n") + 1
    for number, text in enumerate(content[:whole].splitlines(keepends=True), 1):
        row = _row(text)
        if row is None:
            problems.append(_ledger_problem(path, number, "is no line of a ledger"))
        else:
            lines.append(Line(**{key: value for key, value in row.items() if key != "before"}))
            if row["before"] != before:
                problems.append(_ledger_problem(path, number, "does not follow the line before it"))
        before = hashlib.sha256(text).hexdigest()
    return Ledger(tuple(lines), tuple(problems)), before, whole


def _row(text: bytes) -> dict[str, str] | None:
    try:
        row: Any = parse_strictly(text)
    except JsonFault:
        return None
    good = isinstance(row, dict) and sorted(row) == list(_KEYS) and all(isinstance(row[key], str) for key in _KEYS)
    return row if good else None


def _ledger_problem(path: str, number: int, what: str) -> Problem:
    message = f"line {number} {what}: the ledger was edited, or two runs wrote it at once without a common lock."
    return review_problem(path, message, "Put back the ledger of your last backup, and ask who changed it.")
