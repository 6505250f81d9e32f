"""Percents of gated populations: of a parent, and of any other population with enough cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cd40l_flow.gating.model import FEWEST, GatedTube


def tube(**counts: int) -> GatedTube:
    signal: Any = None
    return GatedTube(signal, {name: np.arange(count) for name, count in counts.items()}, (), (), None)


@pytest.mark.parametrize(("part", "percent"), [(0, 0.0), (50, 25.0), (200, 100.0)])
def test_a_percent_is_a_share_of_a_hundred(part: int, percent: float) -> None:
    assert tube(part=part, whole=200).percent_of("part", "whole") == pytest.approx(percent)


def test_too_few_cells_have_no_percent() -> None:
    assert tube(part=1, whole=FEWEST).percent_of("part", "whole") == pytest.approx(100 / FEWEST)
    assert tube(part=1, whole=FEWEST - 1).percent_of("part", "whole") is None
    assert tube(part=1).percent_of("part", "whole") is None
