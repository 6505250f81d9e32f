"""The table of calls in the terminal."""

from __future__ import annotations

from cd40l_flow.result.summary import summary_columns
from cd40l_flow.result.table import calls_table


def test_columns_are_aligned_and_blanks_shown() -> None:
    """Numbers stand right, words left, what is missing is a dash, reasons come last."""
    empty = dict.fromkeys(summary_columns(), "")
    rows = [
        empty | {"sample": "C01", "run": "R1", "call": "NORMAL", "activated_events": "5210", "qc": "pass"},
        empty
        | {
            "sample": "P010",
            "run": "R1",
            "call": "INDETERMINATE",
            "reasons": "A;B",
            "cd154_percent_positive": "3.1416",
        },
    ]

    assert calls_table(rows).splitlines() == [
        "sample  run  role  sex  call           QC    activated  CD154+ %  CD154 negative  CD40-Ig+ %  reasons",
        "C01     R1   -     -    NORMAL         pass       5210         -               -           -  -",
        "P010    R1   -     -    INDETERMINATE  -             -       3.1               -           -  A, B",
    ]
