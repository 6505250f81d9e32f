"""Changes that damage a file: of its bytes, of a text, of a value of JSON, of a line of YAML, of markup."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 3, 0.5, -0.0, 1e308, -1e-320, 10**17, 10**30, "", " ", "BANANA", "NORMAL", "ABSENT"),
    *("P05", "C01", "<b>", "=1+1", "nan", "\u202e", "\x00", "x" * 5000, [], {}, [[]], [None], {"": None}, [1, "a"]),
)
# Text that takes the place of a value, and that no writer of JSON would write.
TOKENS = ("NaN", "-Infinity", "1e999", "9" * 5000, "01", "'a'", '"\\ud800"', "[" * 100_000, '{"a":' * 5000, "", "//")
Change = Callable[[bytes, Sequence[bytes], random.Random], bytes]


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value inside a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inside:
        yield (*place, key)
        yield from places(part, (*place, key))


def change_value(value: Any, source: random.Random) -> Any:
    """Return a copy of a JSON value with one thing changed somewhere."""
    value = copy.deepcopy(value)
    every = list(places(value))
    # Half of them near the top: else nearly all would be in the longest lists.
    near = [place for place in every if len(place) <= 2]
    place = source.choice(near if near and source.random() < 0.5 else every)
    parent = value
    for key in place[:-1]:
        parent = parent[key]
    key, how = place[-1], source.randrange(6)
    if how == 0:
        del parent[key]
    elif how == 1 and isinstance(parent, dict):
        parent[source.choice(("extra", "", f"{key} ", "digest2", "__proto__"))] = source.choice(VALUES)
    elif how == 2 and isinstance(parent, list):
        parent.insert(key, copy.deepcopy(source.choice(parent)))
    elif how == 3 and isinstance(parent[key], int | float) and not isinstance(parent[key], bool):
        parent[key] = source.choice((parent[key] + 1, -parent[key], parent[key] * 1.5, str(parent[key])))
    elif how == 4:
        other = value
        for step in source.choice(every):
            other = other[step] if isinstance(other, dict | list) and _has(other, step) else other
        parent[key] = copy.deepcopy(other)
    else:
        parent[key] = copy.deepcopy(source.choice(VALUES))
    return value


def key_a_line(value: Mapping[str, Any]) -> bytes:
    """Return a JSON object as records are written, sorted, one key a line."""
    lines = (f"{json.dumps(key)}: {json.dumps(value[key], sort_keys=True)}" for key in sorted(value))
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode("utf-8", "surrogatepass")


def _has(value: Any, key: Any) -> bool:
    return key in value if isinstance(value, dict) else isinstance(key, int) and key < len(value)


def _cut(content: bytes, seeds: Sequence[bytes], source: random.Random) -> bytes:
    return content[: source.randrange(len(content))]


def _bytes(content: bytes, seeds: Sequence[bytes], source: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(source.randint(1, 4)):
        damaged[source.randrange(len(damaged))] = source.choice(
            (0, 34, 44, 48, 57, 91, 123, 255, source.randrange(256))
        )
    return bytes(damaged)


def _pieces(content: bytes, seeds: Sequence[bytes], source: random.Random) -> bytes:
    at, end = source.randrange(len(content)), source.randrange(len(content))
    piece = content[at : at + source.choice((1, 2, 8, 64, 512))]
    return content[:end] + piece + content[end + source.choice((0, len(piece), 40)) :]


def _two(content: bytes, seeds: Sequence[bytes], source: random.Random) -> bytes:
    other = source.choice(seeds)
    if source.random() < 0.3:
        return other
    return content[: source.randrange(len(content))] + other[source.randrange(len(other)) :]


def _whole(content: bytes, seeds: Sequence[bytes], source: random.Random) -> bytes:
    return source.choice(
        (
            *(b"", b"null", b"[]", b"{}", b"\xff\xfe", bytes(500), b"[" * 200_000, b"\x1f\x8b\x08", b"PK\x03\x04"),
            *(
                content + b"\n{}",
                content + content,
                b"\xef\xbb\xbf" + content,
                content.decode("latin-1").encode("utf-16"),
            ),
        )
    )


def _token(content: bytes, seeds: Sequence[bytes], source: random.Random) -> bytes:
    """Put something else into the place of a number or a text."""
    found = list(re.finditer(rb"(?<=[:,\[ ])(-?\d[\d.e+-]*|\"[^\"]*\")", content))
    if not found:
        return content + b"x"
    one = source.choice(found)
    return content[: one.start()] + source.choice(TOKENS).encode() + content[one.end() :]


def _again(content: bytes, seeds: Sequence[bytes], source: random.Random) -> bytes:
    """Write a key a second time, with another value."""
    found = list(re.finditer(rb'"[a-z_0-9]+": ?', content))
    if not found:
        return content + content
    one = source.choice(found)
    return content[: one.start()] + one[0] + b'"BANANA", ' + content[one.start() :]


TEXTUAL: Mapping[str, Change] = {
    "cut": _cut,
    "bytes": _bytes,
    "pieces": _pieces,
    "two files": _two,
    "other files": _whole,
}
JSON_TEXT: Mapping[str, Change] = {**TEXTUAL, "tokens": _token, "keys twice": _again}
YAML_LINES = (
    b"<<: *a\n",
    b"a: &a [*a]\n",
    b"!!python/object/apply:os.system ['true']\n",
    b"? [1, 2]\n: 3\n",
    b"? {a: b}\n: 3\n",
    b"samples: [\n",
    b"\tx: 1\n",
    b"--- \n",
    b"%YAML 9.9\n",
    b"x: 2026-13-45\n",
    b"x: 1:30\n",
    b"0500: 1\n",
    b"null: 1\n",
    b"x: " + b"[" * 3000 + b"\n",
    b"x: " + b"{a: " * 3000 + b"\n",
)


def _yaml_line(content: bytes, seeds: Sequence[bytes], source: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    lines.insert(source.randrange(len(lines) + 1), source.choice(YAML_LINES))
    return b"".join(lines)


YAML_TEXT: Mapping[str, Change] = {**TEXTUAL, "lines": _yaml_line}


def change_markup(content: bytes, seeds: Sequence[bytes], source: random.Random) -> bytes:
    """Change an attribute, or take an element away."""
    if source.random() < 0.3:
        found = list(re.finditer(rb"<([A-Za-z:-]+)[^<>]*/>", content))
        one = source.choice(found)
        return content[: one.start()] + source.choice((b"", one[0] * 2, b"<x/>")) + content[one.end() :]
    one = source.choice(list(re.finditer(rb'="([^"<>]*)"', content)))
    value = source.choice((b"", b"nan", b"inf", b"-1e400", b"BANANA", b"1e308", b"-5", b"0", b"9" * 400, b"\xc3\xa9"))
    return content[: one.start(1)] + value + content[one.end(1) :]
