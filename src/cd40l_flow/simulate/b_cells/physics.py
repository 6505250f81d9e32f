"""What the cells of the B-cell assays carry: molecules of each marker by kind and by stage.

Levels follow a public recording (HIPC Lyoplate B-cell panel, LSRFortessa) where it shows them: CD19, CD38 and CD24 of
each stage, CD27 of T cells, and the spread of each; CD27 of memory cells, IgD and IgM are asked for as ratios.
"""

from __future__ import annotations

from dataclasses import dataclass

from cd40l_flow.simulate.b_cells.laws import STAGES


@dataclass(frozen=True)
class Stage:
    """What B cells of one stage carry, medians in dye molecules.

    ``igd`` and ``igm`` multiply those of naive cells, 0 is nothing but what sticks. ``cd27`` is memory (dim and
    continuous), negative, or a number of molecules.
    """

    cd27: str | float
    igd: float
    igm: float
    cd38: float
    cd24: float
    cd19: float = 12_000.0
    size: float = 1.0


NEGATIVE, MEMORY_LEVEL = "negative", "memory"
OF_STAGE = dict(
    zip(
        STAGES,
        (
            Stage(NEGATIVE, 0.8, 2.5, 170_000.0, 12_000.0, size=1.04),
            Stage(NEGATIVE, 1.0, 1.0, 26_000.0, 2_000.0),
            Stage(MEMORY_LEVEL, 0.6, 2.0, 5_000.0, 6_500.0, size=1.05),
            Stage(MEMORY_LEVEL, 0.0, 0.0, 2_500.0, 6_500.0, size=1.06),
            Stage(MEMORY_LEVEL, 0.0, 2.5, 3_000.0, 6_500.0, size=1.06),
            Stage(NEGATIVE, 0.0, 0.0, 12_000.0, 1_600.0),
            Stage(12_000.0, 0.0, 0.0, 350_000.0, 60.0, cd19=6_000.0, size=1.2),
        ),
        strict=True,
    )
)


@dataclass(frozen=True)
class BPhysics:
    """Medians in dye molecules; every ``_sd`` is of the natural logarithm; fractions are 0 to 1."""

    cd19_sd: float = 0.30
    # CD27
    cd27_memory_sd: float = 0.69  # 0.3 in the decadic logarithm
    cd27_t_molecules: float = 9_000.0
    cd27_t_sd: float = 0.45
    cd27_cd4_t: float = 0.85  # of CD4 T cells that carry CD27
    cd27_cd8_t: float = 0.65
    cd27_nk: float = 0.15
    cd27_nk_molecules: float = 1_500.0
    # Immunoglobulin of the surface
    igd_negative: float = 600.0  # what IgD- cells bind
    igd_sd: float = 0.55
    igm_naive: float = 8_000.0
    igm_ratio: float = 5.0  # naive over IgM- cells, for plasma IgM sticks to all
    igm_sd: float = 0.45
    ig_negative_sd: float = 0.35
    # The others
    cd38_sd: float = 0.50
    cd38_t_molecules: float = 3_000.0
    cd38_t_sd: float = 1.0
    cd38_nk_molecules: float = 40_000.0
    cd38_monocyte_molecules: float = 30_000.0
    cd24_sd: float = 0.45
    cd24_granulocyte_molecules: float = 25_000.0
    cd45_molecules: float = 60_000.0  # of a lymphocyte
    cd45_b: float = 0.8
    cd45_monocyte: float = 0.7
    cd45_granulocyte: float = 0.25
    cd45_sd: float = 0.2
    cd14_molecules: float = 50_000.0
    cd14_sd: float = 0.35
    # CD40 and its isotype
    cd40_b_molecules: float = 9_000.0
    cd40_b_sd: float = 0.30
    cd40_monocyte_molecules: float = 2_200.0
    cd40_monocyte_sd: float = 0.45
    cd40_sticky: float = 70.0
    # A piece of a B cell on a T cell
    piece_cd19: float = 0.4
    piece_ig: float = 0.05
    whole_b: float = 0.5  # of the T cells with B: a whole B cell; the others hold a piece
    conjugate_scatter: float = 1.15  # of two cells side by side, which pulse height does not distinguish from one
