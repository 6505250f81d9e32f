"""The calls of both assays of B cells: guards, rules on intervals, and their codes, as a `Decision`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cd40l_flow.assay.cd40.rules import B_CELLS, MONOCYTES
from cd40l_flow.assay.cd40.rules import RULES as CD40_RULES
from cd40l_flow.assay.effects import DISCORDANT, INDETERMINATE, PRESENT, takes_every_call
from cd40l_flow.assay.limits import Limits
from cd40l_flow.assay.memory_b.rules import RULES as MEMORY_RULES
from cd40l_flow.assay.tables import Rule
from cd40l_flow.base.model import Sample
from cd40l_flow.decision.applied import Guard
from cd40l_flow.decision.b_cells.age_curve import AgeCurve
from cd40l_flow.decision.b_cells.cd40_guards import ROWS as CD40_ROWS
from cd40l_flow.decision.b_cells.cd40_guards import cd40_guards, counted
from cd40l_flow.decision.b_cells.measures import Cd40Cells, Cd40Measures, MemoryControl, MemoryMeasures
from cd40l_flow.decision.b_cells.memory_guards import ROWS as MEMORY_ROWS
from cd40l_flow.decision.b_cells.memory_guards import memory_guards
from cd40l_flow.decision.b_cells.shared_guards import Rows
from cd40l_flow.decision.b_cells.switched import memory_numbers, rule_measures
from cd40l_flow.decision.calls import Decision, SubCall, codes_against, first
from cd40l_flow.decision.case import Refusal, TubeCheck
from cd40l_flow.decision.rule_logic import Measures, Outcome, evaluate

MEMORY = "memory"


def decide_memory(
    sample: Sample,
    measures: MemoryMeasures | None,
    control: MemoryControl | None,
    refusals: tuple[Refusal, ...],
    checks: TubeCheck | None,
    limits: Limits,
    curve: AgeCurve,
) -> Decision:
    """Return the call of class-switched memory B cells; ``measures`` is None where no memory tube could be used."""
    age = memory_numbers(sample, measures, curve, limits)
    guards = memory_guards(sample, measures, control, refusals, checks, limits, age)
    outcomes: tuple[Outcome, ...] = ()
    pattern, reason = INDETERMINATE, ""
    if measures is not None:
        numbers = rule_measures(measures, age, limits)
        outcomes = _outcomes(MEMORY_RULES, numbers, limits)
        pattern, reason = first(outcomes, numbers)
    return _decision(pattern, reason, guards, {MEMORY: (pattern, outcomes)}, MEMORY_ROWS)


def decide_cd40(
    sample: Sample,
    measures: Cd40Measures | None,
    control: MemoryControl | None,
    refusals: tuple[Refusal, ...],
    checks: TubeCheck | None,
    limits: Limits,
    controls: Sequence[Cd40Measures] = (),
) -> Decision:
    """Return the call of CD40; ``measures`` is None where no CD40 tube could be used, ``controls`` are the controls'.

    A control without another one has no ratio: its call is PRESENT where its own guards pass.
    """
    guards = cd40_guards(sample, measures, control, refusals, checks, limits, controls)
    found: dict[str, tuple[str, tuple[Outcome, ...]]] = {}
    reason = ""
    if sample.role == "control" and control is None:
        call = PRESENT if measures is not None and not codes_against(guards, PRESENT) else INDETERMINATE
        return _decision(call, reason, guards, {B_CELLS: (call, ())}, CD40_ROWS)
    judged = counted(measures, controls, limits)
    for cells in judged:
        own = limits.b_cells
        numbers: Measures = {
            "ratio_low": cells.ratio_low,
            "ratio_high": cells.ratio_high,
            "positive_high": cells.positive.high,
            "cd40_absent_ratio_max": own.cd40_absent_ratio_max,
            "cd40_absent_positive_max": own.cd40_absent_positive_max,
            "cd40_low_ratio_max": own.cd40_low_ratio_max,
        }
        outcomes = _outcomes(CD40_RULES, numbers, limits)
        found[cells.population] = (first(outcomes, numbers)[0], outcomes)
    calls = {name: call for name, (call, _) in found.items()}
    pattern, reason = _together(calls, one_level=_one_level(judged))
    return _decision(pattern, reason, guards, found, CD40_ROWS)


def failures_of(sample: Sample, decision: Decision, age_z: float | None, limits: Limits) -> tuple[str, ...]:
    """Return in words why a control of either assay may not be used; empty if it may.

    It fails by a guard that leaves it no call, the lack of another control apart, or where its switched share
    (``age_z``, None for CD40) is one that hardly any healthy person of its age has.
    """
    failures = [
        f"Control {sample.sample}: {found.message}"
        for found in decision.guards
        if found.blocking and takes_every_call(found.blocks) and found.code != "CONTROL_ABSENT"
    ]
    if age_z is not None and abs(age_z) > limits.b_cells.control_z_max:
        failures.append(f"Control {sample.sample}: its switched share lies {age_z:+.1f} SD from the mean of its age.")
    return tuple(failures)


def _one_level(judged: Sequence[Cd40Cells]) -> bool:
    """Return whether the intervals of all kinds of cells share a level."""
    ends = [(one.ratio_low, one.ratio_high) for one in judged]
    known = [(low, high) for low, high in ends if low is not None and high is not None]
    return len(known) == len(ends) > 0 and max(low for low, _ in known) <= min(high for _, high in known)


def _together(calls: Mapping[str, str], *, one_level: bool) -> tuple[str, str]:
    """Return the call of both kinds of cells, or of B cells where monocytes were not counted, and why there is none.

    Monocytes express little CD40 and can be induced to express more: where they alone are open, B cells decide nothing.
    Where one level fits both kinds, they agree, and B cells, which carry more, tell absent from low.
    """
    b_cells = calls.get(B_CELLS, INDETERMINATE)
    monocytes = calls.get(MONOCYTES, b_cells)
    if INDETERMINATE in (b_cells, monocytes):
        return INDETERMINATE, "BETWEEN_LIMITS"
    return (b_cells, "") if b_cells == monocytes or one_level else (DISCORDANT, "")


def _outcomes(rules: Sequence[Rule], measures: Measures, limits: Limits) -> tuple[Outcome, ...]:
    return tuple(evaluate(rule, measures, limits.calls) for rule in rules)


def _decision(
    pattern: str,
    reason: str,
    guards: tuple[Guard, ...],
    found: Mapping[str, tuple[str, tuple[Outcome, ...]]],
    rows: Rows,
) -> Decision:
    """Return the decision: guards that exclude the pattern remove it, and those that warn are reported."""
    against = codes_against(guards, pattern)
    reasons = [*against] if against else [reason] if reason else []
    fired = [guard for guard in guards if guard.fired]
    reasons += [guard.code for guard in fired if rows[guard.code].warns]
    reasons += [guard.code for guard in fired if guard.code == "TOO_FEW_B"]
    codes = tuple(dict.fromkeys(reasons))
    qc = "fail" if any(takes_every_call(guard.blocks) for guard in fired) else "warn" if fired else "pass"
    subcalls = {
        name: SubCall(
            name,
            INDETERMINATE if against else call,
            call,
            against or ((reason,) if call == INDETERMINATE and reason else ()),
            outcomes,
        )
        for name, (call, outcomes) in found.items()
    }
    return Decision(INDETERMINATE if against else pattern, pattern, codes, qc, guards, subcalls, None)
