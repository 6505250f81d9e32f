"""``summary.tsv``: one row a sample, one column a number, nothing rounded for the eye."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from cd40l_flow.assay.cd40.rules import B_CELLS
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.base.disk import write_atomically
from cd40l_flow.cohort.cells import safe
from cd40l_flow.result.numbers import clipped
from cd40l_flow.result.reviews.files import Reviews
from cd40l_flow.result.reviews.signable import Signable, signable
from cd40l_flow.result.reviews.state import UNSIGNED, ReviewState, states_of
from cd40l_flow.result.types.b_cells import deciding_share
from cd40l_flow.result.types.result import Result

_FIRST = ("sample", "run", "role", "sex", "call", "cd154_call", "cd40ig_call", "reasons", "qc", "review")
_THEN = ("reviewed_call", "activated_events", "cd69_percent")
_B_CELLS = (
    *("memory_call", "switched_percent", "switched_low", "switched_high", "switched_age_z", "b_events"),
    *("cd40_call", "cd40_ratio"),
)
_CALLS = {"memory_b": "memory_call", "cd40": "cd40_call"}


def summary_columns() -> tuple[str, ...]:
    """Return every column of the summary, in order; those of reagents are the assay's."""
    return (*_FIRST, *_THEN, *current_assay().columns, *_B_CELLS)


def format_cell(value: float | str | None) -> str:
    """Write one cell: a number to 6 significant digits, a count in full, a missing value as nothing."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value)
    # Adding zero turns -0.0 into 0.0, so that equal numbers are equal bytes.
    return repr(float(f"{value:.6g}") + 0.0)


def summary_row(result: Result, review: ReviewState) -> dict[str, str]:
    """Return the row of one ``result.json`` and its reviews; percents 0 to 100, fractions 0 to 1, missing empty."""
    row = {name: format_cell(getattr(result, name)) for name in ("sample", "run", "role", "sex", "call", "qc")}
    row["reasons"] = ";".join(result.reasons)
    row |= {"review": review.state, "reviewed_call": review.reviewed_call}
    row["activated_events"] = format_cell(result.activated_events)
    row["cd69_percent"] = format_cell(result.cd69_percent)
    for target in current_assay().targets.values():
        subcall = result.subcalls.get(target.name)
        row[f"{target.key}_call"] = subcall.call if subcall is not None else ""
    for column, (reagent, measure) in current_assay().columns.items():
        if measure != "call":
            row[column] = format_cell(clipped(measure, result.numbers(reagent).get(measure)))
    row |= {column: format_cell(value) for column, value in _b_cells(result).items()}
    return {column: safe(row[column]) for column in summary_columns()}


def _b_cells(result: Result) -> dict[str, float | str | None]:
    """Return the columns of the B-cell assays, None where a sample is of another one or has no such number.

    ``switched_*`` are of the share that was compared with the limits of the age, ``cd40_ratio`` is that of B cells.
    """
    row: dict[str, float | str | None] = dict.fromkeys(_B_CELLS)
    if result.assay in _CALLS:
        row[_CALLS[result.assay]] = result.call
    measured = result.memory or result.cd40
    row["b_events"] = measured.b_events if measured is not None else None
    if result.memory is not None:
        share = deciding_share(result.memory)
        row |= {"switched_percent": share.percent, "switched_low": share.low, "switched_high": share.high}
        row["switched_age_z"] = result.memory.age_z
    if result.cd40 is not None:
        row["cd40_ratio"] = next((one.ratio for one in result.cd40.cells if one.population == B_CELLS), None)
    return row


def write_summary(results: Iterable[tuple[Result, str]], out_path: str | Path, reviews: Reviews | None = None) -> None:
    """Write ``summary.tsv``, one row a result, in the order of the sample ids whatever the order given.

    ``results`` are pairs of a result and the SHA-256 of its file, empty where it has none.
    """
    reviews = reviews or Reviews()
    named = set(reviews.by_sample())
    rows: list[dict[str, str]] = []
    signed: dict[str, Signable] = {}
    # One result at a time is held: those of a screening programme do not fit into memory together.
    for result, digest in results:
        rows.append(summary_row(result, UNSIGNED))
        if result.sample in named or result.role == "control":
            signed[result.sample] = signable(result, digest)
    by_name = {row["sample"]: row for row in rows}
    for name, state in states_of(signed, reviews).items():
        by_name[safe(name)] |= {"review": state.state, "reviewed_call": state.reviewed_call}
    text = io.StringIO()
    writer = csv.DictWriter(text, summary_columns(), delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(rows, key=lambda row: row["sample"]))
    write_atomically(out_path, text.getvalue())
