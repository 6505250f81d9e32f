"""Every guard from both sides of its limit, and what each takes away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cd40l_flow.expression.case import Case, ControlCase, Refusal
from cd40l_flow.expression.effects import BLOCKS, EVERY, NORMAL, Guard
from cd40l_flow.expression.guards import apply_guards, control_failures
from helpers.cases import (
    ACTIVE,
    CHECKS,
    CONTROL_SAMPLE,
    LENT,
    POSITIVE,
    SAMPLE,
    SCALE,
    control_alone,
    judge,
    limits,
    make_case,
    with_measures,
)


def guards_of(case: Case, code: str, reagent: str = "") -> list[Guard]:
    return [guard for guard in apply_guards(case, limits()) if (guard.code, guard.reagent) == (code, reagent)]


def fires(case: Case, code: str, reagent: str = "") -> bool | None:
    """Return whether any guard of this code fired, None when none did and one could not be computed."""
    found = [guard.fired for guard in guards_of(case, code, reagent)]
    return True if True in found else None if None in found else False


def activated(**changes: Any) -> Case:
    return make_case(activation={"CD154": replace(ACTIVE, **changes), "CD40-Ig": ACTIVE})


def sampled(**changes: Any) -> Case:
    return make_case(sample=replace(SAMPLE, **changes))


def checked(**changes: Any) -> Case:
    return make_case(checks=replace(CHECKS, **changes))


def measured(**changes: Any) -> Case:
    return with_measures(make_case(), "CD154", **changes)


def threshold_at(scaled: float) -> Case:
    return measured(threshold_scaled=scaled, threshold=SCALE.to_linear(scaled))


def lent(**changes: Any) -> Case:
    control = ControlCase(("C01",), {"CD154": replace(LENT, **changes), "CD40-Ig": LENT}, {"CD154": 95.0}, ())
    return make_case(control=control)


def of_control(**changes: Any) -> Case:
    """Return a single control whose CD154 is changed."""
    case = control_alone()
    return replace(case, reagents={**case.reagents, "CD154": replace(case.reagents["CD154"], **changes)})


def test_a_healthy_sample_sets_off_nothing() -> None:
    assert [guard for guard in apply_guards(make_case(), limits()) if guard.fired is not False] == []
    assert [guard for guard in apply_guards(control_alone(), limits()) if guard.fired is not False] == []


EDGES: list[tuple[str, str, Case, Case]] = [
    ("TOO_FEW_EVENTS", "CD154", measured(events=499), measured(events=500)),
    ("ACTIVATION_FAILED", "CD154", activated(percent=75.9), activated(percent=76.0)),  # 0.8 of the control's 95 %
    ("ACTIVATION_FAILED", "CD154", activated(median_ratio=2.9), activated(median_ratio=3.0)),
    ("ACTIVATION_FAILED", "CD154", activated(unstimulated_percent=20.1), activated(unstimulated_percent=20.0)),
    (
        "HIGH_BACKGROUND",
        "CD154",
        measured(unstimulated_percent_positive=5.1),
        measured(unstimulated_percent_positive=5.0),
    ),
    ("HIGH_BACKGROUND", "CD154", measured(background_shift=-0.51), measured(background_shift=-0.5)),
    ("HIGH_BACKGROUND", "CD154", measured(threshold_scaled=0.61), measured(threshold_scaled=0.6)),
    (
        "FIT_UNSTABLE",
        "CD154",
        measured(negative_fraction_low=0.0, negative_fraction_high=0.31),
        measured(negative_fraction_low=0.0, negative_fraction_high=0.30),
    ),
    ("FIT_UNSTABLE", "CD154", measured(converged=False), measured(converged=True)),
    ("LOW_SEPARATION", "CD154", lent(separation=1.99), lent(separation=2.0)),
    ("SAMPLE_AGE", "", sampled(collected_h=24.1), sampled(collected_h=24.0)),
    ("ANTICOAGULANT", "", sampled(anticoagulant="EDTA"), sampled(anticoagulant="NA-HEPARIN")),
    ("DRUG_CNI", "", sampled(calcineurin_inhibitor="yes"), sampled()),
    ("DRUG_STATUS_UNKNOWN", "", sampled(calcineurin_inhibitor="unknown"), sampled(calcineurin_inhibitor="yes")),
    ("STEROID", "", sampled(steroid="yes"), sampled(steroid="unknown")),
    ("ANTI_CD154", "", sampled(anti_cd154="yes"), sampled(anti_cd154="unknown")),
    ("ID_CONFLICT", "", sampled(sex="unknown"), sampled(sex="F")),
    ("ID_CONFLICT", "", sampled(transplant="unknown"), sampled(transplant="yes")),
    ("ID_CONFLICT", "", checked(fingerprint_points=10.1), checked(fingerprint_points=10.0)),
    ("ID_CONFLICT", "", checked(scatter_percent=25.1), checked(scatter_percent=25.0)),
    ("ACQ_QC", "", checked(removed_percent=20.1), checked(removed_percent=20.0)),
    ("ACQ_QC", "", checked(margin_percent=1.1), checked(margin_percent=1.0)),
    ("ACQ_QC", "", checked(untimed=("stim.fcs",)), checked(untimed=())),
    ("NO_COMP", "", checked(residue=-1.6), checked(residue=-1.5)),
    ("TUBE_SWAP", "", checked(swapped=True), checked(swapped=False)),
    ("MARKER_SWAP", "", checked(markers_swapped=True), checked(markers_swapped=False)),
    ("TUBE_MISSING", "", make_case(unstimulated_missing=True), make_case()),
    ("TUBE_MISSING", "", make_case({"CD40-Ig": "NORMAL"}), make_case({"CD154-2": "NORMAL"})),
    ("TUBE_MISSING", "CD154", make_case(missing={"CD154": "No isotype."}), make_case()),
    ("CONTROL_ABSENT", "", make_case(control=None), make_case()),
    ("CONTROL_ABSENT", "CD40-Ig", make_case(control=ControlCase(("C01",), {"CD154": LENT}, {}, ())), make_case()),
    ("CONTROL_FAILED", "", make_case(control=ControlCase(("C01",), {}, {}, ("It failed.",))), make_case()),
    ("FILE_INTEGRITY", "", make_case(refusals=(Refusal("a.fcs", "FILE_INTEGRITY", "Cut."),)), make_case()),
    ("CHANNEL_MAP", "", make_case(refusals=(Refusal("a.fcs", "CHANNEL_MAP", "No CD69."),)), make_case()),
    (
        "CONTROL_FAILED",
        "CD154",
        of_control(negative_fraction=0.251, negative_fraction_low=0.23, negative_fraction_high=0.27),
        of_control(negative_fraction=0.249, negative_fraction_low=0.23, negative_fraction_high=0.27),
    ),
    ("LOW_SEPARATION", "CD154", of_control(separation=1.9), of_control(separation=2.1)),
]


@pytest.mark.parametrize(("code", "reagent", "bad", "good"), EDGES, ids=[f"{e[0]}-{i}" for i, e in enumerate(EDGES)])
def test_each_guard_from_both_sides(code: str, reagent: str, bad: Case, good: Case) -> None:
    assert fires(bad, code, reagent) is True
    assert fires(good, code, reagent) is False


def test_every_code_has_an_edge() -> None:
    assert {edge[0] for edge in EDGES} == set(BLOCKS)


def test_control_limits_are_stricter() -> None:
    """A control needs 80 % CD69+ cells, and its CD40-Ig 60 % positive ones."""
    weak = replace(ACTIVE, percent=79.0)
    assert fires(control_alone(activation={"CD154": weak, "CD40-Ig": ACTIVE}), "ACTIVATION_FAILED", "CD154") is True
    case = control_alone()
    dim = replace(case.reagents["CD40-Ig"], separation=1.5, percent_positive=59.0)  # below D = 2 counting decides
    assert fires(replace(case, reagents={**case.reagents, "CD40-Ig": dim}), "CONTROL_FAILED", "CD40-Ig") is True
    fair = replace(dim, percent_positive=61.0)
    assert fires(replace(case, reagents={**case.reagents, "CD40-Ig": fair}), "CONTROL_FAILED", "CD40-Ig") is False


@pytest.mark.parametrize(
    ("case", "code", "reagent"),
    [
        (activated(percent=None), "ACTIVATION_FAILED", "CD154"),
        (activated(percent=float("nan")), "ACTIVATION_FAILED", "CD154"),
        (activated(median_ratio=None), "ACTIVATION_FAILED", "CD154"),
        (activated(unstimulated_percent=None), "ACTIVATION_FAILED", "CD154"),
        (lent(separation=None), "LOW_SEPARATION", "CD154"),
        (measured(negative_fraction_low=None), "FIT_UNSTABLE", "CD154"),
    ],
)
def test_what_cannot_be_computed_stands_in_the_way(case: Case, code: str, reagent: str) -> None:
    assert fires(case, code, reagent) is None
    decision = judge(case)
    assert (decision.call, decision.reasons) == ("INDETERMINATE", (code,))


@pytest.mark.parametrize(
    ("case", "code"),
    [
        (sampled(collected_h=None), "SAMPLE_AGE"),
        (sampled(anticoagulant=""), "ANTICOAGULANT"),
        (checked(fingerprint_points=None), "ID_CONFLICT"),
        (checked(residue=None), "NO_COMP"),
        (checked(swapped=None), "TUBE_SWAP"),
        (checked(markers_swapped=None), "MARKER_SWAP"),
    ],
)
def test_unknown_background_information_only_warns(case: Case, code: str) -> None:
    assert fires(case, code) is None
    assert (judge(case).call, judge(case).reasons) == ("NORMAL", ())


@pytest.mark.parametrize(
    ("mild", "severe"),
    [
        (checked(removed_percent=50.0), checked(removed_percent=50.1)),
        (checked(margin_percent=5.0), checked(margin_percent=5.1)),
        (sampled(collected_h=72.0), sampled(collected_h=72.1)),
        (threshold_at(POSITIVE.mean), threshold_at(POSITIVE.mean + 0.01)),
    ],
)
def test_the_second_limit_takes_every_call_away(mild: Case, severe: Case) -> None:
    assert judge(mild).call == "NORMAL"
    assert judge(severe).call == "INDETERMINATE"
    worst = [guard for guard in apply_guards(severe, limits()) if guard.fired and guard.blocks == EVERY]
    assert worst and worst[0].value is not None and worst[0].limit is not None
    assert worst[0].value > worst[0].limit


def test_a_shifted_background_limits_only_where_it_is_not_the_anchor() -> None:
    case = measured(background_shift=0.8)
    assert judge(case).call == "NORMAL"
    absent = with_measures(make_case(dict.fromkeys(("CD154", "CD40-Ig"), "ABSENT")), "CD154", background_shift=0.8)
    assert judge(absent).call == "ABSENT"
    borrowed = replace(absent.reagents["CD154"].anchor, exact=False)
    assert judge(with_measures(absent, "CD154", anchor=borrowed)).reasons == ("HIGH_BACKGROUND",)


def test_a_failed_fit_says_why() -> None:
    (guard,) = guards_of(measured(converged=False), "FIT_UNSTABLE", "CD154")
    assert "did not converge" in guard.message
    (guard,) = guards_of(measured(negative_fraction_high=None), "FIT_UNSTABLE", "CD154")
    assert "could not be fitted" in guard.message


def test_limits_are_told_in_the_unit_of_the_value() -> None:
    for guard in apply_guards(make_case(), limits()):
        assert (guard.value is None) or guard.unit
    (found, middle) = (g for g in guards_of(make_case(), "HIGH_BACKGROUND", "CD154") if g.unit == "channel value")
    assert found.limit == pytest.approx(SCALE.to_linear(0.6))
    assert middle.limit == pytest.approx(SCALE.to_linear(POSITIVE.mean))


def test_reagents_that_are_not_measured_are_counted_all_the_same() -> None:
    case = make_case()
    without = replace(case, reagents={"CD154": case.reagents["CD154"]})
    empty = replace(without, activation={"CD154": ACTIVE, "CD40-Ig": replace(ACTIVE, percent=None, events=0)})
    assert fires(empty, "TOO_FEW_EVENTS", "CD40-Ig") is True
    many = replace(without, activation={"CD154": ACTIVE, "CD40-Ig": replace(ACTIVE, events=2000)})
    assert fires(many, "TOO_FEW_EVENTS", "CD40-Ig") is False
    refused = replace(without, activation={"CD154": ACTIVE, "CD40-Ig": replace(ACTIVE, percent=None, events=None)})
    assert not [found for found in apply_guards(refused, limits()) if found.code == "TOO_FEW_EVENTS" and found.fired]


def test_controls_tell_their_own_failures_only() -> None:
    assert control_failures(control_alone(), limits()) == ()
    beside = make_case(sample=CONTROL_SAMPLE, control=ControlCase(("C02",), {"CD154": LENT}, {}, ("Control C02: no.",)))
    told = control_failures(beside, limits())
    assert [words for words in told if "C02: no." in words] == []
    failed = control_failures(of_control(converged=False), limits())
    assert failed == ("Control C01: The fit of the mixture did not converge. (CD154)",)


def test_effects_name_what_is_left() -> None:
    names = {guard.code: guard.effect for guard in apply_guards(make_case(), limits())}
    assert names["TOO_FEW_EVENTS"] == "hard"
    assert names["DRUG_CNI"] == "limits"
    assert names["ACQ_QC"] == "soft"
    assert NORMAL not in BLOCKS["DRUG_CNI"]
