"""Whether a value fits a JSON Schema: yes or no, at a tenth of what jsonschema takes, which has to tell why.

A plate's results are read several hundred times. Of the keywords it knows those that the schemas of results use, and
refuses a schema with any other; a test holds it against jsonschema on mutated values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Check = Callable[[Any], bool]

_TYPES: Mapping[str, frozenset[type]] = {
    "string": frozenset({str}),
    "integer": frozenset({int}),
    "number": frozenset({int, float}),
    "boolean": frozenset({bool}),
    "array": frozenset({list}),
    "object": frozenset({dict}),
    "null": frozenset({type(None)}),
}
_TOLD = frozenset({"$schema", "$id", "$defs", "title", "description", "default"})


def compiled(schema: Mapping[str, Any]) -> Check:
    """Return the check of a schema: value -> whether it fits; raises ValueError for a keyword that is not known."""
    return _Compiler(schema).check(schema)


class _Compiler:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._definitions: Mapping[str, Any] = root.get("$defs", {})
        self._known: dict[str, Check] = {}

    def check(self, schema: Mapping[str, Any] | bool) -> Check:
        """Return the check of one schema: everything it asks of a value."""
        if isinstance(schema, bool):
            return lambda value: schema
        checks: list[Check] = []
        done = set(_TOLD)
        for words, make in self._makers().items():
            if any(word in schema for word in words):
                checks.append(make(schema))
            done.update(words)
        if strange := set(schema) - done:
            raise ValueError(f"a schema uses {', '.join(sorted(strange))}, which is not known here")
        if len(checks) == 1:
            return checks[0]
        every = tuple(checks)

        def all_of(value: Any) -> bool:
            for check in every:  # noqa: SIM110  half the time of all() over a generator
                if not check(value):
                    return False
            return True

        return all_of

    def _makers(self) -> Mapping[tuple[str, ...], Callable[[Mapping[str, Any]], Check]]:
        return {
            ("type",): _type,
            ("const",): lambda schema: _among([schema["const"]]),
            ("enum",): lambda schema: _among(schema["enum"]),
            ("pattern", "minLength", "maxLength"): _text,
            ("minimum", "maximum", "exclusiveMinimum"): _range,
            ("items", "minItems", "maxItems"): self._items,
            ("properties", "required", "additionalProperties", "propertyNames"): self._object,
            ("anyOf",): self._any_of,
            ("$ref",): self._reference,
        }

    def _reference(self, schema: Mapping[str, Any]) -> Check:
        name = str(schema["$ref"]).removeprefix("#/$defs/")
        if name not in self._known:
            # It may hold itself: whoever asks meanwhile gets what it will be.
            self._known[name] = lambda value: self._known[name](value)
            self._known[name] = self.check(self._definitions[name])
        return self._known[name]

    def _any_of(self, schema: Mapping[str, Any]) -> Check:
        checks = [self.check(one) for one in schema["anyOf"]]
        return lambda value: any(check(value) for check in checks)

    def _items(self, schema: Mapping[str, Any]) -> Check:
        least, most = schema.get("minItems", 0), schema.get("maxItems", float("inf"))
        item = schema.get("items", True)
        check = self.check(item)
        # A list of hundreds of plain numbers, as counts are: one look at the types and one at the ends.
        plain = _TYPES[item["type"]] if _plain_numbers(item) else None
        low = item.get("minimum", -float("inf")) if plain else None
        high = item.get("maximum", float("inf")) if plain else None

        def items(value: Any) -> bool:
            if type(value) is not list:
                return True
            if not least <= len(value) <= most:
                return False
            if plain and value and set(map(type, value)) <= plain:
                return bool(low <= min(value) and max(value) <= high)
            return all(map(check, value))

        return items

    def _object(self, schema: Mapping[str, Any]) -> Check:
        known = {name: self.check(one) for name, one in schema.get("properties", {}).items()}
        required = frozenset(schema.get("required", ()))
        other = self.check(schema.get("additionalProperties", True))
        names = self.check(schema["propertyNames"]) if "propertyNames" in schema else None
        get = known.get

        def has(value: Any) -> bool:
            if type(value) is not dict:
                return True
            if not required <= value.keys():
                return False
            for name, part in value.items():
                if not get(name, other)(part):
                    return False
            return names is None or all(map(names, value))

        return has


def _plain_numbers(schema: Mapping[str, Any] | bool) -> bool:
    """Return whether a schema asks for numbers, perhaps within ends, and for nothing else."""
    if isinstance(schema, bool):
        return False
    return schema.get("type") in ("number", "integer") and not set(schema) - _TOLD - {"type", "minimum", "maximum"}


def _type(schema: Mapping[str, Any]) -> Check:
    named = schema["type"]
    names = [named] if isinstance(named, str) else list(named)
    types = frozenset[type]().union(*(_TYPES[name] for name in names))
    if "integer" in names and "number" not in names:
        # JSON has one kind of number: 1.0 is a whole one.
        return lambda value: type(value) in types or (type(value) is float and value.is_integer())
    return lambda value: type(value) in types


def _among(values: list[Any]) -> Check:
    # 1, 1.0 and true are one key of a dictionary and two values of JSON.
    if all(value is None or isinstance(value, str) for value in values):
        known = frozenset(values)
        return lambda value: (value is None or type(value) is str) and value in known
    pairs = [(isinstance(value, bool), value) for value in values]
    return lambda value: (isinstance(value, bool), value) in pairs


def _text(schema: Mapping[str, Any]) -> Check:
    search = re.compile(schema.get("pattern", "")).search
    least, most = schema.get("minLength", 0), schema.get("maxLength", float("inf"))
    return lambda value: type(value) is not str or (least <= len(value) <= most and search(value) is not None)


def _range(schema: Mapping[str, Any]) -> Check:
    low, high = schema.get("minimum", -float("inf")), schema.get("maximum", float("inf"))
    above = schema.get("exclusiveMinimum")

    def within(value: Any) -> bool:
        if type(value) is not int and type(value) is not float:
            return True
        return bool(low <= value <= high and (above is None or value > above))

    return within
