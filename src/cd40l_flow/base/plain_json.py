"""JSON from a file that anybody may have touched: read within bounds, parsed strictly, digested."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cd40l_flow.base.disk import read_small

DIGEST = "digest"
# As much as any whole number of ours needs, and as any reader of JSON holds exactly: up to 18 digits.
MOST_DIGITS = 18


class JsonFault(Exception):
    """A file is not the JSON it should be; the text says what was found, in words, without the name of the file."""


def read_bounded(path: str | Path, most: int) -> bytes:
    """Return the content of a regular file of at most ``most`` bytes.

    Raises FileNotFoundError where there is none, and JsonFault for whatever else keeps it from being read.
    """
    try:
        return read_small(path, most)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise JsonFault(f"cannot be read: {error.strerror or error}.") from None


def parse_strictly(content: bytes) -> Any:
    """Return the value of JSON text in UTF-8, which a byte order mark may precede.

    Refuses what JSON does not have or programs read differently: NaN, Infinity, numbers beyond a double or of more than
    18 digits, a key given twice, half a letter written as an escape, nesting without end. Raises JsonFault.
    """
    try:
        text = content.decode("utf-8-sig")
        value = json.loads(
            text, object_pairs_hook=_once, parse_constant=_refuse, parse_float=_finite, parse_int=_moderate
        )
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise JsonFault("is nested too deeply.") from None
    except json.JSONDecodeError as error:
        what = "is empty" if not content.strip() else f"is not JSON: {error.msg} at line {error.lineno}"
        raise JsonFault(f"{what}.") from None
    except UnicodeError:
        raise JsonFault("holds bytes that are not UTF-8 text.") from None
    except ValueError as error:
        raise JsonFault(f"is not JSON: {error}.") from None
    return value


def canonical(value: Any) -> str:
    """Return the one text of a JSON value: keys sorted, no spaces, ASCII; raises ValueError for NaN and infinities."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest_of(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of an object's canonical text, its own ``digest`` aside, in hexadecimal digits."""
    plain = {key: value for key, value in content.items() if key != DIGEST}
    return hashlib.sha256(canonical(plain).encode()).hexdigest()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    held = dict(pairs)
    if len(held) < len(pairs):
        raise ValueError("a key is given twice")
    return held


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise ValueError(f"{_short(text)} is beyond any number that can be held")
    return number


def _moderate(text: str) -> int:
    if len(text.removeprefix("-")) > MOST_DIGITS:
        raise ValueError(f"{_short(text)} has more digits than a count can have")
    return int(text)


def _short(text: str) -> str:
    return text if len(text) <= 20 else f"{text[:20]}..."
