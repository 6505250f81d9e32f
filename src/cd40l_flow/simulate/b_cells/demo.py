"""The run of B-cell samples that goes with the demonstration cohort: the same subjects, and three more."""

from __future__ import annotations

from typing import Any

from cd40l_flow.simulate.b_cells.laws import Subsets
from cd40l_flow.simulate.b_cells.samples import CD40, CD40_TUBES, BSample
from cd40l_flow.simulate.b_cells.scenarios import ABSENT, CD40_ABSENT, LOW, NORMAL, OPEN, PRESENT, day_control

RUN = "R2"
BRIGHT = 8.0  # memory over naive cells in CD27: a good dye


def demo_samples() -> tuple[BSample, ...]:
    """Return memory tubes of seven subjects (one of them twice) and CD40 tubes of three; the run has a control of each.

    C01, P01, P02, P03 and P05 are subjects of ``simulate.default_cohort``. P02, a girl whose CD154 is normal, lacks
    CD40; P03 has no CD154, P05 is his mother. I01 is a healthy infant, T01 a boy at two times after a transplant.
    """

    def memory(sample: str, subject: str, **fields: Any) -> BSample:
        usual: dict[str, Any] = {"subject": subject, "run": RUN, "events": 4500, "background": 0.3, "scenario": "demo"}
        usual["cd27_ratio"] = BRIGHT
        return BSample(sample, **{**usual, **fields})

    def cd40(sample: str, subject: str, **fields: Any) -> BSample:
        usual: dict[str, Any] = {
            "subject": subject,
            "run": RUN,
            "events": 2400,
            "background": 1.0,
            "scenario": "demo",
        }
        return BSample(sample, assay=CD40, tubes=CD40_TUBES, **{**usual, **fields})

    no_switching = Subsets(transitional=0.09, non_switched=0.03, switched=0.0, igm_only=0.002, plasmablast=0.001)
    affected: dict[str, Any] = {"expected": (ABSENT,), "dangerous": (NORMAL,)}
    grafted: dict[str, Any] = {"sex": "M", "family": "", "transplant": "yes", "b_percent": 18.0}
    return (
        day_control("C01M", RUN, subject="C01", b_events=0, events=5000, background=0.3, cd27_ratio=BRIGHT),
        memory(
            "P01M",
            "P01",
            age_years=6.0,
            b_percent=20.0,
            subsets=Subsets(transitional=0.07, switched=0.18),
            expected=(NORMAL,),
            dangerous=(ABSENT,),
        ),
        memory(
            "P02M",
            "P02",
            sex="F",
            age_years=9.0,
            b_percent=20.0,
            events=9000,
            background=0.2,
            subsets=no_switching,
            igm_g_l=3.1,
            igg_g_l=0.7,
            iga_g_l=0.05,
            **affected,
        ),
        memory(
            "P03M",
            "P03",
            family="K1",
            age_years=2.0,
            b_percent=24.0,
            events=12_000,
            background=0.2,
            subsets=no_switching,
            igm_g_l=1.9,
            igg_g_l=0.6,
            iga_g_l=0.05,
            **affected,
        ),
        memory(
            "P05M",
            "P05",
            sex="F",
            family="K1",
            age_years=34.0,
            b_percent=15.0,
            events=6000,
            subsets=Subsets(transitional=0.04, non_switched=0.12, switched=0.16),
            expected=(NORMAL,),
            dangerous=(ABSENT,),
        ),
        memory(
            "I01M",
            "I01",
            sex="F",
            age_years=0.4,
            b_percent=25.0,
            subsets=Subsets(transitional=0.22, non_switched=0.05, switched=0.028, igm_only=0.003),
            expected=(NORMAL, OPEN),
            expected_reasons=("AGE_TOO_YOUNG",),
            dangerous=(ABSENT, LOW),
        ),
        memory(
            "T01M1",
            "T01",
            age_years=5.0,
            collected="2025-03",
            expected_fraction=0.1,
            subsets=Subsets(transitional=0.2, non_switched=0.03, switched=0.018),
            expected=(LOW,),
            **grafted,
        ),
        memory(
            "T01M2",
            "T01",
            age_years=5.8,
            collected="2025-12",
            expected_fraction=0.9,
            subsets=Subsets(transitional=0.08, non_switched=0.09, switched=0.16),
            expected=(NORMAL,),
            **grafted,
        ),
        day_control("C01R", RUN, CD40, subject="C01", events=2400),
        cd40("P01R", "P01", age_years=6.0, b_percent=20.0, expected=(PRESENT,), dangerous=(CD40_ABSENT,)),
        cd40(
            "P02R",
            "P02",
            sex="F",
            age_years=9.0,
            b_percent=20.0,
            cd40_b=0.0,
            cd40_monocyte=0.0,
            subsets=no_switching,
            expected=(CD40_ABSENT,),
            dangerous=(PRESENT,),
        ),
    )
