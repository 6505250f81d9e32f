"""What may never be stated, in any text that the project shows: program, reports, pages, documents."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cd40l_flow.assay.texts import load_texts

# A screening assay neither makes a diagnosis nor clears anybody.
FORBIDDEN = (
    *("not a carrier", "no carrier", "non-carrier", "is a carrier", "diagnostic of", "rules out", "ruled out"),
    *("excludes x-linked", "excludes xhim", "confirms x-linked", "confirms xhim", "is unaffected", "is healthy."),
)
# The one sentence that names exclusion says that there is none.
ALLOWED = ("neither establishes nor excludes x-linked",)


def said(text: str) -> list[str]:
    """Return the forbidden phrases of a text; line breaks count as spaces."""
    plain = " ".join(text.lower().split())
    for phrase in ALLOWED:
        plain = plain.replace(phrase, "")
    return [phrase for phrase in FORBIDDEN if phrase in plain]


def strings(source: str) -> Iterator[str]:
    """Yield every text of a Python file, docstrings and the fixed parts of f-strings too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(part.value for part in node.values if isinstance(part, ast.Constant))


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for part in value.values():
            yield from texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from texts(part)
    else:
        yield str(value)


def test_no_sentence_of_the_program(root: Path) -> None:
    files = sorted((root / "src").rglob("*.py"))
    assert len(files) > 50
    found = {
        (path.name, phrase)
        for path in files
        for text in strings(path.read_text(encoding="utf-8"))
        for phrase in said(text)
    }
    assert found == set()


def test_no_text_of_reports_and_index() -> None:
    assert [(text, said(text)) for text in texts(load_texts()) if said(text)] == []


@pytest.mark.parametrize("pattern", ["src/**/*.j2", "src/**/*.js", "docs/*.md", "*.md", "config/*.md", "workflow/**/*"])
def test_no_page_and_no_document(root: Path, pattern: str) -> None:
    files = [path for path in root.glob(pattern) if path.is_file() and path.suffix not in (".pyc", ".png")]
    assert files
    assert [(path.name, said(text)) for path in files if said(text := path.read_text(encoding="utf-8"))] == []


def test_the_list_is_looked_for() -> None:
    """Every phrase is found where it stands, over a line break too."""
    for phrase in FORBIDDEN:
        assert phrase in said(f"This woman {phrase.replace(' ', chr(10), 1).upper()} the disease.")
    assert said("This neither establishes nor excludes X-linked hyper-IgM syndrome.") == []
