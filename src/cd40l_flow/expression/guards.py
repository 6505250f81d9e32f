"""The guards: what must hold before anything may be said of a sample (three-valued: fired, not fired, not computable)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cd40l_flow.expression.case import Case
from cd40l_flow.expression.model import Expression
from cd40l_flow.expression.quality import fit_is_stable, positive_fraction

NORMAL, REDUCED, ABSENT, MOSAIC = "NORMAL", "REDUCED", "ABSENT", "MOSAIC"
FUNCTIONAL_DEFECT, INDETERMINATE = "FUNCTIONAL_DEFECT", "INDETERMINATE"
EVERY = frozenset({NORMAL, REDUCED, ABSENT, MOSAIC, FUNCTIONAL_DEFECT})
LOW = frozenset({REDUCED, ABSENT})
NOTHING: frozenset[str] = frozenset()

# Which calls a guard takes away when it fires (or cannot be computed). Codes and effects: the project's assay brief.
BLOCKS: Mapping[str, frozenset[str]] = {
    "FILE_INTEGRITY": EVERY,
    "CHANNEL_MAP": EVERY,
    "NO_COMP": EVERY,
    "TUBE_MISSING": EVERY,
    "CONTROL_ABSENT": EVERY,
    "CONTROL_FAILED": EVERY,
    "ACTIVATION_FAILED": EVERY,
    "TOO_FEW_EVENTS": EVERY,
    "HIGH_BACKGROUND": LOW,
    "FIT_UNSTABLE": frozenset({MOSAIC, REDUCED, NORMAL}),
    "LOW_SEPARATION": EVERY,
    "DRUG_CNI": LOW,
    "DRUG_STATUS_UNKNOWN": LOW,
    "STEROID": LOW,
    "ANTI_CD154": LOW,
    "SAMPLE_AGE": NOTHING,
    "ANTICOAGULANT": NOTHING,
    "ACQ_QC": NOTHING,
    "ID_CONFLICT": NOTHING,
    "TUBE_SWAP": EVERY,
    "MARKER_SWAP": EVERY,
}


@dataclass(frozen=True)
class Guard:
    """One guard applied: ``fired`` is None when it could not be computed; ``blocks`` are the calls it takes away when it fires.

    ``reagent`` is empty for the whole sample. ``value`` and ``limit`` are in ``unit``; ``message`` says it in words.
    """

    code: str
    reagent: str
    fired: bool | None
    blocks: frozenset[str]
    value: float | None
    limit: float | None
    unit: str
    message: str

    @property
    def stands_in_the_way(self) -> bool:
        """Whether the guard fired, or ought to have been computable and was not."""
        return self.fired is not False

    @property
    def effect(self) -> str:
        """``hard`` (no call), ``limits`` (some calls), or ``soft`` (a warning)."""
        return "hard" if self.blocks == EVERY else "limits" if self.blocks else "soft"


def _guard(
    code: str,
    fired: bool | None,
    message: str,
    *,
    reagent: str = "",
    value: float | None = None,
    limit: float | None = None,
    unit: str = "",
    blocks: frozenset[str] | None = None,
) -> Guard:
    return Guard(code, reagent, fired, BLOCKS[code] if blocks is None else blocks, value, limit, unit, message)


def _beyond(value: float | None, limit: float, *, above: bool) -> bool | None:
    """Return whether a value lies beyond its limit, or None when it is not known."""
    if value is None:
        return None
    return value > limit if above else value < limit


def apply_guards(case: Case, limits: Mapping[str, Any]) -> tuple[Guard, ...]:
    """Return every guard of the sample, then of each reagent in the order of the case."""
    guards = [*_files(case), *_control(case), *_sample(case, limits), *_tubes(case, limits)]
    for reagent in case.planned:
        guards.extend(_reagent(case, reagent, limits))
    return tuple(guards)


def _files(case: Case) -> Iterator[Guard]:
    for refusal in case.refusals:
        yield _guard(refusal.code, True, refusal.message)
    if case.unstimulated_missing:
        yield _guard(
            "TUBE_MISSING",
            True,
            "No unstimulated tube: the CD69 boundary and activation rest on none. Add an unstimulated tube to the sheet.",
        )
    if "CD154" not in case.planned and "CD154-2" not in case.planned:
        yield _guard("TUBE_MISSING", True, "No stimulated CD154 tube. Add one to the sheet of tubes.")


def _control(case: Case) -> Iterator[Guard]:
    if case.alone:
        return
    if case.control is None:
        yield _guard(
            "CONTROL_ABSENT",
            True,
            f"Run {case.sample.run} has no healthy control to compare with. Every call of this run stays open.",
        )
        return
    failures = case.control.failures
    yield _guard("CONTROL_FAILED", bool(failures), " ".join(failures) if failures else "The run's control is in range.")


def _sample(case: Case, limits: Mapping[str, Any]) -> Iterator[Guard]:
    sample, guards = case.sample, limits["guards"]
    if sample.role == "control":
        return
    drug = sample.calcineurin_inhibitor
    yield _guard("DRUG_CNI", drug == "yes", f"Calcineurin inhibitor: {drug}.")
    yield _guard("DRUG_STATUS_UNKNOWN", drug == "unknown", f"Calcineurin inhibitor: {drug}.")
    yield _guard("STEROID", sample.steroid == "yes", f"Steroid: {sample.steroid}.")
    yield _guard("ANTI_CD154", sample.anti_cd154 == "yes", f"Therapeutic anti-CD154: {sample.anti_cd154}.")
    limit = float(guards["collected_max_h"])
    warn = float(guards["collected_warn_h"])
    age = sample.collected_h
    yield _guard(
        "SAMPLE_AGE",
        _beyond(age, warn, above=True),
        "Time from collection to stimulation." if age is not None else "Time from collection is not known.",
        value=age,
        limit=warn,
        unit="h",
        blocks=EVERY if age is not None and age > limit else NOTHING,
    )
    accepted = {str(name).lower() for name in guards["anticoagulants"]}
    given = sample.anticoagulant
    yield _guard(
        "ANTICOAGULANT",
        None if not given else given.lower() not in accepted,
        f"Anticoagulant: {given or 'not known'}.",
    )
    unknown = [name for name, value in (("sex", sample.sex), ("transplant", sample.transplant)) if value == "unknown"]
    yield _guard(
        "ID_CONFLICT",
        bool(unknown),
        f"Not known: {', '.join(unknown)}." if unknown else "Sex and transplant are known.",
    )


def _tubes(case: Case, limits: Mapping[str, Any]) -> Iterator[Guard]:
    checks, gating, acquisition = case.checks, limits["gating"], limits["acquisition"]
    removed, hard = checks.removed_percent, float(acquisition["removed_hard_percent"])
    yield _guard(
        "ACQ_QC",
        _beyond(removed, float(acquisition["removed_warn_percent"]), above=True),
        "Events cut by acquisition QC, worst tube.",
        value=removed,
        limit=float(acquisition["removed_warn_percent"]),
        unit="%",
        blocks=EVERY if removed is not None and removed > hard else NOTHING,
    )
    points, limit = checks.fingerprint_points, float(gating["tube_delta_points"])
    if points is not None:
        yield _guard(
            "ID_CONFLICT",
            points > limit or (checks.scatter_percent or 0.0) > float(gating["tube_delta_percent"]),
            "Largest difference between the stimulated tubes in CD3+ and CD3+CD8- percent.",
            value=points,
            limit=limit,
            unit="points",
            blocks=EVERY,
        )
    yield _guard(
        "TUBE_SWAP",
        bool(checks.swapped),
        "CD69 is higher in the unstimulated tube than in the stimulated ones: the tubes look exchanged."
        if checks.swapped
        else "CD69 is higher in the stimulated tubes.",
    )
    yield _guard(
        "MARKER_SWAP",
        bool(checks.markers_swapped),
        "In the background tube the target is bright and CD69 dim: their labels look exchanged."
        if checks.markers_swapped
        else "CD69 and target behave as their labels say.",
    )


def _reagent(case: Case, reagent: str, limits: Mapping[str, Any]) -> Iterator[Guard]:
    guards = limits["guards"]
    if reagent in case.missing:
        yield _guard("TUBE_MISSING", True, case.missing[reagent], reagent=reagent)
    expression = case.reagents.get(reagent)
    if expression is None:
        if reagent not in case.missing and not case.refusals:
            yield _guard(
                "TOO_FEW_EVENTS", True, "No activated CD3+CD8- cells could be gated.", reagent=reagent, value=0.0,
                limit=float(guards["activated_min"]), unit="events",
            )  # fmt: skip
        yield from _activation(case, reagent, limits)
        return
    yield _guard(
        "TOO_FEW_EVENTS",
        expression.events < int(guards["activated_min"]),
        "Activated CD3+CD8-CD69+ cells.",
        reagent=reagent,
        value=float(expression.events),
        limit=float(guards["activated_min"]),
        unit="events",
    )
    yield from _activation(case, reagent, limits)
    yield from _background(case, expression, limits)
    yield _guard(
        "FIT_UNSTABLE",
        None if (stable := fit_is_stable(expression, limits)) is None else not stable,
        "Width of the 95 % interval of the negative fraction.",
        reagent=reagent,
        value=None
        if expression.negative_fraction_low is None or expression.negative_fraction_high is None
        else expression.negative_fraction_high - expression.negative_fraction_low,
        limit=float(guards["fit_interval_max"]),
        unit="fraction",
    )
    own = case.sample.role == "control" and case.alone
    control = None if case.control is None else case.control.reagents.get(reagent)
    separation = expression.separation if own else control.separation if control else None
    if own or control is not None:
        yield _guard(
            "LOW_SEPARATION",
            _beyond(separation, float(guards["separation_min"]), above=False),
            "Ashman's D between the control's negative and positive cells.",
            reagent=reagent,
            value=separation,
            limit=float(guards["separation_min"]),
            unit="D",
        )


def _activation(case: Case, reagent: str, limits: Mapping[str, Any]) -> Iterator[Guard]:
    guards, activation = limits["guards"], case.activation.get(reagent)
    percent = activation.percent if activation else None
    limit = float(guards["cd69_percent_min"])
    if case.control is not None and reagent in case.control.activation_percent:
        limit = max(limit, float(guards["cd69_of_control_min"]) * case.control.activation_percent[reagent])
    if case.sample.role == "control":
        limit = max(limit, float(guards["cd69_control_min"]))
    yield _guard(
        "ACTIVATION_FAILED", _beyond(percent, limit, above=False), "CD69+ percent of CD3+CD8- cells, stimulated.",
        reagent=reagent, value=percent, limit=limit, unit="%",
    )  # fmt: skip
    ratio = activation.median_ratio if activation else None
    yield _guard(
        "ACTIVATION_FAILED", _beyond(ratio, float(guards["cd69_median_ratio_min"]), above=False),
        "CD69 median of CD3+CD8- cells, stimulated over unstimulated.",
        reagent=reagent, value=ratio, limit=float(guards["cd69_median_ratio_min"]), unit="x",
    )  # fmt: skip
    resting = activation.unstimulated_percent if activation else None
    yield _guard(
        "ACTIVATION_FAILED", _beyond(resting, float(guards["cd69_unstimulated_max"]), above=True),
        "CD69+ percent of CD3+CD8- cells, unstimulated.",
        reagent=reagent, value=resting, limit=float(guards["cd69_unstimulated_max"]), unit="%",
    )  # fmt: skip


def _background(case: Case, expression: Expression, limits: Mapping[str, Any]) -> Iterator[Guard]:
    guards, reagent = limits["guards"], expression.reagent
    resting = expression.unstimulated_percent_positive
    if resting is not None:
        limit = float(guards["unstimulated_cd154_max"])
        yield _guard(
            "HIGH_BACKGROUND", resting > limit, "Unstimulated CD3+CD8- cells above the threshold.",
            reagent=reagent, value=resting, limit=limit, unit="%",
        )  # fmt: skip
    shift = expression.background_shift
    if shift is not None:
        # With the stimulated background as anchor a shift against resting cells is seen, and allowed for; else it is not.
        limit = float(guards["background_shift_max"])
        yield _guard(
            "HIGH_BACKGROUND", abs(shift) > limit, "Shift of the stimulated background against resting cells.",
            reagent=reagent, value=shift, limit=limit, unit="robust SD", blocks=NOTHING if expression.anchor.exact else LOW,
        )  # fmt: skip
    control = None if case.control is None else case.control.reagents.get(reagent)
    if control is not None and control.positive_low_scaled is not None:
        yield _guard(
            "HIGH_BACKGROUND", expression.threshold_scaled > control.positive_low_scaled,
            "The threshold against the 10th percentile of the control's positive cells, linear.",
            reagent=reagent, value=expression.threshold,
            limit=expression.scale.to_linear(control.positive_low_scaled), unit="channel value",
        )  # fmt: skip


def control_failures(case: Case, limits: Mapping[str, Any]) -> tuple[str, ...]:
    """Return in words why a control may not be used; empty when it may. ``case`` is the control by itself."""
    guards = limits["guards"]
    name = case.sample.sample
    failures = [
        f"Control {name}: {guard.message}" + (f" ({guard.reagent})" if guard.reagent else "")
        for guard in apply_guards(case, limits)
        if guard.stands_in_the_way and guard.blocks == EVERY and guard.code != "CONTROL_ABSENT"
    ]
    for reagent, key in (
        ("CD154", "control_positive_min"),
        ("CD154-2", "control_positive_min"),
        ("CD40-Ig", "control_cd40ig_positive_min"),
    ):
        if reagent not in case.reagents:
            continue
        fraction = positive_fraction(case.reagents[reagent], limits)
        limit = float(guards[key])
        if fraction is None:
            failures.append(f"Control {name}: {reagent}-positive fraction not computable.")
        elif 100 * fraction < limit:
            failures.append(f"Control {name}: {100 * fraction:.1f} % {reagent}-positive cells, under {limit:g} %.")
    return tuple(failures)
