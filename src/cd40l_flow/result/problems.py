"""``check.json``: every problem of the inputs at once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from cd40l_flow.base.disk import write_atomically
from cd40l_flow.base.errors import Problem


def write_problems(problems: Sequence[Problem], path: Path) -> None:
    """Write problems as JSON, each with file, line, column and remedy; the same problems give the same bytes."""
    content = {"problems": [problem.as_dict() for problem in problems]}
    write_atomically(path, json.dumps(content, indent=1, sort_keys=True) + "\n")
