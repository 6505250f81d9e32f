"""The physics of the simulated assay: what cells carry and what the instrument makes of it.

"Typical" marks a value in the range that textbooks and instrument manuals give for such cells and instruments; none is
fitted to a particular laboratory. Sourced values name their source.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

GAIN_POWER = 7.5  # of a photomultiplier with 9 to 10 dynodes: gain goes with volts to 0.7 to 0.8 of their number


@dataclass(frozen=True)
class DyeDetector:
    """One fluorescence detector and the dye it is meant for.

    ``marker`` is what the dye is bound to (``target`` follows the tube's reagent) and ``dye`` the word on the label.
    ``efficiency`` is in photo-electrons per dye molecule, ``gain`` in channels per photo-electron, ``electronic_sd`` in
    channels, ``autofluorescence`` the median photo-electrons of a resting lymphocyte, ``volts`` the ``$PnV``.
    ``baseline`` are the channels that the electronics subtract beyond their own baseline. All typical.
    """

    name: str
    dye: str
    marker: str
    efficiency: float
    gain: float
    electronic_sd: float
    autofluorescence: float
    volts: int
    baseline: float = 0.0


DETECTORS = (
    DyeDetector("FITC-A", "FITC", "CD69", 0.030, 8.0, 20.0, 11.0, 480),
    DyeDetector("PE-A", "PE", "target", 0.180, 5.5, 22.0, 10.0, 520),
    DyeDetector("APC-A", "APC", "CD3", 0.050, 5.0, 18.0, 1.5, 600),
    DyeDetector("APC-H7-A", "APC-H7", "CD8", 0.025, 5.0, 22.0, 3.0, 560),
    DyeDetector("BV510-A", "BV510", "viability", 0.030, 6.0, 24.0, 12.0, 450),
    DyeDetector("PerCP-Cy5-5-A", "PerCP-Cy5.5", "CD4", 0.012, 8.0, 22.0, 2.5, 570),
)

# Row i: the signal of dye i in each of DETECTORS, as a fraction of its signal in its own (typical, none is zero).
SPILLOVER = (
    (1.0, 0.150, 0.0010, 0.0008, 0.020, 0.025),
    (0.014, 1.0, 0.0040, 0.0020, 0.003, 0.140),
    (0.0006, 0.0012, 1.0, 0.080, 0.0005, 0.045),
    (0.0010, 0.0016, 0.060, 1.0, 0.0010, 0.008),
    (0.035, 0.025, 0.0010, 0.0018, 1.0, 0.012),
    (0.0010, 0.0022, 0.018, 0.080, 0.0010, 1.0),
)


@dataclass(frozen=True)
class SimulationParameters:
    """Everything the forward model rests on; one instance serves a whole cohort.

    Molecules are dye molecules on one cell, medians of a log-normal; every ``_sd`` is the standard deviation of the
    natural logarithm; fractions are 0 to 1; scatter is in channels. Values are typical unless a source is named.
    """

    # The instrument
    detectors: tuple[DyeDetector, ...] = DETECTORS
    spillover: tuple[tuple[float, ...], ...] = SPILLOVER
    measure_cd4: bool = False  # record the CD4 detector too (the assay itself gates CD3+CD8-: CD4 is lost, Kemp 2001)
    range: int = 262144  # $PnR, channels; the converter saturates one below
    scatter_sd: float = 0.02  # instrument noise of a scatter pulse
    fsc_height_per_area: float = 0.82  # FSC-H over FSC-A of a single cell
    doublet_height_gain: float = 1.06  # FSC-H of a doublet over that of its larger cell
    baseline_resting: float = 1.0  # times ``baseline`` in unstimulated and background tubes: set-ups drift
    timestep: float = 0.01  # $TIMESTEP, seconds per unit of Time
    events_per_second: float = 220.0  # mean rate of the Poisson process of arrivals

    # What is in the tube: peripheral blood mononuclear cells, rich in lymphocytes; fractions of all cells
    debris: float = 0.05
    monocytes: float = 0.06
    granulocytes: float = 0.008
    doublets: float = 0.04  # fraction of events that are two cells
    dead_resting: float = 0.035
    dead_stimulated: float = 0.06

    # Fractions of the lymphocytes; CD4 T cells are the rest
    cd8_t: float = 0.22
    double_negative_t: float = 0.045  # CD3+CD4-CD8-, gamma-delta T cells among them
    cd8_dim_t: float = 0.02
    nk: float = 0.10
    b: float = 0.11
    nk_cd8_dim: float = 0.35  # fraction of the NK cells that carry some CD8

    # Differences between donors, and between the tubes of one donor
    donor_composition_sd: float = 0.10  # of each population's share
    donor_molecules_sd: float = 0.05  # of each marker's median
    tube_molecules_sd: float = 0.015  # pipetting: of each dye's median

    # CD3, CD8 and CD4
    cd3_molecules: float = 90_000.0
    cd3_molecules_double_negative: float = 125_000.0  # gamma-delta T cells carry more
    cd3_sd: float = 0.25
    cd8_molecules: float = 120_000.0
    cd8_sd: float = 0.28
    cd8_dim_molecules: float = 14_000.0
    cd8_dim_sd: float = 0.5
    cd4_molecules: float = 50_000.0
    cd4_sd: float = 0.2
    cd4_monocyte_molecules: float = 5_000.0

    # Activation by PMA and ionomycin
    cd69_molecules: float = 42_000.0  # of an activated T cell after 4 h
    cd69_sd: float = 0.45
    cd69_resting_fraction: float = 0.02  # T cells that carry CD69 at rest (below 5 to 10 %, PMC170336)
    cd69_resting_molecules: float = 7_000.0
    cd69_resting_sd: float = 0.6
    cd69_monocyte_molecules: float = 2_500.0  # in a stimulated tube
    activated_bystanders: float = 0.90  # CD8 T, NK and B cells activated, of the fraction of CD4 T cells that are
    cd3_kept: float = 0.40  # of CD3 after activation (0 to 0.4 within 1 h in T-cell lines, PMC2138198)
    cd3_kept_sd: float = 0.30
    cd4_kept: float = 0.35  # CD4 is lost on activation (Kemp 2001)
    cd4_kept_sd: float = 0.40
    blast_fsc: float = 1.17  # FSC of an activated over a resting lymphocyte
    blast_ssc: float = 1.28
    blast_autofluorescence: float = 1.20  # of PMA after 4 h; blasts of days have more
    blast_nonspecific: float = 1.05

    # The target: CD154 and what binds to it
    cd154_molecules: float = 7_500.0  # bound anti-CD154 on an expressing CD4 T cell of a healthy donor
    cd154_sd: float = 0.42
    cd154_cd8_fraction: float = 0.12  # activated CD8 T cells that express, at
    cd154_cd8_level: float = 0.30  # this fraction of the CD4 T cells' level
    clone_2_bound: float = 0.85  # molecules of the second anti-CD154 clone per molecule of the first
    cd40ig_bound: float = 0.80  # molecules of labelled CD40-Ig (or of its secondary) per molecule of anti-CD154
    cd40ig_sd: float = 0.28  # added spread of the indirect stain

    # Background
    nonspecific_molecules: float = 150.0  # of each antibody on a resting lymphocyte
    nonspecific_cd154: float = 70.0  # of anti-CD154 and of its isotype control
    nonspecific_secondary: float = 230.0  # of the CD40-Ig stain: background above that of CD154 (an indirect stain)
    nonspecific_sd: float = 0.40
    autofluorescence_sd: float = 0.25
    autofluorescence_monocyte: float = 2.5  # times a resting lymphocyte
    autofluorescence_granulocyte: float = 3.0
    autofluorescence_debris: float = 0.35
    nonspecific_monocyte: float = 4.0  # Fc receptors
    viability_live: float = 400.0  # dye molecules taken up by a living cell
    viability_dead: float = 60_000.0
    viability_sd: float = 0.45
    dead_autofluorescence: float = 3.5  # times the living cell
    dead_nonspecific: float = 12.0
    dead_antigen: float = 0.6  # surface antigen a dead cell keeps

    # Scatter, medians in channels
    lymphocyte_fsc: float = 68_000.0
    lymphocyte_ssc: float = 21_000.0
    monocyte_fsc: float = 112_000.0
    monocyte_ssc: float = 58_000.0
    granulocyte_fsc: float = 118_000.0
    granulocyte_ssc: float = 150_000.0
    debris_fsc: float = 14_000.0
    debris_ssc: float = 9_000.0
    fsc_threshold: float = 5_000.0  # events below it do not trigger
    fsc_sd: float = 0.09  # of cells
    ssc_sd: float = 0.19
    debris_sd: float = 0.5
    dead_fsc: float = 0.66  # times the living cell
    dead_ssc: float = 1.5
    dead_scatter_sd: float = 0.16  # added spread: cells die by degrees

    # A clog: a stretch of the acquisition, as fractions of the events
    clog_start: float = 0.45
    clog_end: float = 0.70
    clog_signal: float = 0.45  # what is left of side scatter and fluorescence
    clog_fsc: float = 0.45  # what is left of forward scatter
    clog_rate: float = 0.3  # what is left of the rate

    def at_volts(self, volts: int) -> SimulationParameters:
        """Return the same with another voltage of the target's detector (0: as it is); its gain follows a power."""
        if not volts:
            return self
        detectors = tuple(
            replace(one, volts=volts, gain=one.gain * (volts / one.volts) ** GAIN_POWER)
            if one.marker == "target"
            else one
            for one in self.detectors
        )
        # Spillover is a ratio of signals: what falls on the target's detector is multiplied with it, what its dye
        # leaves elsewhere divided.
        factors = [new.gain / old.gain for new, old in zip(detectors, self.detectors, strict=True)]
        spillover = tuple(
            tuple(value * factors[column] / factors[row] for column, value in enumerate(values))
            for row, values in enumerate(self.spillover)
        )
        return replace(self, detectors=detectors, spillover=spillover)

    def recorded(self) -> tuple[DyeDetector, ...]:
        """Return the fluorescence detectors written to the file, in order."""
        return tuple(d for d in self.detectors if d.marker != "CD4" or self.measure_cd4)
