"""The JSON Schemas of a result, of the record of a run and of a laboratory's reference, made from their types.

``python -P -m cd40l_flow.result.types.json_schema FOLDER`` writes ``result.schema.json`` and the two others.
"""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from cd40l_flow.cohort.reference_types import Reference
from cd40l_flow.result.types.result import Result
from cd40l_flow.result.types.run import Run

# What each file of the schemas is made from.
KINDS: dict[str, type] = {"result": Result, "run": Run, "reference": Reference}


def json_schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of ``result.json``, ``run.json`` or ``reference.json``, by the name without its ending."""
    (root,), definitions = msgspec.json.schema_components([KINDS[name]], ref_template="#/$defs/{name}")
    named = {one: _plainer(schema) for one, schema in sorted(definitions.items())}
    head: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:cd40l-flow:{name}:1",
        "title": f"{name}.json of cd40l-flow",
    }
    top: dict[str, Any] = named.pop(root["$ref"].rpartition("/")[2])
    return head | top | {"$defs": named}


def _plainer(schema: Any) -> Any:
    """Return a schema as people write it, whose faults can be described in words.

    A value that may be null has a list of types in place of alternatives, one of several words has no pattern, and the
    classes have no titles.
    """
    if isinstance(schema, list):
        return [_plainer(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: _plainer(value) for key, value in schema.items()}
    if "enum" in plain:
        plain.pop("pattern", None)
    if "properties" in plain:
        del plain["title"]  # the name of a class, where messages look for what a value should be
    choices = [one for one in plain.get("anyOf", ()) if one != {"type": "null"}]
    if len(choices) == 1 and "type" in choices[0] and len(choices) < len(plain["anyOf"]):
        del plain["anyOf"]
        plain = choices[0] | plain | {"type": [choices[0]["type"], "null"]}
        if "enum" in plain:
            plain["enum"] = [*plain["enum"], None]
    return plain


def _whole(schema: Any, definitions: dict[str, Any]) -> Any:
    """Return a schema with its definitions in their places, and without the type of what is one of several words."""
    if isinstance(schema, list):
        return [_whole(one, definitions) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: value for key, value in schema.items() if key != "$ref" and not (key == "type" and "enum" in schema)}
    plain = {key: _whole(value, definitions) for key, value in kept.items()}
    return _whole(definitions[schema["$ref"].rpartition("/")[2]], definitions) | plain if "$ref" in schema else plain


def schema_text(name: str) -> str:
    """Return the text of the file that is shipped."""
    schema = json_schema(name)
    whole = name == "reference"
    if whole:
        # A message says of a list what each of its values should be, reports a fault once, and, with sorted keys, an
        # unknown key before a missing one: it may be that one, misspelt.
        schema = _whole(schema, schema.pop("$defs"))
    return json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=whole) + "\n"


if __name__ == "__main__":
    for kind in KINDS:
        Path(sys.argv[1], f"{kind}.schema.json").write_text(schema_text(kind), encoding="utf-8")
