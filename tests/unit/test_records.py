"""The package's frozen dataclasses behave as those of the standard library."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from cd40l_flow.records import dataclass


def classes(decorate: Callable[..., Any]) -> Any:
    """Return a frozen class made by a decorator."""

    @decorate(frozen=True)
    class Tube:
        """A tube."""

        fcs: str
        events: int = 5
        notes: list[str] = dataclasses.field(default_factory=list)
        line: int = dataclasses.field(default=0, compare=False)

        def __post_init__(self) -> None:
            if self.events < 0:
                raise ValueError("events")

        @property
        def double(self) -> int:
            """Twice the events."""
            return 2 * self.events

    return Tube


OURS, THEIRS = classes(dataclass), classes(dataclasses.dataclass)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (("a",), {}),
        (("a", 7), {}),
        ((), {"fcs": "a"}),
        (("a",), {"notes": ["x"], "events": 1}),
        (("a", 1, ["x"], 3), {}),
        ((), {}),
        ((), {"events": 1}),
        (("a",), {"fcs": "b"}),
        (("a",), {"unknown": 1}),
        (("a", 1, [], 3, 4), {}),
        (("a", -1), {}),
    ],
)
def test_they_are_made_and_refused_alike(values: tuple[Any, ...], named: dict[str, Any]) -> None:
    def made(cls: Any) -> Any:
        try:
            one = cls(*values, **named)
        except (TypeError, ValueError) as error:
            return type(error)
        return repr(one), dataclasses.asdict(one), one.double

    assert made(OURS) == made(THEIRS)


def test_equality_goes_by_what_is_compared() -> None:
    for cls in (OURS, THEIRS):
        assert cls("a", line=1) == cls("a", line=2)
        assert cls("a") != cls("b")
        assert cls("a") != "a"
    frozen = dataclass(frozen=True)(type("Pair", (), {"__annotations__": {"a": "int", "b": "int"}, "__doc__": "Two."}))
    assert hash(frozen(1, 2)) == hash(frozen(1, 2))
    assert len({frozen(1, 2), frozen(1, 2), frozen(2, 1)}) == 2


def test_none_can_be_changed_but_in_a_copy() -> None:
    one = OURS("a")

    with pytest.raises(dataclasses.FrozenInstanceError):
        one.fcs = "b"
    with pytest.raises(dataclasses.FrozenInstanceError):
        del one.fcs

    assert dataclasses.replace(one, events=9).events == 9
    assert copy.deepcopy(one) == copy.copy(one) == one
    assert one.notes is not OURS("a").notes


def test_a_changeable_one_is_the_standard_librarys() -> None:
    @dataclass
    class Counter:
        """Counts."""

        value: int = 0

    one = Counter()
    one.value = 3

    assert one == Counter(3)
