"""JSON Schema in words: what a schema expects of a value, and the faults of a value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any

from cd40l_flow.base.resources import shipped, workflow_file

# Path of keys, problem, remedy.
Fault = tuple[tuple[str | int, ...], str, str]

_TYPE_WORDS = {
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "keys and values",
    "null": "null",
}


@cache
def load_schema(name: str) -> dict[str, Any]:
    """Return a schema of the workflow by its file name; the same object every time: do not change it."""
    schema: dict[str, Any] = shipped(workflow_file(f"schemas/{name}"))
    return schema


def with_defaults(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return a copy of ``value`` with every default of the schema filled in, at every depth."""
    if isinstance(value, Mapping):
        known = schema.get("properties", {})
        filled = {key: with_defaults(part, known.get(key, {})) for key, part in value.items()}
        for key, part in known.items():
            if key not in filled and "default" in part:
                filled[key] = with_defaults(part["default"], part)
        return filled
    if isinstance(value, list):
        return [with_defaults(part, schema.get("items", {})) for part in value]
    return value


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that ``word`` was probably meant to be, or None."""
    known = list(known)
    alike = [other for other in known if other.casefold() == word.casefold()]
    return alike[0] if alike else next(iter(get_close_matches(word, known, n=1, cutoff=0.6)), None)


def listed(words: Sequence[str], joint: str = "or") -> str:
    """Return ``a, b or c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {joint} {words[-1]}"


def expected(schema: Mapping[str, Any]) -> str:
    """Return in words what values a schema allows; ``title`` of the schema says what a pattern means."""
    if "enum" in schema:
        return listed([shown(word) if not isinstance(word, str) else word for word in schema["enum"]])
    if "title" in schema:
        return str(schema["title"])
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else list(types)
    words = [_TYPE_WORDS[kind] for kind in types]
    if types and types[0] in ("number", "integer"):
        words[0] += _range(schema)
    if types and types[0] == "array" and "prefixItems" in schema:
        words[0] += f" of {len(schema['prefixItems'])}: {', '.join(map(expected, schema['prefixItems']))}"
    elif types and types[0] == "array" and "items" in schema:
        words[0] += f", each {expected(schema['items'])}"
    return listed(words) if words else "another value"


def shown(value: Any) -> str:
    """Return a value as it is quoted in messages, never longer than 60 characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def faults(value: Any, schema: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield every fault of ``value``, in the order of the paths."""
    from jsonschema import Draft202012Validator

    errors = Draft202012Validator(dict(schema)).iter_errors(value)
    objects = set()
    for error in sorted(errors, key=lambda error: [str(key) for key in error.absolute_path]):
        path = tuple(error.absolute_path)
        if error.validator == "uniqueItems":
            yield path, f"found {shown(error.instance)}, with an entry twice.", "Name each once."
        elif error.schema is False:  # beyond the last place of a list of fixed length
            yield path, f"found {shown(error.instance)}, expected nothing here.", "Leave it out."
        elif error.validator not in ("additionalProperties", "required"):
            default = error.schema.get("default")
            remedy = "Write such a value" + (f", or leave it out for {shown(default)}." if default is not None else ".")
            yield path, f"found {shown(error.instance)}, expected {expected(error.schema)}.", remedy
        elif (path, error.validator) not in objects:  # "required" comes once for each missing key
            objects.add((path, error.validator))
            tell = _missing_keys if error.validator == "required" else _unknown_keys
            yield from tell(path, error.instance, error.schema)


def _missing_keys(path: tuple[str | int, ...], value: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Fault]:
    for key in schema["required"]:
        if key not in value:
            what = schema["properties"].get(key, {}).get("description", "")
            yield (*path, key), "is required and missing.", f"Add it: {what}" if what else "Add it."


def _unknown_keys(path: tuple[str | int, ...], value: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Fault]:
    known = list(schema.get("properties", {}))
    for key in value:
        if key in known or any(re.search(pattern, key) for pattern in schema.get("patternProperties", {})):
            continue
        close = nearest(key, known)
        if close:
            remedy = f"Did you mean '{close}'?"
        elif known:
            remedy = f"Known here: {listed(known, 'and')}."
        else:
            remedy = f"A name must be {expected(schema.get('propertyNames', {}))}."
        yield (*path, key), "is not a known key.", remedy


def _range(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    if "exclusiveMinimum" in schema:
        return f" above {schema['exclusiveMinimum']}" + (f" and up to {high}" if high is not None else "")
    if low is not None:
        return f" of at least {low}"
    return f" of at most {high}" if high is not None else ""
