"""The limits as people read them: tables of the manual and comments of the example configuration, from the one table.

``python -P -m cd40l_flow.assay.limit_pages config`` writes both into ``README.md`` and ``config.yaml`` of that folder.
"""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cd40l_flow.assay.limits import limits_schema

_PARTS = re.compile(r"(.*?)\.? Unit: (.*)\. Source: (.*)\.")


def manual(text: str) -> str:
    """Return the manual with the rows of the tables below ``## Limits`` written anew."""
    for name, group in limits_schema()["properties"].items():
        table = re.compile(rf"(\n### `{name}`\n[^#]*?\n\|[-|]+\|\n)(?:\|.*\n)*")
        head = table.search(text)
        text = text if head is None else text.replace(head[0], head[1] + _rows(group))
    return text


def example(text: str) -> str:
    """Return the example configuration with the defaults below ``limits`` written anew."""
    lines = []
    for name, group in limits_schema()["properties"].items():
        lines += [f"#  {name}:\n", *(f"#    {key}: {_shown(one)}\n" for key, one in group["properties"].items())]
    return text.partition("limits: {}\n")[0] + "limits: {}\n" + "".join(lines)


def _rows(group: Mapping[str, Any]) -> str:
    rows = []
    for name, one in group["properties"].items():
        what, unit, source = _PARTS.fullmatch(one["description"]).groups()  # type: ignore[union-attr]
        rows.append(f"| `{name}` | {_shown(one)} | {unit} | {what} | {source} |\n")
    return "".join(rows)


def _shown(limit: Mapping[str, Any]) -> str:
    default = limit["default"]
    if isinstance(default, list):
        return f"[{', '.join(default)}]"
    return "null" if default is None else str(default)


if __name__ == "__main__":
    for file, written in (("README.md", manual), ("config.yaml", example)):
        path = Path(sys.argv[1]) / file
        path.write_text(written(path.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
