"""Every guard from both sides of its limit, and what each takes away."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cd40l_flow.assay.cd40l.reagents import CD40_IG, CD154
from cd40l_flow.assay.effects import ABSENT, ALL_CALLS, FUNCTIONAL_DEFECT, MOSAIC, NO_CALLS, NORMAL, REDUCED
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.cohort.reference_types import Spread
from cd40l_flow.decision.applied import Guard
from cd40l_flow.decision.case import (
    Activation,
    Case,
    ControlCase,
)
from cd40l_flow.decision.guards import apply_guards, control_failures, tubes_lacking
from cd40l_flow.decision.independence import Dependence
from cd40l_flow.mixture.histogram import centres
from cd40l_flow.mixture.model import Anchor
from cd40l_flow.mixture.resting import Stimulated
from helpers.by_hand.cases import (
    ACTIVE,
    BINS,
    CHECKS,
    CONTROL_SAMPLE,
    DARK,
    LENT,
    SAMPLE,
    SCALE,
    control_alone,
    judge,
    limits,
    make_case,
    pair,
    with_measures,
)
from helpers.by_hand.guard_edges import (
    DOUBTS,
    EDGES,
    LABORATORY,
    activated,
    at_volts,
    charted,
    checked,
    dependent,
    disagreeing,
    known,
    lent,
    measured,
    of_control,
    sampled,
)


def guards_of(case: Case, code: str, reagent: str = "") -> list[Guard]:
    return [guard for guard in apply_guards(case, limits()) if (guard.code, guard.reagent) == (code, reagent)]


def fires(case: Case, code: str, reagent: str = "") -> bool | None:
    """Return whether any guard of this code fired, None when none did and one could not be computed."""
    found = [guard.fired for guard in guards_of(case, code, reagent)]
    return True if True in found else None if None in found else False


def test_a_healthy_sample_sets_off_nothing() -> None:
    assert [guard for guard in apply_guards(make_case(), limits()) if guard.fired is not False] == []
    assert [guard for guard in apply_guards(control_alone(), limits()) if guard.fired is not False] == []


@pytest.mark.parametrize(("code", "reagent", "bad", "good"), EDGES, ids=[f"{e[0]}-{i}" for i, e in enumerate(EDGES)])
def test_each_guard_from_both_sides(code: str, reagent: str, bad: Case, good: Case) -> None:
    assert fires(bad, code, reagent) is True
    assert fires(good, code, reagent) is False


@pytest.mark.parametrize(("code", "reagent", "bad", "good"), DOUBTS, ids=[f"{e[0]}-{i}" for i, e in enumerate(DOUBTS)])
def test_each_doubt_from_both_sides(code: str, reagent: str, bad: Case, good: Case) -> None:
    assert fires(bad, code, reagent) is True
    assert fires(good, code, reagent) is False


def test_without_voltages_the_background_tells_another_gain() -> None:
    wide = with_measures(at_volts(None), "CD154", anchor=Anchor(DARK, "isotype", ("isotype.fcs",), exact=True))
    assert fires(wide, "GAIN_MISMATCH", "CD154") is False
    narrow = np.round(1000 * np.exp(-0.5 * ((centres(BINS) - 0.2) / 0.02) ** 2))
    other = with_measures(wide, "CD154", anchor=Anchor(narrow, "isotype", ("isotype.fcs",), exact=True))
    assert fires(other, "GAIN_MISMATCH", "CD154") is True
    assert judge(other).reasons == ("GAIN_MISMATCH",)
    # The limit is that of the side which the ratio lies on.
    (found,) = guards_of(other, "GAIN_MISMATCH", "CD154")
    assert found.value is not None and found.value < 1
    assert found.limit == pytest.approx(1 / limits().guards.background_ratio_max)
    (above,) = guards_of(at_volts(600.0), "GAIN_MISMATCH", "CD154")
    assert (above.value, above.limit) == (pytest.approx(1.2), pytest.approx(limits().guards.gain_ratio_max))


def test_a_mosaic_that_is_one_among_strongly_stimulated_cells_stays_one() -> None:
    weak = dependent("cd69", 1.5)
    assert (judge(weak).call, judge(weak).reasons) == ("INDETERMINATE", ("NEGATIVES_DEPENDENT",))
    # Some of the others are among these cells still: the odds of a call are not enough.
    assert judge(dependent("cd69", 1.5, inner_odds=9.1)).call == "INDETERMINATE"
    assert judge(dependent("cd69", 1.5, inner_odds=9.3)).call == "MOSAIC"


def test_no_mosaic_is_seen_where_even_the_strongest_cells_were_hardly_stimulated() -> None:
    """Negatives that follow CD69 to its upper end, or CD69 far below the controls', leave a mosaic open."""
    persists = dependent("cd69", 1.5, inner_odds=9.3)
    assert judge(persists).call == "MOSAIC"
    one = persists.independence["CD154"]
    # Beyond 0.6, and beyond two standard errors.
    for ratio, error, call in (
        (0.59, 0.2, "MOSAIC"), (0.61, 0.2, "INDETERMINATE"), (0.79, 0.4, "MOSAIC"), (0.81, 0.4, "INDETERMINATE"),
    ):  # fmt: skip
        goes_on = {"CD154": replace(one, strong=Dependence(ratio, error))}
        assert judge(replace(persists, independence=goes_on)).call == call
    assert persists.control is not None
    theirs = replace(persists.control, activation_median={"CD154": 3000.0})
    for median, call in ((1000.0, "MOSAIC"), (980.0, "INDETERMINATE"), (None, "MOSAIC")):
        mine = persists.activation | {"CD154": replace(persists.activation["CD154"], median=median)}
        assert judge(replace(persists, control=theirs, activation=mine)).call == call


def test_weakly_stimulated_cells_are_not_reduced_and_other_t_cells_do_not_matter() -> None:
    """Where the cells with little CD69 lack the target, the level may be that of the stimulation."""
    reduced = make_case(dict.fromkeys(("CD154", "CD40-Ig"), "REDUCED"))
    assert judge(reduced).call == "REDUCED"
    for marker, ratio, call in (("cd69", 1.5, "INDETERMINATE"), ("cd69", -1.5, "REDUCED"), ("cd3", -1.5, "REDUCED")):
        found = judge(replace(reduced, independence=dependent(marker, ratio).independence))
        assert found.call == call
        assert ("NEGATIVES_DEPENDENT" in found.reasons) is (call == "INDETERMINATE")


def test_an_infant_beside_an_adult_is_no_mosaic_and_not_reduced() -> None:
    for pattern, call in (("MOSAIC", "INDETERMINATE"), ("REDUCED", "INDETERMINATE"), ("ABSENT", "ABSENT")):
        case = make_case(dict.fromkeys(("CD154", "CD40-Ig"), pattern), sample=replace(SAMPLE, age_years=0.3))
        assert judge(case).call == call
        assert case.control is not None
        matched = replace(case, control=replace(case.control, ages=("under 6 months",)))
        assert judge(matched).call == pattern


def test_every_code_has_an_edge() -> None:
    # A failed analysis is no guard: nothing is measured that could have an edge.
    assert {edge[0] for edge in (*EDGES, *DOUBTS)} == set(current_assay().guard) - {"ANALYSIS_FAILED"}


def test_control_limits_are_stricter() -> None:
    """A control needs 80 % CD69+ cells, and its CD40-Ig 60 % positive ones."""
    weak = replace(ACTIVE, percent=79.0)
    assert fires(control_alone(activation={"CD154": weak, "CD40-Ig": ACTIVE}), "ACTIVATION_FAILED", "CD154") is True
    case = control_alone()
    dim = replace(case.reagents["CD40-Ig"], separation=1.1, percent_positive=59.0)  # below D = 1.2 counting decides
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
        (measured(converged=None), "FIT_UNSTABLE", "CD154"),
    ],
)
def test_what_cannot_be_computed_blocking(case: Case, code: str, reagent: str) -> None:
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


@pytest.mark.parametrize("call", ["NORMAL", "ABSENT", "MOSAIC", "REDUCED"])
def test_without_cd8_positive_cells_there_is_no_call_that_they_could_make(call: str) -> None:
    """A tube that was not stained for CD8 counts CD8+ cells, of which many do not express CD154."""
    case = make_case({CD154: call, CD40_IG: call}, checks=replace(CHECKS, cd8_percent=0.01))
    found = judge(case)
    assert (found.call == call) is (call in ("NORMAL", "ABSENT"))
    assert ("MARKER_SWAP" in found.reasons) is (call in ("MOSAIC", "REDUCED"))


@pytest.mark.parametrize(
    ("mild", "severe"),
    [
        (checked(removed_percent=50.0), checked(removed_percent=50.1)),
        (checked(margin_percent=5.0), checked(margin_percent=5.1)),
        (sampled(collected_h=72.0), sampled(collected_h=72.1)),
    ],
)
def test_the_second_limit_takes_every_call_away(mild: Case, severe: Case) -> None:
    assert judge(mild).call == "NORMAL"
    assert judge(severe).call == "INDETERMINATE"
    worst = [guard for guard in apply_guards(severe, limits()) if guard.fired and guard.blocks == ALL_CALLS]
    assert worst and worst[0].value is not None and worst[0].limit is not None
    assert worst[0].value > worst[0].limit


def test_a_shifted_background_limits_only_where_it_is_not_the_anchor() -> None:
    case = measured(background_shift=0.8)
    assert judge(case).call == "NORMAL"
    absent = with_measures(make_case(dict.fromkeys(("CD154", "CD40-Ig"), "ABSENT")), "CD154", background_shift=0.8)
    assert judge(absent).call == "ABSENT"
    borrowed = replace(absent.reagents["CD154"].anchor, exact=False)
    assert judge(with_measures(absent, "CD154", anchor=borrowed)).reasons == ("HIGH_BACKGROUND",)
    # Resting cells that were moved lie elsewhere for that very reason.
    moved = with_measures(absent, "CD154", anchor=MOVED)
    assert [found.value for found in guards_of(moved, "HIGH_BACKGROUND", "CD154") if found.unit == "robust SD"] == []


def test_a_failed_fit_says_why() -> None:
    (guard,) = guards_of(measured(converged=False), "FIT_UNSTABLE", "CD154")
    assert "did not converge" in guard.message
    (guard,) = guards_of(measured(converged=None), "FIT_UNSTABLE", "CD154")
    assert "could not be fitted" in guard.message


@pytest.mark.parametrize("call", [ABSENT, FUNCTIONAL_DEFECT, NORMAL, REDUCED, MOSAIC])
def test_expressing_cells_as_dim_as_the_background_leave_absence_alone(call: str) -> None:
    """What an absent sample shows of them is no number, and no doubt of its absence; of others it is."""
    binding = ABSENT if call == FUNCTIONAL_DEFECT else call
    case = pair(NORMAL if call == FUNCTIONAL_DEFECT else call, binding)
    case = with_measures(case, "CD40-Ig", converged=False, at_bound=("faintest level",))
    decision = judge(case)
    if call in (ABSENT, FUNCTIONAL_DEFECT):
        assert (decision.call, decision.reasons) == (call, ())
    else:
        assert decision.call == "INDETERMINATE" and "FIT_UNSTABLE" in decision.reasons
    failed = judge(with_measures(case, "CD40-Ig", at_bound=("level",)))
    assert "FIT_UNSTABLE" in failed.reasons


def test_limits_are_told_in_the_unit_of_the_value() -> None:
    for guard in apply_guards(make_case(), limits()):
        assert (guard.value is None) or guard.unit


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
    assert control_failures(control_alone(), limits()) == ((), {})
    beside = make_case(sample=CONTROL_SAMPLE, control=ControlCase(("C02",), {"CD154": LENT}, {}, ("Control C02: no.",)))
    everywhere, by_reagent = control_failures(beside, limits())
    told = [*everywhere, *(words for texts in by_reagent.values() for words in texts)]
    assert [words for words in told if "C02: no." in words] == []
    theirs = {"CD154": ("Control C02: The fit of the mixture did not converge. (CD154)",)}
    failed = ControlCase(("C02",), {"CD154": LENT}, {}, (), reagent_failures=theirs)
    _, by_reagent = control_failures(make_case(sample=CONTROL_SAMPLE, control=failed), limits())
    assert [words for texts in by_reagent.values() for words in texts if "C02" in words] == []
    # One reagent's fault leaves the other's readout.
    everywhere, by_reagent = control_failures(of_control(converged=False), limits())
    assert everywhere == ()
    assert by_reagent == {"CD154": ("Control C01: The fit of the mixture did not converge. (CD154)",)}


NO_ISOTYPE = {"CD154": "No stimulated isotype or FMO tube."}
RESTING = Anchor(DARK, "unstimulated", ("unstim.fcs",), exact=False)
MOVED = replace(RESTING, change=Stimulated(offset=20.0, noise=40.0, shift=0.3, widening=0.8))


@pytest.mark.parametrize(
    ("anchor", "blocks"),
    [(MOVED, NO_CALLS), (RESTING, ALL_CALLS), (replace(RESTING, source="control's isotype"), ALL_CALLS)],
    ids=["moved as stimulation does", "as they were", "another donor's"],
)
def test_unstimulated_cells_stand_in_only_where_it_is_known_what_stimulation_does(
    anchor: Anchor, blocks: frozenset[str]
) -> None:
    case = with_measures(make_case(missing=NO_ISOTYPE), "CD154", anchor=anchor)
    (found,) = guards_of(case, "TUBE_MISSING", "CD154")
    assert (found.fired, found.blocks) == (True, blocks)


def test_tubes_that_were_never_made_are_no_failure_of_the_control() -> None:
    """The control lacks them as its samples do: these say so by the name of the tubes."""
    control = replace(control_alone(), missing={"CD40-Ig": "No stimulated secondary tube."})
    control = replace(control, reagents={"CD154": control.reagents["CD154"]})
    assert control_failures(control, limits()) == ((), {})
    lacking = tubes_lacking(control, limits())
    assert lacking == {"CD40-Ig": ("Control C01: No stimulated secondary tube.",)}
    case = make_case(control=ControlCase(("C01",), {"CD154": LENT}, {}, (), lacking=lacking))
    assert fires(case, "TUBE_MISSING", "CD40-Ig") is True
    assert fires(case, "CONTROL_FAILED") is False
    # Without an unstimulated tube nothing of its activation can be known either.
    unknown = {name: Activation(95.0, None, None) for name in control.activation}
    alone = replace(control, missing={}, unstimulated_missing=True, activation=unknown)
    assert control_failures(alone, limits()) == ((), {})
    assert list(tubes_lacking(alone, limits())) == [""]


def test_a_tube_that_was_not_stained_lies_below_the_control_where_resting_cells_are_the_background() -> None:
    """It moved its own background down with it; the control's did not move."""
    absent = make_case(dict.fromkeys(("CD154", "CD40-Ig"), "ABSENT"))
    assert absent.control is not None
    place = SCALE.to_linear(MOVED.component(SCALE).median) - 0.8 * MOVED.component(SCALE).linear_sd
    below = np.roll(DARK, round((SCALE.to_scaled(place) - MOVED.component(SCALE).median) / (1.3 / DARK.size)))
    for counts, fired in ((below, True), (DARK, False)):
        case = with_measures(absent, "CD154", anchor=replace(MOVED, counts=counts), negative_fraction=0.99, shift=0.0)
        assert fires(case, "STAIN_FAILED", "CD154") is fired


@pytest.mark.parametrize(
    ("negative", "separation", "fired"),
    [(0.65, 4.0, None), (0.65, 1.2, True), (0.93, 4.0, True), (0.999, 4.0, True)],
    ids=["carrier", "no peak of their own", "carry-over", "absent"],
)
def test_a_tube_with_many_bright_cells_was_stained(negative: float, separation: float, fired: bool | None) -> None:
    """Negatives of a carrier may lie below a sticky isotype as those of an unstained tube do; her bright cells tell."""
    low, high = negative - 0.02, min(negative + 0.02, 1.0)
    case = with_measures(
        make_case(dict.fromkeys(("CD154", "CD40-Ig"), "ABSENT")), "CD154",
        negative_fraction=negative, negative_fraction_low=low, negative_fraction_high=high, separation=separation,
        shift=-0.5,
    )  # fmt: skip
    assert [guard.fired for guard in guards_of(case, "STAIN_FAILED", "CD154")] == ([] if fired is None else [fired])


@pytest.mark.parametrize(("fraction", "taken"), [(-0.129, {REDUCED}), (-0.131, ALL_CALLS)])
def test_a_control_with_some_more_negatives_shows_no_reduced_level(fraction: float, taken: frozenset[str]) -> None:
    """By the limit of blank its level is in doubt, by that of detection the control is."""
    case = with_measures(make_case(), "CD154", beside={"mutant_fraction": fraction})
    (found,) = guards_of(case, "CONTROL_DOUBTFUL", "CD154")
    assert (found.fired, found.blocks) == (True, frozenset(taken))


def test_effects_name_what_is_left() -> None:
    names = {guard.code: guard.effect for guard in apply_guards(make_case(), limits())}
    assert names["TOO_FEW_EVENTS"] == "hard"
    assert names["DRUG_CNI"] == "limits"
    assert names["ACQ_QC"] == "soft"
    assert NORMAL not in current_assay().guard["DRUG_CNI"].blocks


def test_a_control_two_sd_off_is_warned_of_and_three_off_has_failed() -> None:
    """Levey-Jennings: beyond 2 SD a warning, beyond 3 SD no sample of the run can be called."""
    warned, failed = charted(percent_positive=92.5), charted(percent_positive=93.1)
    assert (judge(warned).call, judge(warned).qc) == ("NORMAL", "warn")
    assert control_failures(warned, limits()) == ((), {})
    assert (judge(failed).call, judge(failed).reasons) == ("INDETERMINATE", ("CONTROL_FAILED",))
    (told,) = control_failures(failed, limits())[1]["CD154"]
    assert "+3.1 SD" in told
    unknown = charted(percent_positive=None)
    assert judge(unknown).call == "INDETERMINATE"


def test_few_controls_make_no_chart() -> None:
    few = {"CD154": {"percent_positive": Spread(count=19, mean=90.0, sd=1.0, log=False)}}
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
