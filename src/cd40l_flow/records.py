"""Frozen dataclasses that are quick to define: their methods are shared, not written and compiled for each class.

The standard library compiles six functions for a frozen class, which takes half a millisecond: a twelfth of an analysis
went into that of its ninety classes. ``fields``, ``replace`` and ``asdict`` of the standard library work on these.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls=None, /, *, frozen=False):
        """Return a class as a dataclass, as ``dataclasses.dataclass`` does; of its options only ``frozen`` is known."""
        if cls is None:
            return lambda cls: dataclass(cls, frozen=frozen)
        if not frozen:
            return dataclasses.dataclass(cls)
        cls = dataclasses.dataclass(init=False, repr=False, eq=False, match_args=False)(cls)
        cls.__match_args__ = tuple(one.name for one in dataclasses.fields(cls))
        for name, method in _METHODS.items():
            if name not in cls.__dict__:
                setattr(cls, name, method)
        return cls


def _init(self: Any, /, *values: Any, **named: Any) -> None:
    names = self.__match_args__
    given = dict(zip(names, values, strict=False))
    if len(values) > len(names) or given.keys() & named.keys() or not named.keys() <= set(names):
        raise TypeError(f"{type(self).__qualname__} has {', '.join(names)}; given {len(values)} and {', '.join(named)}")
    given |= named
    if len(given) < len(names):
        given = _defaults(self, given) | given
    self.__dict__.update(given)
    if hasattr(self, "__post_init__"):
        self.__post_init__()


def _defaults(self: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the fields that were not given; raise TypeError where one has no default."""
    found = {}
    for one in dataclasses.fields(self):
        if one.name in given:
            continue
        if one.default_factory is not dataclasses.MISSING:
            found[one.name] = one.default_factory()
        elif one.default is not dataclasses.MISSING:
            found[one.name] = one.default
        else:
            raise TypeError(f"{type(self).__qualname__} needs {one.name}")
    return found


def _compared(self: Any) -> tuple[Any, ...]:
    return tuple(getattr(self, one.name) for one in dataclasses.fields(self) if one.compare)


def _eq(self: Any, other: object) -> bool:
    return _compared(self) == _compared(other) if other.__class__ is self.__class__ else NotImplemented


def _hash(self: Any) -> int:
    return hash(_compared(self))


def _repr(self: Any) -> str:
    return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self.__match_args__)})"


def _setattr(self: Any, name: str, value: Any) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _delattr(self: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


_METHODS = {
    "__init__": _init,
    "__eq__": _eq,
    "__hash__": _hash,
    "__repr__": _repr,
    "__setattr__": _setattr,
    "__delattr__": _delattr,
}
