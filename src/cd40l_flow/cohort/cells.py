"""Cells of tab-separated text that spreadsheets open: a text must not become a formula there.

A spreadsheet runs what begins with ``=``, ``+``, ``-`` or ``@`` (or a tab or line break before them) when it opens a
table (OWASP, "CSV Injection"). Such a text is written with an apostrophe in front, which marks a cell as text there
too, and read without it; a text that has apostrophes there already gets one more, so that none is lost.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

_RUN = re.compile(r"'*[=+\-@\t\r\n]")
_MARKED = re.compile(r"''*[=+\-@\t\r\n]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def safe(text: str) -> str:
    """Return a text as a cell that no spreadsheet runs; a plain number stays one."""
    return f"'{text}" if _RUN.match(text) and not _NUMBER.fullmatch(text) else text


def as_text(cell: str) -> str:
    """Return the text of a cell that `safe` or a similar program wrote."""
    return cell[1:] if _MARKED.match(cell) else cell


def tab_separated(rows: Iterable[Sequence[object]], ending: str = "\n") -> str:
    """Return rows as tab-separated text, every text safe, quoted where it holds a tab, a quote or a line break.

    None is an empty cell; numbers are written as they are.
    """
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator=ending)
    for row in rows:
        writer.writerow([safe(cell) if isinstance(cell, str) else cell for cell in row])
    return text.getvalue()
