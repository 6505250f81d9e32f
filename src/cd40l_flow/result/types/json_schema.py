"""The JSON Schema of a result, made from its types.

``python -P -m cd40l_flow.result.types.json_schema FILE`` writes it.
"""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from cd40l_flow.result.types.result import Result

HEAD = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "urn:cd40l-flow:result:1",
    "title": "result.json of cd40l-flow",
}


def result_schema() -> dict[str, Any]:
    """Return the JSON Schema of ``result.json``."""
    (root,), definitions = msgspec.json.schema_components([Result], ref_template="#/$defs/{name}")
    named = {name: _plainer(one) for name, one in sorted(definitions.items())}
    schema: dict[str, Any] = HEAD | named.pop(root["$ref"].rpartition("/")[2]) | {"$defs": named}
    return schema


def _plainer(schema: Any) -> Any:
    """Return a schema as people write it, whose faults can be said in words.

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


def schema_text() -> str:
    """Return the text of the file that is shipped."""
    return json.dumps(result_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(schema_text(), encoding="utf-8")
