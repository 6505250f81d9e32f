"""Damaged FCS files and what must hold of the reader's answer to each: the core of the fuzz test and benchmark."""

from __future__ import annotations

import json
import random
import re
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from cd40l_flow.base.errors import TubeError
from cd40l_flow.fcs.inspect import inspect_recording, refused
from cd40l_flow.fcs.reader import Recording, parse_recording
from cd40l_flow.fcs.spillover import choose_spillover
from cd40l_flow.result.inspection import as_json, as_text

SECONDS = 2.0
ALLOCATED = 64 << 20
ALLOCATED_TIMES = 4

NUMBERS = (
    *("0", "1", "-1", "2", "3", "7", "9", "10", "58", "99999999", "100000", "65536", "4294967296", "  12 ", "1.0"),
    *(str(2**power + step) for power in (15, 16, 31, 32, 53, 62, 63, 64) for step in (-1, 0, 1)),
    *("9" * 20, "9" * 30, "1e999", "1e308", "-1e308", "nan", "inf", "-inf", "0x10", "1_000", "\u0663", "\u00b2", "+5"),
)
TEXTS = (
    *("", " ", "A", "a", "I", "F", "D", "L", "C", "U", "0,0", "4,0", "4,1", "0,1", "-4,1", "400,1", "4", "4,1,1", ","),
    *(
        "1,2,3,4",
        "4,3,2,1",
        "1,2",
        "3,4,1,2",
        "1",
        "custom",
        "applied",
        "FSC-A",
        "Comp-PE-A",
        "\x00",
        "\ud7ff",
        "\x1b[2J",
    ),
    *(
        "2,1,2,1,0,0,1",
        "2,FITC-A,PE-A,1,0,0,1",
        "2,FITC-A,PE-A,1,nan,0,1",
        "512," + "1," * 900,
        "9999",
        "0",
        "x" * 5000,
    ),
)
KEYWORDS = (
    *("TOT", "PAR", "BEGINDATA", "ENDDATA", "BEGINSTEXT", "ENDSTEXT", "NEXTDATA", "DATATYPE", "BYTEORD", "MODE"),
    *("SPILLOVER", "TIMESTEP", "DATE", "BTIM", "ENDANALYSIS", "COMP"),
)


def mutate(seed: bytes, seeds: Sequence[bytes], source: random.Random) -> tuple[str, bytes]:
    """Return the name of what was done to a file, and the damaged file."""
    kind = source.choice(tuple(MUTATIONS))
    content = MUTATIONS[kind](seed, seeds, source)
    if content and source.random() < 0.2:
        second = source.choice(tuple(MUTATIONS))
        return f"{kind}, {second}", MUTATIONS[second](content, seeds, source)
    return kind, content


def _at(content: bytes, source: random.Random) -> int:
    """Return a place, more often near the front, where HEADER and TEXT are."""
    limit = len(content) if source.random() < 0.3 else min(len(content), 8000)
    return source.randrange(max(1, limit))


def _bytes(content: bytes, seeds: Sequence[bytes], source: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(source.randint(1, 8)):
        at = _at(content, source)
        damaged[at : at + 1] = bytes([source.choice((0, 32, 47, 255, source.randrange(256)))])
    return bytes(damaged)


def _pieces(content: bytes, seeds: Sequence[bytes], source: random.Random) -> bytes:
    at, end = _at(content, source), _at(content, source)
    piece = content[at : at + source.choice((1, 2, 8, 64, 512))]
    how = source.randrange(3)
    return content[:end] + (piece if how else b"") + content[end + (len(piece) if how != 1 else 0) :]


def _length(content: bytes, seeds: Sequence[bytes], source: random.Random) -> bytes:
    if source.random() < 0.3:
        return content + bytes(source.choice((1, 7, 8, 9, 600)))
    cut = source.choice((1, 2, 8, 33, 58, 59, source.randrange(1, len(content) + 2)))
    return content[: -min(cut, len(content))] if source.random() < 0.6 else content[:cut]


def _header(content: bytes, seeds: Sequence[bytes], source: random.Random) -> bytes:
    field_at = 10 + 8 * source.randrange(6)
    told = content[field_at : field_at + 8].strip()
    near = int(told) + source.choice((-8, -1, 1, 2, 8, 100)) if told.isdigit() else 0
    value = source.choice((str(near), *NUMBERS, str(len(content)), "")).encode("utf-8", "replace")[:8]
    return content[:field_at] + value.rjust(8) + content[field_at + 8 :]


def _keyword(content: bytes, seeds: Sequence[bytes], source: random.Random) -> bytes:
    """Give one keyword another value; offsets stay, so the file may be shifted too."""
    number = source.randint(1, 12)
    key = source.choice((*KEYWORDS, *(f"P{number}{letter}" for letter in "BENRSGV"), f"P{number}DATATYPE"))
    cut = re.escape(content[58:59] if len(content) > 58 else b"/")
    start = re.search(rb"\$BEGINDATA|\$P1B|\$PAR", content)
    if start and start.start() > 0:
        cut = re.escape(content[start.start() - 1 : start.start()])
    found = re.search(rb"(?i)\$?" + key.encode() + rb" *" + cut + rb"([^" + cut + rb"]*)" + cut, content)
    value = source.choice(NUMBERS + TEXTS).encode("utf-8", "surrogatepass")
    if found is None:
        at = start.start() if start else 58
        mark = cut.replace(b"\\", b"") or b"/"
        return content[:at] + b"$" + key.encode() + mark + value + mark + content[at:]
    told = found[1]
    if told.strip().isdigit() and source.random() < 0.5:
        value = str(max(0, int(told) + source.choice((-1, 1, -8, 8, 1000)))).encode()
    if source.random() < 0.5:
        value = value[: len(told)].ljust(len(told))
    return content[: found.start(1)] + value + content[found.end(1) :]


def _delimiters(content: bytes, seeds: Sequence[bytes], source: random.Random) -> bytes:
    mark = content[58:59] or b"/"
    places = [found.start() for found in re.finditer(re.escape(mark), content[:8000])]
    if not places:
        return content + mark
    at = source.choice(places)
    return content[:at] + source.choice((b"", mark * 2, mark * 3, b" ", b"\x00")) + content[at + 1 :]


def _spliced(content: bytes, seeds: Sequence[bytes], source: random.Random) -> bytes:
    other = source.choice(seeds)
    return content[: _at(content, source)] + other[_at(other, source) :]


def _values(content: bytes, seeds: Sequence[bytes], source: random.Random) -> bytes:
    """Overwrite bytes near the end, where DATA lies, with numbers that floats cannot hold."""
    damaged = bytearray(content)
    bad = source.choice(
        (b"\x7f\xc0\x00\x00", b"\x00\x00\xc0\x7f", b"\xff" * 8, b"\x7f\x80\x00\x00", b"\x7f\x7f\xff\xff")
    )
    for _ in range(source.randint(1, 3)):
        at = source.randrange(max(1, len(damaged) - min(len(damaged), 600)), len(damaged) + 1)
        damaged[at : at + len(bad)] = bad[: max(0, len(damaged) - at)]
    return bytes(damaged)


MUTATIONS: Mapping[str, Callable[[bytes, Sequence[bytes], random.Random], bytes]] = {
    "bytes": _bytes,
    "pieces": _pieces,
    "length": _length,
    "HEADER offset": _header,
    "keyword": _keyword,
    "keyword again": _keyword,
    "delimiter": _delimiters,
    "two files": _spliced,
    "values": _values,
}


@dataclass
class Tally:
    """What became of the damaged files: answers by code, and the worst time and allocation."""

    files: int = 0
    read: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    most_allocated: float = 0.0
    failures: list[str] = field(default_factory=list)


def run(seeds: Sequence[bytes], count: int, seed: int, tally: Tally | None = None) -> Tally:
    """Return the tally of ``count`` damaged files; the same arguments give the same files."""
    tally = tally or Tally()
    source = random.Random(seed)
    weights = [1 / (2000 + len(content)) for content in seeds]
    chosen = source.choices(range(len(seeds)), weights, k=count)
    tracemalloc.start()
    for number, index in enumerate(chosen):
        kind, content = mutate(seeds[index], seeds, source)
        tally.files += 1
        tally.kinds[kind.split(",")[0]] += 1
        try:
            check(content, tally)
        except Exception as error:  # noqa: BLE001 - whatever else is raised is what the test is for
            tally.failures.append(f"file {number} (seed {index}, {kind}): {type(error).__name__}: {error}"[:300])
    tracemalloc.stop()
    return tally


def check(content: bytes, tally: Tally) -> None:
    """Read one file in every way and add it to the tally; AssertionError when anything does not hold."""
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    start = time.thread_time()
    try:
        recording = parse_recording(memoryview(content), "a.fcs")
        found = inspect_recording(recording)
        told = json.loads(as_json(found))
        _check_events(content, recording, told)
    except TubeError as error:
        assert error.code == "FILE_INTEGRITY"
        assert error.rule != error.code, "a refusal without its rule"
        assert str(error).startswith("a.fcs: ")
        found = refused("a.fcs", error)
        told = json.loads(as_json(found))
    as_text(found)
    took = time.thread_time() - start
    allocated = tracemalloc.get_traced_memory()[1] - before
    tally.slowest_s = max(tally.slowest_s, took)
    tally.most_allocated = max(tally.most_allocated, (allocated - ALLOCATED_TIMES * len(content)) / (1 << 20))
    assert allocated <= ALLOCATED_TIMES * len(content) + ALLOCATED, f"{allocated} bytes for a file of {len(content)}"
    assert took < SECONDS, f"{took:.1f} s"
    if told["status"] == "refused":
        tally.refused[told["error"]["code"]] += 1
    else:
        tally.read += 1


def _check_events(content: bytes, recording: Recording, told: Mapping[str, object]) -> None:
    """Check that the events read are those that the file's own keywords describe."""
    header, layout, text = recording.header, recording.layout, recording.text
    everything = range(len(header.detectors))
    stored = recording.stored(everything).astype(np.float64)
    recording.check_crc()
    assert told["status"] == "ok", told
    assert stored.shape == (header.events, len(header.detectors))
    assert np.isfinite(stored).all()
    assert layout.size == header.events * sum(layout.widths) == len(recording.segment)
    assert layout.start >= 58 and layout.start + layout.size <= len(content)
    assert layout.start >= text.segment[1] or layout.start + layout.size <= text.segment[0]
    stated = text.keywords.get("$TOT")
    assert stated is None or float(stated) == header.events
    spans = [last - first + 1 for first, last in (text.header_data, text.text_data) if first == layout.start]
    assert layout.size in spans or layout.size + 1 in spans
    for column, mask in enumerate(layout.masks):
        assert not mask or stored[:, column].max() <= mask
    detectors = told["detectors"]
    assert isinstance(detectors, list)
    with np.errstate(over="ignore"):
        means = stored.mean(axis=0)
    scale = np.abs(stored).max(axis=0)
    for place, mean in enumerate(means):
        assert not np.isfinite(mean) or abs(detectors[place]["mean"] - mean) <= 1e-9 * scale[place]
    try:
        choose_spillover("file", text.keywords, header.detectors, [], "a.fcs")
    except TubeError as error:
        assert error.code == "NO_COMP"
    assert np.isfinite(recording.linear(everything)).all()
