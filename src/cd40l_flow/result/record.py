"""``result.json`` as a record: its one writer, and its one reader, which refuses a file that was changed.

A record carries a digest over itself, so that a truncated or edited file is detected; it is bound to its sample, to the
version of its schema and to that of the analysis, and its values must fit the schema.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from cd40l_flow import ENGINE_VERSION
from cd40l_flow.assay.cd40.reagents import CD40
from cd40l_flow.assay.lookup import assay_named
from cd40l_flow.base.disk import write_atomically
from cd40l_flow.base.errors import RecordError
from cd40l_flow.base.plain_json import DIGEST, JsonFault, canonical, parse_strictly, read_bounded
from cd40l_flow.base.schema import faults, load_schema, shown
from cd40l_flow.result.first_schema import from_first, from_second, is_first, is_second
from cd40l_flow.result.types.fields import CELLS, OF_CALLS
from cd40l_flow.result.types.result import Result

__all__ = ["FILE", "SCHEMA_VERSION", "RecordError", "read_parts", "read_record", "write_record", "written_digest"]

Parts = TypeVar("Parts", bound=msgspec.Struct)

SCHEMA = "result.schema.json"
SCHEMA_VERSION = "1.4"
FILE = "result.json"
# A result of five tubes takes 40 kB, a control of ninety less than 2 MB.
MOST_BYTES = 100_000_000
_LINE = re.compile(rb'^"digest": "([0-9a-f]{64})",?\n', re.MULTILINE)
_BEGIN = b'\n"digest": "'
_NOW = f'\n"schema_version": "{SCHEMA_VERSION}"'.encode()
# The line of the digest begins at 6 kB where acquisition is long.
_HEAD = 32_768
_AGAIN = "Remove it and run the workflow again."


def write_record(result: Result, path: str | Path) -> None:
    """Write a result with the digest over itself: equal results are equal bytes, written atomically.

    Keys are sorted, each of the first level on a line of its own; the digest is that of the file without its own line:
    ``grep -v '^"digest"' result.json | sha256sum``. Raises OSError.
    """
    content = {**msgspec.to_builtins(result), DIGEST: "0" * 64}
    lines = [f"{json.dumps(key)}: {canonical(content[key])}" for key in sorted(content)]
    text = "\n".join(["{", *(f"{line}," for line in lines[:-1]), lines[-1], "}", ""]).encode()
    write_atomically(path, _LINE.sub(f'"digest": "{_digest(text)}",\n'.encode(), text, count=1))


def read_record(path: str | Path, *, sample: str | None = None, same_engine: bool = True) -> Result:
    """Return a ``result.json`` after verifying its digest.

    It must be of ``sample``; where none is named, of the sample whose folder it lies in, as
    ``samples/P01/result.json``. ``same_engine`` asks for this version of schema and analysis; without it, for
    comparisons over years, any version is taken, its schema made the present one (``digest`` is None for one that
    had none). Raises RecordError.
    """
    path = Path(path)
    content, result = _object(path)
    # From the most to the least informative fault.
    if not same_engine and is_first(result):
        result = from_first(result, SCHEMA_VERSION)
    else:
        second = not same_engine and is_second(result)
        if not second:
            _of_schema(path, result)
        _unedited(path, content)
        if same_engine:
            _of_engine(path, result)
        result = from_second(result, SCHEMA_VERSION) if second else result
    found_result = _fitting(path, result)
    named = sample if sample is not None else _place(path)
    if named is not None and found_result.sample != named:
        found = f"is a result of sample {shown(found_result.sample)}, where that of {named} was expected."
        raise RecordError(path, found, f"Every sample has a folder of its own. {_AGAIN}")
    return found_result


def read_parts(path: str | Path, kind: type[Parts]) -> Parts:
    """Return some fields of a result, verified by its digest, in a tenth of the time that `read_record` takes.

    ``kind`` is a Struct with fields of `Result` or parts of them. The rest of the schema is not looked at: what is
    unchanged since it was written was checked then. A result of an earlier schema is read whole. Raises RecordError.
    """
    path = Path(path)
    try:
        content = read_bounded(path, MOST_BYTES)
    except FileNotFoundError:
        raise RecordError(path, "is not there.", "Run the workflow again.") from None
    except JsonFault as error:
        raise RecordError(path, f"is no result: it {error}", _AGAIN) from None
    if _NOW not in content:
        earlier = read_record(path, same_engine=False)
        return msgspec.convert(msgspec.to_builtins(earlier), kind)
    _unedited(path, content)
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RecordError(path, f"holds what no result holds: {error}.", _AGAIN) from None


def written_digest(path: str | Path) -> str:
    """Return the digest that a result carries, unverified, from the first lines of its file; empty where it has none.

    Shows in a hundredth of a millisecond whether a result is the one that was read before. Raises OSError.
    """
    with Path(path).open("rb") as file:
        head = file.read(_HEAD)
        found = _line(head) or _line(head + file.read(MOST_BYTES))
    return found[1].decode() if found else ""


def _object(path: Path) -> tuple[bytes, dict[str, Any]]:
    """Return the bytes of a file and the object they hold."""
    try:
        content = read_bounded(path, MOST_BYTES)
        result = parse_strictly(content)
    except FileNotFoundError:
        raise RecordError(path, "is not there.", "Run the workflow again.") from None
    except JsonFault as error:
        raise RecordError(path, f"is no result: it {error}", _AGAIN) from None
    if not isinstance(result, dict):
        raise RecordError(path, f"is no result: it holds {shown(result)} in place of keys and values.", _AGAIN)
    return content, result


def _of_schema(path: Path, result: Mapping[str, Any]) -> None:
    found = result.get("schema_version")
    if found != SCHEMA_VERSION:
        what = f"has schema version {shown(found)}" if found is not None else "has no schema version"
        raise RecordError(path, f"{what}, expected {shown(SCHEMA_VERSION)}.", "Run the workflow again.")


def _of_engine(path: Path, result: Mapping[str, Any]) -> None:
    found = result.get("engine_version")
    if found != ENGINE_VERSION:
        what = f"was made by version {shown(found)} of the analysis, expected {shown(ENGINE_VERSION)}."
        raise RecordError(path, what, "Run the workflow again.")


def _unedited(path: Path, content: bytes) -> None:
    held = _line(content)
    if held is None:
        raise RecordError(path, "carries no digest, which every result has on a line of its own.", _AGAIN)
    if held[1].decode() != _digest(content):
        raise RecordError(path, "was changed after it was written: its digest does not fit its content.", _AGAIN)


def _line(content: bytes) -> re.Match[bytes] | None:
    """Return the line of a record's digest; a pattern tried at every line takes ten times as long."""
    place = content.find(_BEGIN)
    while place >= 0:
        if found := _LINE.match(content, place + 1):
            return found
        place = content.find(_BEGIN, place + 1)
    return None


def _digest(content: bytes) -> str:
    """Return the SHA-256 of a record's text without the line of its digest: nothing has to be written out again."""
    line = _line(content)
    begin, end = line.span() if line else (0, 0)
    whole = memoryview(content)
    found = hashlib.sha256(whole[:begin])
    found.update(whole[end:])
    return found.hexdigest()


def _fitting(path: Path, plain: Mapping[str, Any]) -> Result:
    """Return the record of plain values; refuse values that no result holds, and such as contradict each other."""
    try:
        result = msgspec.convert(plain, Result)
        if foreign := foreign_names(result):
            raise msgspec.ValidationError(f"The assay does not have {', '.join(foreign)}.")
    except msgspec.ValidationError as error:
        # The schema finds all faults, with words for each.
        found = [(".".join(map(str, place)), message) for place, message, _ in faults(plain, load_schema(SCHEMA))]
        place, message = found[0] if found else ("result", str(error))
        more = f" ({len(found)} such faults in all.)" if len(found) > 1 else ""
        raise RecordError(path, f"holds what no result holds; {place}: {message}{more}", _AGAIN) from None
    for contradiction in _contradictions(result):
        raise RecordError(path, f"contradicts itself: {contradiction}", _AGAIN)
    return result


def foreign_names(result: Result) -> list[str]:
    """Return the names of reagents and reasons in a result that the assay does not have."""
    assay, control, cuts = assay_named(result.assay), result.lent, result.acquisition.uncut
    reasons = {*result.reasons, *(tube.error.code for tube in result.tubes if tube.error is not None)}
    reasons.update(*(subcall.reasons for subcall in result.subcalls.values()), cuts.reasons if cuts is not None else ())
    targets = {*result.subcalls, *result.reagents, *(guard.reagent for guard in result.guards)}
    targets |= {*(rule.reagent for rule in result.rules), *(change.reagent for change in result.would_change)}
    if control is not None:
        targets |= {*control.reagents, *control.activation_percent, *control.reagent_failures}
    names = {tube.reagent for tube in result.tubes} - set(assay.reagent_names)
    known = {*assay.targets, *(CELLS if CD40 in assay.targets else ())}
    names |= {name for name in targets if name is not None and name not in known}
    return sorted(names | reasons - {*assay.guard, *OF_CALLS})


def _contradictions(result: Result) -> Iterator[str]:
    """Yield what a schema cannot express and a reader of results relies on."""
    tubes = {tube.fcs for tube in result.tubes}
    if (result.role == "control") != (result.lent is not None):
        yield f"it is a {result.role} and has {'no' if result.lent is None else 'a'} control record."
    for reagent, measures in result.reagents.items():
        if not measures.tubes or not tubes.issuperset(measures.tubes):
            yield f"{reagent} is measured in tubes that it does not have."
    for gate in result.gates:
        on_scale = gate.scaled is not None and not gate.gate.startswith(("singlet_", "time_", "lymph"))
        if on_scale and gate.detector not in result.scales:
            yield f"{gate.gate} is set on {shown(gate.detector)}, of which there is no scale."
    for tube in result.tubes:
        matrix = tube.spillover
        if matrix is not None and {len(matrix.detectors)} != {len(matrix.matrix), *map(len, matrix.matrix)}:
            yield f"the spillover matrix of {tube.fcs} is not square."


def resolve_types() -> None:
    """Have msgspec look at the types of a result, which takes 5 ms at their first use."""
    msgspec.json.Decoder(Result)


def _place(path: Path) -> str | None:
    """Return the sample whose folder a path names, or None."""
    folder = path.parent
    return folder.name if path.name == FILE and folder.parent.name == "samples" else None
