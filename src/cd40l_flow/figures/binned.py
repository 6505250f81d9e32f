"""The binned data of ``densities.npz``, which all figures are drawn from."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cd40l_flow.base.errors import RecordError
from cd40l_flow.base.plain_json import JsonFault, read_bounded
from cd40l_flow.result.types.result import Result

Counts = NDArray[np.float64]
MOST_BYTES = 1_000_000_000  # of five tubes 130 kB
_AGAIN = "Analyse the sample again."


@dataclass(frozen=True)
class Densities:
    """The index of one sample's binned data and the arrays it names."""

    index: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]

    def counts(self, name: str | None) -> Counts | None:
        """Return an array by the name the index gives it, or None where the index has none."""
        return None if name is None else np.asarray(self.arrays[name], dtype=np.float64)

    def picture(self, panel: Mapping[str, Any]) -> bytes:
        """Return the picture of a panel, a PNG."""
        begin, end = panel["picture"]
        return bytes(self.arrays["pictures"][begin:end])

    def panels(self, fcs: str, stimulation: str, reagent: str) -> list[Mapping[str, Any]]:
        """Return the panels of one tube; a combined tube appears once for each reagent."""
        for tube in self.index["tubes"]:
            if (tube["fcs"], tube["stimulation"], tube["reagent"]) == (fcs, stimulation, reagent):
                return list(tube["panels"])
        return []

    def course(self, fcs: str, stimulation: str, reagent: str) -> Mapping[str, Any] | None:
        """Return the course in time of one tube, or None where time is not known."""
        for tube in self.index["tubes"]:
            if (tube["fcs"], tube["stimulation"], tube["reagent"]) == (fcs, stimulation, reagent):
                course: Mapping[str, Any] | None = tube.get("course")
                return course
        return None

    def target(self, reagent: str) -> Mapping[str, Any] | None:
        """Return the target histogram of a reagent, or None where it was not measured."""
        return next((target for target in self.index["targets"] if target["reagent"] == reagent), None)

    @property
    def activation(self) -> Mapping[str, Any] | None:
        """The CD69 histogram, or None where it was not measured."""
        activation: Mapping[str, Any] | None = self.index.get("activation")
        return activation


NOTHING = Densities({"tubes": [], "targets": [], "activation": None}, {})


def read_densities(path: str | Path, result: Result) -> Densities:
    """Read the ``densities.npz`` of a result; its arrays are unpacked when they are asked for.

    Raises RecordError for a file that is not the one that was written with the result, byte for byte.
    """
    if result.densities is None:
        raise RecordError(path, "is not named by the result beside it.", _AGAIN)
    try:
        content = read_bounded(path, MOST_BYTES)
    except FileNotFoundError:
        raise RecordError(path, "is not there.", _AGAIN) from None
    except JsonFault as error:
        raise RecordError(path, str(error), _AGAIN) from None
    if hashlib.sha256(content).hexdigest() != result.densities:
        found = "is not the file that was written with the result beside it: its digest is another one."
        raise RecordError(path, found, _AGAIN)
    arrays = _Packed(content)
    return Densities(index=json.loads(str(arrays["index"])), arrays=arrays)


class _Packed(Mapping[str, NDArray[Any]]):
    """The arrays of an npz file, each unpacked once when it is asked for: of a control a report needs but a few.

    It holds a hundred small arrays, whose headers take NumPy longer to parse than their numbers to unpack.
    """

    def __init__(self, content: bytes) -> None:
        self._file = zipfile.ZipFile(io.BytesIO(content))
        self._unpacked: dict[str, NDArray[Any]] = {}

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._unpacked:
            self._unpacked[name] = _array(self._file.read(f"{name}.npy"))
        return self._unpacked[name]

    def __iter__(self) -> Iterator[str]:
        return (name.removesuffix(".npy") for name in self._file.namelist())

    def __len__(self) -> int:
        return len(self._file.namelist())


def _array(content: bytes) -> NDArray[Any]:
    """Return an array in NumPy's format NPY 1.0 (numpy.lib.format)."""
    start = 10 + int.from_bytes(content[8:10], "little")
    shape, dtype = _layout(content[:start])
    return np.frombuffer(content, dtype, offset=start).reshape(shape)


@cache
def _layout(header: bytes) -> tuple[tuple[int, ...], np.dtype[Any]]:
    file = io.BytesIO(header)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("an array of another version than NPY 1.0")
    shape, by_columns, dtype = np.lib.format.read_array_header_1_0(file)
    if by_columns and len(shape) > 1:
        raise ValueError("an array stored by columns")
    return shape, dtype


def readable_ticks(
    ticks: Sequence[tuple[float, str]], letter: float, line: float = 0.0
) -> list[tuple[float, float, str]]:
    """Return tick, place of its label and label, from the top down, without labels that would touch.

    All places are fractions of the axis. ``letter`` is the width of a letter, for labels that stand beside each other;
    ``line`` the height of a line, for labels that stand above each other. At the upper end labels are moved inwards.
    """
    chosen: list[tuple[float, float, str]] = []
    free = 1.0 + letter
    for fraction, label in sorted(ticks, reverse=True):
        # Superscripts are about half as wide as other letters.
        width = letter * sum(0.6 if sign in "⁰¹²³⁴⁵⁶⁷⁸⁹⁻" else 1.0 for sign in label) + line
        place = min(fraction, 1.0 + letter - width / 2)
        if 0 <= fraction <= 1 and label and place + width / 2 <= free:
            chosen.append((fraction, place, label))
            free = place - width / 2 - letter / 2
    return chosen
