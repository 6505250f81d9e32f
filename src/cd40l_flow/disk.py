"""Files of users as they lie on disk: read where they are files of a sensible size, found however they are spelt."""

from __future__ import annotations

import errno
import os
import stat
import unicodedata
from pathlib import Path


def read_small(path: str | Path, most: int) -> bytes:
    """Return the bytes of a file of at most ``most`` bytes.

    Raises OSError with words of its own for what is no file (a folder, a pipe, a device: reading one may never end)
    and for a larger one.
    """
    try:
        # Opening a pipe would wait for somebody to write into it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:
        raise OSError(errno.EINVAL, str(error), str(path)) from None
    with open(descriptor, "rb") as file:  # noqa: PTH123  it is open already
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is a folder, a pipe or a device, not a file", str(path))
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it has more than {most:,} bytes", str(path))
    return content


def as_on_disk(path: str) -> str:
    """Return a path with its letters composed or decomposed as they are on disk; as it is where nothing fits.

    ``é`` is one character in most sheets and two in names that macOS has written; both look alike. A name that is
    there as it is goes first; of two that differ only in that, neither is guessed.
    """
    if path.isascii() or not path.isprintable() or os.path.lexists(path):
        return path
    found = Path(path).anchor
    for part in Path(path).parts[1 if found else 0 :]:
        following = os.path.join(found, part)  # noqa: PTH118  a leading ./ and doubled names stay as they are
        if not part.isascii() and not os.path.lexists(following):
            wanted = unicodedata.normalize("NFC", part)
            try:
                names = os.listdir(found or ".")  # noqa: PTH208
            except OSError:
                return path
            alike = [name for name in names if unicodedata.normalize("NFC", name) == wanted]
            if len(alike) != 1:
                return path
            following = os.path.join(found, alike[0])  # noqa: PTH118
        found = following
    return found
