"""Real cells to mix at known fractions: expressing ones, their background, and what is known of both."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import flowio
import numpy as np

from benchmarks.common.places import REAL
from benchmarks.mixture.trials import limits
from cd40l_flow.assay.gating_limits import ScaleLimits
from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.checks.bending import LEAST
from cd40l_flow.mixture.components import background_component
from cd40l_flow.mixture.histogram import bin_of, histogram
from cd40l_flow.mixture.prior import NOTHING_KNOWN
from cd40l_flow.mixture.problem import Problem, find_starts
from cd40l_flow.mixture.signal_law import BENDS
from cd40l_flow.signal.scale import Scale, choose_scale, robust_sd

ONLY_DARK = 30.0  # logit of a weight of all cells
SHIFT_MAX = 1.0
KERNEL = 0.01  # on the logicle scale, a tenth of a natural logarithm: what distinguishes the copies of a cell


@dataclass(frozen=True)
class Stain:
    """Real cells of one stain, linear values: those with expressing ones among them, (n,), and their background, (m,).

    ``darkness``, (n,), is the probability of each cell to be a negative one, by the fit of the whole file.
    ``channels`` is the number of channels per decade of a log amplifier, None of linear data; its ``floor`` is 1.
    """

    name: str
    cells: Floats
    background: Floats
    scale: Scale
    channels: float | None
    darkness: Floats

    @property
    def floor(self) -> float | None:
        """The lowest value that the instrument writes, None where it writes any."""
        return None if self.channels is None else 1.0

    def written(self, values: Floats) -> Floats:
        """Return values as the instrument writes them: in whole channels of a log amplifier."""
        if self.channels is None:
            return values
        channels = np.round(np.log10(np.maximum(values, 1.0)) * self.channels)
        found: Floats = 10 ** (channels / self.channels)
        return found

    def copies(self, random: np.random.Generator, pool: Floats, n: int) -> Floats:
        """Return ``n`` cells of a pool drawn with a smooth bootstrap (Silverman 1986, section 6.4).

        Each is a real cell moved by a little on the logicle scale, or by as much in whole channels above the floor.
        """
        values, noise = pool[random.integers(0, pool.size, n)], random.standard_normal(n)
        if self.channels is None:
            return self.scale.inverse(self.scale.forward(values) + KERNEL * noise)
        channel = np.round(np.log10(values) * self.channels)
        moved = channel + np.round(KERNEL * self.scale.m * self.channels * noise)
        found: Floats = 10 ** (np.where(channel > 0, np.maximum(moved, 0), 0) / self.channels)
        return found


def binned(values: Floats, scale: Scale) -> Floats:
    """Return the binned cells of a scale."""
    return histogram(scale.forward(values), limits().mixture.bins)


@cache
def stains() -> dict[str, Stain]:
    """Return the stains by name; FileNotFoundError where the recordings are missing."""
    return {name: make() for name, make in MAKERS.items()}


def _read(path: str) -> tuple[Floats, dict[str, int]]:
    data = flowio.FlowData(str(REAL / path), ignore_offset_error=True)
    values = np.reshape(np.asarray(data.events, dtype=np.float64), (-1, data.channel_count))
    names: dict[str, int] = {}
    for number, channel in data.channels.items():
        column = int(number) - 1
        decades, least = channel["pne"]
        if decades > 0:
            values[:, column] = 10 ** (decades * values[:, column] / float(channel["pnr"])) * (least or 1.0)
        for key in ("pns", "pnn"):
            names.setdefault(channel[key].strip(), column)
    return values, names


def _stain(name: str, cells: Floats, background: Floats, top: float, channels: float | None = None) -> Stain:
    scale = choose_scale(top, np.concatenate((cells, background)), robust_sd(background), _display(), "benchmark")
    floor = 0 if channels is None else bin_of(scale.to_scaled(1.0), limits().mixture.bins)
    counts = binned(cells, scale)
    plain = Problem(counts, background_component(binned(background, scale), scale, floor), NOTHING_KNOWN, SHIFT_MAX)
    straight = plain.solve(*find_starts(plain))
    # The law may bend whatever the file's size: with more cells than the file has, it would.
    bent = replace(plain, bending=LEAST**2 * np.eye(BENDS.size))
    theta = bent.solve(np.append(straight.theta, np.zeros(BENDS.size))).theta
    whole, dark = (bent.components(np.append(logit, theta[1:]))[0] for logit in (theta[0], ONLY_DARK))
    share = np.clip(dark / whole / (1 + math.exp(-theta[0])), 0.0, 1.0)
    share = np.pad(share, (0, counts.size - share.size))
    # A real cell is taken for negative or not by a smooth share of its bin: the cells keep their own shape.
    places = [bin_of(float(value), counts.size) for value in scale.forward(cells)]
    return Stain(name, cells, background, scale, channels, share[places])


def _display() -> ScaleLimits:
    return ScaleLimits()


def _cd154() -> Stain:
    values, at = _read("stimulated/cytofkit_130515_C2_stim_CD19-.fcs")
    seen = np.arcsinh(values / 5)
    helper = (seen[:, at["CD3"]] > 2.5) & (seen[:, at["CD8"]] < 2) & (seen[:, at["GDTCR"]] < 2)
    none = seen[:, at["CD3"]] < 1
    target = values[:, at["CD154"]]
    return _stain("CD154, mass cytometry", target[helper], target[none], 3991.0)


def _cxcr3() -> Stain:
    found = []
    for tube, dye in ((2, "PE CXCR3"), (3, "PE CCR3")):
        values, at = _read(f"stimulated/FACSCalibur_tube{tube}.fcs")
        forward, side = values[:, at["FSC-H"]], values[:, at["SSC-H"]]
        kept = (forward > 250) & (forward < 600) & (side < 250) & (values[:, at["PP CD8"]] > 100)
        found.append(values[kept, at[dye]])
    return _stain("CXCR3-PE over CCR3-PE", found[0], found[1], 1e4, channels=256.0)


def _cd69() -> Stain:
    def helper(number: int) -> Floats:
        values, at = _read(f"activation/Activation_{number}.fcs")
        with (REAL / "activation" / "spillover.csv").open(encoding="utf-8") as file:
            head, *rows = list(csv.reader(file))
        columns = [at[name] for name in head[1:]]
        matrix = np.array([[float(value) for value in row[1:]] for row in rows])
        values[:, columns] = values[:, columns] @ np.linalg.inv(matrix)
        forward, side = values[:, at["FSC-A"]], values[:, at["SSC-A"]]
        kept = (forward > 3e4) & (forward < 1.8e5) & (side < 1e5) & (values[:, at["Alexa Fluor 700-A"]] > 2000)
        kept &= (values[:, at["PE-A"]] > 700) & (values[:, at["Alexa Fluor 405-A"]] < 4000)
        return values[kept, at["7-AAD-A"]]

    return _stain("CD69, mouse CD4 T cells", helper(31), np.concatenate((helper(25), helper(9))), 262144.0)


MAKERS: dict[str, Callable[[], Stain]] = {"CD154": _cd154, "CXCR3": _cxcr3, "CD69": _cd69}


@dataclass(frozen=True)
class Blood:
    """Where the cells of a titration come from: all of a stain's, drawn anew each time, or two halves of them.

    Drawn anew (``halves`` False), control, patient and their background tubes are samples of the same laws, of any
    size. Of halves, the control's expressing cells are one half and the patient's the other, each cell once, and so it
    is with the tube's background cells and those without expression in the samples.
    """

    stain: Stain
    halves: bool
    expressing: tuple[Floats, Floats]
    dark: tuple[Floats, Floats]

    @classmethod
    def of(cls, stain: Stain, random: np.random.Generator, *, halves: bool) -> Blood:
        """Return the cells in a random order; each counts as expressing by its darkness."""
        lit = random.permutation(stain.cells[random.random(stain.cells.size) >= stain.darkness])
        dark = random.permutation(stain.background)
        if not halves:
            return cls(stain, halves, (lit, lit), (dark, dark))
        return cls(stain, halves, (lit[::2], lit[1::2]), (dark[::2], dark[1::2]))

    def _drawn(self, random: np.random.Generator, pool: Floats, n: int) -> Floats:
        return random.permutation(pool)[:n] if self.halves else self.stain.copies(random, pool, n)

    def tube(self, random: np.random.Generator, n: int) -> Floats:
        """Return a background tube's cells, (n,), or as many as the half has."""
        return self._drawn(random, self.dark[0], n)

    def sample(
        self,
        random: np.random.Generator,
        n: int,
        negative: float,
        *,
        control: bool = False,
        level: float = 1.0,
        spread: float = 1.0,
    ) -> Floats:
        """Return the cells of a person, (n,) or fewer of a half, a fraction of them from the background.

        The light of the expressing ones is multiplied by ``level``, and its logarithm stretched about the median by
        ``spread``.
        """
        lost = int(random.binomial(n, negative))
        values = self._drawn(random, self.expressing[0 if control else 1], n - lost).copy()
        if values.size and (level != 1.0 or spread != 1.0):
            dark = float(np.median(self.stain.background))
            above = values > dark
            light = np.log(values[above] - dark)
            middle = float(np.median(light))
            values[above] = dark + np.exp(middle + math.log(level) + spread * (light - middle))
            values = self.stain.written(values)
        return np.concatenate((values, self._drawn(random, self.dark[1], lost)))
