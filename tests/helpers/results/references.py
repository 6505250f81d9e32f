"""References of a laboratory: made of healthy controls, written into a cohort, named in its configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from cd40l_flow.assay.limits import Limits
from cd40l_flow.cohort.reference_types import Reference
from cd40l_flow.result.reference import collect, write_reference
from helpers.results.controls import whole_result

FILE = "config/reference.json"


def as_reference(content: Mapping[str, Any]) -> Reference:
    """Return the record of a reference file's content."""
    return msgspec.convert(content, Reference)


def reference_of(controls: Iterable[Mapping[str, Any]]) -> Reference:
    """Return the reference of some healthy controls, each the part of a result that limits look at."""
    return collect([(str(number), whole_result(one)) for number, one in enumerate(controls)], Limits())


def put_reference(cohort: Path, content: Reference) -> None:
    """Write a reference to its place in the folder of a cohort."""
    write_reference(content, cohort / FILE)


def name_reference(cohort: Path) -> None:
    """Name the reference of a cohort in its configuration."""
    with (cohort / "config/config.yaml").open("a", encoding="utf-8") as file:
        file.write(f"reference: {FILE}\n")
