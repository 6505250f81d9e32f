"""A scale that no logicle has is refused where a result is read."""

from __future__ import annotations

import msgspec
import pytest

from cd40l_flow.result.types.gates import LogicleScale

SCALE = {"t": 262144.0, "w": 0.6, "m": 4.5, "a": 0.0, "source": "own tubes"}


@pytest.mark.parametrize(("name", "value"), [("t", 0.0), ("w", -0.1), ("m", 0.0), ("a", -1.0)])
def test_a_scale_out_of_range_is_refused(name: str, value: float) -> None:
    assert msgspec.convert(SCALE, LogicleScale).a == 0
    with pytest.raises(msgspec.ValidationError, match=name):
        msgspec.convert(SCALE | {name: value}, LogicleScale)
