"""Results and their binned data on disk, as the analysis writes them; and such that somebody has touched."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cd40l_flow.figures.densities import write_densities
from cd40l_flow.result.record import write_record


def write_pair(folder: Path, result: Mapping[str, Any], arrays: Mapping[str, Any]) -> tuple[Path, Path]:
    """Write ``result.json`` and ``densities.npz`` of a sample and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "result.json", folder / "densities.npz"
    write_record({**result, "densities": write_densities(arrays, paths[1])}, paths[0])
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
