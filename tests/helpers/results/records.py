"""Results and their binned data on disk, as the analysis writes them; and such that somebody has touched."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

import cd40l_flow.analyse
import cd40l_flow.result.record
from cd40l_flow.base.model import Arrays
from cd40l_flow.cohort.settings import Job
from cd40l_flow.figures.densities import write_densities
from cd40l_flow.result.types.result import Result


def as_result(plain: Mapping[str, Any] | Result) -> Result:
    """Return plain values as the record."""
    return plain if isinstance(plain, Result) else msgspec.convert(plain, Result)


def as_plain(result: Result) -> dict[str, Any]:
    """Return a record as the plain values of its file."""
    plain: dict[str, Any] = json.loads(json.dumps(msgspec.to_builtins(result)))
    return plain


def analyse(job: Job, controls: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Any], Arrays]:
    """Return the result of a sample, and of its controls, as plain values; and the arrays of its figures."""
    result, arrays = cd40l_flow.analyse.analyse(job, {name: as_result(one) for name, one in controls.items()})
    return as_plain(result), arrays


def write_record(result: Mapping[str, Any] | Result, path: Path) -> None:
    """Write plain values as the record they make."""
    cd40l_flow.result.record.write_record(as_result(result), path)


def write_pair(folder: Path, result: Mapping[str, Any] | Result, arrays: Mapping[str, Any]) -> tuple[Path, Path]:
    """Write ``result.json`` and ``densities.npz`` of a sample and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "result.json", folder / "densities.npz"
    named = write_densities(arrays, paths[1])
    write_record(msgspec.structs.replace(as_result(result), densities=named), paths[0])
    return paths


def edit(path: Path, **changes: Any) -> None:
    """Change keys of a result by hand, its digest left as it was."""
    result = json.loads(path.read_text(encoding="utf-8")) | changes
    lines = (f"{json.dumps(key)}: {json.dumps(result[key], sort_keys=True)}" for key in sorted(result))
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def seal(path: Path) -> None:
    """Give a result the digest of what it holds now, as somebody may who has read how it is made."""
    content = path.read_bytes()
    line = re.compile(rb'^"digest": "[^"]*",\n', re.MULTILINE)
    digest = hashlib.sha256(line.sub(b"", content)).hexdigest()
    path.write_bytes(line.sub(f'"digest": "{digest}",\n'.encode(), content))
