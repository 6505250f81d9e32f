"""The cells of one tube of a B-cell assay: kinds, stages of the B cells, and what they carry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.base.model import Floats
from cd40l_flow.simulate.b_cells.laws import STAGES
from cd40l_flow.simulate.b_cells.physics import MEMORY_LEVEL, NEGATIVE, OF_STAGE, BPhysics
from cd40l_flow.simulate.b_cells.samples import BSample
from cd40l_flow.simulate.cells import (
    CD4_T,
    CD8_DIM_T,
    CD8_T,
    DEBRIS,
    DOUBLE_NEGATIVE_T,
    GRANULOCYTE,
    KINDS,
    MONOCYTE,
    NK,
    B,
    Bools,
    draw_scatter,
)
from cd40l_flow.simulate.instrument import true_signal
from cd40l_flow.simulate.parameters import SimulationParameters

NO_STAGE = -1
MARKERS = ("CD19", "CD27", "IgD", "IgM", "CD3", "CD38", "CD24", "CD45", "CD14", "target", "viability")
IG = ("IgD", "IgM")


@dataclass(frozen=True)
class BCells:
    """The cells of one tube before any light is counted; arrays are (cells,).

    ``stage`` indexes ``laws.STAGES``, -1 for what is no B cell; ``lacking`` marks cells without CD40. The rest is as in
    ``simulate.cells.Cells``.
    """

    kind: NDArray[np.intp]
    stage: NDArray[np.intp]
    live: Bools
    lacking: Bools
    molecules: dict[str, Floats]
    autofluorescence: Floats
    fsc: Floats
    ssc: Floats


def composition(parameters: SimulationParameters, sample: BSample) -> Floats:
    """Return the shares of ``KINDS`` among all cells; B cells are exactly what the sample asks of the lymphocytes."""
    p = parameters
    shares = np.zeros(len(KINDS))
    shares[[DEBRIS, MONOCYTE, GRANULOCYTE]] = [p.debris, p.monocytes, p.granulocytes]
    lymphocytes = 1.0 - shares.sum()
    b = sample.b_percent / 100.0
    cd4_t = 1.0 - p.cd8_t - p.double_negative_t - p.cd8_dim_t - p.nk - p.b
    others = np.array([cd4_t, p.cd8_t, p.double_negative_t, p.cd8_dim_t, p.nk])
    shares[[CD4_T, CD8_T, DOUBLE_NEGATIVE_T, CD8_DIM_T, NK]] = lymphocytes * (1.0 - b) * others / others.sum()
    shares[B] = lymphocytes * b
    return shares


def cd27_of_memory(parameters: SimulationParameters, physics: BPhysics, sample: BSample) -> tuple[float, float]:
    """Return median and SD of the logarithm of the CD27 molecules of memory cells, without what sticks to all.

    They give the signal (own light and what sticks included, a dye of the usual brightness) the ratio to naive cells
    that is asked for, and a log-normal spread of ``cd27_memory_sd`` about its median.
    """
    at = [detector.marker for detector in parameters.recorded()].index("CD27")
    dark = {detector.marker: np.zeros(1) for detector in parameters.recorded()}
    own = float(true_signal(parameters, dark, np.ones(1))[0, at])
    detector = parameters.recorded()[at]
    naive = sample.cd27_naive + own / (detector.efficiency * detector.gain)
    specific = (sample.cd27_ratio - 1.0) * naive
    # The rest of the signal is the same for all, so the specific part varies by more than the whole.
    return specific, physics.cd27_memory_sd * sample.cd27_ratio / (sample.cd27_ratio - 1.0)


def draw_b_cells(
    parameters: SimulationParameters,
    physics: BPhysics,
    sample: BSample,
    molecules_of_donor: dict[str, float],
    reagent: str,
    count: int,
    rng: np.random.Generator,
) -> BCells:
    """Return the cells of one tube with what each carries of every dye; ``molecules_of_donor`` are markers' factors."""
    p, b = parameters, physics
    kind = rng.choice(len(KINDS), size=count, p=composition(p, sample))
    stage = np.full(count, NO_STAGE)
    is_b = kind == B
    shares = np.array(sample.subsets.shares())
    stage[is_b] = rng.choice(len(STAGES), size=int(is_b.sum()), p=shares / shares.sum())
    live = (kind == DEBRIS) | (rng.random(count) >= min(p.dead_resting * sample.dead, 0.9))
    size = rng.standard_normal(count)
    lacking = rng.random(count) < sample.cd40_lacking

    def lognormal(median: float | Floats, sd: float | Floats) -> Floats:
        return np.asarray(median * np.exp(sd * rng.standard_normal(count)), dtype=np.float64)

    phagocyte = (kind == MONOCYTE) | (kind == GRANULOCYTE)
    sticky = lognormal(1.0, p.nonspecific_sd) * np.exp(0.1 * size) * np.where(live, 1.0, p.dead_nonspecific)
    sticky *= np.where(phagocyte, p.nonspecific_monocyte, 1.0)
    autofluorescence = lognormal(1.0, p.autofluorescence_sd) * np.exp(0.1 * size)
    autofluorescence *= np.where(live, 1.0, p.dead_autofluorescence)
    for code, factor in (
        (DEBRIS, p.autofluorescence_debris),
        (MONOCYTE, p.autofluorescence_monocyte),
        (GRANULOCYTE, p.autofluorescence_granulocyte),
    ):
        autofluorescence[kind == code] *= factor
    sticky[kind == DEBRIS] *= p.autofluorescence_debris

    def of_stage(name: str) -> Floats:
        """Return a column of the table of stages, (cells,), 0 where there is no B cell."""
        column = np.array([float(getattr(OF_STAGE[one], name)) for one in STAGES] + [0.0])
        return np.asarray(column[stage], dtype=np.float64)

    t_cell = (kind >= CD4_T) & (kind <= CD8_DIM_T)
    antigen = np.where(live, 1.0, p.dead_antigen)
    plain = p.nonspecific_molecules * sticky
    cd27 = _cd27(p, b, sample, kind, stage, rng) * sample.aged
    sticking = sample.cd27_naive * sticky
    if reagent == "memory-FMO27":
        cd27, sticking = np.zeros(count), np.zeros(count)
    molecules = {
        "CD19": of_stage("cd19") * lognormal(1.0, b.cd19_sd) * antigen + plain,
        "CD27": (cd27 * antigen + sticking) * sample.cd27_brightness,
        "CD3": t_cell * lognormal(p.cd3_molecules, p.cd3_sd) * antigen + plain,
        "CD38": (of_stage("cd38") * lognormal(1.0, b.cd38_sd) + _cd38(b, kind, rng)) * antigen + plain,
        "CD24": of_stage("cd24") * lognormal(1.0, b.cd24_sd) * antigen
        + (kind == GRANULOCYTE) * lognormal(b.cd24_granulocyte_molecules, b.cd24_sd)
        + plain,
        "CD45": lognormal(b.cd45_molecules, b.cd45_sd) * _cd45(b, kind) * antigen + plain,
        "CD14": (kind == MONOCYTE) * lognormal(b.cd14_molecules, b.cd14_sd) * antigen + plain,
        "viability": lognormal(np.where(live, p.viability_live, p.viability_dead), p.viability_sd),
        "target": _cd40(b, sample, kind, lacking, reagent, rng) * antigen + b.cd40_sticky * sticky,
    }
    for marker, naive, ratio, sd in (
        ("IgD", b.igd_negative * sample.igd_ratio * sample.aged, sample.igd_ratio, b.igd_sd),
        ("IgM", b.igm_naive, b.igm_ratio, b.igm_sd),
    ):
        there = of_stage(marker.lower())
        # What the ratio is to: cells without it hold this much of the antibody.
        negative = lognormal(naive / ratio, b.ig_negative_sd) * np.where(phagocyte, p.nonspecific_monocyte, 1.0)
        bound = np.where(there > 0, there * lognormal(naive, sd), negative) * sample.serum_ig * antigen
        molecules[marker] = np.where(kind == DEBRIS, 0.3, 1.0) * bound
        if reagent == "memory-FMOIg":
            molecules[marker] = np.zeros(count)
    molecules["viability"][kind == DEBRIS] *= 2.0
    pipetting = np.exp(p.tube_molecules_sd * rng.standard_normal(len(MARKERS)))
    for marker, factor in zip(MARKERS, pipetting, strict=True):
        molecules[marker] *= factor * molecules_of_donor[marker]
    # Stages differ in size, which is drawn as a live resting lymphocyte's.
    fsc, ssc = draw_scatter(p, kind, live, np.zeros(count, dtype=np.bool_), size, rng)
    larger = np.where(is_b, of_stage("size"), 1.0)
    return BCells(kind, stage, live, lacking, molecules, autofluorescence, fsc * larger, ssc * larger)


def _cd27(
    parameters: SimulationParameters,
    physics: BPhysics,
    sample: BSample,
    kind: NDArray[np.intp],
    stage: NDArray[np.intp],
    rng: np.random.Generator,
) -> Floats:
    """Return the molecules of anti-CD27 that CD27 binds, (cells,), without what sticks."""
    b, count = physics, kind.size
    if not any(detector.marker == "CD27" for detector in parameters.recorded()):
        return np.zeros(count)
    memory, sd = cd27_of_memory(parameters, b, sample)
    levels = {NEGATIVE: 0.0, MEMORY_LEVEL: memory}
    of_stage = np.array([levels[c] if isinstance(c := OF_STAGE[one].cd27, str) else c for one in STAGES] + [0.0])
    bound = of_stage[stage] * np.exp(sd * rng.standard_normal(count))
    chance = np.select(
        [(kind == CD4_T) | (kind == DOUBLE_NEGATIVE_T), (kind == CD8_T) | (kind == CD8_DIM_T), kind == NK],
        [b.cd27_cd4_t, b.cd27_cd8_t, b.cd27_nk],
        0.0,
    )
    level = np.where(kind == NK, b.cd27_nk_molecules, b.cd27_t_molecules)
    carries = rng.random(count) < chance
    bound += carries * level * np.exp(b.cd27_t_sd * rng.standard_normal(count))
    return np.asarray(bound, dtype=np.float64)


def _cd38(physics: BPhysics, kind: NDArray[np.intp], rng: np.random.Generator) -> Floats:
    """Return the molecules of CD38 of what is no B cell, (cells,)."""
    b = physics
    median = np.select(
        [kind == NK, kind == MONOCYTE, (kind >= CD4_T) & (kind <= CD8_DIM_T)],
        [b.cd38_nk_molecules, b.cd38_monocyte_molecules, b.cd38_t_molecules],
        0.0,
    )
    return np.asarray(median * np.exp(b.cd38_t_sd * rng.standard_normal(kind.size)), dtype=np.float64)


def _cd45(physics: BPhysics, kind: NDArray[np.intp]) -> Floats:
    """Return CD45 of each cell over that of a T cell, (cells,)."""
    b = physics
    kinds = [kind == DEBRIS, kind == B, kind == MONOCYTE, kind == GRANULOCYTE]
    return np.select(kinds, [0.05, b.cd45_b, b.cd45_monocyte, b.cd45_granulocyte], 1.0).astype(np.float64)


def _cd40(
    physics: BPhysics,
    sample: BSample,
    kind: NDArray[np.intp],
    lacking: Bools,
    reagent: str,
    rng: np.random.Generator,
) -> Floats:
    """Return the molecules of anti-CD40 that CD40 binds, (cells,): none in the isotype's tube."""
    b, count = physics, kind.size
    deviate = rng.standard_normal(count)
    level = np.select(
        [kind == B, kind == MONOCYTE],
        [
            sample.cd40_b * b.cd40_b_molecules * np.exp(b.cd40_b_sd * deviate),
            sample.cd40_monocyte * b.cd40_monocyte_molecules * np.exp(b.cd40_monocyte_sd * deviate),
        ],
        0.0,
    )
    return np.asarray(np.where(lacking, 0.0, level) * sample.cd40_epitope * (reagent == "CD40"), dtype=np.float64)


def stuck(cells: BCells, physics: BPhysics, sample: BSample, events: int, rng: np.random.Generator) -> Bools:
    """Put B cells, or pieces of them, on T cells in place, and return which of the first ``events`` cells hold one.

    They pass the lasers side by side, so that no pulse shape distinguishes them from one cell.
    """
    t_cells = np.flatnonzero((cells.kind[:events] >= CD4_T) & (cells.kind[:events] <= CD8_DIM_T))
    donors = np.flatnonzero(cells.kind[:events] == B)
    holding = np.zeros(events, dtype=np.bool_)
    wanted = min(int(rng.binomial(donors.size, sample.t_b_doublets)) if donors.size else 0, t_cells.size)
    if not wanted:
        return holding
    holders = np.sort(rng.choice(t_cells, size=wanted, replace=False))
    given = rng.choice(donors, size=wanted)
    whole = rng.random(wanted) < physics.whole_b
    for marker, values in cells.molecules.items():
        piece = physics.piece_ig if marker in IG else physics.piece_cd19
        values[holders] += values[given] * np.where(whole, 1.0, piece if marker != "viability" else 0.0)
    cells.fsc[holders] *= physics.conjugate_scatter
    cells.ssc[holders] *= physics.conjugate_scatter
    holding[holders] = True
    return holding
