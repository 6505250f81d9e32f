"""One row a sample for a laboratory's history: what is kept of it over years, from ``result.json`` and ``summary.tsv``.

A result gives everything; of a run of which only ``summary.tsv`` is kept, the summary gives what it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.cohort.cells import as_text
from cd40l_flow.result.reference import why
from cd40l_flow.result.types.control import Control

Row = dict[str, Any]
# Columns of every row with the kind of their values; those of the reagents follow.
TEXTS = (
    *(
        "folder",
        "state",
        "sample",
        "assay",
        "run",
        "month",
        "role",
        "sex",
        "call",
        "reasons",
        "qc",
        "review",
        "reviewed_call",
    ),
    *("cytometer", "digest", "engine_version", "failed"),
)
NUMBERS = ("activated_events", "cd69_percent")
REAGENT_TEXTS = ("clone", "lot")
REAGENT_NUMBERS = (
    *("percent_positive", "negative_fraction", "mutant_fraction", "mfi_ratio", "separation"),
    *("mfi_above_background", "activation_percent"),
)
# Measures of `REAGENT_NUMBERS` that a summary has as well.
_SUMMARISED = ("percent_positive", "negative_fraction", "mutant_fraction", "mfi_ratio", "separation")


class SeenTube(Struct, frozen=True):
    """What is read of a tube; the fields are those of `Tube`."""

    fcs: str
    clone: str
    lot: str
    status: str
    digest: str | None
    cytometer: str | None
    month: str | None


class SeenMeasures(Struct, frozen=True):
    """What is read of a reagent; the fields are those of `Measures`."""

    tubes: list[str]
    percent_positive: float | None
    negative_fraction: float | None
    mutant_fraction: float | None
    mfi_ratio: float | None
    mfi_positive: float | None
    mfi_background: float | None
    separation: float | None


class Seen(Struct, frozen=True):
    """What is read of a result; the fields are those of `Result`."""

    engine_version: str
    digest: str | None
    sample: str
    assay: str
    run: str
    role: str
    sex: str
    call: str
    reasons: list[str]
    qc: str
    activated_events: int | None
    cd69_percent: float | None
    lent: Control | None
    tubes: list[SeenTube]
    reagents: dict[str, SeenMeasures]


def columns() -> tuple[str, ...]:
    """Return every column of the history, in order; ``data`` are the digests of a sample's tubes."""
    keys = [reagent.key for reagent in current_assay().targets.values()]
    return (*TEXTS, *NUMBERS, *(f"{key}_{name}" for key in keys for name in (*REAGENT_TEXTS, *REAGENT_NUMBERS)), "data")


def row_of_result(seen: Seen) -> Row:
    """Return the row of a result, without folder, state and review; numbers as in `Result`, missing ones None.

    ``failed`` is why a control does not count among the healthy ones.
    """
    read = [tube for tube in seen.tubes if tube.status == "ok"]
    row: Row = {
        "sample": seen.sample,
        "assay": seen.assay,
        "run": seen.run,
        "month": min((tube.month for tube in read if tube.month), default=""),
        "role": seen.role,
        "sex": seen.sex,
        "call": seen.call,
        "reasons": ";".join(seen.reasons),
        "qc": seen.qc,
        "cytometer": next((tube.cytometer for tube in read if tube.cytometer), ""),
        "digest": seen.digest or "",
        "engine_version": seen.engine_version,
        "failed": why(seen) if seen.role == "control" else "",
        "activated_events": seen.activated_events,
        "cd69_percent": seen.cd69_percent,
        "data": [tube.digest[:16] for tube in seen.tubes if tube.digest],
    }
    for name, reagent in current_assay().targets.items():
        if name in seen.reagents:
            row |= {f"{reagent.key}_{key}": value for key, value in _of_reagent(seen, name).items()}
    return row


def _of_reagent(seen: Seen, name: str) -> Row:
    found = seen.reagents[name]
    tube = next((tube for tube in seen.tubes if tube.fcs in found.tubes), None)
    positive, background = found.mfi_positive, found.mfi_background
    return {
        "clone": tube.clone if tube else "",
        "lot": tube.lot if tube else "",
        **{measure: getattr(found, measure) for measure in _SUMMARISED},
        "mfi_above_background": None if positive is None or background is None else positive - background,
        "activation_percent": seen.lent.activation_percent.get(name) if seen.lent is not None else None,
    }


def row_of_summary(line: Mapping[str, str]) -> Row:
    """Return the row of a line of ``summary.tsv``; raises ValueError for a number that is none."""
    texts = ("sample", "run", "role", "sex", "call", "reasons", "qc", "review", "reviewed_call")
    row: Row = {name: as_text(line.get(name) or "") for name in texts}
    row |= {"activated_events": _number(line, "activated_events"), "cd69_percent": _number(line, "cd69_percent")}
    for reagent in current_assay().targets.values():
        row |= {f"{reagent.key}_{name}": _number(line, f"{reagent.key}_{name}") for name in _SUMMARISED}
    return row


def _number(line: Mapping[str, str], column: str) -> float | None:
    text = line.get(column) or ""
    try:
        return float(text) if text else None
    except ValueError:
        raise ValueError(f"sample {line.get('sample')!r}, column {column}: {text!r} is no number.") from None
