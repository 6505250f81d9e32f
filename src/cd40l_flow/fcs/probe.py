"""Detection of changed files by content: a quick probe, or a digest of every byte."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

BLOCK = 4096  # bytes
BLOCKS = 8  # the first is the header of an FCS file, the last its end; the others are spread evenly between


def probe(path: str | Path) -> str:
    """Return a digest of the size of a file and of eight blocks of 4,096 bytes from its first to its last.

    Dates are not used. A change between the blocks that keeps the size is missed; `content_digest` finds it. For an
    unreadable file the reason is returned.
    """
    try:
        # Non-blocking: opening a named pipe would wait for its writer.
        file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        return "no such file"
    except (OSError, ValueError) as error:
        return f"cannot be opened ({type(error).__name__})"
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            return "not a file"
        size = found.st_size
        last = max(size - BLOCK, 0)
        seen = hashlib.sha256(size.to_bytes(8, "big"))
        for start in sorted({last * number // (BLOCKS - 1) for number in range(BLOCKS)}):
            seen.update(os.pread(file, BLOCK, start))
        return seen.hexdigest()
    except OSError as error:
        return f"cannot be read ({type(error).__name__})"
    finally:
        os.close(file)


def identity(path: str | Path) -> tuple[int, ...] | None:
    """Return a state that changes when a file is modified or replaced during reading; None without a file."""
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def content_digest(path: str | Path, segment: tuple[int, int, str] | None = None) -> str | None:
    """Return the hexadecimal SHA-256 of a file; None if it cannot be read.

    ``segment`` are start and size (bytes) of the DATA segment and its own SHA-256, where these are known: the digest
    is then that of the bytes outside it, followed by that digest, and only few bytes are read.
    """
    try:
        with Path(path).open("rb") as file:
            if segment is None:
                return hashlib.file_digest(file, "sha256").hexdigest()
            start, size, digest = segment
            seen = hashlib.sha256(file.read(start))
            file.seek(start + size)
            while part := file.read(1 << 20):
                seen.update(part)
            seen.update(bytes.fromhex(digest))
            return seen.hexdigest()
    except OSError:
        return None
