"""New lines of ``overrides.tsv`` from gates that an analyst moved; lines that are there stay as they are."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cd40l_flow.base.disk import read_small, write_atomically
from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.cohort.cells import as_text, tab_separated
from cd40l_flow.interop.drawn_gates import by_tube, read_drawn
from cd40l_flow.interop.moved_gates import Move, moves, together
from cd40l_flow.result.gates.tree import gate_trees
from cd40l_flow.result.types.result import Result

COLUMNS = ("sample", "tube", "gate", "value", "by", "reason")
MOST_BYTES = 256 << 20
LONGEST = {"by": 100, "reason": 500}


@dataclass(frozen=True)
class Found:
    """The lines to add, as cells by column, and the messages about the file."""

    lines: tuple[Mapping[str, str], ...]
    messages: tuple[str, ...]


def find_overrides(result: Result, file: Path, *, by: str, reason: str, tube: str | None = None) -> Found:
    """Return the overrides that lead from a result's gates to those of a file, of one ``tube`` (``fcs``) or all.

    Only boundaries that differ count. Raises Cd40lFlowError for a file that cannot be read, a tube that is not the
    sample's, or replicates whose common threshold was moved to different places.
    """
    for name, text in (("by", by), ("reason", reason)):
        if not text.strip() or any(sign in text for sign in "\t\r\n") or len(text) > LONGEST[name]:
            raise Cd40lFlowError(f"--{name}: found {text!r}; expected one line of 1 to {LONGEST[name]} characters.")
    trees = gate_trees(result)
    if tube is not None and tube not in {tree.fcs for tree in trees}:
        known = ", ".join(tree.fcs for tree in trees)
        raise Cd40lFlowError(f"--tube {tube}: no tube of {result.sample} with gates; there are {known}.")
    drawn, messages = read_drawn(file, trees)
    trees_of = {tree.fcs: tree for tree in trees}
    found: list[Move] = []
    for fcs, gates in by_tube(drawn):
        if tube is None or fcs == tube:
            moved, remarks = moves(trees_of[fcs], gates)
            found += moved
            messages += remarks
    reagents = {name: measures.tubes for name, measures in result.reagents.items()}
    messages += _unused(found, reagents)
    lines = [
        {
            "sample": str(result.sample),
            "tube": move.fcs,
            "gate": move.boundary,
            "value": f"{move.value:.7g}",
            "by": by.strip(),
            "reason": reason.strip(),
        }
        for move in together(found, trees, reagents)
    ]
    return Found(tuple(lines), tuple(dict.fromkeys(messages)))


def _unused(found: Sequence[Move], reagents: Mapping[str, Sequence[str]]) -> list[str]:
    """Return messages about thresholds that were moved in a tube that does not set them.

    Raises Cd40lFlowError where pooled tubes disagree.
    """
    messages = []
    for reagent, tubes in reagents.items():
        moved = [move for move in found if move.population == f"{reagent}+"]
        own = [move for move in moved if move.fcs in tubes]
        if len({f"{move.value:.4g}" for move in own}) > 1:
            places = ", ".join(f"{move.value:.6g} in {move.fcs}" for move in own)
            raise Cd40lFlowError(f"{reagent}+ was moved to {places}: pooled tubes have one threshold. Move both alike.")
        if moved and not own:
            messages.append(
                f"{reagent}+ was moved in {moved[0].fcs}; its threshold is set in {', '.join(tubes)} alone."
            )
    return messages


def append_overrides(lines: Sequence[Mapping[str, str]], sheet: Path) -> int:
    """Add lines to an overrides sheet, which is made where there is none; the lines in it are kept byte for byte.

    A line that the sheet has with the same value is not added again. Returns how many were added. Raises
    Cd40lFlowError,
    and writes nothing, where the sheet sets one of the boundaries to another value, lacks a column or is no text.
    """
    before = read_small(sheet, MOST_BYTES) if sheet.exists() else None
    if before is not None and before.startswith(b"PK\x03\x04"):
        raise Cd40lFlowError(
            f"{sheet}: is a workbook; lines are added to tab-separated text alone. Name another sheet with --out, and "
            "copy its lines into the workbook, or save the sheet of overrides as text."
        )
    text = "\t".join(COLUMNS) + "\n" if before is None else before.decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text), delimiter="\t"))
    header = [name.strip() for name in rows[0]] if rows else []
    if missing := [name for name in COLUMNS if name not in header]:
        raise Cd40lFlowError(f"{sheet}: lacks the column {', '.join(missing)}. Its first line names the columns.")
    there = set()
    for at, line in enumerate(lines):
        for number, row in enumerate(rows[1:], 2):
            cells = dict(zip(header, (as_text(cell.strip()) for cell in row), strict=False))
            if all(cells.get(name, "") == line[name] for name in ("sample", "tube", "gate")):
                if cells.get("value") == line["value"]:
                    there.add(at)
                    continue
                raise Cd40lFlowError(
                    f"{sheet}, line {number}: {line['gate']} of {line['sample']} is set already, "
                    f"to {cells.get('value')}; it was moved to {line['value']}. "
                    "Change or remove that line; nothing was written."
                )
    ending = "\r\n" if "\r\n" in text else "\n"
    added = [line for at, line in enumerate(lines) if at not in there]
    if not added:
        return 0
    new = tab_separated([[line.get(name, "") for name in header] for line in added], ending)
    before = text.encode("utf-8") if before is None else before
    if before and not before.endswith(b"\n"):
        before += ending.encode("utf-8")
    write_atomically(sheet, before + new.encode("utf-8"))
    return len(added)
