"""A file is there whole or not at all, whatever happens while it is written."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from cd40l_flow.base.disk import write_atomically


def test_it_writes_what_it_is_given_and_nothing_else(tmp_path: Path) -> None:
    write_atomically(tmp_path / "new" / "text", "µ\n")
    write_atomically(tmp_path / "new" / "bytes", b"\r\n")

    assert (tmp_path / "new" / "text").read_bytes() == b"\xc2\xb5\n"
    assert (tmp_path / "new" / "bytes").read_bytes() == b"\r\n"
    assert len(list((tmp_path / "new").iterdir())) == 2


@pytest.mark.parametrize("former", [b"former", None])
@pytest.mark.parametrize("fault", [OSError("disk full"), KeyboardInterrupt()])
def test_a_fault_leaves_the_former_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, former: bytes | None, fault: BaseException
) -> None:
    path = tmp_path / "result.json"
    if former is not None:
        path.write_bytes(former)

    def fail(_: int) -> None:
        raise fault

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(type(fault)):
        write_atomically(path, "new")

    assert [one.read_bytes() for one in tmp_path.iterdir()] == ([former] if former is not None else [])


def test_a_killed_writer_leaves_no_part_under_the_name(tmp_path: Path) -> None:
    """A process that dies on the spot in the middle of writing."""
    path = tmp_path / "result.json"
    child = os.fork()
    if child == 0:
        os.fsync = lambda _: os._exit(9)  # type: ignore[assignment]
        write_atomically(path, "x" * 100_000)
        os._exit(0)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 9
    assert not path.exists()


def test_two_writers_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    texts = [letter * 300_000 for letter in "abcd"]
    writers = [threading.Thread(target=write_atomically, args=(path, text)) for text in texts]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert path.read_text() in texts
    assert list(tmp_path.iterdir()) == [path]
