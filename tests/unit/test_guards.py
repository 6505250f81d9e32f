"""Every guard from both sides of its limit, and what each takes away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cd40l_flow import ENGINE_VERSION
from cd40l_flow.expression.case import (
    Case,
    ControlCase,
    Difference,
    Disagreement,
    Refusal,
    Replicate,
    ReplicateGroup,
    Uncut,
)
from cd40l_flow.expression.components import background_component
from cd40l_flow.expression.effects import BLOCKS, EVERY, NORMAL, Guard
from cd40l_flow.expression.guards import apply_guards, control_failures
from cd40l_flow.expression.histogram import quantile
from cd40l_flow.expression.laboratory import Laboratory, Spread
from cd40l_flow.inputs.model import Tube
from helpers.cases import (
    ACTIVE,
    ALIKE,
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

# Below this a fifth of the control's positive cells would be hidden.
LAW, _ = background_component(LENT.background, SCALE).positive(POSITIVE)
HIDDEN, MIDDLE = quantile(LAW, 0.2), quantile(LAW, 0.5)
LABORATORY = Laboratory(
    digest="0" * 64,
    controls=20,
    failed=0,
    engine_versions=(ENGINE_VERSION,),
    cytometers=("Canto",),
    lots={"CD154": ("L1",), "CD40-Ig": ("L1",)},
    healthy_negative_sd={"CD154": 0.03},
    spreads={
        "CD154": {
            "percent_positive": Spread(20, 90.0, 1.0, log=False),
            "negative_fraction": Spread(20, 0.10, 0.01, log=False),
            "cd69_percent": Spread(20, 95.0, 1.0, log=False),
        }
    },
)


def replicates(points: float, stimulation: str) -> Case:
    """Return a case of two CD154 tubes whose CD69+ percents differ by so many points, where 8 are allowed."""
    serves = ("CD154",) if stimulation == "stimulated" else ()
    tubes = tuple(Replicate(name, 3000, 95.0, 9000.0, 7000.0, 90.0) for name in ("1.fcs", "2.fcs"))
    apart = Difference("CD3+CD8-CD69+ of CD3+CD8-", ("1.fcs", "2.fcs"), points, 8.0, "points")
    return make_case(replicates=(ReplicateGroup(stimulation, "CD154", "CD3+CD8-CD69+", serves, tubes, (apart,)),))


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


def uncut(**changes: Any) -> Case:
    """Return a case of which something was cut in time."""
    case = make_case()
    return replace(case, uncut=replace(Uncut("NORMAL", (), True, 1.0, case), **changes))


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


def known(**changes: Any) -> Case:
    """Return a sample beside the laboratory's limits."""
    tubes = tuple(Tube(f"{reagent}.fcs", "", "stimulated", reagent, lot="L1") for reagent in ("CD154", "CD40-Ig"))
    return make_case(
        sample=replace(SAMPLE, tubes=tubes), laboratory=replace(LABORATORY, **changes), cytometers=("Canto",)
    )


def disagreeing(difference: float | None, ratio: float | None) -> Case:
    """Return a sample whose two controls lie apart."""
    control = make_case().control
    assert control is not None
    return make_case(control=replace(control, disagreement={"CD154": Disagreement(difference, ratio)}))


def charted(**changes: Any) -> Case:
    """Return a single control on the laboratory's chart."""
    return replace(of_control(**changes), laboratory=LABORATORY, cytometers=("Canto",))


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
    ("HIGH_BACKGROUND", "CD154", measured(threshold_scaled=HIDDEN + 0.01), measured(threshold_scaled=HIDDEN)),
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
    (
        "ID_CONFLICT",
        "",
        checked(differences=(replace(ALIKE, value=8.1),)),
        checked(differences=(replace(ALIKE, value=8.0),)),
    ),
    ("ACQ_QC", "", checked(drifting=("stim.fcs",)), checked(drifting=())),
    ("ACQ_QC", "", uncut(same_call=False), uncut(same_call=True)),
    ("ACQ_QC", "", uncut(change_points=5.1), uncut(change_points=5.0)),
    ("MARKER_SWAP", "", checked(cd3_cd8_swapped=True), checked(cd3_cd8_swapped=False)),
    ("ACQ_QC", "", checked(removed_percent=20.1), checked(removed_percent=20.0)),
    ("ACQ_QC", "", checked(margin_percent=1.1), checked(margin_percent=1.0)),
    ("ACQ_QC", "", checked(untimed=("stim.fcs",)), checked(untimed=())),
    ("NO_COMP", "", checked(residue=-1.6), checked(residue=-1.5)),
    ("TUBE_SWAP", "", checked(swapped=True), checked(swapped=False)),
    ("MARKER_SWAP", "", checked(markers_swapped=True), checked(markers_swapped=False)),
    ("REPLICATE_DISCORDANT", "", replicates(8.1, "unstimulated"), replicates(8.0, "unstimulated")),
    ("REPLICATE_DISCORDANT", "CD154", replicates(8.1, "stimulated"), replicates(8.0, "stimulated")),
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
    ("REFERENCE_MISMATCH", "", known(lots={"CD154": ("L2",), "CD40-Ig": ("L1",)}), known()),
    ("REFERENCE_MISMATCH", "", known(cytometers=("Aria",)), known()),
    ("REFERENCE_MISMATCH", "", known(engine_versions=("0",)), known()),
    ("CONTROL_FAILED", "CD154", disagreeing(0.151, 1.0), disagreeing(0.15, 1.0)),
    ("CONTROL_FAILED", "CD154", disagreeing(0.0, 2.01), disagreeing(0.0, 2.0)),
    ("CONTROL_FAILED", "CD154", charted(percent_positive=92.1), charted(percent_positive=91.9)),
    ("CONTROL_FAILED", "CD154", charted(negative_fraction=0.079), charted(negative_fraction=0.081)),
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
        (checked(differences=()), "ID_CONFLICT"),
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
        (threshold_at(MIDDLE), threshold_at(MIDDLE + 0.01)),
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
    assert found.limit == pytest.approx(SCALE.to_linear(HIDDEN))
    assert middle.limit == pytest.approx(SCALE.to_linear(MIDDLE))


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


def test_a_control_two_sd_off_is_warned_of_and_three_off_has_failed() -> None:
    """Levey-Jennings: beyond 2 SD a warning, beyond 3 SD no sample of the run can be called."""
    warned, failed = charted(percent_positive=92.5), charted(percent_positive=93.1)
    assert (judge(warned).call, judge(warned).qc) == ("NORMAL", "warn")
    assert control_failures(warned, limits()) == ()
    assert (judge(failed).call, judge(failed).reasons) == ("INDETERMINATE", ("CONTROL_FAILED",))
    (told,) = control_failures(failed, limits())
    assert "+3.1 SD" in told
    unknown = charted(percent_positive=None)
    assert judge(unknown).call == "INDETERMINATE"


def test_few_controls_make_no_chart() -> None:
    few = {"CD154": {"percent_positive": Spread(19, 90.0, 1.0, log=False)}}
    case = replace(charted(percent_positive=99.0), laboratory=replace(LABORATORY, spreads=few))
    assert judge(case).call == "NORMAL"


def test_a_lot_or_an_instrument_that_is_new_warns_and_takes_nothing_away() -> None:
    decision = judge(known(cytometers=("Aria",)))
    assert (decision.call, decision.reasons, decision.qc) == ("NORMAL", ("REFERENCE_MISMATCH",), "warn")
    (found,) = guards_of(known(cytometers=("Aria",), lots={"CD154": ("L2",)}), "REFERENCE_MISMATCH")
    assert "instrument Canto" in found.message and "CD154 lot L1" in found.message
    assert "CD40-Ig (in none of its controls)" in found.message


def test_controls_that_contradict_each_other_take_every_call() -> None:
    for case in (disagreeing(0.2, 1.0), disagreeing(0.0, 3.0), disagreeing(None, 1.0)):
        decision = judge(case)
        assert (decision.call, decision.reasons) == ("INDETERMINATE", ("CONTROL_FAILED",))
    assert judge(disagreeing(0.1, 1.5)).call == "NORMAL"


def test_an_anticoagulant_that_binds_calcium_takes_low_calls() -> None:
    for pattern, call in (("ABSENT", "INDETERMINATE"), ("REDUCED", "INDETERMINATE"), ("NORMAL", "NORMAL")):
        case = make_case({"CD154": pattern, "CD40-Ig": pattern}, sample=replace(SAMPLE, anticoagulant="EDTA"))
        assert (judge(case).call, judge(case).reasons) == (call, ("ANTICOAGULANT",))
        not_told = replace(case, sample=replace(SAMPLE, anticoagulant=""))
        assert judge(not_told).call == pattern
