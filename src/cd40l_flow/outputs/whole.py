"""Files appear whole or not at all: written beside their place and renamed into it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_whole(path: str | Path, content: str | bytes) -> None:
    """Put a file into its place in one step; its folder is made if need be, text is UTF-8 with line feeds.

    Whoever is killed, on whatever machine, leaves the former file or none, never a part of one; two writers of the same
    file do not mix. Raises OSError, for instance of a full disk, and leaves nothing beside the place then.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("wb") as file:
            file.write(content.encode("utf-8") if isinstance(content, str) else content)
            # A machine that loses power after the rename must not keep an empty file under the final name.
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
