"""The file of the laboratory's own limits: read and checked."""

from __future__ import annotations

from pathlib import Path

from msgspec import ValidationError, convert

from cd40l_flow.base.errors import Problem, RecordError
from cd40l_flow.base.plain_json import DIGEST, JsonFault, digest_of, parse_strictly, read_bounded
from cd40l_flow.base.schema import faults, load_schema
from cd40l_flow.cohort.config import Config
from cd40l_flow.cohort.reference_types import Reference

SCHEMA = "reference.schema.json"
REMEDY = "Make it with: cd40l-flow reference RESULTS... --out FILE."
# A control's row takes 1 kB.
MOST_BYTES = 500_000_000


def load_reference(path: str | Path) -> Reference:
    """Return a reference file after verifying its digest; raises RecordError."""
    try:
        content = parse_strictly(read_bounded(path, MOST_BYTES))
    except FileNotFoundError:
        raise RecordError(path, "is not there.", REMEDY) from None
    except JsonFault as error:
        raise RecordError(path, str(error), REMEDY) from None
    if not isinstance(content, dict):
        raise RecordError(path, "holds no reference.", REMEDY)
    found = [(".".join(map(str, place)), message) for place, message, _ in faults(content, load_schema(SCHEMA))]
    if found:
        place, message = found[0]
        more = f" ({len(found)} problems in all.)" if len(found) > 1 else ""
        raise RecordError(path, f"{place}: {message}{more}" if place else f"{message}{more}", REMEDY)
    if content[DIGEST] != digest_of(content):
        raise RecordError(path, "was changed after it was made: its digest does not fit its content.", REMEDY)
    try:
        # Not strict: for the schema, as for JSON, 5.0 is a whole number.
        return convert(content, Reference, strict=False)
    except ValidationError as error:
        raise RecordError(path, f"holds what no reference holds: {error}.", REMEDY) from None


def read_reference(config: Config) -> tuple[Reference | None, list[Problem]]:
    """Return the laboratory's limits that a configuration names, complete; None without any, or with a problem."""
    if config.reference is None:
        return None, []
    try:
        return load_reference(config.reference), []
    except RecordError as error:
        return None, [config.problem("reference", f"'{error.path}': {error.found}", error.remedy)]
