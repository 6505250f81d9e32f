"""The file of the laboratory's own limits: read, checked, and cut to what results depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cd40l_flow.config import Config
from cd40l_flow.errors import Problem
from cd40l_flow.schema import faults, load_schema

SCHEMA = "reference.schema.json"
REMEDY = "Make it with: cd40l-flow reference RESULTS... --out FILE."
# The rows of the controls: what the limits were made of and the charts are drawn from, no result depends on them.
ROWS = ("controls", "excluded")


def digest_of(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a reference's content, its own digest aside."""
    plain = {key: value for key, value in content.items() if key != "digest"}
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def read_reference(config: Config) -> tuple[dict[str, Any] | None, list[Problem]]:
    """Return the laboratory's limits that a configuration names, whole; None without any, or with a problem."""
    if config.reference is None:
        return None, []
    try:
        content = json.loads(Path(config.reference).read_text(encoding="utf-8"))
    except OSError as error:
        return None, [config.problem("reference", f"'{config.reference}' cannot be read: {error.strerror}.", REMEDY)]
    except ValueError:
        return None, [config.problem("reference", f"'{config.reference}' is not JSON.", REMEDY)]
    found = [(".".join(str(part) for part in path), message) for path, message, _ in _faults(content)]
    if found:
        place, message = found[0]
        told = f"'{config.reference}'{f', {place}' if place else ''}: {message}"
        more = f" ({len(found)} problems in all.)" if len(found) > 1 else ""
        return None, [config.problem("reference", told + more, REMEDY)]
    if content["digest"] != digest_of(content):
        told = f"'{config.reference}' was changed after it was made: its digest does not fit its content."
        return None, [config.problem("reference", told, REMEDY)]
    return content, []


def _faults(content: Any) -> Any:
    if not isinstance(content, Mapping):
        return [((), "holds no reference.", "")]
    return faults(content, load_schema(SCHEMA))


def limits_of(content: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return what results depend on: a reference without the rows it was made of."""
    return None if content is None else {key: value for key, value in content.items() if key not in ROWS}
