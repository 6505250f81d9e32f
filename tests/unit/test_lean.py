"""A library imported without one that it has no use for, and with it where it cannot do without."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from cd40l_flow.interop.lean import import_without

MODULES = {
    "lean_unused": "",
    "lean_user": "try:\n    import lean_unused\n    FOUND = True\nexcept ImportError:\n    FOUND = False\n",
    "lean_needing": "import lean_unused\nimport lean_user\n",
}


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have three modules installed: one that the second can do without, and the third cannot."""
    for name, code in MODULES.items():
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in MODULES:
        sys.modules.pop(name, None)


def test_what_can_be_done_without_is_not_imported_and_can_be_later() -> None:
    assert not import_without("lean_user", "lean_unused", user="lean_user").FOUND
    assert "lean_unused" not in sys.modules

    assert import_module("lean_unused").__name__ == "lean_unused"


def test_what_cannot_be_done_without_is_imported() -> None:
    assert import_without("lean_needing", "lean_unused", user="lean_user").lean_user.FOUND


@pytest.mark.parametrize("loaded", ["lean_unused", "lean_user"])
def test_what_is_loaded_is_left_as_it_is(loaded: str) -> None:
    before = import_module(loaded)

    assert import_without("lean_user", "lean_unused", user="lean_user").FOUND
    assert sys.modules[loaded] is before


def test_a_module_that_is_not_there_is_told() -> None:
    with pytest.raises(ModuleNotFoundError, match="lean_nowhere"):
        import_without("lean_nowhere", "lean_unused", user="lean_user")
    assert "lean_unused" not in sys.modules
