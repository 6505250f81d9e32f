"""The page of the calls of an independent simulation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from benchmarks.independent.files import LABORATORIES
from benchmarks.independent.runs import HELD_OUT, Judged


def page(found: Sequence[Judged], command: str) -> str:
    """Return the page of the benchmark."""
    families = list(dict.fromkeys(one.family.name for one in found))
    rows = "\n".join(_row([one for one in found if one.family.name == family]) for family in families)
    harmful = [one for one in found if one.harmful]
    wrong = [one for one in found if not (one.right or one.harmful or one.open)]
    plain = [one for one in found if one.family.plain and one.family.truth != "failed"]
    owed = [one for one in plain if one.open]
    reasons = Counter(f"{one.family.name}: {', '.join(one.reasons)}" for one in owed)
    by_laboratory = "\n".join(
        f"| {name} | {len(own)} | {sum(one.right for one in own)} | {sum(one.open for one in own)} "
        f"| {sum(one.harmful for one in own)} |"
        for name in dict.fromkeys(one.laboratory for one in found)
        for own in ([one for one in found if one.laboratory == name],)
    )
    return f"""# Calls of samples from an independent simulation

Written by `{command}`. {len(families)} families, {len(found)} samples, of
{len(LABORATORIES)} laboratories: other panels, tubes and files, one to three controls, 2,000 to 100,000 events a tube.
Cells, stains and cytometers (`benchmarks/independent/cells.py`) share neither code nor laws with the product's
simulator. Limits are the default ones. Seeds from {HELD_OUT} on were not used for tuning.

**Harmful** is an affected sample called NORMAL, a healthy one called affected, a carrier called NORMAL, ABSENT or
FUNCTIONAL_DEFECT, and any call where the assay failed; **wrong** another call that is not the sample's. **Plain** are
families that a good assay decides.

No file can show three of the things drawn here: that a dim healthy person with a very bright control is healthy (two
healthy people differ by a factor of two in one pair of 20), that old blood expresses less although CD69 is there, and
that the only stained tube of a sample is another person's of like composition.

| samples | right | harmful | of them without a word (QC pass) | wrong | plain | plain left open |
|---:|---:|---:|---:|---:|---:|---:|
| {len(found)} | {sum(one.right for one in found)} | {len(harmful)} | {sum(one.qc == "pass" for one in harmful)} \
| {len(wrong)} | {len(plain)} | {len(owed)} |

| family | samples | right | open | harmful | wrong | calls (reasons of those left open) |
|---|---:|---:|---:|---:|---:|---|
{rows}

| laboratory | samples | right | open | harmful |
|---|---:|---:|---:|---:|
{by_laboratory}

## Harmful calls

{_list(harmful)}

## Other wrong calls

{_list(wrong)}

## Plain samples left open

{chr(10).join(f"- {count} x {what}" for what, count in reasons.most_common()) or "None."}
"""


def _list(some: Sequence[Judged]) -> str:
    return "\n".join(f"- {one.where}: {one.call} {', '.join(one.reasons)}".rstrip() for one in some) or "None."


def _row(own: Sequence[Judged]) -> str:
    calls = ", ".join(f"{call} {count}" for call, count in Counter(one.call for one in own).most_common())
    reasons = Counter(reason for one in own if one.open for reason in one.reasons)
    why = f" ({', '.join(f'{code} {count}' for code, count in reasons.most_common(4))})" if reasons else ""
    right, harmful = sum(one.right for one in own), sum(one.harmful for one in own)
    wrong = sum(not (one.right or one.harmful or one.open) for one in own)
    left = sum(one.open for one in own)
    return f"| {own[0].family.name} | {len(own)} | {right} | {left} | {harmful} | {wrong} | {calls}{why} |"
