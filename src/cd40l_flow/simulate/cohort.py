"""What is simulated: one scenario a blood sample, a tuple of them is a cohort."""

from __future__ import annotations

from dataclasses import dataclass

from cd40l_flow.simulate.dialects import DIALECTS, SIMULATED

FAULTS = (
    "clog",  # the signal and the rate drop for a stretch of the acquisition
    "swap_stimulation",  # this tube's file holds the other stimulation's cells, and that one's holds this one's
    "duplicate",  # the events of the stimulated CD154 tube once more
    "other_donor",  # the cells of a healthy stranger
    "swap_labels",  # $PnS of CD69 and of the target exchanged
    "no_cd69",  # no detector carries the label CD69
    "no_spillover",  # $SPILLOVER is missing
    "transposed_spillover",
    "already_compensated",  # compensated events, the matrix still in the file
    "no_time",
    "no_voltages",  # no $PnV
    "zero_events",
    "truncated",  # the last two fifths of the file are lost
    "offset",  # $ENDDATA and the header point one byte too far
    "undeclared",  # no panel says that the values are compensated already
    "missing",  # the sheet names the file, the folder lacks it
)

# What a sample can be in truth -> the calls that could harm.
AFFECTED_CALLS = frozenset({"ABSENT", "REDUCED", "MOSAIC", "FUNCTIONAL_DEFECT"})
TRUTHS: dict[str, frozenset[str]] = {
    "healthy": AFFECTED_CALLS,
    "affected": frozenset({"NORMAL"}),
    "carrier": frozenset({"NORMAL", "ABSENT", "FUNCTIONAL_DEFECT"}),
    "failed": AFFECTED_CALLS | {"NORMAL"},
}


@dataclass(frozen=True)
class Fault:
    """Something wrong with one file; ``kind`` is one of ``FAULTS``."""

    kind: str
    reagent: str = "CD154"
    stimulation: str = "stimulated"

    def __post_init__(self) -> None:
        if self.kind not in FAULTS:
            raise ValueError(f"There is no fault {self.kind!r}; there are {', '.join(FAULTS)}.")


@dataclass(frozen=True)
class Scenario:
    """One blood sample: what the sheet states, what its cells do, how it was acquired, and the call it should get.

    ``negative_fraction`` is of the activated CD3+CD8- cells and counts the cells that express nothing;
    ``expression_level`` multiplies the CD154 molecules of the others (1 is healthy). ``function`` multiplies what
    CD40-Ig binds, ``epitope`` and ``epitope_2`` what the two anti-CD154 clones bind (0: the site is lost).
    ``positive_skew`` is the shape of the skew-normal law of the molecules' logarithm (negative: a tail of dim cells),
    ``positive_spread`` multiplies its standard deviation. ``background_shift`` multiplies the reagent's
    nonspecific binding, ``sticky_background`` that of the background tubes alone.

    ``residual_fraction`` of the expressing cells keep only ``residual_level`` of the level (a residual allele), and
    ``dim_fraction`` of them lie anywhere below it, evenly in its logarithm. ``unresponsive`` of the cells do not
    express because of weak stimulation: those with little CD69. ``double_negative`` multiplies the share of
    CD3+CD4-CD8- cells, of which ``double_negative_silent`` do not express. ``unstained`` are reagents whose stimulated
    tube holds no antibody against the target; ``target_volts`` is another voltage of the target's detector (0: the
    usual one).

    ``truth`` is what the sample is whatever can be seen of it (one of ``TRUTHS``); ``acceptable`` are the calls that
    are right in addition to ``expected_call``.
    """

    sample: str
    # The sheet
    run: str = "R1"
    role: str = "test"
    sex: str = "M"
    age_years: float = 8.0
    control: str = ""
    family: str = ""
    transplant: str = "no"
    calcineurin_inhibitor: str = "no"
    steroid: str = "no"
    anti_cd154: str = "no"
    transfusion: str = "no"
    anticoagulant: str = "Na-heparin"
    collected_h: float = 6.0
    stimulation_h: float = 4.0
    # The cells
    negative_fraction: float = 0.10  # healthy: about 90 % express (PMID 9344700)
    expression_level: float = 1.0
    positive_skew: float = -1.5
    positive_spread: float = 1.0
    function: float = 1.0
    epitope: float = 1.0
    epitope_2: float = 1.0
    activated_fraction: float = 0.95  # of the CD3+CD8- cells: CD69 induced
    ionomycin: bool = True  # without it CD69 comes up and CD154 does not (PMID 7907604)
    background_shift: float = 1.0
    t_cells: float = 1.0  # times the usual share of T cells (lymphopenia: below 1)
    dead: float = 1.0  # times the usual share of dead cells
    residual_fraction: float = 0.0
    residual_level: float = 0.3
    dim_fraction: float = 0.0
    unresponsive: float = 0.0
    cd69_level: float = 1.0  # times the usual CD69 of an activated cell
    double_negative: float = 1.0
    double_negative_silent: float = 0.0
    sticky_background: float = 1.0
    unstained: tuple[str, ...] = ()
    target_volts: int = 0
    # The tubes
    stimulated: tuple[str, ...] = ("CD154", "isotype", "CD40-Ig", "secondary")
    unstimulated: tuple[str, ...] = ("CD154",)
    replicates: int = 1
    events: int = 8000  # of a stimulated CD154, second clone or CD40-Ig tube
    background_events: int = 4300
    unstimulated_events: int = 2800
    faults: tuple[Fault, ...] = ()
    instrument: str = SIMULATED  # one of ``DIALECTS``: how the files are written
    # The truth
    expected_call: str = "NORMAL"
    expected_reasons: tuple[str, ...] = ()
    truth: str = ""
    acceptable: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.instrument not in DIALECTS:
            raise ValueError(f"There is no instrument {self.instrument!r}; there are {', '.join(DIALECTS)}.")
        if self.truth not in ("", *TRUTHS):
            raise ValueError(f"There is no truth {self.truth!r}; there are {', '.join(TRUTHS)}.")

    @property
    def right(self) -> frozenset[str]:
        """The calls that are right."""
        return frozenset((self.expected_call, *self.acceptable))

    @property
    def dangerous(self) -> frozenset[str]:
        """The calls that could harm, of what the sample is in truth."""
        return TRUTHS[self.truth] - {self.expected_call} if self.truth else frozenset()

    def has(self, kind: str, stimulation: str, reagent: str) -> bool:
        """Return whether the tube has this fault."""
        return Fault(kind, reagent, stimulation) in self.faults


def default_cohort() -> tuple[Scenario, ...]:
    """Return the demonstration cohort: one run, its healthy control, nine subjects who between them get every call."""
    return (
        Scenario("C01", role="control", sex="F", age_years=31.0),
        Scenario("P01", sex="M", age_years=6.0),
        Scenario("P02", sex="F", age_years=9.0),
        # Affected boys who express a trace express it dimly: one cell in a hundred here, at a twentieth of the level.
        Scenario("P03", age_years=2.0, negative_fraction=0.99, expression_level=0.05, expected_call="ABSENT"),
        Scenario("P04", age_years=11.0, expression_level=0.3, expected_call="REDUCED"),
        Scenario("P05", sex="F", age_years=34.0, negative_fraction=0.50, expected_call="MOSAIC"),
        Scenario("P06", sex="F", age_years=38.0, negative_fraction=0.40, expected_call="MOSAIC"),
        Scenario("P07", age_years=4.0, function=0.0, expected_call="FUNCTIONAL_DEFECT"),
        Scenario(
            "P08",
            age_years=7.0,
            activated_fraction=0.30,
            events=6000,
            expected_call="INDETERMINATE",
            expected_reasons=("ACTIVATION_FAILED",),
        ),
        Scenario(
            "P09",
            age_years=1.0,
            t_cells=0.06,
            events=1500,
            background_events=1500,
            unstimulated_events=1500,
            expected_call="INDETERMINATE",
            expected_reasons=("TOO_FEW_EVENTS",),
        ),
    )
