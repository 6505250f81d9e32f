"""A disk that is full or fails: it is reported, and nothing half is left."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cd40l_flow.base.disk import WriteError, write_atomically
from cd40l_flow.base.errors import Cd40lFlowError
from helpers.runs.cohorts import cd40l_flow


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_reported_and_leaves_nothing_half(tiny_disk: Path) -> None:
    """The folder is named, what was there stays, no part is left."""
    write_atomically(tiny_disk / "result.json", "whole")

    with pytest.raises(WriteError, match="the disk is full") as told:
        write_atomically(tiny_disk / "result.json", "x" * 200_000)

    assert str(tiny_disk) in str(told.value)
    assert [path.name for path in tiny_disk.iterdir()] == ["result.json"]
    assert (tiny_disk / "result.json").read_text(encoding="utf-8") == "whole"


@pytest.mark.parametrize("step", ["write", "fsync", "replace", "mkdir"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES])
def test_whatever_step_fails_nothing_half_is_left(
    step: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Full, over quota, read only, broken or forbidden: one message with the folder, and the former file."""
    path = tmp_path / "folder/result.json"
    write_atomically(path, "former")

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(code, os.strerror(code))

    if step == "write":
        opened = Path.open

        def broken(self: Path, *arguments: Any, **named: Any) -> Any:
            file = opened(self, *arguments, **named)
            if self.name.endswith(".part"):
                file.close()
                raise OSError(code, os.strerror(code))
            return file

        monkeypatch.setattr(Path, "open", broken)
    elif step == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    else:
        monkeypatch.setattr(Path, step, fail)
    with pytest.raises(WriteError) as told:
        write_atomically(path, "new")
    monkeypatch.undo()

    assert isinstance(told.value, Cd40lFlowError) and isinstance(told.value, OSError)
    assert told.value.errno == code
    assert str(path.parent) in str(told.value) and "result.json cannot be written" in str(told.value)
    assert [one.name for one in path.parent.iterdir()] == ["result.json"]
    assert path.read_text(encoding="utf-8") == "former"


def test_a_command_on_a_full_disk_ends_in_words(tiny_disk: Path, small: Path) -> None:
    """No traceback: the folder that is full, and what to do."""
    (tiny_disk / "fill").write_bytes(b"x" * 61_000)
    process = cd40l_flow("simulate", tiny_disk / "demo", "--seed", "1")

    assert process.returncode == 2
    assert "Traceback" not in process.stderr
    assert "the disk is full" in process.stderr
    assert list(tiny_disk.rglob("*.part")) == []


def test_every_writer_writes_whole(root: Path) -> None:
    """Results, reports, drafts and simulated data are written by one function."""
    source = root / "src/cd40l_flow"
    writers = {
        str(path.relative_to(source))
        for path in source.rglob("*.py")
        if any(word in path.read_text(encoding="utf-8") for word in (".write_text(", ".write_bytes(", 'open("w'))
    }

    # The others write pages of the manual and a schema, for developers (`make schema`).
    generated = {"assay/limit_pages.py", "report/decision_table.py", "result/types/json_schema.py"}
    assert writers == {"base/disk.py"} | generated
