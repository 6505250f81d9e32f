"""Cases on both sides of the limit of every guard."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from cd40l_flow import ENGINE_VERSION
from cd40l_flow.base.model import Tube
from cd40l_flow.cohort.laboratory import Laboratory
from cd40l_flow.cohort.reference_types import Spread
from cd40l_flow.decision.case import (
    Case,
    ControlCase,
    Difference,
    Disagreement,
    Refusal,
    Replicate,
    ReplicateGroup,
    WithoutTimeQC,
)
from cd40l_flow.decision.independence import Dependence, Independence
from cd40l_flow.mixture.model import Anchor
from helpers.by_hand.cases import (
    ACTIVE,
    ALIKE,
    BINS,
    CHECKS,
    DARK,
    LENT,
    SAMPLE,
    control_alone,
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
            "percent_positive": Spread(count=20, mean=90.0, sd=1.0, log=False),
            "negative_fraction": Spread(count=20, mean=0.10, sd=0.01, log=False),
            "cd69_percent": Spread(count=20, mean=95.0, sd=1.0, log=False),
        }
    },
)


def replicates(points: float, stimulation: str) -> Case:
    """Return a case of two CD154 tubes whose CD69+ percents differ by so many points, where 8 are allowed."""
    serves = ("CD154",) if stimulation == "stimulated" else ()
    tubes = tuple(Replicate(name, 3000, 95.0, 9000.0, 7000.0, 90.0) for name in ("1.fcs", "2.fcs"))
    apart = Difference("CD3+CD8-CD69+ of CD3+CD8-", ("1.fcs", "2.fcs"), points, 8.0, "points")
    return make_case(replicates=(ReplicateGroup(stimulation, "CD154", "CD3+CD8-CD69+", serves, tubes, (apart,)),))


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
    ("MARKER_SWAP", "", checked(cd8_percent=0.9), checked(cd8_percent=1.0)),
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


def dependent(marker: str, log_ratio: float, inner_odds: float | None = None) -> Case:
    """Return a mosaic whose negatives follow a marker."""
    found = Independence(Dependence(0.0, 0.05), Dependence(0.0, 0.05), np.zeros(BINS), inner_odds)
    one = Dependence(log_ratio, 0.05)
    change = {"others": {marker: one}} if marker in ("CD8", "CD4") else {marker: one}
    found = replace(found, **change)
    case = make_case(dict.fromkeys(("CD154", "CD40-Ig"), "MOSAIC"))
    return replace(case, independence={"CD154": found})


def at_volts(volts: float | None) -> Case:
    """Return a sample at a voltage with a control at 500 V."""
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
    """Return a sample of an age with controls of some bands of age."""
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
    ("NEGATIVES_DEPENDENT", "CD154", dependent("CD8", -0.61), dependent("CD8", -0.59)),
    ("NEGATIVES_DEPENDENT", "CD154", dependent("CD4", 0.61), dependent("CD4", 0.59)),
    ("ACQ_QC", "CD154", dependent("time", -0.61), dependent("time", -0.59)),
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
