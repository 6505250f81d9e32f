"""Who gives blood for the B-cell assays, and what disturbs the measurement: each by name, drawn as often as wanted.

``PATIENTS`` are drawn at any age; a disturbance changes what was drawn. What is expected is a set of calls: a rare
donor about a limit, or too few cells, may rightly stay open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cd40l_flow.simulate.b_cells.laws import (
    Subsets,
    healthy_b_percent,
    healthy_subsets,
    without_germinal_centre,
    without_switching,
)
from cd40l_flow.simulate.b_cells.samples import CD40, CD40_TUBES, BSample
from cd40l_flow.simulate.b_cells.separation import cd27_brightness_for
from cd40l_flow.simulate.b_cells.tube import hours_old
from cd40l_flow.simulate.cells import generator

NORMAL, LOW, ABSENT, OPEN = "SWITCHED_NORMAL", "SWITCHED_LOW", "SWITCHED_ABSENT", "INDETERMINATE"
PRESENT, CD40_LOW, CD40_ABSENT, DISCORDANT = "PRESENT", "CD40_LOW", "CD40_ABSENT", "DISCORDANT"
MEMORY_CALLS, CD40_CALLS = (NORMAL, LOW, ABSENT), (PRESENT, CD40_LOW, CD40_ABSENT, DISCORDANT)
YOUNGEST_CALLED = 0.75  # years: below it low cannot be distinguished from healthy
FEWEST_B = 200
CD40_STAIN_SD = 0.12  # of the logarithm, from sample to sample
Draw = Callable[[float, np.random.Generator], dict[str, Any]]
Rng = np.random.Generator


def _healthy(age: float, rng: Rng) -> dict[str, Any]:
    return {"subsets": healthy_subsets(age, rng), "expected": (NORMAL, OPEN), "dangerous": (ABSENT,)}


def _plain(age: float, rng: Rng) -> dict[str, Any]:
    """Return a healthy donor in the middle of the age's range: clear of any limit."""
    subsets = healthy_subsets(age, rng, switched_z=float(rng.uniform(-0.6, 1.0)))
    return {"subsets": subsets, "expected": (NORMAL,), "dangerous": (ABSENT,)}


def _affected(subsets: Callable[[Subsets, Rng], Subsets], **sheet: Any) -> Draw:
    def draw(age: float, rng: Rng) -> dict[str, Any]:
        found = {"subsets": subsets(healthy_subsets(age, rng), rng), "expected": (ABSENT, LOW), "dangerous": (NORMAL,)}
        return found | sheet

    return draw


def _cvid(healthy: Subsets, rng: Rng) -> Subsets:
    kept = float(rng.uniform(0.2, 1.0))
    switched = float(rng.uniform(0.0, 0.02))
    return replace(healthy, switched=switched, non_switched=kept * healthy.non_switched, plasmablast=0.0005)


def _btk(age: float, rng: Rng) -> dict[str, Any]:
    return {
        "subsets": replace(healthy_subsets(age, rng), switched=0.01, transitional=0.3),
        "b_percent": float(np.exp(rng.uniform(np.log(0.02), np.log(0.8)))),
        "b_events": 0,
        "events": 40_000,
        "expected": (OPEN,),
        "expected_reasons": ("B_ABSENT", "TOO_FEW_B"),
        "dangerous": MEMORY_CALLS,
    }


def _rituximab(age: float, rng: Rng) -> dict[str, Any]:
    return {
        "subsets": Subsets(
            transitional=float(rng.uniform(0.5, 0.7)),
            non_switched=float(rng.uniform(0.003, 0.02)),
            switched=float(rng.uniform(0.0, 0.01)),
            igm_only=0.001,
            double_negative=0.03,
            plasmablast=0.004,
        ),
        "b_percent": float(np.exp(rng.uniform(np.log(1.5), np.log(8.0)))),
        "b_depletion": "yes",
        "expected": (OPEN,),
        "expected_reasons": ("ANTI_CD20",),
        "dangerous": MEMORY_CALLS,
    }


def _transplanted(age: float, rng: Rng) -> dict[str, Any]:
    healthy = healthy_subsets(age, rng)
    fraction = float(rng.uniform(0.05, 0.95))
    return {
        "subsets": without_germinal_centre(healthy, rng).mixed(healthy, fraction),
        "transplant": "yes",
        "expected_fraction": round(fraction, 3),
        "expected": (NORMAL, LOW, OPEN, *((ABSENT,) if fraction < 0.1 else ())),
    }


@dataclass(frozen=True)
class Patient:
    """Who gives blood: ``ages`` in years, ``draw`` the fields of a sample; ``assay`` is CD40 where that is asked."""

    draw: Draw
    ages: tuple[float, float] = (1.0, 60.0)
    sheet: Mapping[str, Any] = field(default_factory=dict)


PATIENTS: dict[str, Patient] = {
    "healthy": Patient(_plain),
    "healthy-any": Patient(_healthy),
    "infant": Patient(_healthy, (0.1, 0.7)),
    "carrier": Patient(_plain, (20.0, 45.0), {"sex": "F"}),
    "xhim": Patient(_affected(without_germinal_centre, igm_g_l=2.1, igg_g_l=0.6), (1.0, 25.0)),
    "cd40-deficient": Patient(_affected(without_germinal_centre, igm_g_l=2.6, igg_g_l=0.5), (1.0, 15.0), {"sex": "F"}),
    "icos": Patient(_affected(without_germinal_centre), (5.0, 50.0)),
    "cvid": Patient(_affected(_cvid, igg_g_l=2.0, igm_g_l=0.3), (8.0, 60.0)),
    "aid-ung": Patient(_affected(without_switching, igm_g_l=6.0, igg_g_l=0.8), (1.0, 40.0)),
    "btk": Patient(_btk, (1.0, 20.0)),
    "rituximab": Patient(_rituximab, (5.0, 60.0)),
    "transplanted": Patient(_transplanted, (2.0, 20.0)),
}


def _disagreeing(rng: Rng) -> dict[str, Any]:
    absent = "cd40_b" if rng.random() < 0.5 else "cd40_monocyte"
    return {absent: 0.0, "expected": (DISCORDANT, OPEN), "dangerous": (PRESENT, CD40_ABSENT)}


def _chimeric(rng: Rng) -> dict[str, Any]:
    lacking = float(rng.uniform(0.05, 0.95))
    sheet = {"transplant": "yes", "expected_fraction": round(1.0 - lacking, 3)}
    return {"cd40_lacking": lacking, "expected": (OPEN, PRESENT, CD40_LOW), "dangerous": (CD40_ABSENT,)} | sheet


def _level(low: float, high: float, **fields: Any) -> Callable[[Rng], dict[str, Any]]:
    def draw(rng: Rng) -> dict[str, Any]:
        level = float(rng.uniform(low, high))
        return {"cd40_b": level, "cd40_monocyte": level, **fields}

    return draw


CD40_PATIENTS: dict[str, Callable[[Rng], dict[str, Any]]] = {
    "cd40-present": _level(0.85, 1.15, expected=(PRESENT,), dangerous=(CD40_ABSENT, CD40_LOW)),
    "cd40-absent": _level(0.0, 0.02, expected=(CD40_ABSENT,), dangerous=(PRESENT,)),
    "cd40-low": _level(0.17, 0.28, expected=(CD40_LOW,), dangerous=(PRESENT,)),
    "cd40-monocytes-disagree": _disagreeing,
    "cd40-drug": lambda rng: {
        "cd40_epitope": float(rng.uniform(0.01, 0.1)),
        "anti_cd40": "yes",
        "expected": (OPEN,),
        "dangerous": CD40_CALLS,
    },
    "cd40-chimerism": _chimeric,
    "cd40-heterozygote": _level(
        0.45, 0.55, sex="F", expected=(PRESENT, OPEN, CD40_LOW), dangerous=(CD40_ABSENT, DISCORDANT)
    ),
}


def _refused(reason: str) -> dict[str, Any]:
    return {"expected": (OPEN,), "expected_reasons": (reason,), "dangerous": MEMORY_CALLS}


def _open_too(sample: BSample) -> BSample:
    """Return a sample that may rightly stay open as well."""
    return replace(sample, expected=tuple(dict.fromkeys((*sample.expected, OPEN))))


def _few(sample: BSample, rng: Rng) -> BSample:
    cells = round(float(np.exp(rng.uniform(np.log(30), np.log(300)))))
    few = replace(sample, b_events=cells, background=2.0)
    return replace(few, **_refused("TOO_FEW_B")) if cells < 0.85 * FEWEST_B else _open_too(few)


def _no_dump(sample: BSample, rng: Rng) -> BSample:
    found = _open_too(replace(sample, dump=False, t_b_doublets=float(rng.uniform(0.003, 0.03))))
    # Without the dump nothing can be called normal.
    return replace(found, expected=tuple(call for call in found.expected if call != NORMAL))


def _subset(name: str, share: float) -> Callable[[BSample, Rng], BSample]:
    def change(sample: BSample, rng: Rng) -> BSample:
        about = float(share * np.exp(0.15 * rng.standard_normal()))
        return replace(sample, subsets=sample.subsets.with_share(name, about))

    return change


def _instrument(*names: str) -> Callable[[BSample, Rng], BSample]:
    def change(sample: BSample, rng: Rng) -> BSample:
        return _open_too(replace(sample, instrument=names[int(rng.integers(len(names)))]))

    return change


DISTURBANCES: dict[str, Callable[[BSample, Rng], BSample]] = {
    "unwashed-ig": lambda s, rng: replace(s, serum_ig=float(rng.uniform(0.05, 0.3)), **_refused("SERUM_IG")),
    "t-b-doublets": _no_dump,
    "weak-igd": lambda s, rng: _open_too(replace(s, igd_ratio=float(rng.uniform(5.0, 12.0)))),
    "dim-cd27": lambda s, rng: _open_too(
        replace(s, cd27_brightness=cd27_brightness_for(float(rng.uniform(1.5, 2.5)), s.panel))
    ),
    "few-b": _few,
    "igm-only": _subset("igm_only", 0.05),
    "plasmablasts": _subset("plasmablast", 0.10),
    "spill-cd38": lambda s, rng: _open_too(replace(s, cd38_spill=float(rng.uniform(0.02, 0.05)))),
    "no-fmo": lambda s, _: _open_too(replace(s, tubes=("memory",))),
    "log": _instrument("fc500", "calibur"),
    "clipped": _instrument("floor-zero", "floor-and-top"),
    "old-blood": lambda s, rng: _open_too(hours_old(s, float(rng.uniform(48.0, 72.0)))),
}


@dataclass(frozen=True)
class BScenario:
    """A patient and what disturbs the measurement ("" for nothing), under one name."""

    name: str
    patient: str
    disturbance: str = ""

    def sample(self, seed: int, name: str = "", *, age_years: float | None = None, **changes: Any) -> BSample:
        """Return a sample drawn by the seed and its name; ``changes`` are fields that are set, not drawn."""
        rng = generator(seed, self.name, name or self.name, "patient")
        drawn: dict[str, Any]
        if self.patient in CD40_PATIENTS:
            age = age_years if age_years is not None else float(rng.uniform(1.0, 15.0))
            drawn = {
                "assay": CD40,
                "tubes": CD40_TUBES,
                "events": 12_000,
                "background": 1.0,
                "stain_sd": CD40_STAIN_SD,
            }
            drawn |= {"b_percent": healthy_b_percent(age, rng), "subsets": healthy_subsets(age, rng)}
            drawn |= CD40_PATIENTS[self.patient](rng)
        else:
            patient = PATIENTS[self.patient]
            low, high = np.log(patient.ages)
            age = age_years if age_years is not None else float(np.exp(rng.uniform(low, high)))
            drawn = {"b_percent": healthy_b_percent(age, rng), "b_events": 3000}
            drawn |= patient.draw(age, rng) | dict(patient.sheet)
        drawn |= {"age_years": round(age, 2), "scenario": self.patient, "disturbance": self.disturbance} | changes
        sample = BSample(name or self.name, **drawn)
        if self.disturbance:
            sample = DISTURBANCES[self.disturbance](sample, rng)
        young = sample.age_years is not None and sample.age_years < YOUNGEST_CALLED and sample.assay != CD40
        if young and OPEN not in sample.expected:
            sample = _open_too(sample)
        if young and NORMAL not in sample.expected:
            sample = replace(sample, expected=(OPEN,))
        return sample


SCENARIOS: tuple[BScenario, ...] = (
    *(BScenario(f"memory-{name}", name) for name in PATIENTS),
    *(BScenario(name, name) for name in CD40_PATIENTS),
    *(BScenario(f"memory-{name}", "healthy", name) for name in DISTURBANCES),
    *(BScenario(f"memory-{name}-of-xhim", "xhim", name) for name in DISTURBANCES),
)


def day_control(sample: str = "C01M", run: str = "R1", assay: str = "memory_b", **changes: Any) -> BSample:
    """Return a healthy adult whose tubes represent the stain of the day."""
    usual: dict[str, Any] = {
        "assay": assay,
        "run": run,
        "role": "control",
        "sex": "F",
        "age_years": 31.0,
        "subject": sample,
    }
    if assay == CD40:
        usual |= {"tubes": CD40_TUBES, "events": 12_000, "background": 1.0, "expected": (PRESENT,)}
    else:
        usual |= {"tubes": ("memory", "memory-FMO27", "memory-FMOIg"), "b_events": 3000, "expected": (NORMAL,)}
    subsets = Subsets(transitional=0.04, non_switched=0.11, switched=0.15)
    fields: dict[str, Any] = {"subsets": subsets, "b_percent": 12.0, "scenario": "day-control"} | usual | changes
    return BSample(sample, **fields)


def named_b_cells(name: str, seed: int) -> tuple[BSample, ...]:
    """Return the day control and the sample of a scenario of this name; none where there is no such scenario."""
    for scenario in SCENARIOS:
        if scenario.name == name:
            sample = scenario.sample(seed, name)
            return as_of_the_day(day_control("C01", assay=sample.assay), sample), sample
    return ()


def as_of_the_day(control: BSample, sample: BSample) -> BSample:
    """Return a control with the stain and the instrument of a sample of its run."""
    return replace(
        control,
        cd27_ratio=sample.cd27_ratio,
        cd27_naive=sample.cd27_naive,
        cd27_brightness=sample.cd27_brightness,
        igd_ratio=sample.igd_ratio,
        cd38_spill=sample.cd38_spill,
        instrument=sample.instrument,
        panel=sample.panel,
        dump=sample.dump,
        cd38=sample.cd38,
    )
