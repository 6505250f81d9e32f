"""One scenario for every situation the assay must handle: what a laboratory meets, with the call it should get.

A scenario is judged against a healthy control of its run, which the caller adds (``healthy_control``).
"""

from __future__ import annotations

from dataclasses import replace

from cd40l_flow.simulate.cohort import Fault, Scenario

TUBES_WITH_SECOND_CLONE = ("CD154", "CD154-2", "isotype", "CD40-Ig", "secondary")


def healthy_control(sample: str = "C01", run: str = "R1") -> Scenario:
    """Return a healthy adult who serves as the control of a run."""
    return Scenario(sample, run=run, role="control", sex="F", age_years=31.0)


def failed_control(sample: str = "C01", run: str = "R1") -> Scenario:
    """Return a control that was stimulated without ionomycin: it fails, and its whole run with it."""
    return Scenario(
        sample,
        run=run,
        role="control",
        sex="F",
        age_years=31.0,
        ionomycin=False,
        expected_call="INDETERMINATE",
        expected_reasons=("CONTROL_FAILED",),
    )


def _unclear(name: str, reason: str, *faults: Fault) -> Scenario:
    """Return a healthy sample with faulty files, so that no call can be made."""
    return Scenario(name, faults=faults, expected_call="INDETERMINATE", expected_reasons=(reason,))


def _in_every_tube(kind: str) -> tuple[Fault, ...]:
    """Return a fault of every tube that a scenario has by default."""
    stimulated = tuple(Fault(kind, reagent) for reagent in Scenario("any").stimulated)
    return (*stimulated, *(Fault(kind, reagent, "unstimulated") for reagent in Scenario("any").unstimulated))


SCENARIOS: tuple[Scenario, ...] = (
    # Healthy
    Scenario("normal-male"),
    Scenario("normal-female", sex="F"),
    # Half again as broad as the control's: as two kinds of expressing cells are.
    Scenario(
        "normal-left-skewed",
        positive_skew=-6.0,
        positive_spread=1.5,
        negative_fraction=0.02,
        acceptable=("INDETERMINATE",),
    ),
    Scenario("normal-ten-percent-negative", negative_fraction=0.10),
    # Affected boys
    Scenario("absent-trace", negative_fraction=0.9997, expression_level=0.05, expected_call="ABSENT"),
    Scenario("absent-five-percent-dim", negative_fraction=0.95, expression_level=0.05, expected_call="ABSENT"),
    Scenario("absent-infant", age_years=0.2, negative_fraction=0.99, expression_level=0.05, expected_call="ABSENT"),
    Scenario("functional-defect", function=0.0, expected_call="FUNCTIONAL_DEFECT"),
    Scenario("functional-defect-two-percent", function=0.02, expected_call="FUNCTIONAL_DEFECT"),
    Scenario("reduced", expression_level=0.3, expected_call="REDUCED"),
    # Two kinds of cells
    Scenario("carrier-half", sex="F", age_years=34.0, negative_fraction=0.50, expected_call="MOSAIC"),
    Scenario("carrier-37", sex="F", age_years=34.0, negative_fraction=0.63, expected_call="MOSAIC"),
    # 78 % positive against 90 %: a mutant fraction of 13 %, which is a mosaic or the grey zone, never plain NORMAL.
    Scenario("carrier-78", sex="F", age_years=34.0, negative_fraction=0.22, expected_call="MOSAIC"),
    Scenario("carrier-mostly-normal", sex="F", age_years=34.0, negative_fraction=0.145, expected_call="NORMAL"),
    Scenario("carrier-mostly-mutant", sex="F", age_years=34.0, negative_fraction=0.955, expected_call="MOSAIC"),
    # Two cells in five are the donor's.
    Scenario("transplanted-male", transplant="yes", negative_fraction=0.64, expected_call="MOSAIC"),
    # The assay or the sample failed
    replace(_unclear("activation-failed", "ACTIVATION_FAILED"), activated_fraction=0.30),
    replace(_unclear("too-few", "TOO_FEW_EVENTS"), events=300),
    Scenario(
        "tacrolimus",
        calcineurin_inhibitor="yes",
        ionomycin=False,  # the drug takes away the same signal
        expected_call="INDETERMINATE",
        expected_reasons=("DRUG_CNI",),
    ),
    Scenario(
        "drug-unknown",
        calcineurin_inhibitor="unknown",
        negative_fraction=0.99,
        expression_level=0.05,
        expected_call="INDETERMINATE",
        expected_reasons=("DRUG_STATUS_UNKNOWN",),
    ),
    Scenario(
        "clone-discordant",
        epitope=0.0,
        stimulated=TUBES_WITH_SECOND_CLONE,
        expected_call="INDETERMINATE",
        expected_reasons=("CLONE_DISCORDANT",),
    ),
    Scenario(
        "readout-discordant",
        epitope=0.0,
        expected_call="INDETERMINATE",
        expected_reasons=("READOUT_DISCORDANT",),
    ),
    # Thirty times the background of its control: open, unless the cells are bright enough nevertheless.
    replace(_unclear("high-background", "HIGH_BACKGROUND"), background_shift=30.0, acceptable=("NORMAL",)),
    # The files
    _unclear("swapped-stimulation", "TUBE_SWAP", Fault("swap_stimulation")),
    _unclear("swapped-labels", "MARKER_SWAP", *_in_every_tube("swap_labels")),
    _unclear("swapped-labels-of-one-tube", "CHANNEL_MAP", Fault("swap_labels")),
    _unclear("no-cd69", "CHANNEL_MAP", Fault("no_cd69")),
    _unclear("duplicate", "FILE_INTEGRITY", Fault("duplicate", stimulation="unstimulated")),
    _unclear("other-donor", "ID_CONFLICT", Fault("other_donor", "CD40-Ig")),
    _unclear("no-spillover", "NO_COMP", Fault("no_spillover")),
    _unclear("truncated", "FILE_INTEGRITY", Fault("truncated")),
    _unclear("offset", "FILE_INTEGRITY", Fault("offset")),
    _unclear("zero-events", "FILE_INTEGRITY", Fault("zero_events")),
    replace(_unclear("analog", "NO_COMP", *_in_every_tube("undeclared")), instrument="calibur"),
    _unclear("missing", "FILE_INTEGRITY", Fault("missing")),
    # Only the slope between detectors in a background tube gives these two away
    _unclear("transposed-spillover", "NO_COMP", Fault("transposed_spillover")),
    _unclear("already-compensated", "NO_COMP", Fault("already_compensated")),
    # These leave a call possible, with a word of warning
    Scenario("clog", faults=(Fault("clog"),), expected_reasons=("ACQ_QC",)),
    Scenario("no-time", faults=(Fault("no_time"),), expected_reasons=("ACQ_QC",)),
)
