"""The simulated samples of the B-cell assays: one record a blood sample, with its sheet row and what is in the tube."""

from __future__ import annotations

from dataclasses import dataclass, field

from cd40l_flow.simulate.b_cells.laws import Subsets
from cd40l_flow.simulate.dialects import SIMULATED

MEMORY, CD40 = "memory_b", "cd40"
MEMORY_TUBES = ("memory", "memory-FMO27", "memory-FMOIg")
CD40_TUBES = ("CD40", "CD40-isotype")
MOST_EVENTS = 400_000  # nobody acquires more for one tube


@dataclass(frozen=True)
class BSample:
    """One blood sample of a B-cell assay: its line of the sheet, its cells, how it was acquired, what it should get.

    ``subsets`` are the donor's true stages of B cells (after a transplant: of the mixture), ``b_percent`` the true
    percent of B cells among lymphocytes. ``b_events`` is about how many live single B cells the main tube is to have;
    0 takes ``events`` as they are. Background tubes have ``background`` times the events of the main one.

    ``igd_ratio`` is IgD of naive cells over that of IgD- ones (in a public recording 6 to 12); ``serum_ig`` multiplies
    the anti-IgD and anti-IgM that cells bind (plasma was not washed off: below 1). ``t_b_doublets`` is the number of T
    cells with a B cell or a piece of one, as a fraction of the B cells; ``dump`` whether CD3 is stained, ``cd38``
    whether CD38 and CD24 are, ``cd45`` whether CD45 is. ``cd27_ratio`` is the median CD27 signal of memory cells over
    that of naive ones, ``cd27_naive`` the molecules of anti-CD27 on a naive cell, which the FMO tube lacks (in a public
    recording naive cells are about four times as bright as cells without CD27). ``cd27_brightness`` multiplies the dye
    of all anti-CD27, ``cd38_spill`` is a spillover of CD38 into CD27 that the stated matrix lacks. ``aged`` is what is
    left of CD27 and IgD in blood that waited too long, ``dead`` multiplies the share of dead cells.

    ``cd40_b`` and ``cd40_monocyte`` are levels of CD40 (1 is healthy), ``cd40_lacking`` the fraction of both kinds of
    cells that carry none, ``cd40_epitope`` what a drug leaves for the reagent. ``stain_sd`` is the SD of the logarithm
    of a stain from sample to sample.

    ``expected`` are the calls that are right, ``dangerous`` those that could harm; ``scenario`` and ``disturbance``
    name what the sample is and what disturbs it.
    """

    sample: str
    assay: str = MEMORY
    # The sheet
    subject: str = ""
    run: str = "R1"
    role: str = "test"
    sex: str = "M"
    age_years: float | None = 8.0
    control: str = ""
    family: str = ""
    transplant: str = "no"
    calcineurin_inhibitor: str = "no"
    steroid: str = "no"
    anti_cd154: str = "no"
    transfusion: str = "no"
    anticoagulant: str = "EDTA"
    collected_h: float = 6.0
    collected: str = ""
    b_depletion: str = "no"
    anti_cd40: str = "no"
    igm_g_l: float | None = None
    igg_g_l: float | None = None
    iga_g_l: float | None = None
    ige_iu_ml: float | None = None
    b_per_ul: float | None = None
    expected_fraction: float | None = None
    genotype: str = ""
    # The cells
    subsets: Subsets = field(default_factory=Subsets)
    b_percent: float = 14.0
    t_b_doublets: float = 0.0
    cd40_b: float = 1.0
    cd40_monocyte: float = 1.0
    cd40_lacking: float = 0.0
    cd40_epitope: float = 1.0
    dead: float = 1.0
    # The stain
    serum_ig: float = 1.0
    igd_ratio: float = 50.0
    cd27_ratio: float = 6.5
    cd27_naive: float = 30.0
    cd27_brightness: float = 1.0
    cd38_spill: float = 0.0
    aged: float = 1.0
    stain_sd: float = 0.05
    dump: bool = True
    cd38: bool = True
    cd45: bool = False
    panel: str = "CD27-BV421"
    # The tubes
    tubes: tuple[str, ...] = ("memory", "memory-FMO27")
    b_events: int = 0
    events: int = 20_000
    background: float = 0.5
    instrument: str = SIMULATED
    # The truth
    scenario: str = ""
    disturbance: str = ""
    expected: tuple[str, ...] = ()
    expected_reasons: tuple[str, ...] = ()
    dangerous: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        known = {MEMORY: MEMORY_TUBES, CD40: CD40_TUBES}
        if self.assay not in known:
            raise ValueError(f"There is no assay {self.assay!r} of B cells; there are {', '.join(known)}.")
        if strange := set(self.tubes) - set(known[self.assay]):
            raise ValueError(f"The assay {self.assay} has no tube {', '.join(sorted(strange))}.")
        if not 0 < self.b_percent < 95:
            raise ValueError(f"B cells cannot be {self.b_percent} % of the lymphocytes.")
