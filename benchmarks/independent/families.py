"""What `independent` draws: families of samples with their truth, the people, runs and mistakes they are made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from benchmarks.independent.cells import LAWS, Bench, Person, Stain

NORMAL, REDUCED, MOSAIC, ABSENT = "NORMAL", "REDUCED", "MOSAIC", "ABSENT"
DEFECT, OPEN = "FUNCTIONAL_DEFECT", "INDETERMINATE"
AFFECTED = frozenset({REDUCED, MOSAIC, ABSENT, DEFECT})
# What a sample is -> the calls that could harm.
HARM: Mapping[str, frozenset[str]] = {
    "healthy": AFFECTED,
    "affected": frozenset({NORMAL}),
    "carrier": frozenset({NORMAL, ABSENT, DEFECT}),
    # So few mutant cells that no assay distinguishes them from differences between people.
    "slight carrier": frozenset({ABSENT, DEFECT}),
    "failed": AFFECTED | {NORMAL},
}
Draw = np.random.Generator
Change = Callable[[Person, Draw], Person]
TubeChange = Callable[[Stain, Draw], Stain]


def _same(person: Person, random: Draw) -> Person:
    return person


@dataclass(frozen=True)
class Family:
    """A family: what its samples are (`HARM`), the calls that are right, and what makes them so.

    ``person`` and ``stain`` change the sample's blood and tubes, ``control`` and ``control_stain`` those of the run's
    controls (of the first one where ``one_control``), ``bench`` the run; ``needs_function`` wants CD40-Ig tubes.
    ``exchanged`` maps a tube (stimulation, reagent) to the one whose cells it holds; ``stranger`` are tubes that hold a
    healthy stranger's cells.
    """

    name: str
    truth: str
    right: frozenset[str]
    person: Change = _same
    control: Change = _same
    stain: TubeChange | None = None
    control_stain: TubeChange | None = None
    bench: Callable[[Bench, Draw], Bench] | None = None
    sheet: Mapping[str, str] = field(default_factory=dict)
    exchanged: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    stranger: tuple[tuple[str, str], ...] = ()
    other_volts: bool = False
    one_control: bool = False
    needs_function: bool = False
    plain: bool = False


def bench_of(random: Draw) -> Bench:
    """Return a run: how brightly it stains that day, how broad its positives are, how sticky its stains."""
    return Bench(
        brightness=math.exp(random.uniform(math.log(0.3), math.log(2.0))),
        binding_brightness=random.uniform(0.35, 0.8),
        clone_brightness=random.uniform(0.5, 1.2),
        shape=random.uniform(1.5, 5.0),
        tail=random.uniform(0.0, 0.04),
        nonspecific=45 * math.exp(0.3 * random.standard_normal()),
        secondary=90 * math.exp(0.3 * random.standard_normal()),
        kappa=random.uniform(0.2, 1.0),
        debris=random.uniform(0.03, 0.3),
        doublets=random.uniform(0.01, 0.07),
    )


def person_of(random: Draw, law: str) -> Person:
    """Return a healthy donor: people differ in level, negatives, memory cells, light of their own and composition."""
    z = random.standard_normal(8)
    return Person(
        level=math.exp(0.25 * z[0]),
        negative=float(np.clip(0.07 + 0.04 * z[1], 0.01, 0.22)),
        memory=float(random.beta(5, 5)),
        law=law,
        dim=random.uniform(0.0, 0.03),
        drive=0.12 * z[2],
        unresponsive=random.uniform(0.01, 0.05),
        t_cells=random.uniform(0.5, 0.8),
        cd8=random.uniform(0.25, 0.45),
        gamma_delta=0.04 * math.exp(0.4 * z[3]),
        dead=0.05 * math.exp(0.5 * z[4]),
        own_light=math.exp(0.15 * z[5]),
        stickiness=math.exp(0.15 * z[6]),
        densities=tuple(np.exp(0.12 * random.standard_normal(3)).tolist()),
    )


def law_of(random: Draw) -> str:
    """Return the law of positive cells of a run."""
    return LAWS[int(random.integers(len(LAWS)))]


def events_of(random: Draw) -> int:
    """Return the events of a sample's tubes: of one in ten very many."""
    most = 100_000 if random.random() < 0.1 else 30_000
    return int(math.exp(random.uniform(math.log(2_000), math.log(most))))


def _with(**ranges: tuple[float, float] | float) -> Change:
    """Return a change that draws each value evenly from its range; a number is taken as it is."""

    def change(person: Person, random: Draw) -> Person:
        drawn: dict[str, Any] = {k: float(random.uniform(*v)) if isinstance(v, tuple) else v for k, v in ranges.items()}
        return replace(person, **drawn)

    return change


def _times(**ranges: tuple[float, float]) -> Change:
    """Return a change that multiplies each value by one drawn evenly from its range."""

    def change(person: Person, random: Draw) -> Person:
        return replace(person, **{k: getattr(person, k) * float(random.uniform(*v)) for k, v in ranges.items()})

    return change


def _all(*changes: Change) -> Change:
    def change(person: Person, random: Draw) -> Person:
        for one in changes:
            person = one(person, random)
        return person

    return change


def _unstained(*reagents: str) -> TubeChange:
    return lambda stain, random: replace(stain, stained=stain.stained and stain.reagent not in reagents)


def _few(low: int, high: int) -> TubeChange:
    return lambda stain, random: replace(stain, events=int(random.integers(low, high)))


def _sticky(low: float, high: float) -> TubeChange:
    return lambda stain, random: replace(stain, isotype_sticks=random.uniform(low, high))


def _gain(low: float, high: float) -> Callable[[Stain, Draw], Stain]:
    # The whole run was acquired so: the factor must not differ between tubes.
    middle = (low + high) / 2
    return lambda stain, random: replace(stain, gain=middle)


def _factor(low: float, high: float) -> TubeChange:
    """Return what less or more of the target's reagent in the stained tubes makes of their light."""

    def change(stain: Stain, random: Draw) -> Stain:
        times = (1.0, 1.0, 1.0, random.uniform(low, high), 1.0)
        return replace(stain, factors=tuple(a * b for a, b in zip(stain.factors, times, strict=True)))

    return change


def _resting(*reagents: str) -> TubeChange:
    return lambda stain, random: replace(stain, stimulated=stain.stimulated and stain.reagent not in reagents)


def _dim(bench: Bench, random: Draw) -> Bench:
    return replace(bench, brightness=random.uniform(0.10, 0.2))


def _clogged(stain: Stain, random: Draw) -> Stain:
    return replace(stain, clog=stain.stimulated and stain.reagent == "CD154")


_BOY, _WOMAN = {"sex": "M", "age_years": "6"}, {"sex": "F", "age_years": "33"}
_INFANT = {"sex": "M", "age_years": "0.4"}
_LOST = _all(_with(mutant=1.0, kept=0.0, trace=(0.0, 0.06)))
_HALF = _with(mutant=(0.35, 0.65), trace=(0.0, 0.05))
_WEAK = _with(drive=(-1.05, -0.75), unresponsive=(0.08, 0.16))
_GAMMA = _with(gamma_delta=(0.2, 0.5), gamma_delta_negative=(0.6, 0.95))
_FEW_T = _with(t_cells=(0.03, 0.15))
_OLD = _all(_with(drive=(-0.7, -0.2), dead=(0.2, 0.45)), _times(level=(0.6, 0.9)))
_YOUNG = _all(_times(level=(0.3, 0.7)), _with(negative=(0.15, 0.4), memory=(0.02, 0.15)))
_EVERY = ("CD154", "CD154-2", "CD40-Ig")
_SWAPPED = {
    (one, reagent): (other, reagent)
    for reagent in ("CD154", "CD40-Ig")
    for one, other in (("stimulated", "unstimulated"), ("unstimulated", "stimulated"))
}


def _healthy(name: str, person: Change = _same, *, plain: bool = False, **more: object) -> Family:
    return Family(name, "healthy", frozenset({NORMAL} if plain else {NORMAL, OPEN}), person, plain=plain, **more)  # type: ignore[arg-type]


def _sick(
    name: str, call: str, person: Change, *, plain: bool = False, also: tuple[str, ...] = (), **more: object
) -> Family:
    right = frozenset({call, *also} if plain else {call, OPEN, *also})
    return Family(name, "affected", right, person, plain=plain, **{"sheet": _BOY, **more})  # type: ignore[arg-type]


def _carries(name: str, person: Change, *, plain: bool = False, truth: str = "carrier", **more: object) -> Family:
    right = frozenset({MOSAIC} if plain else {MOSAIC, OPEN})
    return Family(name, truth, right, person, plain=plain, **{"sheet": _WOMAN, **more})  # type: ignore[arg-type]


def _failed(name: str, person: Change = _same, **more: object) -> Family:
    return Family(name, "failed", frozenset({OPEN}), person, plain=True, **{"sheet": _BOY, **more})  # type: ignore[arg-type]


FAMILIES: tuple[Family, ...] = (
    _healthy("healthy", plain=True, sheet=_BOY),
    _healthy("healthy woman", plain=True, sheet=_WOMAN),
    _healthy("healthy, weakly stimulated", _WEAK),
    _healthy("healthy, gamma-delta rich", _GAMMA),
    _healthy("healthy infant", _YOUNG, sheet=_INFANT),
    _healthy("healthy, T-lymphopenia", _FEW_T),
    _healthy("healthy, naive", _with(memory=(0.02, 0.12))),
    _healthy("healthy, many dead", _with(dead=(0.25, 0.5))),
    _healthy("healthy, autofluorescent and sticky", _times(own_light=(2.0, 4.0), stickiness=(1.5, 4.0))),
    _healthy("healthy, dim stain", bench=_dim),
    _healthy("healthy, few events", stain=_few(900, 2500)),
    _healthy("healthy, old blood", _OLD),
    _healthy("healthy, too little reagent", stain=_factor(0.35, 0.6)),
    _healthy("healthy, clog", stain=_clogged),
    _healthy("healthy, sticky isotype", stain=_sticky(3.0, 10.0)),
    _healthy("healthy, poor isotype", stain=_sticky(0.0, 0.3)),
    _healthy("healthy, control a carrier", control=_HALF),
    _healthy("healthy, one control a carrier", control=_HALF, one_control=True),
    _healthy("healthy, control half bright", control=_times(level=(0.4, 0.6))),
    _healthy("healthy, control twice as bright", control=_times(level=(1.7, 2.3))),
    _healthy("healthy, control weakly stimulated", control=_with(drive=(-0.75, -0.5), unresponsive=(0.03, 0.1))),
    _healthy("healthy, lower voltage", stain=_gain(0.4, 0.4), other_volts=True),
    _carries("carrier, 0.35 to 0.65", _HALF, plain=True),
    _carries("carrier, 0.2 to 0.35", _with(mutant=(0.2, 0.35))),
    _carries("carrier, 0.13 to 0.2", _with(mutant=(0.13, 0.2))),
    _carries("carrier, 0.05 to 0.1", _with(mutant=(0.05, 0.1)), truth="slight carrier"),
    _carries("carrier, 0.8 to 0.95", _with(mutant=(0.8, 0.95)), plain=True),
    _carries("carrier, residual allele", _with(mutant=(0.35, 0.65), kept=(0.2, 0.4))),
    _carries("carrier, weakly stimulated", _all(_HALF, _WEAK)),
    _carries("carrier, gamma-delta rich", _all(_HALF, _GAMMA)),
    _carries("carrier, allele that does not bind", _with(mutant=(0.35, 0.65), kept=1.0, mutant_binding=(0.0, 0.1)),
             needs_function=True),
    _carries("carrier, dim stain", _HALF, bench=_dim),
    _carries("carrier, few events", _HALF, stain=_few(900, 2500)),
    _carries("carrier, control a carrier", _HALF, control=_HALF),
    _carries("carrier, old blood", _all(_HALF, _OLD)),
    _carries("carrier, sticky isotype", _HALF, stain=_sticky(3.0, 10.0)),
    _carries("transplanted, chimeric", _with(mutant=(0.25, 0.75)), plain=True, sheet={**_BOY, "transplant": "yes"}),
    _sick("absent", ABSENT, _LOST, plain=True),
    _sick("absent infant", ABSENT, _LOST, sheet=_INFANT),
    _sick("absent, many dead and sticky", ABSENT, _all(_LOST, _with(dead=(0.2, 0.4)), _times(stickiness=(1.5, 4.0)))),
    _sick("absent, autofluorescent", ABSENT, _all(_LOST, _times(own_light=(2.0, 4.0)))),
    _sick("absent, T-lymphopenia", ABSENT, _all(_LOST, _FEW_T)),
    _sick("absent, few events", ABSENT, _LOST, stain=_few(900, 2500)),
    _sick("absent, dim stain", ABSENT, _LOST, bench=_dim),
    _sick("absent, weakly stimulated", ABSENT, _all(_LOST, _WEAK)),
    _sick("absent, sticky isotype", ABSENT, _LOST, stain=_sticky(3.0, 10.0)),
    _sick("absent, poor isotype", ABSENT, _LOST, stain=_sticky(0.0, 0.3)),
    _sick("absent, clog", ABSENT, _LOST, stain=_clogged),
    _sick("residual, 5 to 15 %", REDUCED, _with(mutant=1.0, kept=(0.05, 0.15)), also=(ABSENT,)),
    _sick("residual, 15 to 35 %", REDUCED, _with(mutant=1.0, kept=(0.15, 0.35))),
    _sick("residual, 35 to 50 %", REDUCED, _with(mutant=1.0, kept=(0.35, 0.5))),
    _sick("residual beside a half-bright control", REDUCED, _with(mutant=1.0, kept=(0.15, 0.4)),
          control=_times(level=(0.4, 0.6))),
    _sick("residual, higher voltage", REDUCED, _with(mutant=1.0, kept=(0.15, 0.35)), stain=_gain(3.0, 3.0),
          other_volts=True),
    _sick("does not bind", DEFECT, _with(binding=(0.0, 0.04)), plain=True, needs_function=True),
    _sick("binds weakly", DEFECT, _with(binding=(0.05, 0.25)), needs_function=True),
    _sick("reduced and does not bind", DEFECT, _all(_times(level=(0.3, 0.6)), _with(binding=(0.0, 0.05))),
          also=(REDUCED, ABSENT), needs_function=True),
    Family("first clone's epitope lost", "failed", frozenset({OPEN}),
           lambda p, r: replace(p, epitope=(0.0, 1.0)), sheet=_BOY, needs_function=True),
    _failed("CD154 not stained", stain=_unstained("CD154", "CD154-2")),
    _failed("CD40-Ig not stained", stain=_unstained("CD40-Ig"), needs_function=True),
    _failed("neither stained", stain=_unstained(*_EVERY)),
    _failed("stimulated and unstimulated exchanged", exchanged=_SWAPPED),
    _failed("CD154 tube never stimulated", stain=_resting("CD154")),
    _failed("nothing stimulated", stain=_resting(*_EVERY, "isotype", "FMO", "secondary")),
    _failed("activation failed", _with(drive=(-1.8, -1.3))),
    _failed("control's activation failed", control=_with(drive=(-1.8, -1.3))),
    _failed("control got no calcium", control=_with(calcium=(0.0, 0.05))),
    _failed("tacrolimus", _with(calcium=(0.0, 0.1)), sheet={**_BOY, "calcineurin_inhibitor": "yes"}),
    _failed("tacrolimus, some left", _with(calcium=(0.15, 0.4)), sheet={**_BOY, "calcineurin_inhibitor": "yes"}),
    _failed("drugs unknown, no calcium", _with(calcium=(0.0, 0.05)), sheet={**_BOY, "calcineurin_inhibitor": ""}),
    _failed("CD154 tube of a stranger, absent", _LOST, stranger=(("stimulated", "CD154"),)),
    _failed("CD40-Ig tube of a stranger, absent", _LOST, stranger=(("stimulated", "CD40-Ig"),), needs_function=True),
    _failed("CD154 file copied from the unstimulated", exchanged={("stimulated", "CD154"): ("unstimulated", "CD154")}),
)  # fmt: skip
