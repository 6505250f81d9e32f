"""The decision table for readers, from the data that decide: ``python -m cd40l_flow.outputs.decision_table FILE``."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cd40l_flow.expression.calls import FUNCTIONAL, TABLE
from cd40l_flow.expression.effects import (
    ABSENT,
    BLOCKS,
    EVERY,
    FUNCTIONAL_DEFECT,
    INDETERMINATE,
    MOSAIC,
    NORMAL,
    REDUCED,
    TOLD,
)
from cd40l_flow.expression.rules import MEASURE_WORDS, RULES, Condition, Rule
from cd40l_flow.outputs.texts import load_texts
from cd40l_flow.schema import load_schema

IN_ORDER = (FUNCTIONAL_DEFECT, ABSENT, MOSAIC, REDUCED, NORMAL)
WORDS = {"<": "below", "<=": "at most", ">": "above", ">=": "at least"}
GROUPS = ("guards", "calls", "mixture", "reference")
INTRODUCTION = """\
Written by `python -m cd40l_flow.outputs.decision_table docs/decision-table.md` from the data the program
decides by; a test fails when the two differ. Values are the defaults of the configuration; a laboratory's own
are printed in its reports.
"""
LOGIC = """\
First the checks (guards), then a sub-call for each reagent by the rules, then one table from the sub-calls to
the call. Every comparison has three outcomes: holds, does not hold, not known. What is not known never counts
as held, a check that cannot be evaluated stands in the way as if it had fired, and nothing falls through to
NORMAL.
"""
CHECKS = """\
A check that fires takes the calls marked ✗ away: they become INDETERMINATE with its code. *Warns*: the code
stands beside the call. Some checks have a further limit that does more or less than this: a fired one says in
the report what it took away.
"""
RULES_READ = """\
Every rule is evaluated; of those that hold, the one with the smallest place gives the sub-call. Where a rule
that goes before may or may not hold, for want of a measure, the sub-call is INDETERMINATE.
"""
NO_RULE = """\
When no rule holds: with expressing and not expressing cells closer than the smallest separation, or a mutant
fraction above the limit of detection, `REDUCED_VS_MOSAIC`; between limit of blank and limit of detection
`MOSAIC_GREY_ZONE`; else `BETWEEN_LIMITS`.
"""
TABLE_READ = """\
Two clones of anti-CD154 must agree (`CLONE_DISCORDANT`). What is not listed is INDETERMINATE for the reasons of
the reagents. "not tested": the sheet has no CD40-Ig tube, or its result is not valid while its measures agree
with CD154; an invalid one that contradicts, or with which something else is wrong too, leaves no call. With
`require_function: false` NORMAL without CD40-Ig is NORMAL, with the reason `FUNCTION_NOT_TESTED`.
"""
_DESCRIPTION = re.compile(r"^(?P<what>.*?) Unit: (?P<unit>.*?)\. Source: (?P<source>.*)\.$")


def decision_table() -> str:
    """Return the page: checks, rules, the table, reason codes and limits; equal data give equal bytes."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield from (
        "# How a call is made",
        "",
        INTRODUCTION,
        LOGIC,
        "## Checks",
        "",
        CHECKS,
        f"| code | {' | '.join(IN_ORDER)} | |",
        f"|---|{'|'.join(':---:' for _ in IN_ORDER)}|---|",
    )
    for code, blocked in BLOCKS.items():
        marks = " | ".join("✗" if call in blocked else "" for call in IN_ORDER)
        effect = "every call" if blocked == EVERY else "warns" if code in TOLD or not blocked else ""
        yield f"| `{code}` | {marks} | {effect} |"
    yield from (
        "",
        "## Rules of a reagent",
        "",
        RULES_READ,
        "| place | sub-call | all of | and of each line one |",
        "|---:|---|---|---|",
        *(_rule(rule) for rule in sorted(RULES, key=lambda rule: rule.place)),
        "",
        NO_RULE,
        "## A functional defect",
        "",
        "Where the CD154 sub-call is NORMAL or REDUCED, before the table:",
        "",
        "| call | all of | and of each line one |",
        "|---|---|---|",
        _rule(FUNCTIONAL, place=False),
        "",
        "## From sub-calls to the call",
        "",
        TABLE_READ,
        "| CD154 | CD40-Ig | call | reason |",
        "|---|---|---|---|",
        *(
            f"| {cd154} | {binding} | {_strong(call)} | {f'`{reason}`' if reason else ''} |"
            for (cd154, binding), (call, reason) in TABLE.items()
        ),
        "",
        "## Reason codes",
        "",
        "| code | what happened | what to do |",
        "|---|---|---|",
        *(f"| `{code}` | {text['what']} | {text['remedy']} |" for code, text in load_texts()["reasons"].items()),
        "",
        "## Limits",
        "",
        "Each may be changed in the configuration (`limits`), and is printed where it was applied.",
        "",
        "| limit | default | unit | what it does | source |",
        "|---|---|---|---|---|",
        *_limits(),
    )


def _rule(rule: Rule, *, place: bool = True) -> str:
    needs = "<br>".join(_condition(condition) for condition in rule.needs)
    either = "<br>".join(" *or* ".join(_condition(condition) for condition in group) for group in rule.either)
    cells = [*([str(rule.place)] if place else []), f"**{rule.call}**", needs, either]
    return f"| {' | '.join(cells)} |"


def _condition(condition: Condition) -> str:
    name = MEASURE_WORDS[condition.measure][0]
    limit = condition.limit
    if isinstance(limit, str):
        known = _properties("calls").get(limit)
        limit = f"{known['default']:g} (`{limit}`)" if known else f"the {MEASURE_WORDS[limit][0]}"
    return f"{name} {WORDS[condition.op]} {limit}"


def _properties(group: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = load_schema("config.schema.yaml")["properties"]["limits"]["properties"][group]
    properties: Mapping[str, Any] = found["properties"]
    return properties


def _strong(call: str) -> str:
    return call if call == INDETERMINATE else f"**{call}**"


def _limits() -> Iterator[str]:
    for group in GROUPS:
        for name, schema in _properties(group).items():
            told = _DESCRIPTION.match(" ".join(schema["description"].split()))
            if told is None:
                raise ValueError(f"limits.{group}.{name} tells no unit and source")
            default = schema["default"]
            value = ", ".join(default) if isinstance(default, list) else f"{default:g}"
            yield f"| `{group}.{name}` | {value} | {told['unit']} | {told['what']} | {told['source']} |"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(decision_table(), encoding="utf-8", newline="\n")
