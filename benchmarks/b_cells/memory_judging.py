"""How results of the assay ``memory_b`` are compared with known truth: right, dangerous, covered, and how far off."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.result.types.result import Result

NORMAL, LOW, ABSENT, OPEN = "SWITCHED_NORMAL", "SWITCHED_LOW", "SWITCHED_ABSENT", "INDETERMINATE"
HEALTHY, AFFECTED, OTHER = "healthy", "affected", "other"
Z_95, Z_ONE_SIDED = 1.959964, 1.644854
FEWEST_B, YOUNGEST = 200, 0.75
FEWEST_SWITCHED = 20  # expected cells from which intervals must not be too wide either
CLEAR_SEPARATION = 3.0
ROUNDED = 0.005  # percent
GOALS = {"plain": 97.0, "coverage": 93.0, "coverage_most": 98.0, "rms": 1.3}


@dataclass(frozen=True)
class Case:
    """What is true of one sample.

    ``switched`` is the donor's share of class-switched memory among B cells (0 to 1), ``b_events`` the live single B
    cells that were written, ``separation`` Ashman's D of CD27 as asked for. ``kind`` defines which call could harm;
    ``refused`` that none may be made. ``measurable`` is False where the disturbance spoils the share itself.
    ``written`` is the share among the cells that were drawn (0 to 1), NaN where it is not known.
    """

    sample: str
    family: str
    disturbance: str
    kind: str
    age_years: float
    switched: float
    b_events: int
    separation: float
    refused: bool = False
    measurable: bool = True
    written: float = math.nan


@dataclass(frozen=True)
class Judged:
    """One case and what the product reports for it; percents are 0 to 100, None where there is no number."""

    case: Case
    call: str
    reasons: tuple[str, ...]
    percent: float | None = None
    low: float | None = None
    high: float | None = None
    b_events: int | None = None
    limit_low: float | None = None
    limit_absent: float | None = None

    @property
    def truth(self) -> str:
        """The call that the true share deserves at the age's limits; empty where the limits are not known."""
        if self.limit_low is None or self.limit_absent is None:
            return ""
        percent = 100 * self.case.switched
        return NORMAL if percent >= self.limit_low else LOW if percent >= self.limit_absent else ABSENT

    @property
    def plain(self) -> bool:
        """Whether the call is owed: undisturbed, enough cells, old enough, and chance reaches no limit."""
        case = self.case
        if case.disturbance or case.refused or case.b_events < FEWEST_B or case.age_years < YOUNGEST or not self.truth:
            return False
        low, high = wilson(case.switched, case.b_events)
        limits = (self.limit_low, self.limit_absent)
        return not any(limit is not None and 100 * low <= limit <= 100 * high for limit in limits)

    @property
    def right(self) -> bool:
        """Whether the call is what the true share deserves."""
        return self.call == self.truth

    @property
    def countable(self) -> bool:
        """Whether counting the written cells without any error, by one-sided 95 % bounds, gives the right call."""
        if self.limit_low is None or self.limit_absent is None or math.isnan(self.case.written):
            return False
        low, high = (100 * end for end in wilson(self.case.written, self.case.b_events, Z_ONE_SIDED))
        few = ABSENT if high < self.limit_absent else LOW if high < self.limit_low else OPEN
        return self.truth == (NORMAL if low >= self.limit_low else few)

    @property
    def dangerous(self) -> bool:
        """Whether the call could harm."""
        case = self.case
        if case.refused or case.b_events < FEWEST_B:
            return self.call in (NORMAL, LOW, ABSENT)
        return (case.kind == AFFECTED and self.call == NORMAL) or (case.kind == HEALTHY and self.call == ABSENT)

    @property
    def covered(self) -> bool | None:
        """Whether the interval covers the donor's share; None where there is no interval or none is owed."""
        if not self.case.measurable or self.low is None or self.high is None:
            return None
        # A true 0 is covered by an interval that rounds to it.
        return self.low - ROUNDED <= 100 * self.case.switched <= self.high + ROUNDED


def wilson(share: float, count: int, z: float = Z_95) -> tuple[float, float]:
    """Return the 95 % interval of a share (0 to 1) that was seen in ``count`` cells (Wilson 1927)."""
    z2 = z**2 / count
    middle = (share + z2 / 2) / (1 + z2)
    half = z / (1 + z2) * math.sqrt(share * (1 - share) / count + z2 / (4 * count))
    return middle - half, middle + half


def judged(case: Case, sample: str, analysis: Callable[[str], Result]) -> Judged:
    """Return a case with the product's result; an analysis that fails is named in the place of the call."""
    try:
        result = analysis(sample)
    except (Cd40lFlowError, ArithmeticError, LookupError, ValueError, TypeError, AttributeError) as error:
        return Judged(case, f"FAILED {type(error).__name__}", (str(error)[:120],))
    memory = result.memory
    if memory is None:
        return Judged(case, result.call, tuple(result.reasons))
    # Where IgM is not stained there is the two-marker share alone.
    share = memory.switched or memory.switched_two_marker
    return Judged(
        case,
        result.call,
        tuple(result.reasons),
        share.percent,
        share.low,
        share.high,
        memory.b_events,
        memory.limit_low,
        memory.limit_absent,
    )


def rms_over_binomial(some: Sequence[Judged]) -> float | None:
    """Return the RMS error of the share over that of a binomial count of the same cells; None without numbers."""
    measured = [one for one in some if one.percent is not None and one.case.measurable and one.case.b_events]
    if not measured:
        return None
    errors = [(one.percent or 0.0) - 100 * one.case.switched for one in measured]
    variances = [1e4 * one.case.switched * (1 - one.case.switched) / one.case.b_events for one in measured]
    if not sum(variances):
        return None
    return math.sqrt(float(np.mean(np.square(errors))) / float(np.mean(variances)))


def coverage(some: Sequence[Judged]) -> tuple[int, int]:
    """Return how many intervals cover the donor's share, and how many there are."""
    found = [one.covered for one in some if one.covered is not None]
    return sum(found), len(found)


def goals(found: Sequence[Judged]) -> list[tuple[str, str, str, bool | None]]:
    """Return the goals as (what, measured, goal, whether it is met; None of what is there to compare)."""
    dangerous = sum(one.dangerous for one in found)
    plain = [one for one in found if one.plain]
    right, countable = sum(one.right for one in plain), sum(one.countable for one in plain)
    covered, intervals = coverage(found)
    many = [one for one in found if one.case.switched * one.case.b_events >= FEWEST_SWITCHED]
    covered_many, intervals_many = coverage(many)
    clear = [one for one in found if one.case.separation >= CLEAR_SEPARATION and not one.case.refused]
    rms = rms_over_binomial(clear)
    least, most = GOALS["coverage"], GOALS["coverage_most"]
    failed = sum(one.call.startswith("FAILED") for one in found)
    return [
        ("dangerous calls", str(dangerous), "0", not dangerous),
        ("plain samples called right", _of(right, len(plain)), f"{GOALS['plain']:g} %",
         bool(plain) and 100 * right >= GOALS["plain"] * len(plain)),
        ("the same, had the written cells been counted without error", _of(countable, len(plain)), "to compare", None),
        ("intervals that cover the donor's share", _of(covered, intervals), f"at least {least:g} %",
         bool(intervals) and 100 * covered >= least * intervals),
        (f"the same, {FEWEST_SWITCHED} switched cells or more expected", _of(covered_many, intervals_many),
         f"{least:g} to {most:g} %",
         bool(intervals_many) and least * intervals_many <= 100 * covered_many <= most * intervals_many),
        (f"RMS error over binomial, D of {CLEAR_SEPARATION:g} or more", "" if rms is None else f"{rms:.2f}",
         f"{GOALS['rms']:g}", rms is not None and rms <= GOALS["rms"]),
        ("analyses that failed", str(failed), "0", not failed),
    ]  # fmt: skip


def goals_table(found: Sequence[Judged]) -> str:
    """Return the goals as a table."""
    rows = [
        f"| {what} | {value} | {goal} | {'' if met is None else 'met' if met else '**missed**'} |"
        for what, value, goal, met in goals(found)
    ]
    return "\n".join(["| what | measured | goal | |", "|---|---:|---:|---|", *rows])


def group_table(found: Sequence[Judged], name: str, key: Callable[[Judged], str]) -> str:
    """Return a table with a row for each group, in order of appearance."""
    head = (
        f"| {name} | samples | plain | plain and right | called | called and right | dangerous | intervals that cover "
        "| RMS over binomial | calls |"
    )
    rows = [head, "|---|---:|---:|---:|---:|---:|---:|---:|---:|---|"]
    for group in dict.fromkeys(key(one) for one in found):
        own = [one for one in found if key(one) == group]
        plain, called = [one for one in own if one.plain], [one for one in own if one.call in (NORMAL, LOW, ABSENT)]
        rms = rms_over_binomial(own)
        calls = ", ".join(f"{call} {count}" for call, count in Counter(one.call for one in own).most_common())
        reasons = Counter(reason for one in own if one.call == OPEN for reason in one.reasons).most_common(3)
        why = f" ({', '.join(f'{code} {count}' for code, count in reasons)})" if reasons else ""
        rows.append(
            f"| {group} | {len(own)} | {len(plain)} | {sum(one.right for one in plain)} "
            f"| {len(called)} | {sum(one.right for one in called)} "
            f"| {sum(one.dangerous for one in own)} | {_of(*coverage(own))} | {'' if rms is None else f'{rms:.2f}'} "
            f"| {calls}{why} |"
        )
    return "\n".join(rows)


def as_list(found: Sequence[Judged]) -> str:
    """Return each sample as a line of a list: what it is, and what was reported."""
    return "\n".join(map(_line, found)) or "None."


def _line(one: Judged) -> str:
    case = one.case
    share = "no share" if one.percent is None else f"{one.percent:.2f} % ({one.low:.2f} to {one.high:.2f})"
    limits = "" if one.limit_low is None else f", limits {one.limit_low:.2f} and {one.limit_absent:.2f} %"
    return (
        f"- {case.sample}: {case.family} {case.disturbance}, {case.age_years:g} years, {100 * case.switched:.2f} % of "
        f"{case.b_events} B cells, D {case.separation:.1f}{limits}: {one.call}, {share} {', '.join(one.reasons)}"
    )


def _of(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / whole:.1f} %)" if whole else "none"
