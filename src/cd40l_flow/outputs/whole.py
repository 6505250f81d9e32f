"""Files appear whole or not at all: written beside their place and renamed into it."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path

from cd40l_flow.errors import Cd40lFlowError

# What an operating system says when there is no room, in words that say where.
_NO_ROOM = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota of this account on that disk is used up",
    errno.EFBIG: "the file would be larger than the disk or the account may hold",
    errno.EROFS: "the disk can be read only",
}


class WriteError(Cd40lFlowError, OSError):
    """A file could not be written; ``errno`` and ``filename`` are the operating system's."""


def write_whole(path: str | Path, content: str | bytes) -> None:
    """Put a file into its place in one step; its folder is made if need be, text is UTF-8 with line feeds.

    Whoever is killed, on whatever machine, leaves the former file or none, never a part of one; two writers of the same
    file do not mix. Raises WriteError, which names the folder, for instance of a full disk, and leaves nothing beside
    the place then.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(content.encode("utf-8") if isinstance(content, str) else content)
            # A machine that loses power after the rename must not keep an empty file under the final name.
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        _remove(part)
        raise _in_words(path, error) from error
    except BaseException:
        _remove(part)
        raise


def _remove(part: Path) -> None:
    try:
        part.unlink(missing_ok=True)
    except OSError:
        # The folder is gone, or no longer to be written: what went wrong first is what is told.
        return


def _in_words(path: Path, error: OSError) -> WriteError:
    why = _NO_ROOM.get(error.errno or 0, error.strerror or str(error))
    remedy = "Make room there" if error.errno in _NO_ROOM else "See that the folder is there and may be written"
    told = WriteError(f"{path.parent}: {path.name} cannot be written: {why}. {remedy}, and run again.")
    told.errno, told.strerror, told.filename = error.errno, error.strerror, str(path)
    return told
