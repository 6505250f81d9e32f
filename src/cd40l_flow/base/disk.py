"""Files on disk: written atomically, read where they are files of a sensible size, found however spelt."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import unicodedata
from pathlib import Path

from cd40l_flow.base.errors import Cd40lFlowError

# Errors of the operating system for a full disk, with the place in words.
_NO_ROOM = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota of this account on that disk is used up",
    errno.EFBIG: "the file would be larger than the disk or the account may hold",
    errno.EROFS: "the disk can be read only",
}


class WriteError(Cd40lFlowError, OSError):
    """A file could not be written; ``errno``, ``strerror`` and ``filename`` are the operating system's."""

    def __str__(self) -> str:
        return str(self.args[0])


def write_atomically(path: str | Path, content: str | bytes) -> None:
    """Write a file atomically; its folder is made if needed, text is UTF-8 with line feeds.

    A killed writer leaves the former file or none, never a part of one; two writers of the same file do not mix. Raises
    WriteError, which names the folder, for instance of a full disk, and leaves no temporary file then.
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
        # The folder is gone or not writable: report the first error.
        return


def _in_words(path: Path, error: OSError) -> WriteError:
    why = _NO_ROOM.get(error.errno or 0, error.strerror or str(error))
    remedy = "Make room there" if error.errno in _NO_ROOM else "See that the folder is there and may be written"
    failure = WriteError(f"{path.parent}: {path.name} cannot be written: {why}. {remedy}, and run again.")
    failure.errno, failure.strerror, failure.filename = error.errno, error.strerror, str(path)
    return failure


def read_small(path: str | Path, most: int) -> bytes:
    """Return the bytes of a file of at most ``most`` bytes.

    Raises OSError with words of its own for what is no file (a folder, a pipe, a device: reading one may never end)
    and for a larger one.
    """
    try:
        # Opening a pipe would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:
        raise OSError(errno.EINVAL, str(error), str(path)) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is a folder, a pipe or a device, not a file", str(path))
    with open(descriptor, "rb") as file:  # noqa: PTH123  it is open already
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it has more than {most:,} bytes", str(path))
    return content


def as_on_disk(path: str) -> str:
    """Return a path with its letters composed or decomposed as they are on disk; unchanged where neither exists.

    ``é`` is one character in most sheets and two in names that macOS has written; both look alike. An exact
    match goes first; of two that differ only in that, neither is guessed.
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
