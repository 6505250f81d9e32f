"""Cells at the top of the target's detector are counted there, and those of other detectors are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cd40l_flow.base.model import Events
from cd40l_flow.signal.compensation import compensate
from cd40l_flow.simulate import Scenario
from helpers.simulated.gating_samples import simulate_sample


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Events:
    return simulate_sample(tmp_path_factory.mktemp("margin"), Scenario("S1"), 3).events[1]


def with_tops(events: Events, **share: float) -> Events:
    """Return the first 1000 events with shares of them at the tops of detectors, by marker or `FSC`."""
    values = np.array(events.values[:1000], dtype=np.float64)
    names = {"FSC": events.scatter.fsc, "SSC": events.scatter.ssc, **events.markers}
    for at, name in enumerate(events.names):
        values[:, at] = np.linspace(1.0, 1000.0, 1000)
        for marker, part in share.items():
            detector = events.header.detector(name)
            if names[marker] == name and detector is not None:
                values[: round(1000 * part), at] = detector.maximum - 1.0
    return replace(events, values=values, time=None)


@pytest.mark.parametrize("reuse", [False, True])
def test_only_the_target_counts(events: Events, reuse: bool) -> None:
    shares = {"FSC": 0.2, "SSC": 0.1, "CD3": 0.3, "CD8": 0.15}
    assert compensate(with_tops(events, target=0.05, **shares), reuse=reuse).top_percent == pytest.approx(5.0)
    assert compensate(with_tops(events, **shares), reuse=reuse).top_percent == 0.0


def test_the_top_is_counted_before_compensation(events: Events) -> None:
    """Compensation takes light away from saturated cells: afterwards none of them lies at the top."""
    assert compensate(with_tops(events, target=0.05, CD8=1.0)).top_percent == pytest.approx(5.0)
