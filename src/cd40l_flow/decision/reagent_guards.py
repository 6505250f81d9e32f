"""Guards of one reagent: tubes, activation, background, fit and control."""

from __future__ import annotations

from collections.abc import Iterator

from cd40l_flow.assay.effects import EXPRESSING_CALLS, NO_CALLS
from cd40l_flow.assay.guard_limits import GuardLimits
from cd40l_flow.assay.limits import Limits, limit_named
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.decision.applied import Guard, beyond, guard
from cd40l_flow.decision.case import Activation, Case
from cd40l_flow.decision.doubts import second_opinion
from cd40l_flow.decision.quality import positive_fraction
from cd40l_flow.mixture.fit import FAINTEST
from cd40l_flow.mixture.model import Expression


def reagent_guards(case: Case, reagent: str, limits: Limits) -> Iterator[Guard]:
    """Yield every guard of one planned reagent."""
    expression = case.reagents.get(reagent)
    missing = no_background(case, reagent)
    if missing is not None:
        yield missing
    fewest = limits.guards.activated_min
    activation = case.activation.get(reagent)
    # Without a background a reagent is not measured, but its cells are counted.
    events = expression.events if expression is not None else activation.events if activation is not None else None
    if events is not None:
        yield guard(
            "TOO_FEW_EVENTS", events < fewest, "Activated CD3+CD8-CD69+ cells.",
            reagent=reagent, value=float(events), limit=fewest, unit="events",
        )  # fmt: skip
    yield from _activation(case, reagent, limits)
    # An invalid background gives no information on the cells.
    if expression is not None and (missing is None or not missing.blocks):
        yield from _checks(expression, limits.guards)
        yield from _background(case, expression, limits)
        yield _fit(expression)
        other = second_opinion(expression, limits)
        if other is not None:
            yield other
        yield from _against_control(case, expression, limits)


def no_background(case: Case, reagent: str) -> Guard | None:
    """Return the guard of a missing background, None if it was stained.

    Resting cells replace it if the effect of stimulation on them is known.
    """
    if reagent not in case.missing:
        return None
    missing, expression = case.missing[reagent], case.reagents.get(reagent)
    anchor = None if expression is None else expression.anchor
    if anchor is None or not anchor.resting:
        return guard("TUBE_MISSING", True, missing, reagent=reagent)
    if anchor.change is None:
        why = "Resting cells cannot replace it: the CD8+ cells of both tubes do not show the effect of stimulation."
        return guard("TUBE_MISSING", True, f"{missing} {why}", reagent=reagent)
    moved = (
        f"Unstimulated cells replace it, shifted by {anchor.change.shift:+.1f} robust SD with added noise of "
        f"{anchor.change.widening:.1f}, as seen in CD8+ cells of the same tubes."
    )
    return guard("TUBE_MISSING", True, f"{missing} {moved}", reagent=reagent, blocks=NO_CALLS)


def _activation(case: Case, reagent: str, limits: Limits) -> Iterator[Guard]:
    guards, found = limits.guards, case.activation.get(reagent) or Activation(None, None, None)
    least = guards.cd69_percent_min
    if case.control is not None and reagent in case.control.activation_percent:
        least = max(least, guards.cd69_of_control_min * case.control.activation_percent[reagent])
    if case.sample.role == "control":
        least = max(least, guards.cd69_control_min)
    most, ratio = guards.cd69_unstimulated_max, guards.cd69_median_ratio_min
    for value, limit, unit, above, message in (
        (found.percent, least, "%", False, "CD69+ percent of CD3+CD8- cells, stimulated."),
        (found.median_ratio, ratio, "x", False, "CD69 median of CD3+CD8- cells, stimulated over unstimulated."),
        (found.unstimulated_percent, most, "%", True, "CD69+ percent of CD3+CD8- cells, unstimulated."),
    ):
        fired = beyond(value, limit, above=above)
        yield guard("ACTIVATION_FAILED", fired, message, reagent=reagent, value=value, limit=limit, unit=unit)


def _checks(expression: Expression, guards: GuardLimits) -> Iterator[Guard]:
    """Yield the guards that the assay's table defines by a measure and a limit."""
    for row in current_assay().guards:
        check = row.check
        if check is None:
            continue
        value = getattr(expression, check.measure)
        if value is None and check.if_known:
            continue
        limit = limit_named(guards, check.limit) if isinstance(check.limit, str) else check.limit
        yield guard(
            row.code, beyond(value, limit, above=check.above), check.message,
            reagent=expression.reagent, value=value, limit=limit, unit=check.unit,
        )  # fmt: skip


def _background(case: Case, expression: Expression, limits: Limits) -> Iterator[Guard]:
    guards, reagent = limits.guards, expression.reagent
    shift = expression.background_shift
    if shift is not None and expression.anchor.change is None:
        # A stimulated background shifts with the cells; any other leaves the shift in the measures. For corrected
        # resting cells it is the correction itself.
        limit = guards.background_shift_max
        yield guard(
            "HIGH_BACKGROUND", beyond(abs(shift), limit, above=True),
            "Shift of the stimulated background against resting cells.",
            reagent=reagent, value=shift, limit=limit, unit="robust SD",
            blocks=NO_CALLS if expression.anchor.exact else None,
        )  # fmt: skip
    control = None if case.control is None else case.control.reagents.get(reagent)
    if control is None or not (control.background.sum() and expression.anchor.counts.sum()):
        return
    # A wider background than the control's may hide cells.
    ratio = expression.anchor.component(expression.scale).linear_sd / control.component(expression.scale).linear_sd
    limit = guards.background_ratio_max
    yield guard(
        "HIGH_BACKGROUND", ratio > limit, "Width of the background over the controls'.",
        reagent=reagent, value=ratio, limit=limit, unit="x",
    )  # fmt: skip


def _fit(expression: Expression) -> Guard:
    if expression.converged is True:
        fired, message = False, "The fit of the mixture converged."
    elif expression.at_bound == (FAINTEST,):
        # A tube without expressing cells ends here; what lies between it and the background is no number.
        message = "The expressing cells cannot be distinguished from the background: their fraction is not known."
        return guard("FIT_UNSTABLE", True, message, reagent=expression.reagent, blocks=EXPRESSING_CALLS)
    elif expression.converged is False:
        fired, message = True, "The fit of the mixture did not converge."
    else:
        fired, message = None, "The mixture could not be fitted."
    return guard("FIT_UNSTABLE", fired, message, reagent=expression.reagent)


def _against_control(case: Case, expression: Expression, limits: Limits) -> Iterator[Guard]:
    guards, reagent = limits.guards, expression.reagent
    if case.sample.role == "control":
        fraction = positive_fraction(expression, limits)
        percent = None if fraction is None else 100 * fraction
        least = limit_named(guards, current_assay().targets[reagent].control_positive)
        yield guard(
            "CONTROL_FAILED", beyond(percent, least, above=False), "Positive cells of the control.",
            reagent=reagent, value=percent, limit=least, unit="%",
        )  # fmt: skip
    separation = expression.separation
    if not case.alone:
        if case.control is None:
            return
        control = case.control.reagents.get(reagent)
        if control is None:
            message = f"The run's control has no {reagent} to compare with."
            yield guard("CONTROL_ABSENT", True, message, reagent=reagent)
            return
        separation = control.separation
    least = guards.separation_min
    yield guard(
        "LOW_SEPARATION", beyond(separation, least, above=False),
        "Ashman's D between the control's negative and positive cells.",
        reagent=reagent, value=separation, limit=least, unit="D",
    )  # fmt: skip
