"""The page of one person, and the table of all: written next to the results that they show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from cd40l_flow.assay.texts import load_texts, person_texts
from cd40l_flow.base.disk import write_atomically
from cd40l_flow.report.pages import read_asset, running_header, security_policy, template
from cd40l_flow.report.subjects.course import course_view
from cd40l_flow.report.subjects.rows import serum_rows, test_groups
from cd40l_flow.result.cohort import Entry
from cd40l_flow.result.people.joined import Person, people_of
from cd40l_flow.result.people.table import page_name, write_table
from cd40l_flow.result.reviews.files import Reviews
from cd40l_flow.result.reviews.signable import signable
from cd40l_flow.result.reviews.state import states_of
from cd40l_flow.result.types.result import Result

_ANSWERS = ("transplant", "calcineurin_inhibitor", "steroid", "b_depletion", "anti_cd154", "anti_cd40", "transfusion")


class Joint(TypedDict):
    """What the calls of all assays mean together; ``why`` says why there is no reading, or is empty."""

    own: str
    reading: tuple[str, ...]
    why: str
    notes: list[str]
    next: tuple[str, ...]
    genes: tuple[str, ...]


def write_people(
    entries: Sequence[Entry],
    table: str | Path,
    reviews: Reviews | None = None,
    ages: Mapping[str, float | None] | None = None,
    *,
    all_people: bool = False,
) -> list[str]:
    """Write ``subjects.tsv`` and next to it the page of every person that the entries name; return their names.

    A report is linked where it is that of exactly the result shown. ``ages`` are those of the sheet, in years, by
    sample. ``all_people`` says that there are no others: pages of people that are not named any more are taken away.
    """
    reviews, folder = reviews or Reviews(), Path(table).parent
    states = states_of({entry.sample: signable(entry.result, entry.digest) for entry in entries}, reviews)
    people = people_of(entries, states, ages or {})
    pages = folder / "subjects"
    results = {entry.sample: entry.result for entry in entries}
    for person in people:
        hrefs = {visit.entry.sample: visit.entry.report(pages) for visit in person.visits}
        write_atomically(folder / page_name(person.name), render_person(person, hrefs, results))
    if all_people and pages.is_dir():
        known = {Path(page_name(person.name)).name for person in people}
        for page in sorted(pages.glob("*.html")):
            if page.name not in known:
                page.unlink()
    write_table(people, table)
    return [person.name for person in people]


def render_person(person: Person, hrefs: Mapping[str, str | None], results: Mapping[str, Result]) -> str:
    """Return the page of one person; ``hrefs`` are the reports of its samples, relative to it, where there are any.

    ``results`` are those of all samples, by name: a control's own values are shown with those of a patient.
    """
    from markupsafe import Markup

    from cd40l_flow.figures.drawing import svg

    words, texts = person_texts(), load_texts()
    runs = ", ".join(sorted({visit.result.run for visit in person.visits}))
    running = words["running"].format(name=person.name, count=len(person.visits), runs=runs)
    style = "\n".join([read_asset("style.css", "report.css", "subject.css"), running_header(running)])
    control = all(visit.result.role == "control" for visit in person.visits)
    title = words["control_title" if control else "title"].format(name=person.name)
    context: dict[str, object] = {
        "t": texts,
        "w": words,
        "svg": svg,
        "style": Markup(style),
        "policy": security_policy(style),
        "title": title,
        "person": person,
        "slots": _slots(person, runs),
        "history": _history(person),
        "groups": test_groups(person, hrefs, results),
        "serum": serum_rows(person),
        "joint": _joint(person),
        "course": course_view(person, hrefs),
        "samples": ", ".join(visit.entry.sample for visit in person.visits),
    }
    return template("subject.html.j2").render(context).lstrip()


def _slots(person: Person, runs: str) -> list[tuple[str, str]]:
    """Return who it is, as (label, value)."""
    words, texts = person_texts()["slots"], load_texts()
    bands = dict.fromkeys(visit.result.age_band or texts["unknown"] for visit in person.visits)
    families = dict.fromkeys(visit.result.family for visit in person.visits if visit.result.family)
    sexes = dict.fromkeys(visit.result.sex for visit in person.visits if visit.result.sex != "unknown")
    sex_words = [texts["context"]["sexes"][sex] for sex in sexes or ("unknown",)]
    return [
        (words["name"], person.name),
        (words["sex"], " / ".join(sex_words)),
        (words["age_band"], ", then ".join(bands)),
        (words["samples"], str(len(person.visits))),
        (words["runs"], runs),
        *([(words["family"], ", ".join(families))] if families else []),
    ]


def _history(person: Person) -> list[tuple[str, str]]:
    """Return what the rows state about transplant and drugs, as (label, answers): where they differ, all of them."""
    words, found = load_texts()["context"], []
    for name in _ANSWERS:
        answers: dict[str, None] = dict.fromkeys(getattr(visit.result.metadata, name) for visit in person.visits)
        known = [answer for answer in answers if answer != "unknown"]
        if known:
            found.append((words[name], ", ".join(known)))
    return found


def _joint(person: Person) -> Joint:
    """Return what the calls mean together, of which samples, and what to do next."""
    words, texts = person_texts()["joint"], load_texts()
    notes = [words["unordered"].format(assay=texts["assays"][assay]) for assay in person.unordered]
    dates = {visit.result.metadata.collected for visit in person.read.values()}
    if len(dates) > 1:
        notes.append(words["dates"])
    samples = [
        words["sample"].format(
            assay=texts["assays"][assay],
            sample=visit.entry.sample,
            call=texts["calls"][visit.call]["word"],
            state=f", {texts['index']['review'][visit.review.state]}",
            date=f", {visit.result.metadata.collected}" if visit.result.metadata.collected else "",
        )
        for assay, visit in person.read.items()
    ]
    silent = words[person.silent] if person.silent else ""
    reading = person.joint.reading
    return {
        "own": words["own"].format(samples="; ".join(samples)),
        "reading": reading,
        "why": silent or ("" if reading else words["nothing"]),
        "notes": notes,
        "next": person.joint.next_steps,
        "genes": person.joint.genes,
    }
