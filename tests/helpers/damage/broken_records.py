"""What breaks a record: each takes the file and leaves it cut, edited, foreign or old."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from helpers.results.records import edit, seal

Break = Callable[[Path], None]


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def foreign(path: Path) -> None:
    shutil.copy(path.parent.parent / "C01" / "result.json", path)


def sealed(**changes: Any) -> Break:
    def change(path: Path) -> None:
        edit(path, **changes)
        seal(path)

    return change


def replaced(old: str, new: str) -> Break:
    def change(path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def written(content: bytes) -> Break:
    def change(path: Path) -> None:
        path.write_bytes(content)

    return change


def first_schema(path: Path) -> None:
    result = json.loads(path.read_text(encoding="utf-8"))
    del result["digest"], result["densities"]
    path.write_text(json.dumps(result | {"schema_version": "1.0"}, indent=1, sort_keys=True), encoding="utf-8")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)
