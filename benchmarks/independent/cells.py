"""Blood, stain and cytometer of `independent`, which share no code and no law with the product's simulator.

Levels are arbitrary units of dye; the positive cells of a donor follow a gamma, log-logistic, Weibull law or two
log-normal ones (naive and memory cells), a cell's CD154 depends on how strongly it was driven, what sticks to cells has
a heavy tail, the cell's own light goes with its size, and the matrix that a file states is not quite the true one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
CD4_T, CD8_T, GAMMA_DELTA, NK, B, MONOCYTE, GRANULOCYTE, DEBRIS = range(8)
LAWS = ("gamma", "log-logistic", "weibull", "naive and memory")
DYES = ("CD3", "CD8", "CD69", "target", "viability")


@dataclass(frozen=True)
class Person:
    """A donor and what was done to the blood: everything that its tubes share.

    ``mutant`` is the share of cells of a mutant clone, which keep ``kept`` of the level; ``level`` and ``negative`` are
    those of the healthy allele; ``drive`` is the mean of the cells' stimulation (0 is usual), ``drive_sd`` its spread
    and ``unresponsive`` the share of cells that answer to nothing; ``calcium`` is how much of CD154 a drug leaves.
    ``binding`` is CD40-Ig's per CD154, of both kinds of cells; ``epitope`` that of the first and the second clone.
    """

    level: float = 1.0
    negative: float = 0.10
    mutant: float = 0.0
    kept: float = 0.0
    trace: float = 0.0
    memory: float = 0.5
    law: str = "gamma"
    dim: float = 0.01
    drive: float = 0.0
    drive_sd: float = 0.45
    unresponsive: float = 0.03
    calcium: float = 1.0
    binding: float = 1.0
    mutant_binding: float = 1.0
    epitope: tuple[float, float] = (1.0, 1.0)
    t_cells: float = 0.65
    cd8: float = 0.35
    gamma_delta: float = 0.05
    gamma_delta_negative: float = 0.5
    dead: float = 0.06
    own_light: float = 1.0
    stickiness: float = 1.0
    densities: tuple[float, ...] = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Stain:
    """One tube: what was added to which cells, and how the cytometer stood.

    ``isotype_sticks`` is what an isotype binds of what the antibody binds without specificity; ``gain`` multiplies the
    target's signal, ``stained`` is false where the target's reagent was forgotten, ``clog`` where the fluidics stopped.
    """

    reagent: str = "CD154"
    stimulated: bool = True
    events: int = 20_000
    stained: bool = True
    isotype_sticks: float = 1.0
    gain: float = 1.0
    clog: bool = False
    factors: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Bench:
    """What a laboratory's run shares: brightness of its stains over the noise, red cells' debris, true spillover."""

    brightness: float = 1.0
    binding_brightness: float = 0.5
    clone_brightness: float = 0.8
    shape: float = 2.2
    tail: float = 0.02
    nonspecific: float = 45.0
    secondary: float = 90.0
    noise: float = 20.0
    electron: float = 6.0
    kappa: float = 0.7
    debris: float = 0.12
    doublets: float = 0.04
    whole_blood: bool = True
    spill: Floats = field(default_factory=lambda: np.eye(5))


def tube(person: Person, stain: Stain, bench: Bench, rng: np.random.Generator) -> dict[str, Floats]:
    """Return the events of a tube, (events,) each: scatter, time and the uncompensated light of each dye."""
    count = stain.events
    first = _cells(person, stain, bench, count, rng)
    second = _cells(person, stain, bench, count, rng)
    double = rng.random(count) < bench.doublets * rng.uniform(0.6, 1.6)
    light = first["light"] + np.where(double[:, None], second["light"], 0.0)
    area = first["fsc"] + np.where(double, second["fsc"], 0.0)
    side = first["ssc"] + np.where(double, second["ssc"], 0.0)
    height = 0.85 * np.where(double, 1.12 * np.maximum(first["fsc"], second["fsc"]), area)
    seen = light @ bench.spill
    seen = bench.electron * rng.poisson(np.maximum(seen, 0.0) / bench.electron) + bench.noise * rng.standard_normal(
        (count, len(DYES))
    )
    time = np.cumsum(rng.standard_exponential(count)) / rng.uniform(300.0, 1500.0)
    if stain.clog:
        stopped = slice(int(0.45 * count), int(0.65 * count))
        fade = np.linspace(0.8, 0.25, stopped.stop - stopped.start)
        seen[stopped] *= fade[:, None]
        area[stopped] *= fade
        height[stopped] *= fade
        gaps = np.diff(time, prepend=0.0)
        gaps[stopped] *= 5.0
        time = np.cumsum(gaps)
    out = {dye: seen[:, k] for k, dye in enumerate(DYES)}
    out["target"] = out["target"] * stain.gain
    wobble = 1 + 0.015 * rng.standard_normal((3, count))
    return {**out, "FSC-A": area * wobble[0], "FSC-H": height * wobble[1], "SSC-A": side * wobble[2], "time": time}


def _shares(person: Person, bench: Bench) -> Floats:
    """Return the share of each kind of cell."""
    t = person.t_cells
    gd = min(person.gamma_delta, 0.9)
    cd8 = (1 - gd) * person.cd8
    lymph = np.array([t * (1 - gd - cd8), t * cd8, t * gd, (1 - t) * 0.55, (1 - t) * 0.45])
    mono, gran = (0.08, 0.16) if bench.whole_blood else (0.14, 0.02)
    whole = 1 - mono - gran - bench.debris
    return np.array([*(lymph * whole), mono, gran, bench.debris])


def _cells(person: Person, stain: Stain, bench: Bench, count: int, rng: np.random.Generator) -> dict[str, Floats]:
    kind = rng.choice(8, size=count, p=_shares(person, bench))
    normal = rng.standard_normal
    t_cell = kind <= GAMMA_DELTA
    dead = (rng.random(count) < person.dead * np.where(kind == GRANULOCYTE, 2.0, 1.0)) & (kind != DEBRIS)
    # How strongly each cell answers; what does not answer at all is a share of its own.
    drive = person.drive + person.drive_sd * _student(rng, count, 6)
    deaf = (rng.random(count) < person.unresponsive) | (not stain.stimulated) | (kind > B)
    helper = (kind == NK) | (kind == B)
    drive = np.where(helper, drive - 1.2, drive)
    drive = np.where(deaf, -9.0, drive)
    answer = 1 / (1 + np.exp(-4.0 * (drive + 1.2)))  # of CD69, saturating

    size = np.exp(0.11 * normal(count)) * (1 + 0.16 * answer)
    fsc = _pick(kind, (90e3, 88e3, 95e3, 96e3, 84e3, 135e3, 140e3, 26e3)) * size
    ssc = _pick(kind, (26e3, 27e3, 28e3, 31e3, 25e3, 60e3, 140e3, 14e3)) * size * np.exp(0.16 * normal(count))
    debris = kind == DEBRIS
    fsc[debris] = 14e3 + 12e3 * rng.standard_gamma(1.3, int(debris.sum()))
    ssc[debris] *= np.exp(0.6 * normal(int(debris.sum())))
    fsc, ssc = np.where(dead, 0.66 * fsc, fsc), np.where(dead, 1.35 * ssc, ssc)

    own = 60.0 * person.own_light * (fsc / 90e3) ** 1.4 * (ssc / 26e3) ** 0.35 * np.exp(0.28 * normal(count))
    own *= np.where(dead, 3.5, 1.0)
    sticks = _heavy(rng, count, bench.tail) * np.where(dead, 7.0, 1.0) * (fsc / 90e3)
    sticks *= np.where(kind == MONOCYTE, 2.5, np.where(kind == GRANULOCYTE, 1.8, 1.0)) * person.stickiness

    cd3_kept = 1 - answer * rng.beta(6, 5, count)  # PMA takes half of it off, more from some cells
    cd3 = t_cell * np.where(kind == GAMMA_DELTA, 5200.0, 3000.0) * person.densities[0] * cd3_kept
    cd3 = cd3 * np.exp(0.22 * normal(count)) + 12 * sticks
    cd8 = np.where(kind == CD8_T, 9000.0 * person.densities[1] * np.exp(0.3 * normal(count)), 0.0)
    dim8 = ((kind == GAMMA_DELTA) & (rng.random(count) < 0.3)) | ((kind == NK) & (rng.random(count) < 0.35))
    cd8 = cd8 + np.where(dim8, 1400.0 * np.exp(0.5 * normal(count)), 0.0) + 12 * sticks
    early = (rng.random(count) < 0.02) & (kind <= B)
    cd69 = 4200.0 * person.densities[2] * answer * np.exp(0.35 * normal(count) + 0.35 * np.clip(drive, -3, 3))
    cd69 = cd69 + early * 900.0 * np.exp(0.5 * normal(count)) + (kind == MONOCYTE) * 300.0 + 12 * sticks
    target = _target(person, stain, bench, kind, drive, answer, rng) * np.where(dead, 0.3, 1.0)
    antigen = np.where(dead, 0.5, 1.0)
    target = target + sticks * _sticking(stain, bench)
    viability = np.where(dead, 22e3, 90.0) * np.exp(0.5 * normal(count)) + 2 * own * debris
    light = np.column_stack([cd3 * antigen, cd8 * antigen, cd69 * antigen, target, viability])
    light *= np.array(stain.factors)
    light += own[:, None] * np.array([0.25, 0.5, 0.35, 1.0, 1.3])
    return {"fsc": fsc, "ssc": ssc, "light": light}


def _sticking(stain: Stain, bench: Bench) -> float:
    """Return what sticks to a cell without specificity, by reagent."""
    if stain.reagent == "FMO" or not stain.stained:
        return 0.0
    if stain.reagent == "isotype":
        return bench.nonspecific * stain.isotype_sticks
    return bench.secondary if stain.reagent in ("secondary", "CD40-Ig") else bench.nonspecific


def _target(
    person: Person,
    stain: Stain,
    bench: Bench,
    kind: NDArray[np.intp],
    drive: Floats,
    answer: Floats,
    rng: np.random.Generator,
) -> Floats:
    """Return the light of the target's reagent on CD154, (cells,)."""
    count = kind.size
    if stain.reagent in ("isotype", "FMO", "secondary") or not stain.stained or not stain.stimulated:
        return np.zeros(count)
    bright = {"CD154": 1.0, "CD154-2": bench.clone_brightness, "CD40-Ig": bench.binding_brightness}[stain.reagent]
    level = 3200.0 * bench.brightness * bright * person.level * person.calcium
    silent = np.where(kind == GAMMA_DELTA, person.gamma_delta_negative, person.negative)
    # Cells that were driven little express little or nothing; all of them are counted in ``negative`` at usual drive.
    able = (rng.random(count) >= silent) & (drive > -0.9 + 0.3 * rng.standard_normal(count)) & (answer > 0)
    able &= (kind == CD4_T) | (kind == GAMMA_DELTA) | ((kind == CD8_T) & (rng.random(count) < 0.35))
    amount = _law(person, bench, count, rng) * np.exp(bench.kappa * np.clip(drive - person.drive, -1.5, 1.5))
    amount *= math.exp(bench.kappa * min(person.drive, 0.0))
    amount *= np.where(kind == CD8_T, 0.35, 1.0)
    faint = rng.random(count) < person.dim
    amount = np.where(faint, amount * rng.beta(0.8, 2.0, count), amount)
    mutant = rng.random(count) < person.mutant
    traced = mutant & (rng.random(count) < person.trace)
    kept = np.where(mutant, person.kept, 1.0)
    amount = amount * np.where(traced, 0.08, kept)
    if stain.reagent == "CD40-Ig":
        amount *= (
            np.where(mutant, person.mutant_binding, 1.0) * person.binding * np.exp(0.2 * rng.standard_normal(count))
        )
    else:
        amount *= person.epitope[0] if stain.reagent == "CD154" else person.epitope[1]
    return np.where(able, level * amount, 0.0)


def _law(person: Person, bench: Bench, count: int, rng: np.random.Generator) -> Floats:
    """Return amounts with a median of 1 by the donor's law; ``bench.shape`` is narrow where it is large."""
    k = bench.shape
    if person.law == "gamma":
        return rng.standard_gamma(k, count) / (k - 1 / 3 + 0.02 / k)
    if person.law == "log-logistic":
        uniform = rng.uniform(1e-4, 1 - 1e-4, count)
        return (uniform / (1 - uniform)) ** (1 / (1.5 * k**0.5))
    if person.law == "weibull":
        power = 0.6 + 0.5 * k
        return rng.weibull(power, count) / math.log(2) ** (1 / power)
    memory = rng.random(count) < person.memory
    return np.exp(np.where(memory, 0.45, -0.45) + rng.standard_normal(count) * 0.9 / k**0.5)


def _heavy(rng: np.random.Generator, count: int, tail: float) -> Floats:
    """Return a log-normal of median 1 of which ``tail`` goes on as a Pareto law."""
    usual = np.exp(0.4 * rng.standard_normal(count))
    return np.where(rng.random(count) < tail, usual * (1 + np.minimum(rng.pareto(1.6, count), 60.0)), usual)


def _student(rng: np.random.Generator, count: int, freedom: int) -> Floats:
    return rng.standard_t(freedom, count) * math.sqrt((freedom - 2) / freedom)


def _pick(kind: NDArray[np.intp], values: tuple[float, ...]) -> Floats:
    return np.array(values, dtype=np.float64)[kind]
