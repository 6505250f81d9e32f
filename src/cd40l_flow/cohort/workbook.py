"""The drafted sheets as one workbook (.xlsx): a worksheet each, with lists to choose from and notes on columns."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cd40l_flow.base.disk import write_atomically
from cd40l_flow.cohort.sheets import sheet_schema

# Rows below those drafted for which the lists are offered too.
_ROOM = 500
_WIDEST = 60
# Excel refuses a list of choices that is longer than this.
_LONGEST_LIST = 255


def write_workbook(sheets: Mapping[str, tuple[str, Sequence[Sequence[str]]]], path: Path) -> None:
    """Write sheets into one workbook.

    ``sheets`` maps the name of a worksheet to the file name of its schema and its rows, the header first. A column
    whose schema lists its values gets a drop-down list of them; every column that the schema knows gets a note that
    describes it. All cells are text, so that no program turns a name into a date or a number.
    """
    from openpyxl import Workbook
    from openpyxl.comments import Comment
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    book = Workbook()
    for empty in book.worksheets:
        book.remove(empty)
    for name, (schema_name, rows) in sheets.items():
        known: Mapping[str, Mapping[str, Any]] = sheet_schema(schema_name)["properties"]
        sheet = book.create_sheet(name)
        sheet.freeze_panes = "B2"
        for at, column in enumerate(rows[0], 1):
            letter = get_column_letter(at)
            texts = [row[at - 1] if at <= len(row) else "" for row in rows]
            for number in range(1, len(rows) + _ROOM + 1):
                cell = sheet.cell(number, at)
                cell.number_format = "@"
                if number <= len(rows):
                    cell.value = texts[number - 1] or None
                    # A text that begins with = is a text all the same.
                    cell.data_type = "s" if texts[number - 1] else cell.data_type
            sheet[f"{letter}1"].font = Font(bold=True)
            sheet.column_dimensions[letter].width = min(max(map(len, texts)) + 3, _WIDEST)
            about = known.get(column, {})
            if about.get("description"):
                sheet[f"{letter}1"].comment = Comment(str(about["description"]), "cd40l-flow")
            choices = [str(word) for word in about.get("enum", []) if word]
            if choices and len(",".join(choices)) <= _LONGEST_LIST:
                offered = DataValidation("list", formula1=f'"{",".join(choices)}"', allow_blank=True)
                sheet.add_data_validation(offered)
                offered.add(f"{letter}2:{letter}{len(rows) + _ROOM}")
    content = io.BytesIO()
    book.save(content)
    write_atomically(path, content.getvalue())
