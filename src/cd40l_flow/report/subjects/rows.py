"""The tests of one person: what each sample found, what it is compared with, and the call that holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypedDict

from cd40l_flow.assay.b_cell_limits import age_rows
from cd40l_flow.assay.effects import INDETERMINATE
from cd40l_flow.assay.lookup import assay_named, using
from cd40l_flow.assay.texts import load_texts, person_texts, reason_texts
from cd40l_flow.report.b_cell_rows import ratio_interval, ratio_words, share_interval, share_words
from cd40l_flow.result.numbers import format_interval, format_measure, format_number
from cd40l_flow.result.people.joined import Person, Visit
from cd40l_flow.result.types.b_cells import Cd40, Memory, deciding, deciding_share
from cd40l_flow.result.types.result import Result


class FindingRow(TypedDict):
    """One finding with its unit, its 95 % interval, and what it is compared with; the last two may be empty."""

    test: str
    finding: str
    interval: str
    reference: str


class SampleFindings(TypedDict):
    """The findings of one sample, with the call that holds; ``automatic`` is empty unless it is another one.

    ``read`` states that the assays are read together by this sample, or is empty.
    """

    date: str
    sample: str
    href: str | None
    run: str
    assay: str
    call: str
    word: str
    automatic: str
    state_word: str
    reasons: list[str]
    read: str
    rows: list[FindingRow]


class SerumRow(TypedDict):
    """One immunoglobulin with its unit and the limits of its age, or the genotype; and the samples that state it."""

    test: str
    value: str
    limits: str
    flag: str
    sample: str


def test_groups(person: Person, hrefs: Mapping[str, str | None], results: Mapping[str, Result]) -> list[SampleFindings]:
    """Return one group of rows a sample, in the order of collection.

    ``hrefs`` are the reports by sample, ``results`` those of all samples, for the controls' own values.
    """
    read = {visit.entry.sample for visit in person.read.values()} if len(person.visits) > len(person.read) else set()
    return [
        _group(visit, hrefs.get(visit.entry.sample), results, visit.entry.sample in read) for visit in person.visits
    ]


def _group(visit: Visit, href: str | None, results: Mapping[str, Result], read: bool) -> SampleFindings:
    words, result = person_texts()["tests"], visit.result
    with using(assay_named(result.assay)):
        rows = list(_rows(result, results))
        reasons = [reason_texts(code)["name"] for code in result.reasons]
    texts = load_texts()
    held = visit.call
    return {
        "date": result.metadata.collected or words["no_date"],
        "sample": result.sample,
        "href": href,
        "run": words["run"].format(run=result.run),
        "assay": texts["assays"][result.assay],
        "call": held,
        "word": texts["calls"][held]["word"],
        "automatic": texts["calls"][result.call]["word"] if held != result.call else "",
        "state_word": texts["index"]["review"][visit.review.state],
        "reasons": reasons,
        "read": words["reading"] if read else "",
        "rows": rows or [_row(texts["assays"][result.assay], words["nothing"])],
    }


def _row(test: str, finding: str, interval: str = "", reference: str = "") -> FindingRow:
    return {"test": test, "finding": finding, "interval": interval, "reference": reference}


def _rows(result: Result, results: Mapping[str, Result]) -> Iterator[FindingRow]:
    """Yield the findings of one sample, in the words of its assay."""
    if result.memory is not None:
        yield from _memory(result, result.memory)
    elif result.cd40 is not None:
        yield from _cd40(result, result.cd40)
    else:
        yield from _cd154(result, results)


def _cd154(result: Result, results: Mapping[str, Result]) -> Iterator[FindingRow]:
    words = person_texts()["tests"]
    for reagent in result.reagents:
        values = result.numbers(reagent)
        name = words["function" if reagent == "CD40-Ig" else "expression"].format(reagent=reagent)
        value = values.get("percent_positive")
        if value is None:
            yield _row(name, words["nothing"])
            continue
        theirs = (results[one].numbers(reagent).get("percent_positive") for one in result.controls if one in results)
        control = next((one for one in theirs if one is not None), None)
        reference = (
            words["control"].format(value=format_measure("percent_positive", control)) if control is not None else ""
        )
        finding = words["positive"].format(value=format_measure("percent_positive", value))
        yield _row(name, finding, format_interval("percent_positive", values), reference)
        if result.call == "MOSAIC" and values.get("mutant_fraction") is not None:
            lod = values.get("lod")
            limit = words["lod"].format(limit=format_measure("lod", lod)) if lod is not None else ""
            finding = format_measure("mutant_fraction", max(float(values["mutant_fraction"] or 0.0), 0.0))
            yield _row(
                words["mutant"].format(reagent=reagent), finding, format_interval("mutant_fraction", values), limit
            )


def _memory(result: Result, memory: Memory) -> Iterator[FindingRow]:
    words, share = person_texts()["tests"], deciding_share(memory)
    reference = ""
    if memory.limit_low is not None:
        known = words["of_any_age" if result.age_band is None else "of_age"]
        reference = known.format(limit=format_number("percent", memory.limit_low))
    yield _row(words[deciding(memory)], share_words(share), share_interval(share), reference)
    events = words["counted"].format(events=format_number("events", memory.b_events))
    yield _row(words["b_cells"], share_words(memory.b_cells), share_interval(memory.b_cells), events)


def _cd40(result: Result, cd40: Cd40) -> Iterator[FindingRow]:
    words = person_texts()["tests"]
    least = result.configuration.limits.get("b_cells", {}).get("cd40_low_ratio_max")
    reference = words["normal_from"].format(limit=f"{least:g}") if isinstance(least, int | float) else ""
    for cells in cd40.cells:
        name = words["level"].format(cells=cells.population)
        if cells.ratio is None:
            yield _row(
                name, words["positive"].format(value=share_words(cells.positive)), share_interval(cells.positive)
            )
            continue
        value = words["times"].format(value=ratio_words(cells.ratio))
        yield _row(name, value, ratio_interval(cells), reference)


def serum_rows(person: Person) -> list[SerumRow]:
    """Return the rows of serum immunoglobulins and the genotype, as far as the sheet states them."""
    words = person_texts()["serum"]
    rows: list[SerumRow] = []
    for name, (value, visit) in person.serum.items():
        limits, flag = _limits(person, name, value, visit)
        rows.append(
            {
                "test": words["names"][name],
                "value": f"{value:g}\u202f{words['units'][name]}",
                "limits": limits,
                "flag": flag,
                "sample": visit.entry.sample,
            }
        )
    for genotype in dict.fromkeys(visit.result.metadata.genotype for visit in person.visits):
        stated = [visit.entry.sample for visit in person.visits if visit.result.metadata.genotype == genotype]
        if genotype:
            name = words["names"]["genotype"]
            rows.append({"test": name, "value": genotype, "limits": "–", "flag": "", "sample": ", ".join(stated)})
    return rows


def _limits(person: Person, name: str, value: float, visit: Visit) -> tuple[str, str]:
    """Return the limits of an immunoglobulin at the age of a sample, in words, and which side of them a value lies."""
    words = person_texts()["serum"]
    known = age_rows(getattr(person.limits, name))
    if not known:
        return words["no_limits"], ""
    if visit.age_years is None:
        return words["no_age"], ""
    row = next((row for row in reversed(known) if row[0] <= visit.age_years), None)
    if row is None:
        return words["no_limits"], ""
    _, low, high = row
    flag = words["out"]["low"] if value < low else words["out"]["high"] if value > high else ""
    return words["between"].format(low=f"{low:g}", high=f"{high:g}"), flag


def has_call(visit: Visit) -> bool:
    """Return whether a sample has a call that holds."""
    return visit.call != INDETERMINATE
