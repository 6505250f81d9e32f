"""What a laboratory's own healthy donors change in the odds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cd40l_flow.decision.laboratory import with_laboratory
from helpers.by_hand.cases import limits
from helpers.by_hand.guard_edges import LABORATORY


@pytest.mark.parametrize(("short", "known"), [(0, True), (1, False)])
def test_the_healthy_negative_fraction_is_known_from_enough_controls(short: int, known: bool) -> None:
    usual = limits()
    enough = usual.reference.fewest_controls - short
    own = replace(LABORATORY, controls=enough, healthy_negative={"CD154": 0.07})
    odds = with_laboratory(usual, own, "CD154").odds
    assert odds.healthy_negative == (0.07 if known else usual.odds.healthy_negative)
