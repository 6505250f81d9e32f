"""The joint interpretation of one person's assays, in sentences: in addition to their calls, never instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import cd40l_flow.assay.joint_reading as table
from cd40l_flow.assay.b_cell_limits import SerumIgLimits, age_rows
from cd40l_flow.assay.effects import INDETERMINATE, SWITCHED_FEW, SWITCHED_NORMAL
from cd40l_flow.assay.joint_reading import ANYBODY, MAN, TRANSPLANTED, WOMAN
from cd40l_flow.base.resources import shipped

SERUM = ("igm_g_l", "igg_g_l", "iga_g_l", "ige_iu_ml")


@dataclass(frozen=True)
class Together:
    """The calls of one person's samples, None where an assay was not made, and what the sheet states about the person.

    ``serum`` holds the known values of ``igm_g_l``, ``igg_g_l``, ``iga_g_l`` (g/L) and ``ige_iu_ml`` (IU/mL); sex is
    ``F``, ``M`` or ``unknown``, ``transplant`` ``yes``, ``no`` or ``unknown``.
    """

    cd154: str | None = None
    memory: str | None = None
    cd40: str | None = None
    sex: str = "unknown"
    transplant: str = "unknown"
    age_years: float | None = None
    serum: Mapping[str, float] = field(default_factory=dict)
    genotype: str = ""


@dataclass(frozen=True)
class JointReading:
    """Sentences on what the calls mean together, what to do next, and the genes to sequence, most informative first.

    ``keys`` are the rows of the table that gave them.
    """

    keys: tuple[str, ...]
    reading: tuple[str, ...]
    next_steps: tuple[str, ...]
    genes: tuple[str, ...]


@cache
def joint_words() -> Mapping[str, Any]:
    """Return the words of the table, as nested mappings."""
    words: Mapping[str, Any] = shipped(Path(table.__file__).with_suffix(".yaml"))
    return words


def joint_reading(case: Together, limits: SerumIgLimits) -> JointReading:
    """Return what the calls of one person mean together; empty for a single assay."""
    words = joint_words()
    keys = _rows(case)
    reading: list[str] = []
    steps: list[str] = []
    genes: list[str] = []
    if case.memory == SWITCHED_NORMAL and case.cd154 not in (None, INDETERMINATE):
        reading += _caveats(case, words)
    for key in keys:
        row = words["rows"][key]
        reading.append(row["reading"])
        steps.append(row["next_cd40_done"] if case.cd40 is not None and "next_cd40_done" in row else row["next"])
        genes += row["genes"]
    if case.memory in SWITCHED_FEW:
        reading.append(words["few"])
        if case.cd154 is None:
            reading.append(words["no_cd154"])
            steps.append(words["next_cd154"])
    if case.memory == INDETERMINATE and (case.cd154 or case.cd40):
        reading.append(words["switched_open"])
    if case.cd40 is not None:
        row = words["cd40"][case.cd40]
        reading.append(row["reading"])
        steps += [row["next"]] if row["next"] else []
        # A receptor that is not seen is the likelier gene.
        genes = [*row["genes"], *genes]
    reading += _serum(case, limits, words["serum"])
    if case.genotype:
        reading.append(words["genotype"].format(genotype=case.genotype))
    return JointReading(keys, tuple(reading), tuple(dict.fromkeys(steps)), tuple(dict.fromkeys(genes)))


def _rows(case: Together) -> tuple[str, ...]:
    """Return the keys of the rows that fit: one, or those of both sexes where it is not known and matters; none of a
    single assay.
    """
    fitting = [row for row in table.ROWS if case.cd154 in row.cd154 and case.memory in row.switched]
    who = {TRANSPLANTED} if case.transplant == "yes" else {"F": {WOMAN}, "M": {MAN}}.get(case.sex, {WOMAN, MAN})
    own = tuple(row.key for row in fitting if row.who in who)
    return own or tuple(row.key for row in fitting if row.who == ANYBODY)


def _caveats(case: Together, words: Mapping[str, Any]) -> list[str]:
    """Return why normal switched memory may argue against nothing."""
    sentences = []
    if case.age_years is None:
        sentences.append(words["switched_age_unknown"])
    elif case.age_years < 1:
        sentences.append(words["switched_young"])
    if case.transplant == "yes":
        sentences.append(words["switched_transplanted"])
    return sentences


def _serum(case: Together, limits: SerumIgLimits, words: Mapping[str, Any]) -> list[str]:
    known = {name: case.serum[name] for name in SERUM if name in case.serum}
    if not known:
        return []
    places, parts = {}, []
    for name, value in known.items():
        place, ends = _place(value, name, case.age_years, limits)
        places[name] = place
        parts.append(
            words["value"].format(
                name=words["names"][name], value=f"{value:g}", unit=words["units"][name],
                place=words["places"][place].format(**ends),
            )
        )  # fmt: skip
    sentences = [words["all"].format(values="; ".join(parts))]
    low = [name for name in ("igg_g_l", "iga_g_l") if places.get(name) == "low"]
    if low and places.get("igm_g_l") in ("within", "high"):
        sentences.append(words["pattern"])
    if places.get("igm_g_l") == "low":
        sentences.append(words["igm_low"])
    return [*sentences, words["context"]]


def _place(value: float, name: str, age: float | None, limits: SerumIgLimits) -> tuple[str, dict[str, str]]:
    rows = age_rows(getattr(limits, name))
    if not rows:
        return "unknown", {}
    if age is None:
        return "no_age", {}
    row = next((row for row in reversed(rows) if row[0] <= age), None)
    if row is None:
        return "unknown", {}
    _, low, high = row
    place = "low" if value < low else "high" if value > high else "within"
    return place, {"low": f"{low:g}", "high": f"{high:g}"}
