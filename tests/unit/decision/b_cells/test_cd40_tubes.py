"""What the tubes CD40 and CD40-isotype show of themselves, by hand: stain, places, labels, isotype and gain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from cd40l_flow.assay.b_cells import B_CELLS, CD3_POSITIVE
from cd40l_flow.assay.cd40.gates import MONOCYTES
from cd40l_flow.assay.effects import CD40_ABSENT, CD40_LOW, PRESENT
from cd40l_flow.assay.shared_gates import TIME
from cd40l_flow.base.model import Floats
from cd40l_flow.decision.b_cells.cd40 import cd40_measures
from cd40l_flow.decision.b_cells.decide import failures_of
from cd40l_flow.decision.b_cells.measures import Cd40Measures
from cd40l_flow.decision.calls import Decision
from cd40l_flow.gating.model import GatedTube
from helpers.by_hand.b_cells import CONTROL as NAMED
from helpers.by_hand.b_cells import SAMPLE, call_cd40, cd40_cells
from helpers.by_hand.b_cells import cd40 as usual
from helpers.by_hand.cases import limits
from helpers.by_hand.gated_tubes import gated_sample, gated_tube, normal

LIMITS = limits()
CELLS, SD = 1000, 40.0
BRIGHT, SPREAD = 200.0, 0.35
OPEN = "INDETERMINATE"
STAINED, DARK = (2060.0, 1100.0, 50.0), (60.0, 100.0, 50.0)  # medians of B cells, monocytes and T cells


def light(median: float) -> Floats:
    """Return cells with the scatter of a background or, brighter, that of a stain, (cells,)."""
    if median < BRIGHT:
        return normal(CELLS, median, SD)
    found: Floats = median * np.exp(normal(CELLS, 0.0, SPREAD))
    return found


def tube(
    reagent: str,
    medians: Sequence[float],
    *,
    gain: float = 1.0,
    volts: float | None = None,
    populations: Sequence[str] = (TIME, B_CELLS, MONOCYTES, CD3_POSITIVE),
) -> GatedTube:
    """Return a tube of as many B cells, monocytes and T cells; all that the target's detector shows times ``gain``."""
    kinds = np.repeat([0, 1, 2], CELLS)
    values = {"target": gain * np.concatenate([light(median) for median in medians])}
    values |= {name: np.where(kinds == place, 9000.0, 0.0) for place, name in enumerate(("CD19", "CD14", "CD3"))}
    masks = {TIME: kinds >= 0, B_CELLS: kinds == 0, MONOCYTES: kinds == 1, CD3_POSITIVE: kinds == 2}
    made = gated_tube(
        values, {name: masks[name] for name in populations}, fcs=f"{reagent}.fcs", stimulation="unstimulated",
        reagent=reagent, parents=dict.fromkeys(masks, TIME) | {TIME: "all"},
        boundaries={"cd19_low": 1000.0, "cd3_high": 1000.0},
    )  # fmt: skip
    events = made.signal.events
    detectors = tuple(replace(one, voltage=volts) for one in events.header.detectors)
    header = replace(events.header, detectors=detectors)
    return replace(made, signal=replace(made.signal, events=replace(events, header=header)))


def measured(
    cells: Sequence[float], dark: Sequence[float] | None = DARK, *, controls: Sequence[Cd40Measures] = (),
    gain: float = 1.0, volts: float | None = None, volts_of_isotype: float | None = None,
) -> Cd40Measures:  # fmt: skip
    tubes = [tube("CD40", cells, gain=gain, volts=volts)]
    if dark is not None:
        tubes.append(tube("CD40-isotype", dark, gain=gain, volts=volts_of_isotype or volts))
    found = cd40_measures(gated_sample(*tubes), controls, LIMITS)
    assert found is not None
    return found


CONTROL = measured(STAINED)


def called(
    cells: Sequence[float], dark: Sequence[float] | None = DARK, *, control: Cd40Measures = CONTROL,
    gain: float = 1.0, volts: float | None = None, volts_of_isotype: float | None = None,
) -> Decision:  # fmt: skip
    found = measured(
        cells, dark, controls=[control], gain=gain, volts=volts, volts_of_isotype=volts_of_isotype
    )  # fmt: skip
    return call_cd40(found, controls=[control])


def message(found: Decision, code: str) -> str:
    return next(guard.message for guard in found.guards if guard.code == code and guard.fired)


@pytest.mark.parametrize(
    ("cells", "call"),
    [
        (STAINED, PRESENT),
        ((460.0, 300.0, 50.0), CD40_LOW),
        (DARK, CD40_ABSENT),
        # An isotype that sticks a little more than anti-CD40 does, to all cells.
        ((54.0, 94.0, 44.0), CD40_ABSENT),
    ],
)
def test_tubes_in_which_nothing_is_wrong_keep_their_call(cells: Sequence[float], call: str) -> None:
    found = called(cells)
    assert (found.call, found.reasons, found.qc) == (call, (), "pass")


@pytest.mark.parametrize("b_cells", [2060.0, 460.0, 140.0])
def test_exchanged_tubes_are_told_by_t_cells_that_are_alike_in_both(b_cells: float) -> None:
    """B cells with the isotype lie as far below those with anti-CD40 as they carry CD40: absent they are not."""
    found = called(DARK, (b_cells, 100 + (b_cells - 60) / 2, 50.0))
    assert (found.call, found.reasons[0]) == (OPEN, "TUBE_SWAP")
    assert "STAIN_FAILED" not in found.reasons
    assert "the two tubes may be exchanged" in message(found, "TUBE_SWAP")


def test_a_tube_without_the_stain_is_darker_on_all_cells() -> None:
    found = called((35.0, 75.0, 25.0))
    assert (found.call, found.reasons) == (OPEN, ("STAIN_FAILED", "MONOCYTES_NOT_TESTED"))
    # The control's reagents stick to its T cells as much more: so far below them only an unstained tube's lie.
    sticks = measured(STAINED, (72.0, 112.0, 62.0))
    assert called(DARK, (72.0, 112.0, 62.0), control=sticks).call == CD40_ABSENT
    bare = measured(STAINED, (48.0, 88.0, 38.0))
    assert called((46.0, 86.0, 36.0), control=bare).reasons[0] == "STAIN_FAILED"


@pytest.mark.parametrize(
    ("cells", "call"),
    [
        ((50.0, 100.0, 50.0), OPEN),
        ((35.0, 75.0, 35.0), OPEN),
        ((50.0 + 0.4 * SD, 100.0, 50.0), OPEN),
        ((50.0 + 0.6 * SD, 100.0, 50.0), CD40_ABSENT),
        ((460.0, 300.0, 50.0), CD40_LOW),
        (STAINED, PRESENT),
    ],
)
def test_without_an_isotype_absence_needs_a_trace_of_the_stain(cells: Sequence[float], call: str) -> None:
    """The B cells of an unstained tube are as dark as its T cells, and so are those without CD40."""
    found = called(cells, None, control=measured(STAINED, None))
    assert found.call == call
    assert ("STAIN_FAILED" in found.reasons) is (call == OPEN)


@pytest.mark.parametrize(("isotype", "code"), [(1700.0, "STAIN_FAILED"), (800.0, "HIGH_BACKGROUND")])
def test_an_isotype_that_sticks_to_monocytes_leaves_the_call_to_b_cells(isotype: float, code: str) -> None:
    """Monocytes would look absent, or low, beside healthy B cells."""
    dark = (60.0, isotype, 50.0)
    found = called(STAINED, dark)
    assert (found.call, set(found.reasons)) == (PRESENT, {"MONOCYTES_NOT_TESTED", code})
    assert set(found.subcalls) == {"B cells"}
    # Where a tube without the stain would look the same, low and absent B cells are not called.
    low = called((460.0, 300.0, 50.0), dark)
    assert low.call == OPEN and "STAIN_FAILED" in low.reasons


def test_an_isotype_that_sticks_to_all_cells_hides_cd40_of_b_cells() -> None:
    dark = (400.0, 440.0, 390.0)
    assert called((460.0, 300.0, 50.0), dark).call == OPEN
    found = called(STAINED, dark)
    assert (found.call, set(found.reasons)) == (PRESENT, {"MONOCYTES_NOT_TESTED", "STAIN_FAILED", "HIGH_BACKGROUND"})


def test_b_cells_whose_isotype_alone_is_high_are_not_called_low() -> None:
    found = called((1060.0, 600.0, 50.0), (500.0, 100.0, 50.0))
    assert found.pattern != PRESENT and found.call == OPEN
    assert "HIGH_BACKGROUND" in {guard.code for guard in found.guards if guard.fired}


def test_monocytes_of_a_control_whose_isotype_sticks_lend_no_level() -> None:
    """Its monocytes would look dim, and a patient's bright beside them."""
    sticky = measured(STAINED, (400.0, 440.0, 390.0))
    found = measured((460.0, 300.0, 50.0), controls=[sticky])
    assert [one.ratio is None for one in found.cells] == [False, True]


def test_monocytes_below_an_isotype_as_high_as_the_control_s_are_not_judged() -> None:
    """The control's monocytes still lie above theirs; a patient's that lie below it are no contradiction."""
    control = measured(STAINED, (60.0, 700.0, 50.0))
    found = called((2060.0, 300.0, 50.0), (60.0, 700.0, 50.0), control=control)
    assert (found.call, set(found.reasons)) == (PRESENT, {"MONOCYTES_NOT_TESTED", "STAIN_FAILED"})


@pytest.mark.parametrize(
    ("gain", "fired"), [(1.6, True), (1.4, False), (0.7, False), (0.6, True), (4.0, True), (1.0, False)]
)
def test_without_recorded_volts_the_width_of_t_cells_shows_another_gain(gain: float, fired: bool) -> None:
    for cells in (STAINED, (460.0, 300.0, 50.0), DARK):
        found = called(cells, gain=gain)
        assert ("GAIN_MISMATCH" in found.reasons) is fired
        assert found.call == OPEN or not fired
    assert not fired or "files state no voltage" in message(called(DARK, gain=gain), "GAIN_MISMATCH")


@pytest.mark.parametrize(
    ("volts", "of_isotype", "fired"), [(480.0, 480.0, False), (560.0, 560.0, True), (480.0, 560.0, True)]
)
def test_recorded_volts_of_both_tubes_must_be_the_control_s(volts: float, of_isotype: float, fired: bool) -> None:
    control = measured(STAINED, volts=480.0)
    found = called(STAINED, control=control, volts=volts, volts_of_isotype=of_isotype)
    assert (found.call == OPEN) is ("GAIN_MISMATCH" in found.reasons) is fired
    # Recorded volts are believed: the width of T cells differs between people too.
    wide = called(STAINED, control=control, volts=480.0, gain=1.6)
    assert "GAIN_MISMATCH" not in wide.reasons


def test_an_isotype_tube_without_b_cells_has_labels_exchanged() -> None:
    tubes = [
        tube("CD40", STAINED),
        tube("CD40-isotype", DARK, populations=(TIME, MONOCYTES, CD3_POSITIVE)),
    ]
    found = cd40_measures(gated_sample(*tubes), [CONTROL], LIMITS)
    assert found is not None and found.isotype_b_events == 0
    decision = call_cd40(found, controls=[CONTROL])
    assert decision.call == OPEN and "MARKER_SWAP" in decision.reasons


@pytest.mark.parametrize(("ratio", "doubted"), [(2.4, False), (2.6, True)])
def test_a_patient_far_brighter_than_the_control_doubts_the_control(ratio: float, doubted: bool) -> None:
    found = call_cd40(usual(ratio, ratio))
    assert (found.call, found.reasons) == (PRESENT, ("CONTROL_DOUBTFUL",) if doubted else ())


def test_a_control_that_fails_its_own_check_says_why_to_its_patients() -> None:
    control = replace(SAMPLE, role="control")
    swapped = failures_of(control, call_cd40(measured(DARK, STAINED), control, None), None, LIMITS)
    assert any("the two tubes may be exchanged" in text for text in swapped)
    unstained = failures_of(control, call_cd40(measured((35.0, 75.0, 25.0)), control, None), None, LIMITS)
    assert any("B cells lie below their isotype" in text for text in unstained)
    dim = replace(usual(), cells=(cd40_cells("B cells", None, 60.0),))
    (why,) = failures_of(control, call_cd40(dim, control, None), None, LIMITS)
    assert "CD40-positive B cells of the control" in why
    volts = failures_of(
        control, call_cd40(measured(STAINED, volts=480.0, volts_of_isotype=560.0), control, None), None, LIMITS
    )
    assert any("Voltage of CD40's detector" in text for text in volts)
    fine = failures_of(control, call_cd40(CONTROL, control, None), None, LIMITS)
    assert fine == ()


def test_beside_a_failed_control_nothing_else_is_named() -> None:
    """No kind of cells has a ratio: neither the limits nor the monocytes are the reason."""
    failed = measured(DARK, STAINED)
    found = measured(STAINED, controls=[failed])
    assert [one.ratio for one in found.cells] == [None, None]
    decision = call_cd40(found, control=replace(NAMED, failures=("Control C01: exchanged.",)), controls=[failed])
    assert (decision.call, decision.reasons) == (OPEN, ("CONTROL_FAILED",))
