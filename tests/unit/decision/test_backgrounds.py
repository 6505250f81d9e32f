"""Which cells are the background of a reagent: stimulated ones before resting ones, for stimulation adds light.

The order: the sample's own stimulated background; its resting cells, moved as stimulation moves them; the control's
stimulated background; resting cells as they are.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cd40l_flow.assay.cd40l.gates import ACTIVATED, CD8_NEGATIVE, CD8_POSITIVE
from cd40l_flow.decision import assess
from cd40l_flow.decision.case import ControlCase
from cd40l_flow.mixture.model import Anchor
from helpers.by_hand.cases import LENT, SCALE, limits

CELLS = 2000
REST, STIMULATED = 100.0, 200.0


class _Tube:
    """A gated tube as far as backgrounds are looked for: its cells of three populations and their values."""

    def __init__(self, reagent: str, stimulation: str, mean: float, *, cd8: bool = False) -> None:
        random = np.random.default_rng(sum(map(ord, reagent + stimulation)))
        own = {ACTIVATED: mean, CD8_NEGATIVE: mean} | ({CD8_POSITIVE: mean} if cd8 else {})
        self.values = {name: random.normal(at, 60.0, CELLS) for name, at in own.items()}
        self.indices = {name: np.arange(CELLS) for name in own}
        tube = SimpleNamespace(reagent=reagent, stimulation=stimulation, fcs=f"{reagent}-{stimulation}.fcs")
        self.signal = SimpleNamespace(events=SimpleNamespace(tube=tube, markers={"target": "PE-A"}))

    def linear(self, marker: str, population: str) -> np.ndarray:
        return self.values[population] if marker == "target" else np.full(CELLS, 5000.0)

    def boundary(self, gate: str) -> Any:
        return SimpleNamespace(value=500.0)


def own_background() -> _Tube:
    return _Tube("isotype", "stimulated", STIMULATED)


def resting(*, cd8: bool = False) -> _Tube:
    return _Tube("CD154", "unstimulated", REST, cd8=cd8)


def of_control(source: str, cells: float = 5000.0) -> ControlCase:
    shape = LENT.background * cells / LENT.background.sum()
    return ControlCase(("C01",), {"CD154": replace(LENT, background=shape, background_source=source)}, {}, ())


def anchor(tubes: list[_Tube], control: ControlCase | None, *, cd8: bool = False) -> Anchor | None:
    everything = [_Tube("CD154", "stimulated", STIMULATED, cd8=cd8), *tubes]
    gated: Any = SimpleNamespace(tubes=everything, scales={"PE-A": SCALE})
    return assess._anchor(
        assess._Tubes(gated), "CD154", "PE-A", control, limits(), everything[0].linear("target", ACTIVATED)
    )


@pytest.mark.parametrize(
    ("tubes", "control", "source"),
    [
        ([own_background(), resting()], of_control("isotype"), "isotype"),
        ([resting()], of_control("isotype"), "control's isotype"),
        ([resting()], of_control("unstimulated"), "unstimulated"),
        ([resting()], of_control("isotype", cells=3.0), "unstimulated"),
        ([resting()], None, "unstimulated"),
        ([], of_control("isotype"), "control's isotype"),
        ([], of_control("unstimulated"), "control's unstimulated"),
    ],
)
def test_stimulated_cells_go_before_resting_ones(tubes: list[_Tube], control: ControlCase | None, source: str) -> None:
    found = anchor(tubes, control)
    assert found is not None
    assert found.source == source
    assert found.exact == (source == "isotype")


def test_no_background_at_all_is_none() -> None:
    assert anchor([], None) is None
    assert anchor([], of_control("isotype", cells=3.0)) is None


def test_resting_cells_that_are_moved_as_stimulation_moves_them_go_before_the_control_s() -> None:
    found = anchor([resting(cd8=True)], of_control("isotype"), cd8=True)
    assert found is not None
    assert (found.source, found.exact) == ("unstimulated", False)
    assert found.change is not None
    assert found.change.offset == pytest.approx(STIMULATED - REST, abs=25)
