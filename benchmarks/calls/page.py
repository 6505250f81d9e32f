"""The page of the calls against the truth."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence

from benchmarks.calls.cohort import HEALTHY_MEAN, HEALTHY_SD, OF_DONORS, SAMPLES_A_RUN
from benchmarks.calls.judging import METHODS, Judged
from cd40l_flow.simulate import SCENARIOS


def page(judged: Sequence[Judged], seed: int, instruments: Sequence[str], command: str, *, donors_known: bool) -> str:
    """Return the page of the benchmark."""
    known = f"those of a laboratory that has measured how its donors differ, `{json.dumps(OF_DONORS)}`"
    limits = f"Limits are {known if donors_known else 'the default ones'}."
    separations = [one.separation for one in judged if one.separation is not None]
    by_kind = [[one for one in judged if one.kind == kind] for kind in ("healthy", "affected", "mosaic", "failed")]
    return f"""# Calls against the truth

Written by `{command}`, seed {seed}. {len(judged)} simulated samples, every
scenario equally often, in runs of {SAMPLES_A_RUN} with a healthy control each; healthy donors have {HEALTHY_MEAN:.0%}
negative cells, SD {HEALTHY_SD:g}. {limits}
D of the control's CD154 goes from {min(separations):.1f}
to {max(separations):.1f}.
Instruments, in turn: {", ".join(instruments)}.

Expected is a set of calls: a carrier of 22 to 28 % negative cells may be MOSAIC or in its grey zone (INDETERMINATE).
**Dangerous** is an affected male, a functional defect or a carrier above the limit of detection called NORMAL; a
healthy sample called ABSENT, REDUCED, MOSAIC or FUNCTIONAL_DEFECT; and any call where the assay failed.

| method | as expected | dangerous | healthy | affected | mosaic | assay failed |
|---|---:|---:|---:|---:|---:|---:|
{chr(10).join(_method_row(method, judged, by_kind) for method in METHODS)}

The two other methods see the same gated cells, and check files, number of cells, activation, control and drugs; then
they count cells above the background's 99th percentile, or the components of the best free mixture of one to three
normals that lie there, and follow rules of thumb: at least 70 % positive is normal, at most 10 % absent, between them a
mosaic if the positive cells are as bright as the control's, else reduced.

## By D of the control's CD154

| D | samples | as expected | dangerous |
|---|---:|---:|---:|
{chr(10).join(_separation_rows(judged))}

## By scenario

| scenario | samples | as expected | calls |
|---|---:|---:|---|
{chr(10).join(_scenario_rows(judged))}

## Calls of cd40l-flow that are not expected

A call needs 100 to 1.

{_misses(judged)}
"""


def _share(right: int, count: int) -> str:
    return f"{right} of {count} ({100 * right / count:.1f} %)" if count else "none"


def _method_row(method: str, judged: Sequence[Judged], groups: Iterable[Sequence[Judged]]) -> str:
    right = _share(sum(one.right(method) for one in judged), len(judged))
    parts = [f"{sum(one.right(method) for one in group)} of {len(group)}" for group in groups]
    return f"| {method} | {right} | {sum(one.dangerous(method) for one in judged)} | {' | '.join(parts)} |"


def _separation_rows(judged: Sequence[Judged]) -> list[str]:
    rows = []
    for low, high in ((0, 3), (3, 4), (4, 5), (5, 6), (6, 7), (7, 20)):
        group = [one for one in judged if one.separation is not None and low <= one.separation < high]
        if group:
            right = _share(sum(one.right(METHODS[0]) for one in group), len(group))
            dangerous = sum(one.dangerous(METHODS[0]) for one in group)
            rows.append(f"| {low} to {high} | {len(group)} | {right} | {dangerous} |")
    return rows


def _scenario_rows(judged: Sequence[Judged]) -> list[str]:
    rows = []
    for name in dict.fromkeys(scenario.sample for scenario in SCENARIOS):
        group = [one for one in judged if one.sample == name]
        if group:
            calls = Counter(one.calls[METHODS[0]] for one in group).most_common()
            shown = ", ".join(f"{call} {count}" for call, count in calls)
            rows.append(f"| {name} | {len(group)} | {sum(one.right(METHODS[0]) for one in group)} | {shown} |")
    return rows


def _misses(judged: Sequence[Judged]) -> str:
    lines = [
        f"- {'**dangerous** ' if one.dangerous(METHODS[0]) else ''}run {one.run}, {one.sample}"
        f" (negative {one.negative_fraction:.3f}, D {_number(one.separation)}): {one.calls[METHODS[0]]}"
        f"{' (' + ', '.join(one.reasons) + ')' if one.reasons else ''}, pattern {one.pattern};"
        f" expected {' or '.join(f'{call}{_odds(one.odds.get(call))}' for call in sorted(one.expected))}"
        for one in judged
        if not one.right(METHODS[0]) or one.dangerous(METHODS[0])
    ]
    return "\n".join(lines) if lines else "None."


def _number(value: float | None) -> str:
    return "not known" if value is None else f"{value:.1f}"


def _odds(log: float | None) -> str:
    return "" if log is None else f" ({math.exp(log):.3g} to 1)"
