"""Errors with messages for the users who can correct them.

Every message names the file, the place in it, what was found, what was expected and what to do.

Cd40lFlowError
    ├── InputsError    the sheets or the configuration: nothing is run, all problems are reported at once
    ├── TubeError      one FCS file: its sample becomes INDETERMINATE, the others go on
    └── RecordError    one file that a step wrote: damaged or not of its sample, which alone fails
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Problem:
    """One thing wrong with the inputs, and its remedy.

    ``severity`` is ``fatal`` (nothing can run), ``sample`` (that sample ends INDETERMINATE) or ``warning``.
    ``code`` is a reason code of the result where there is one, else a word such as ``SHEET`` or ``CONFIG``.
    ``line`` counts from 1 with the header; ``column`` is a column or a configuration key.
    """

    code: str
    severity: str
    message: str
    file: str = ""
    line: int | None = None
    column: str | None = None
    sample: str | None = None
    remedy: str = ""

    def as_dict(self) -> dict[str, object]:
        """Return the problem as an object for ``check.json``."""
        return asdict(self)

    def __str__(self) -> str:
        place = self.file
        if self.line is not None:
            place += f", line {self.line}"
        if self.column:
            place += f", {self.column}"
        text = f"{place}: {self.message}" if place else self.message
        return f"{text} {self.remedy}".rstrip()


class Cd40lFlowError(Exception):
    """Any error that a user can correct; shown without a traceback."""


class InputsError(Cd40lFlowError):
    """The sheets or the configuration cannot be used."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        title = f"{count} problem{'s' if count > 1 else ''} in the inputs; nothing was run:"
        super().__init__("\n".join([title, *(f"  - {problem}" for problem in self.problems)]))


class TubeError(Cd40lFlowError):
    """An FCS file cannot be used; ``code`` is the reason the sample will carry.

    ``found`` says what is wrong, ``remedy`` what to do; the error's text is both, after the ``name`` of the file.
    ``rule`` names more closely what is wrong with the file: the rule of the FCS standard it breaks, or what of the
    standard is not read here; ``code`` where there is no closer word.
    """

    def __init__(self, code: str, name: str, found: str, remedy: str, rule: str = "") -> None:
        self.code = code
        self.found = found
        self.remedy = remedy
        self.rule = rule or code
        super().__init__(f"{name}: {found} {remedy}")


class RecordError(Cd40lFlowError):
    """A file that a step wrote is missing, damaged, edited, or not of this sample or version.

    ``path`` is the file, ``found`` says what is wrong with it, ``remedy`` what to do; the error's text is all three.
    """

    def __init__(self, path: str | Path, found: str, remedy: str) -> None:
        self.path = path
        self.found = found
        self.remedy = remedy
        super().__init__(f"{path}: {found} {remedy}")
