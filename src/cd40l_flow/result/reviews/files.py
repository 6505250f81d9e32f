"""Signed reviews: files of the ``reviews`` folder, each one signature by one person on one result.

Files are only ever added: a later review never deletes an earlier one, and all of them are shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypedDict

from cd40l_flow.base.errors import Problem
from cd40l_flow.base.plain_json import JsonFault, parse_strictly, read_bounded
from cd40l_flow.cohort.reviewers import People, person_key

SCHEMA = "review.schema.json"
# In the folder of the reviews.
LEDGER = "ledger.jsonl"
# Made before reviews named one another; they are taken as a chain of their own, by time.
FIRST_VERSION = "1.0"
MOST_BYTES = 200_000
# Calls whose words are not the same for males and females: nobody can sign them while the sex is not known.
_WORDED_BY_SEX = ("NORMAL", "ABSENT", "MOSAIC", "FUNCTIONAL_DEFECT")
_SAVE_AGAIN = "Sign again in the report and save the file as it comes; files are not meant to be edited."


class JudgedGate(TypedDict):
    """The verdict on one gate with a comment, which may be empty; of one that all tubes share there is no tube.

    ``verdict`` is ``accept``, ``adjust`` or ``exclude``.
    """

    tube: str | None
    stimulation: str | None
    reagent: str | None
    population: str
    verdict: str
    comment: str


@dataclass(frozen=True)
class Review:
    """One signature. ``call`` is the call that it signs, None for a repeat; ``file`` is the name of its file.

    ``digest`` is the SHA-256 of the file. ``previous`` are the digests of the reviews that came last in the report that
    was signed (two where they were signed independently), ``missing`` those it reported as changed or gone,
    ``controls`` the last reviews of each control; ``parts`` has a digest for each part of the result that was signed.
    All four are empty in a file of version 1.0.
    """

    file: str
    sample: str
    result_digest: str
    automatic_call: str
    decision: str
    call: str | None
    reason_code: str | None
    comment: str
    reviewer: str
    signed_at: str
    gates: tuple[JudgedGate, ...] = ()
    digest: str = ""
    version: str = FIRST_VERSION
    previous: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    controls: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)

    @property
    def person(self) -> str:
        """Who signed, however the name is written."""
        return person_key(self.reviewer)

    @property
    def verdict(self) -> tuple[str, str | None]:
        """What two persons must agree in."""
        return self.decision, self.call


@dataclass(frozen=True)
class Line:
    """A review as it was taken up: its file, and the SHA-256 of its bytes."""

    sample: str
    file: str
    review: str
    reviewer: str
    signed_at: str
    decision: str


@dataclass(frozen=True)
class Reviews:
    """What the review files of a cohort hold: the good ones by time, and every problem of the others.

    A problem names the sample where the file does. ``lost`` are those that were taken up and are changed or gone
    since, with which of the two; ``people`` the reviewers of the configuration.
    """

    reviews: tuple[Review, ...] = ()
    problems: tuple[Problem, ...] = ()
    lost: tuple[tuple[Line, str], ...] = ()
    people: People = People()

    def of(self, sample: str) -> Reviews:
        """Return those of one sample."""
        return replace(
            self,
            reviews=tuple(review for review in self.reviews if review.sample == sample),
            problems=tuple(problem for problem in self.problems if problem.sample == sample),
            lost=tuple(lost for lost in self.lost if lost[0].sample == sample),
        )

    def none(self) -> Reviews:
        """Return those of a sample that nobody has signed."""
        return Reviews(people=self.people)

    def by_sample(self) -> dict[str, Reviews]:
        """Return those of each sample that has any."""
        names = [review.sample for review in self.reviews] + [line.sample for line, _ in self.lost]
        names += [problem.sample for problem in self.problems if problem.sample is not None]
        groups: dict[str, tuple[list[Any], list[Any], list[Any]]] = {name: ([], [], []) for name in names}
        for review in self.reviews:
            groups[review.sample][0].append(review)
        for problem in self.problems:
            if problem.sample is not None:
                groups[problem.sample][1].append(problem)
        for lost in self.lost:
            groups[lost[0].sample][2].append(lost)
        return {
            name: Reviews(tuple(good), tuple(bad), tuple(lost), self.people)
            for name, (good, bad, lost) in groups.items()
        }


def review_files(folder: str | None) -> tuple[list[Path], list[Problem]]:
    """Return the files of the reviews folder by name, and what else lies there; a folder not there holds none."""
    place = Path(folder) if folder else None
    if place is None or not place.exists():
        return [], []
    if not place.is_dir():
        return [], [
            review_problem(str(place), "is not a folder.", "Name the folder of the reviews in the configuration.")
        ]
    try:
        entries = sorted(place.iterdir())
    except OSError as error:
        return [], [review_problem(str(place), f"cannot be read: {error.strerror}.", "Give read permission.")]
    entries = [entry for entry in entries if not entry.name.startswith((".", "README")) and entry.name != LEDGER]
    strange = [entry for entry in entries if entry.suffix != ".json" or not entry.is_file()]
    remedy = "Reviews are files that end in .json, all in this one folder; rename or move it."
    return [entry for entry in entries if entry not in strange], [
        review_problem(str(entry), "is not taken for a review.", remedy) for entry in strange
    ]


def read_reviews(files: Iterable[Path]) -> Reviews:
    """Read review files, by time, then file name; one that breaks the schema is reported with its faults."""
    found: dict[bytes, Review] = {}
    problems: list[Problem] = []
    for path in sorted(files):
        content, faults = _read_bytes(path)
        if content in found:
            continue  # the same signature, saved twice
        value: Any = None
        if not faults:
            value, faults = _parse(content)
        if not faults:
            faults = _faults(value)
        if faults:
            named = value.get("sample") if isinstance(value, dict) else None
            sample = named if isinstance(named, str) else None
            problems += [review_problem(str(path), message, remedy, key, sample) for key, message, remedy in faults]
        else:
            found[content] = _review(path.name, content, value)
    ordered = sorted(found.values(), key=lambda review: (review.signed_at, review.file))
    return Reviews(tuple(ordered), tuple(problems))


def files_by_sample(folder: str | None) -> dict[str, list[Path]]:
    """Return the review files, good or not, by the sample they name; under "" those that do not name one."""
    found: dict[str, list[Path]] = {}
    for path in review_files(folder)[0]:
        content, faults = _read_bytes(path)
        value = None if faults else _parse(content)[0]
        named = value.get("sample") if isinstance(value, dict) else None
        found.setdefault(named if isinstance(named, str) else "", []).append(path)
    return found


def fingerprints(files: Iterable[str | Path]) -> list[str]:
    """Return the SHA-256 of review files: one that is replaced counts as changed, whatever its time says."""
    found = []
    for path in sorted(map(Path, files)):
        content, faults = _read_bytes(path)
        found.append(faults[0][1] if faults else hashlib.sha256(content).hexdigest())
    return found


def blocked(role: str, sex: str, call: str | None) -> bool:
    """Return whether a call may not be signed because its words depend on a sex that is not known."""
    return role == "test" and sex == "unknown" and call in _WORDED_BY_SEX


def _read_bytes(path: Path) -> tuple[bytes, list[tuple[str, str, str]]]:
    try:
        return read_bounded(path, MOST_BYTES), []
    except FileNotFoundError:
        return b"", [("", "cannot be read: it is not there any more.", "Copy it again.")]
    except JsonFault as error:
        messages = str(error)
        if messages.startswith("is larger"):
            return b"", [("", f"{messages.removesuffix('.')}: no report saves such a file.", _SAVE_AGAIN)]
        return b"", [("", messages, "Copy it again.")]


def _parse(content: bytes) -> tuple[Any, list[tuple[str, str, str]]]:
    try:
        return parse_strictly(content), []
    except JsonFault as error:
        return None, [("", str(error), _SAVE_AGAIN)]


def _faults(value: Any) -> list[tuple[str, str, str]]:
    """Return every fault as (key, message, remedy)."""
    from cd40l_flow.base.schema import faults, load_schema, shown

    if not isinstance(value, dict):
        return [("", f"holds {shown(value)} in place of a review.", _SAVE_AGAIN)]
    messages = [
        (".".join(map(str, path)), message, remedy or _SAVE_AGAIN)
        for path, message, remedy in faults(value, load_schema(SCHEMA))
    ]
    messages = list(dict.fromkeys(messages))
    if messages:
        return messages
    try:
        datetime.strptime(value["signed_at"], "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        messages.append(("signed_at", f"found {shown(value['signed_at'])}, which is no date.", _SAVE_AGAIN))
    if not any(sign.isalpha() for sign in value["reviewer"]):
        messages.append(("reviewer", f"found {shown(value['reviewer'])}, expected a name.", _SAVE_AGAIN))
    if value["decision"] == "override" and value["reviewed_call"] == value["automatic_call"]:
        remedy = "To agree with the automatic call, accept it."
        messages.append(("reviewed_call", f"overrides {value['automatic_call']} by the same call.", remedy))
    places = [(gate["tube"], gate["stimulation"], gate["reagent"], gate["population"]) for gate in value["gates"]]
    if len(set(places)) < len(places):
        messages.append(("gates", "judges one gate twice.", _SAVE_AGAIN))
    return messages


def _review(file: str, content: bytes, value: Mapping[str, Any]) -> Review:
    call = {"accept": value["automatic_call"], "override": value["reviewed_call"]}.get(value["decision"])
    chained = value if value["schema_version"] != FIRST_VERSION else {}
    return Review(
        file=file,
        sample=value["sample"],
        result_digest=value["result_digest"],
        automatic_call=value["automatic_call"],
        decision=value["decision"],
        call=call,
        reason_code=value["reason_code"],
        comment=value["comment"].strip(),
        reviewer=" ".join(value["reviewer"].split()),
        signed_at=value["signed_at"],
        gates=tuple(value["gates"]),
        digest=hashlib.sha256(content).hexdigest(),
        version=value["schema_version"],
        previous=tuple(chained.get("previous", ())),
        missing=tuple(chained.get("missing", ())),
        controls={name: tuple(heads) for name, heads in chained.get("controls", {}).items()},
        parts=chained.get("parts", {}),
    )


def review_problem(file: str, message: str, remedy: str, key: str = "", sample: str | None = None) -> Problem:
    """Return a problem of a review file, in letters that any terminal shows as they are."""
    # What a file holds may be meant to be obeyed by a terminal, or to turn the direction of a line.
    file, message, key = (
        "".join(sign if sign.isprintable() else "?" for sign in text) for text in (file, message, key)
    )
    return Problem("REVIEW", "warning", message, file, None, key or None, sample, remedy)
