"""Whether a file is still the one it was, told by its content: a quick look at any time, or every byte of it."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

BLOCK = 4096  # bytes
BLOCKS = 8  # the first is the header of an FCS file, the last its end; the others are spread evenly between


def probe(path: str | Path) -> str:
    """Return a digest of the size of a file and of eight blocks of 4,096 bytes from its first to its last.

    Dates play no part. A change that keeps the size and lies between the blocks is not seen: `content_digest` sees
    it. What cannot be read has the reason in the digest's place.
    """
    try:
        # Without waiting: a named pipe would make us wait for its writer.
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
    """Return what changes whenever a file is written to or replaced while we look; None where there is none."""
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def content_digest(path: str | Path, segment: tuple[int, int, str] | None = None) -> str | None:
    """Return a SHA-256 over every byte of a file, hexadecimal; None where it cannot be read.

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
