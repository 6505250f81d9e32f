"""Pitfalls of YAML: words that it reads as something else are reported.

YAML 1.1 (https://yaml.org/spec/1.1/, section 10 and the types of its repository) takes ``0500`` for the octal number
320, ``1:30`` for 90, ``no`` for false and ``2024-01-31`` for a date; ``1e3`` is a text. Nobody who writes a
configuration means that.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

MOST_BYTES = 1 << 20
MOST_DEPTH = 20

_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]*)", re.ASCII)
# Invalid numbers are reported as such.
_NOT_FINITE = re.compile(r"[+-]?\.(inf|nan)", re.IGNORECASE)
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_PREFIX = "tag:yaml.org,2002:"
_KINDS = {"int": "the number", "float": "the number", "bool": "", "timestamp": "the date", "null": "nothing,"}


@dataclass(frozen=True)
class Misread:
    """A word that YAML reads as something else: its key (``limits.calls.dip_alpha``), line, and the message."""

    key: str
    line: int
    message: str
    remedy: str


def refuse_bombs(text: str) -> None:
    """Raise ``yaml.YAMLError`` for what no configuration needs and what makes programs hang: aliases, deep nesting."""
    import yaml

    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        anchor = getattr(event, "anchor", None)
        mark: Any = event.start_mark
        if anchor:
            found = f"'{anchor}' is an anchor or alias (& or *), which are not taken; write the part out"
            raise yaml.MarkedYAMLError(problem=found, problem_mark=mark)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MOST_DEPTH:
            found = f"it is nested more than {MOST_DEPTH} levels deep"
            raise yaml.MarkedYAMLError(problem=found, problem_mark=mark)


def misread(text: str, booleans: Collection[str]) -> Iterator[Misread]:
    """Yield every word that YAML reads as something else than written.

    ``booleans`` are the keys where yes and no are meant; ``text`` has passed `refuse_bombs` and is YAML.
    """
    import yaml

    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is not None:
            yield from _walk(loader, node, "", booleans)
    finally:
        loader.dispose()


def _walk(loader: Any, node: Any, key: str, booleans: Collection[str]) -> Iterator[Misread]:
    import yaml

    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if not isinstance(name, yaml.ScalarNode):
                continue
            own = f"{key}.{name.value}" if key else str(name.value)
            kind = name.tag.removeprefix(_PREFIX)
            if kind in _KINDS:
                read = _shown(loader, name)
                message = f"the key {name.value} is read as {read}."
                yield Misread(own, name.start_mark.line + 1, message, f"Write it in quotes: '{name.value}'.")
            yield from _walk(loader, value, own, booleans)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from _walk(loader, item, f"{key}.{number}", booleans)
    elif isinstance(node, yaml.ScalarNode) and _doubtful(node.tag.removeprefix(_PREFIX), node.value, key in booleans):
        message = f"found {node.value}, which is read as {_shown(loader, node)}."
        remedy = f"Write '{node.value}', in quotes, for the text"
        plain = _plain(node.tag.removeprefix(_PREFIX), node.value)
        yield Misread(key, node.start_mark.line + 1, message, f"{remedy}, or {plain}." if plain else f"{remedy}.")


def _doubtful(kind: str, value: str, boolean: bool) -> bool:
    if kind == "int":
        return _INTEGER.fullmatch(value) is None
    if kind == "float":
        return _DECIMAL.fullmatch(value) is None and _NOT_FINITE.fullmatch(value) is None
    if kind == "bool":
        return not boolean and value.lower() not in ("true", "false")
    return kind == "timestamp"


def _shown(loader: Any, node: Any) -> str:
    """Return what YAML makes of a word."""
    kind = node.tag.removeprefix(_PREFIX)
    try:
        value = loader.construct_object(node)
    except ValueError:  # a date that the calendar lacks
        return "a date that does not exist"
    shown = str(value).lower() if isinstance(value, bool) else str(value)
    return f"{_KINDS[kind]} {shown}".strip()


def _plain(kind: str, value: str) -> str:
    """Return how the number is written that was perhaps meant; nothing where that cannot be known."""
    digits = value.replace("_", "")
    if kind == "int" and digits.lstrip("+-").isdigit():
        return f"{int(digits)} for the number"
    if kind == "float" and _DECIMAL.fullmatch(digits):
        return f"{float(digits):g} for the number"
    return "a plain number" if kind in ("int", "float") else ""
