"""The binned data of ``densities.npz``, which all figures are drawn from."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from cd40l_flow.base.errors import RecordError
from cd40l_flow.base.model import Arrays, NewArrays
from cd40l_flow.base.plain_json import JsonFault, read_bounded
from cd40l_flow.figures.plots import (
    ActivationPlot,
    AnyPanel,
    Course,
    Panel,
    PlotIndex,
    QuadrantPlot,
    TargetPlot,
    TubePlots,
    read_index,
)
from cd40l_flow.result.types.result import Result

Counts = NDArray[np.float64]
MOST_BYTES = 1_000_000_000  # of five tubes 130 kB
_AGAIN = "Analyse the sample again."


@dataclass(frozen=True)
class Densities:
    """The index of one sample's binned data and the arrays it names."""

    index: PlotIndex
    arrays: Arrays

    def counts(self, name: str | None) -> Counts | None:
        """Return an array by the name the index gives it, or None where the index has none."""
        return None if name is None else np.asarray(self.arrays[name], dtype=np.float64)

    def picture(self, panel: Panel) -> bytes:
        """Return the picture of a panel, a PNG."""
        begin, end = panel.picture
        return self.arrays["pictures"][begin:end].tobytes()

    def panels(self, fcs: str, stimulation: str, reagent: str) -> Sequence[AnyPanel]:
        """Return the panels of one tube; a combined tube appears once for each reagent."""
        tube = self._tube(fcs, stimulation, reagent)
        return tube.panels if tube is not None else ()

    def course(self, fcs: str, stimulation: str, reagent: str) -> Course | None:
        """Return the course in time of one tube, or None where time is not known."""
        tube = self._tube(fcs, stimulation, reagent)
        return tube.course if tube is not None else None

    def target(self, reagent: str) -> TargetPlot | None:
        """Return the target histogram of a reagent, or None where it was not measured."""
        return next((target for target in self.index.targets if target.reagent == reagent), None)

    def quadrants(self, reagent: str) -> QuadrantPlot | None:
        """Return CD69 against a reagent's target, or None where it was not measured."""
        return next((plot for plot in self.index.scatter if plot.reagent == reagent), None)

    @property
    def activation(self) -> ActivationPlot | None:
        """The CD69 histogram, or None where it was not measured."""
        return self.index.activation

    def _tube(self, *names: str) -> TubePlots | None:
        """Return a tube by what it is called: fcs, stimulation and reagent."""
        return next((tube for tube in self.index.tubes if (tube.fcs, tube.stimulation, tube.reagent) == names), None)


NOTHING = Densities(PlotIndex(), {})


def read_densities(path: str | Path, result: Result) -> Densities:
    """Read the ``densities.npz`` of a result; its arrays are unpacked when they are asked for.

    Raises RecordError for a file that is not the one that was written with the result, byte for byte.
    """
    if result.densities is None:
        raise RecordError(path, "is not named by the result next to it.", _AGAIN)
    try:
        content = read_bounded(path, MOST_BYTES)
    except FileNotFoundError:
        raise RecordError(path, "is not there.", _AGAIN) from None
    except JsonFault as error:
        raise RecordError(path, str(error), _AGAIN) from None
    if hashlib.sha256(content).hexdigest() != result.densities:
        found = "is not the file that was written with the result next to it: its digest differs."
        raise RecordError(path, found, _AGAIN)
    arrays = _Packed(content)
    try:
        return Densities(read_index(str(arrays["index"])), arrays)
    except msgspec.ValidationError as error:
        raise RecordError(path, f"holds what no figure is drawn from: {error}.", _AGAIN) from None


class _Packed(Mapping[str, NDArray[np.generic]]):
    """The arrays of an npz file, each unpacked once when it is asked for: a report needs only a few of a control.

    It holds a hundred small arrays, whose headers take NumPy longer to parse than their numbers to unpack.
    """

    def __init__(self, content: bytes) -> None:
        self._file = zipfile.ZipFile(io.BytesIO(content))
        self._unpacked: NewArrays = {}

    def __getitem__(self, name: str) -> NDArray[np.generic]:
        if name not in self._unpacked:
            self._unpacked[name] = _array(self._file.read(f"{name}.npy"))
        return self._unpacked[name]

    def __iter__(self) -> Iterator[str]:
        return (name.removesuffix(".npy") for name in self._file.namelist())

    def __len__(self) -> int:
        return len(self._file.namelist())


def _array(content: bytes) -> NDArray[np.generic]:
    """Return an array in NumPy's format NPY 1.0 (numpy.lib.format)."""
    start = 10 + int.from_bytes(content[8:10], "little")
    shape, dtype = _layout(content[:start])
    return np.frombuffer(content, dtype, offset=start).reshape(shape)


@cache
def _layout(header: bytes) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
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

    All places are fractions of the axis. ``letter`` is the width of a letter, for labels next to each other;
    ``line`` the height of a line, for labels above each other. At the upper end labels are moved inwards.
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
