"""Checks and rules of an assay as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from cd40l_flow.assay.effects import takes_every_call
from cd40l_flow.assay.tables import OPERATOR_WORDS, Condition, GuardRow, Rule


def check_lines(guards: Iterable[GuardRow], calls: Sequence[str]) -> Iterator[str]:
    """Yield which checks take every call away, which only warn, and the table of the others by call."""
    rows = list(guards)
    hard = [row for row in rows if takes_every_call(row.blocks)]
    soft = [row for row in rows if not row.blocks]
    yield from (f"Every call: {_codes(hard)}.", "", f"Warn only: {_codes(soft)}.", "")
    yield from (f"| code | {' | '.join(calls)} | |", f"|---|{'|'.join(':---:' for _ in calls)}|---|")
    for row in rows:
        if row not in hard and row not in soft:
            marks = " | ".join("✗" if call in row.blocks else "" for call in calls)
            yield f"| `{row.code}` | {marks} | {'warns' if row.warns else ''} |"


def rule_lines(rules: Iterable[Rule], words: Mapping[str, tuple[str, str]], limits: object) -> Iterator[str]:
    """Yield the table of rules in their order; ``limits`` has the default limits, ``words`` what each measure is."""
    ordered = sorted(rules, key=lambda rule: rule.place)
    yield from ("| place | call | all of |", "|---:|---|---|")
    for rule in ordered:
        yield f"| {rule.place} | **{rule.call}** | {'<br>'.join(rule_conditions(rule, words, limits))} |"


def rule_conditions(rule: Rule, words: Mapping[str, tuple[str, str]], limits: object) -> list[str]:
    """Return the conditions of a rule in words, all of which must hold."""
    groups = [*((condition,) for condition in rule.needs), *rule.either]
    return [" *or* ".join(_condition(condition, words, limits) for condition in group) for group in groups]


def _condition(condition: Condition, words: Mapping[str, tuple[str, str]], limits: object) -> str:
    limit = str(condition.limit)
    known = getattr(limits, limit, None)
    if known is not None:
        limit = f"{known:g} (`{limit}`)"
    elif limit in words:
        limit = f"the {words[limit][0].removeprefix('the ')}"
    return f"{words[condition.measure][0]} {OPERATOR_WORDS[condition.op]} {limit}"


def _codes(rows: Iterable[GuardRow]) -> str:
    return ", ".join(f"`{row.code}`" for row in rows)
