"""The cells of one tube: their kinds, their states, and the molecules they carry."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.base.model import Floats
from cd40l_flow.simulate.cohort import Scenario
from cd40l_flow.simulate.parameters import SimulationParameters

Bools = NDArray[np.bool_]

KINDS = ("debris", "CD4 T", "CD8 T", "CD4-CD8- T", "CD8-dim T", "NK", "B", "monocyte", "granulocyte")
DEBRIS, CD4_T, CD8_T, DOUBLE_NEGATIVE_T, CD8_DIM_T, NK, B, MONOCYTE, GRANULOCYTE = range(len(KINDS))
DIMMEST = 0.02  # of a dim continuum, times the level
DRIVE_SLOPE = 0.9
MARKERS = ("CD69", "target", "CD3", "CD8", "viability", "CD4")


def generator(seed: int, *key: object) -> np.random.Generator:
    """Return a random generator that depends on the seed and the key alone, the same on every machine."""
    text = "\x1f".join([str(seed), *map(str, key)])
    entropy = int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))


@dataclass(frozen=True)
class Donor:
    """What all tubes of one donor share: the shares of ``KINDS``, and each marker's median over the typical one."""

    shares: Floats
    molecules: dict[str, float]


@dataclass(frozen=True)
class Cells:
    """The cells of one tube, before any light is counted.

    Arrays are (cells,); ``molecules`` maps each of ``MARKERS`` to dye molecules, ``autofluorescence`` is relative to a
    resting lymphocyte, ``fsc`` and ``ssc`` are in channels. ``expressing`` means that the target reagent finds CD154.
    """

    kind: NDArray[np.intp]
    live: Bools
    activated: Bools
    expressing: Bools
    molecules: dict[str, Floats]
    autofluorescence: Floats
    fsc: Floats
    ssc: Floats


def draw_donor(parameters: SimulationParameters, scenario: Scenario, rng: np.random.Generator) -> Donor:
    """Return the composition and the antigen densities of a donor."""
    p = parameters
    cd4_t = 1.0 - p.cd8_t - p.double_negative_t - p.cd8_dim_t - p.nk - p.b
    lymphocytes = 1.0 - p.debris - p.monocytes - p.granulocytes
    shares = np.empty(len(KINDS))
    shares[[CD4_T, CD8_T, DOUBLE_NEGATIVE_T, CD8_DIM_T]] = [cd4_t, p.cd8_t, p.double_negative_t, p.cd8_dim_t]
    shares[[CD4_T, CD8_T, DOUBLE_NEGATIVE_T, CD8_DIM_T]] *= scenario.t_cells
    shares[DOUBLE_NEGATIVE_T] *= scenario.double_negative
    shares[[NK, B]] = [p.nk, p.b]
    shares[CD4_T : B + 1] *= lymphocytes / shares[CD4_T : B + 1].sum()
    shares[[DEBRIS, MONOCYTE, GRANULOCYTE]] = [p.debris, p.monocytes, p.granulocytes]
    shares *= np.exp(p.donor_composition_sd * rng.standard_normal(len(KINDS)))
    factors = np.exp(p.donor_molecules_sd * rng.standard_normal(len(MARKERS)))
    return Donor(shares / shares.sum(), dict(zip(MARKERS, factors.tolist(), strict=True)))


def target_binding(parameters: SimulationParameters, scenario: Scenario, reagent: str) -> float:
    """Return the dye molecules the reagent binds per molecule of healthy anti-CD154; 0 for the background reagents."""
    return {
        "CD154": scenario.epitope,
        "CD154-2": scenario.epitope_2 * parameters.clone_2_bound,
        "CD40-Ig": scenario.function * parameters.cd40ig_bound,
    }.get(reagent, 0.0)


def draw_cells(
    parameters: SimulationParameters,
    scenario: Scenario,
    donor: Donor,
    stimulated: bool,
    reagent: str,
    count: int,
    rng: np.random.Generator,
) -> Cells:
    """Return the cells of one tube with what each carries of every dye."""
    p = parameters
    kind = rng.choice(len(KINDS), size=count, p=donor.shares)
    lymphocyte = (kind >= CD4_T) & (kind <= B)
    dead_share = (p.dead_stimulated if stimulated else p.dead_resting) * scenario.dead
    live = (kind == DEBRIS) | (rng.random(count) >= dead_share)
    target_t = (kind == CD4_T) | (kind == DOUBLE_NEGATIVE_T)
    activated_share = np.where(target_t, 1.0, p.activated_bystanders) * scenario.activated_fraction
    activated = lymphocyte & (rng.random(count) < activated_share) & stimulated
    size = rng.standard_normal(count)

    def lognormal(median: float | Floats, sd: float) -> Floats:
        return np.asarray(median * np.exp(sd * rng.standard_normal(count)), dtype=np.float64)

    # A large cell has more of everything that is not specific.
    nonspecific = lognormal(1.0, p.nonspecific_sd) * np.exp(0.1 * size)
    nonspecific *= np.where(activated, p.blast_nonspecific, 1.0) * np.where(live, 1.0, p.dead_nonspecific)
    nonspecific *= np.where((kind == MONOCYTE) | (kind == GRANULOCYTE), p.nonspecific_monocyte, 1.0)
    autofluorescence = lognormal(1.0, p.autofluorescence_sd) * np.exp(0.1 * size)
    autofluorescence *= np.where(activated, p.blast_autofluorescence, 1.0)
    autofluorescence *= np.where(live, 1.0, p.dead_autofluorescence)
    for code, factor in (
        (DEBRIS, p.autofluorescence_debris),
        (MONOCYTE, p.autofluorescence_monocyte),
        (GRANULOCYTE, p.autofluorescence_granulocyte),
    ):
        autofluorescence[kind == code] *= factor
    nonspecific[kind == DEBRIS] *= p.autofluorescence_debris

    t_cell = (kind >= CD4_T) & (kind <= CD8_DIM_T)
    cd3_median = np.where(kind == DOUBLE_NEGATIVE_T, p.cd3_molecules_double_negative, p.cd3_molecules)
    cd3 = t_cell * lognormal(cd3_median, p.cd3_sd) * np.where(activated, lognormal(p.cd3_kept, p.cd3_kept_sd), 1.0)
    cd4 = (kind == CD4_T) * lognormal(p.cd4_molecules, p.cd4_sd)
    cd4 *= np.where(activated, lognormal(p.cd4_kept, p.cd4_kept_sd), 1.0)
    cd4 += (kind == MONOCYTE) * lognormal(p.cd4_monocyte_molecules, p.cd4_sd)
    cd8_dim = (kind == CD8_DIM_T) | ((kind == NK) & (rng.random(count) < p.nk_cd8_dim))
    cd8 = (kind == CD8_T) * lognormal(p.cd8_molecules, p.cd8_sd)
    cd8 += cd8_dim * lognormal(p.cd8_dim_molecules, p.cd8_dim_sd)
    resting_cd69 = lymphocyte & (rng.random(count) < p.cd69_resting_fraction)
    drive = lognormal(1.0, p.cd69_sd)  # how strongly the cell was stimulated
    cd69 = np.where(activated, p.cd69_molecules * scenario.cd69_level * drive, 0.0)
    cd69 += (resting_cd69 & ~activated) * lognormal(p.cd69_resting_molecules, p.cd69_resting_sd)
    cd69 += ((kind == MONOCYTE) & stimulated) * lognormal(p.cd69_monocyte_molecules, p.cd69_resting_sd)
    expressing, target = _target(parameters, scenario, kind, activated, reagent, rng)
    if scenario.unresponsive > 0:
        lost = rng.random(count) < _unresponsive(scenario.unresponsive, np.log(drive) / p.cd69_sd)
        expressing, target = expressing & ~lost, np.where(lost, 0.0, target)

    antigen = np.where(live, 1.0, p.dead_antigen)
    secondary = reagent in ("CD40-Ig", "secondary")
    background = (p.nonspecific_secondary if secondary else p.nonspecific_cd154) * scenario.background_shift
    background *= reagent != "FMO"  # nothing is added, so nothing binds
    if reagent in ("isotype", "secondary"):
        background *= scenario.sticky_background
    if stimulated and reagent in scenario.unstained:
        background, expressing, target = 0.0, np.zeros_like(expressing), np.zeros_like(target)
    molecules = {
        "CD3": cd3 * antigen + p.nonspecific_molecules * nonspecific,
        "CD4": cd4 * antigen + p.nonspecific_molecules * nonspecific,
        "CD8": cd8 * antigen + p.nonspecific_molecules * nonspecific,
        "CD69": cd69 * antigen + p.nonspecific_molecules * nonspecific,
        "target": target * antigen + background * nonspecific,
        "viability": lognormal(np.where(live, p.viability_live, p.viability_dead), p.viability_sd),
    }
    molecules["viability"][kind == DEBRIS] *= 2.0
    pipetting = np.exp(p.tube_molecules_sd * rng.standard_normal(len(MARKERS)))
    for marker, factor in zip(MARKERS, pipetting, strict=True):
        molecules[marker] *= factor * donor.molecules[marker]
    fsc, ssc = draw_scatter(parameters, kind, live, activated, size, rng)
    return Cells(kind, live, activated, expressing, molecules, autofluorescence, fsc, ssc)


def _target(
    parameters: SimulationParameters,
    scenario: Scenario,
    kind: NDArray[np.intp],
    activated: Bools,
    reagent: str,
    rng: np.random.Generator,
) -> tuple[Bools, Floats]:
    """Return which cells the reagent finds CD154 on, and the dye molecules bound to it, both (cells,)."""
    p = parameters
    count = kind.size
    capable = (rng.random(count) >= scenario.negative_fraction) & activated & scenario.ionomycin
    cd8 = (kind == CD8_T) | (kind == CD8_DIM_T)
    capable &= (kind == CD4_T) | (kind == DOUBLE_NEGATIVE_T) | (cd8 & (rng.random(count) < p.cd154_cd8_fraction))
    # A skew-normal deviate of mean 0 and variance 1 (Azzalini 1985).
    delta = scenario.positive_skew / np.hypot(1.0, scenario.positive_skew)
    half, full = np.abs(rng.standard_normal(count)), rng.standard_normal(count)
    centre = delta * np.sqrt(2.0 / np.pi)
    deviate = (delta * half + np.sqrt(1.0 - delta**2) * full - centre) / np.sqrt(1.0 - centre**2)
    logarithm = p.cd154_sd * scenario.positive_spread * deviate
    if reagent == "CD40-Ig":
        logarithm += p.cd40ig_sd * rng.standard_normal(count)
    binding = target_binding(parameters, scenario, reagent)
    level = p.cd154_molecules * scenario.expression_level * np.where(cd8, p.cd154_cd8_level, 1.0)
    if scenario.residual_fraction > 0:
        level = level * np.where(rng.random(count) < scenario.residual_fraction, scenario.residual_level, 1.0)
    if scenario.dim_fraction > 0:
        dim = np.exp(rng.uniform(np.log(DIMMEST), 0.0, count))
        level = level * np.where(rng.random(count) < scenario.dim_fraction, dim, 1.0)
    if scenario.double_negative_silent > 0:
        capable &= (kind != DOUBLE_NEGATIVE_T) | (rng.random(count) >= scenario.double_negative_silent)
    bound = np.where(capable, level * binding * np.exp(logarithm), 0.0)
    return capable & (binding > 0.0), bound


def _unresponsive(share: float, drive: Floats) -> Floats:
    """Return the probability that a cell does not express because of weak stimulation, (cells,).

    ``drive`` is its CD69 in standard deviations of the logarithm: the odds fall by ``DRIVE_SLOPE`` natural logarithms a
    standard deviation, about the share asked for at the mean.
    """
    return np.asarray(1 / (1 + np.exp(DRIVE_SLOPE * drive - np.log(share / (1 - share)))), dtype=np.float64)


def draw_scatter(
    parameters: SimulationParameters,
    kind: NDArray[np.intp],
    live: Bools,
    activated: Bools,
    size: Floats,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Return forward and side scatter areas of single cells, channels, (cells,)."""
    p = parameters
    fsc = np.full(kind.size, p.lymphocyte_fsc)
    ssc = np.full(kind.size, p.lymphocyte_ssc)
    for code, forward, side in (
        (DEBRIS, p.debris_fsc, p.debris_ssc),
        (MONOCYTE, p.monocyte_fsc, p.monocyte_ssc),
        (GRANULOCYTE, p.granulocyte_fsc, p.granulocyte_ssc),
    ):
        fsc[kind == code], ssc[kind == code] = forward, side
    fsc *= np.where(activated, p.blast_fsc, 1.0) * np.where(live, 1.0, p.dead_fsc)
    ssc *= np.where(activated, p.blast_ssc, 1.0) * np.where(live, 1.0, p.dead_ssc)
    debris = kind == DEBRIS
    dying = np.where(live, 0.0, p.dead_scatter_sd) * rng.standard_normal(kind.size)
    fsc *= np.exp(np.where(debris, p.debris_sd, p.fsc_sd) * size + dying)
    independent = 0.85 * rng.standard_normal(kind.size) + np.sqrt(1.0 - 0.85**2) * size
    ssc *= np.exp(np.where(debris, p.debris_sd, p.ssc_sd) * independent - dying)
    # What does not trigger is not recorded: debris just above the threshold represents it.
    low = fsc < p.fsc_threshold
    fsc[low] = p.fsc_threshold * (1.0 + 0.4 * rng.random(int(low.sum())))
    return fsc, ssc
