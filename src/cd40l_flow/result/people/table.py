"""``subjects.tsv``: one row a person, with the calls that are read together."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from cd40l_flow.base.disk import write_atomically
from cd40l_flow.cohort.cells import safe
from cd40l_flow.decision.b_cells.joint import SERUM
from cd40l_flow.result.people.joined import Person
from cd40l_flow.result.summary import format_cell

_CALLS = {"cd40l": "cd154", "memory_b": "memory", "cd40": "cd40"}
COLUMNS = (
    *("subject", "sex", "age_band", "samples"),
    *(f"{name}_{what}" for name in _CALLS.values() for what in ("sample", "call")),
    *SERUM,
    *("genotype", "joint", "genes", "contradictions", "page"),
)


def person_row(person: Person) -> dict[str, str]:
    """Return the row of one person: the last sample of each assay with the call that holds, missing empty.

    ``samples`` are all of them in order, ``joint`` the rows of the table of section "joint reading" that fit,
    ``genes`` what to sequence, the most informative first.
    """
    row = dict.fromkeys(COLUMNS, "")
    row |= {"subject": person.name, "sex": person.sex, "age_band": person.visits[-1].result.age_band or ""}
    row["samples"] = ";".join(visit.entry.sample for visit in person.visits)
    for assay, visit in person.read.items():
        row |= {f"{_CALLS[assay]}_sample": visit.entry.sample, f"{_CALLS[assay]}_call": visit.call}
    row |= {name: format_cell(value) for name, (value, _) in person.serum.items()}
    row |= {"genotype": person.genotype, "joint": ";".join(person.joint.keys), "genes": ";".join(person.joint.genes)}
    row["contradictions"] = ";".join(dict.fromkeys(one.column for one in person.contradictions))
    row["page"] = page_name(person.name)
    return {column: safe(text) for column, text in row.items()}


def page_name(person: str) -> str:
    """Return where a person's page lies, from the folder of the table."""
    return f"subjects/{person}.html"


def write_table(people: Sequence[Person], path: str | Path) -> None:
    """Write ``subjects.tsv``, one row a person, in the order of their names."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows(person_row(person) for person in people)
    write_atomically(path, text.getvalue())
