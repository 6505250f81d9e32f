"""Every guard from both sides of its limit, and what each takes away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cd40l_flow import ENGINE_VERSION
from cd40l_flow.assay.effects import ALL_CALLS, NO_CALLS, NORMAL
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.base.model import Tube
from cd40l_flow.cohort.laboratory import Laboratory, Spread
from cd40l_flow.decision.applied import Guard
from cd40l_flow.decision.case import (
    Activation,
    Case,
    ControlCase,
    Difference,
    Disagreement,
    Refusal,
    Replicate,
    ReplicateGroup,
    WithoutTimeQC,
)
from cd40l_flow.decision.guards import apply_guards, control_failures, tubes_lacking
from cd40l_flow.decision.independence import Dependence, Independence
from cd40l_flow.mixture.histogram import centres
from cd40l_flow.mixture.model import Anchor
from cd40l_flow.mixture.resting import Stimulated
from helpers.cases import (
    ACTIVE,
    ALIKE,
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
    with_measures,
)

LABORATORY = Laboratory(
    digest="0" * 64,
    controls=20,
    failed=0,
    engine_versions=(ENGINE_VERSION,),
    cytometers=("Canto",),
    lots={"CD154": ("L1",), "CD40-Ig": ("L1",)},
    healthy_negative_sd={"CD154": 0.03},
    healthy_negative={"CD154": 0.10},
    level_sd={},
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
    return replace(case, without_time_qc=replace(WithoutTimeQC("NORMAL", (), True, 1.0, case), **changes))


def measured(**changes: Any) -> Case:
    return with_measures(make_case(), "CD154", **changes)


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
    ("TOO_FEW_EVENTS", "CD154", measured(events=199), measured(events=200)),
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
    ("FIT_UNSTABLE", "CD154", measured(converged=False), measured(converged=True)),
    ("LOW_SEPARATION", "CD154", lent(separation=1.19), lent(separation=1.2)),
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
    ("LOW_SEPARATION", "CD154", of_control(separation=1.1), of_control(separation=1.3)),
    ("REFERENCE_MISMATCH", "", known(lots={"CD154": ("L2",), "CD40-Ig": ("L1",)}), known()),
    ("REFERENCE_MISMATCH", "", known(cytometers=("Aria",)), known()),
    ("REFERENCE_MISMATCH", "", known(engine_versions=("0",)), known()),
    ("CONTROL_FAILED", "CD154", disagreeing(0.151, 1.0), disagreeing(0.15, 1.0)),
    ("CONTROL_FAILED", "CD154", disagreeing(0.0, 2.51), disagreeing(0.0, 2.5)),
    ("CONTROL_FAILED", "CD154", charted(percent_positive=92.1), charted(percent_positive=91.9)),
    ("CONTROL_FAILED", "CD154", charted(negative_fraction=0.079), charted(negative_fraction=0.081)),
]


@pytest.mark.parametrize(("code", "reagent", "bad", "good"), EDGES, ids=[f"{e[0]}-{i}" for i, e in enumerate(EDGES)])
def test_each_guard_from_both_sides(code: str, reagent: str, bad: Case, good: Case) -> None:
    assert fires(bad, code, reagent) is True
    assert fires(good, code, reagent) is False


def dependent(marker: str, log_ratio: float, inner_odds: float | None = None) -> Case:
    """Return a mosaic whose negatives follow a marker."""
    found = Independence(Dependence(0.0, 0.05), Dependence(0.0, 0.05), np.zeros(BINS), inner_odds)
    found = replace(found, **{marker: Dependence(log_ratio, 0.05)})  # type: ignore[arg-type]
    case = make_case(dict.fromkeys(("CD154", "CD40-Ig"), "MOSAIC"))
    return replace(case, independence={"CD154": found})


def at_volts(volts: float | None) -> Case:
    """Return a sample at a voltage beside a control at 500 V."""
    case = make_case()
    assert case.control is not None
    control = replace(case.control, volts={"PE-A": (500.0,)})
    return replace(case, control=control, volts={} if volts is None else {"PE-A": (volts,)})


def lying(shift: float, above_resting: float | None, dark: float = 0.0) -> Case:
    """Return a sample without expressing cells, so far from its background, which lies so far above resting cells.

    ``dark`` is how far its background lies above the control's, all in robust SD.
    """
    mine = np.roll(DARK, round(dark * 0.05 / (1.3 / BINS)))
    anchor = Anchor(mine, "isotype", ("isotype.fcs",), exact=True)
    case = make_case(dict.fromkeys(("CD154", "CD40-Ig"), "ABSENT"))
    return with_measures(case, "CD154", shift=shift, background_shift=above_resting, anchor=anchor)


def aged(years: float, *bands: str) -> Case:
    """Return a sample of an age beside controls of some bands of age."""
    case = sampled(age_years=years)
    assert case.control is not None
    return replace(case, control=replace(case.control, ages=bands))


DOUBTS: list[tuple[str, str, Case, Case]] = [
    ("STAIN_FAILED", "CD154", lying(-0.46, None), lying(-0.45, None)),
    # Below a sticky background, yet no lower than resting cells and the control's background.
    ("STAIN_FAILED", "CD154", lying(-0.8, 0.3, 1.0), lying(-0.8, 1.0, 1.0)),
    ("STAIN_FAILED", "CD154", lying(-0.8, 1.0, 0.0), lying(-0.8, 1.0, 1.0)),
    ("GAIN_MISMATCH", "CD154", at_volts(494.0), at_volts(496.0)),
    ("GAIN_MISMATCH", "CD154", at_volts(420.0), at_volts(500.0)),
    (
        "CONTROL_DOUBTFUL",
        "CD154",
        with_measures(make_case(), "CD154", beside={"mutant_fraction": -0.076}),
        with_measures(make_case(), "CD154", beside={"mutant_fraction": -0.074}),
    ),
    ("NEGATIVES_DEPENDENT", "CD154", dependent("cd69", 0.61), dependent("cd69", 0.59)),
    ("NEGATIVES_DEPENDENT", "CD154", dependent("cd3", -0.61), dependent("cd3", -0.59)),
    ("INFANT", "", aged(1.9, "18 to 44 y"), aged(2.0, "18 to 44 y")),
    ("INFANT", "", aged(1.9, "18 to 44 y"), aged(1.9, "1 y")),
    (
        "MODEL_MISFIT",
        "CD154",
        with_measures(make_case(), "CD154", misplaced=0.05, goodness=1e-6),
        with_measures(make_case(), "CD154", misplaced=0.05, goodness=0.2),
    ),
    # Half as much is a misfit where the second opinion contradicts the fit.
    (
        "MODEL_MISFIT",
        "CD154",
        with_measures(make_case(), "CD154", misplaced=0.03, goodness=1e-6, gmm_negative_fraction=0.3),
        with_measures(make_case(), "CD154", misplaced=0.03, goodness=1e-6),
    ),
    # Fit 0.10, half its interval 0.011, overlap at D 6 0.00135: 0.062 is allowed either way.
    (
        "SECOND_OPINION",
        "CD154",
        with_measures(make_case(), "CD154", gmm_negative_fraction=0.163),
        with_measures(make_case(), "CD154", gmm_negative_fraction=0.162),
    ),
    (
        "SECOND_OPINION",
        "CD154",
        with_measures(make_case(), "CD154", gmm_negative_fraction=0.037),
        with_measures(make_case(), "CD154", gmm_negative_fraction=0.037, separation=2.0),
    ),
]


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


def test_a_mosaic_that_is_one_among_strongly_stimulated_cells_stays_one() -> None:
    weak = dependent("cd69", 1.5)
    assert (judge(weak).call, judge(weak).reasons) == ("INDETERMINATE", ("NEGATIVES_DEPENDENT",))
    # Some of the others are among these cells still: the odds of a call are not enough.
    assert judge(dependent("cd69", 1.5, inner_odds=9.1)).call == "INDETERMINATE"
    assert judge(dependent("cd69", 1.5, inner_odds=9.3)).call == "MOSAIC"


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
