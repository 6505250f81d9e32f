"""B cells, stains, cytometers and files of `memory_independent`: no code and no law of the product's simulator.

Levels are arbitrary units of dye. CD27 of memory cells follows a gamma, Weibull or log-logistic law, or a mixture of a
dim and a bright one; IgD and IgM follow gamma laws; what sticks is exponential; noise is Gaussian with a variance that
grows with the signal and its square; the matrix that a file states is not quite the true one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.independent.files import assembled

Floats = NDArray[np.float64]
T, NK, B, MONOCYTE, GRANULOCYTE, JUNK = range(6)
SUBSETS = ("immature", "naive", "marginal", "switched", "m-only", "exhausted", "plasma")
IMMATURE, NAIVE, MARGINAL, SWITCHED, M_ONLY, EXHAUSTED, PLASMA = range(7)
LAWS = ("gamma", "weibull", "log-logistic", "dim and bright")
MARKERS = ("CD19", "CD27", "IgD", "IgM", "CD3", "CD38", "CD24", "viability")
# Of each subset: CD38 and CD24 (medians, units of dye), IgD and IgM over naive cells'.
_CD38 = (6000.0, 900.0, 250.0, 150.0, 150.0, 500.0, 15_000.0)
_CD24 = (4000.0, 800.0, 2200.0, 2000.0, 2000.0, 500.0, 30.0)
_IGD = (0.7, 1.0, 0.45, 0.0, 0.0, 0.0, 0.0)
_IGM = (2.2, 1.0, 1.7, 0.0, 2.2, 0.1, 0.0)
STUCK = 6.0  # units of every antibody on a clean cell
LYMPHOCYTE_LIGHT = 15.0  # own light of a lymphocyte in every detector, channels


@dataclass(frozen=True)
class Blood:
    """A donor's blood and what became of it: everything that its tubes share.

    ``subsets`` are the shares of `SUBSETS`; ``b`` is the share of B cells among lymphocytes. ``memory_27`` is mean CD27
    of memory cells in units of dye, ``law`` its law, ``shape`` how narrow. ``eaten`` is what plasma leaves of IgD and
    IgM, ``lost`` what age leaves of CD27; ``held`` B cells on T cells, as a share of the B cells.
    """

    subsets: tuple[float, ...] = (0.05, 0.66, 0.10, 0.14, 0.005, 0.035, 0.01)
    b: float = 0.12
    memory_27: float = 160.0
    law: str = "gamma"
    shape: float = 2.5
    naive_27: float = 4.0
    igd: float = 900.0
    igm: float = 250.0
    igd_shape: float = 3.0
    eaten: float = 1.0
    lost: float = 1.0
    held: float = 0.0
    dead: float = 0.05
    junk: float = 0.06
    granulocytes: float = 0.02
    monocytes: float = 0.08
    stickiness: float = 1.0


@dataclass(frozen=True)
class Cytometer:
    """A laboratory's instrument and panel: marker -> (detector, label), and how files are written.

    ``spill`` lists (dye, seen in, fraction); ``gain`` makes channels of units of dye; ``bits`` is 0 for floating point;
    ``log`` instruments write 1,024 channels of four decades, compensated before the amplifier.
    """

    name: str
    panel: Mapping[str, tuple[str, str]]
    spill: tuple[tuple[str, str, float], ...]
    version: str = "FCS3.1"
    matrix: str = "$SPILLOVER"
    gain: float = 4.0
    range: int = 262144
    bits: int = 0
    log: bool = False
    noise: float = 18.0  # channels
    width: bool = False
    fmo: tuple[str, ...] = ("memory-FMO27",)
    matrix_error: float = 0.03


@dataclass(frozen=True)
class Tube:
    """One tube as drawn: stained light before the instrument, and what each event is, arrays of (events,)."""

    columns: dict[str, Floats]
    kind: NDArray[np.intp]
    subset: NDArray[np.intp]
    one: NDArray[np.bool_]
    live: NDArray[np.bool_]
    stuck: dict[str, Floats] = field(default_factory=dict)

    def b_cells(self) -> NDArray[np.bool_]:
        """Return which events are live single B cells."""
        found: NDArray[np.bool_] = self.one & self.live & (self.kind == B)
        return found


def memory_27(blood: Blood, count: int, random: np.random.Generator) -> Floats:
    """Return CD27 of memory cells, (count,), by the donor's law; its mean is ``blood.memory_27`` throughout."""
    k = blood.shape
    if blood.law == "gamma":
        drawn = random.gamma(k, 1.0 / k, count)
    elif blood.law == "weibull":
        power = 0.62 * k
        drawn = random.weibull(power, count) / math.gamma(1.0 + 1.0 / power)
    elif blood.law == "log-logistic":
        power = 1.1 * k
        drawn = random.uniform(1e-6, 1 - 1e-6, count)
        drawn = (drawn / (1.0 - drawn)) ** (1.0 / power) / (math.pi / power / math.sin(math.pi / power))
    elif blood.law == "dim and bright":
        dim = random.random(count) < 0.4
        drawn = np.where(dim, 0.5, 1.333) * random.gamma(2.0 * k, 0.5 / k, count)
    else:
        raise ValueError(f"There is no law {blood.law!r}; there are {', '.join(LAWS)}.")
    return np.asarray(blood.memory_27 * drawn, dtype=np.float64)


def draw_tube(blood: Blood, reagent: str, events: int, random: np.random.Generator) -> Tube:
    """Return the events of one tube; ``reagent`` is ``memory`` or a tube without some of its dyes."""
    share = np.zeros(6)
    share[[MONOCYTE, GRANULOCYTE, JUNK]] = blood.monocytes, blood.granulocytes, blood.junk
    rest = 1.0 - share.sum()
    share[[T, NK, B]] = rest * (1 - blood.b) * 0.87, rest * (1 - blood.b) * 0.13, rest * blood.b
    kind = random.choice(6, size=events, p=share / share.sum())
    subset = np.where(kind == B, random.choice(7, size=events, p=np.array(blood.subsets) / sum(blood.subsets)), -1)
    live = random.random(events) >= blood.dead
    light = _stain(blood, reagent, kind, subset, live, random)
    fsc = np.choose(kind, [76e3, 78e3, 74e3, 118e3, 125e3, 12e3]) * (1 + 0.10 * random.standard_normal(events))
    ssc = np.choose(kind, [26e3, 29e3, 25e3, 66e3, 160e3, 9e3]) * random.gamma(30.0, 1 / 30.0, events)
    fsc, ssc = np.where(live, fsc, 0.62 * fsc), np.where(live, ssc, 1.6 * ssc)
    height = fsc * (0.80 + 0.012 * random.standard_normal(events))
    # Of two cells in one pulse the light adds up and the height does not.
    pair = np.flatnonzero(random.random(events) < 0.03)
    other = random.integers(0, events, pair.size)
    light = {marker: _added(values, pair, values[other]) for marker, values in light.items()}
    height = _raised(height, pair, np.maximum(height[pair], height[other]) * 1.08)
    fsc, ssc = _added(fsc, pair, fsc[other]), _added(ssc, pair, ssc[other])
    one = np.ones(events, dtype=np.bool_)
    one[pair] = False
    b_cells, t_cells = np.flatnonzero((kind == B) & one), np.flatnonzero((kind == T) & one)
    holding = random.choice(t_cells, size=min(t_cells.size, round(blood.held * b_cells.size)), replace=False)
    given = random.choice(b_cells, size=holding.size) if b_cells.size else holding
    # Membrane of a B cell that a T cell tore off: some of CD19, next to nothing of its immunoglobulin.
    for marker, torn in (("CD19", 0.5), ("IgD", 0.03), ("IgM", 0.03), ("CD24", 0.2)):
        light[marker] = _added(light[marker], holding, torn * light[marker][given])
    one[holding] = False
    time = np.cumsum(random.gamma(0.8, 1.0, events)) * 0.004
    columns = {"FSC-A": fsc, "FSC-H": height, "SSC-A": ssc, "time": time, **light}
    return Tube(
        {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}, kind, subset, one, live
    )


def _added(values: Floats, at: NDArray[np.intp], more: Floats) -> Floats:
    changed = values.copy()
    changed[at] += more
    return changed


def _raised(values: Floats, at: NDArray[np.intp], to: Floats) -> Floats:
    changed = values.copy()
    changed[at] = to
    return changed


def _stain(
    blood: Blood,
    reagent: str,
    kind: NDArray[np.intp],
    subset: NDArray[np.intp],
    live: NDArray[np.bool_],
    random: np.random.Generator,
) -> dict[str, Floats]:
    """Return units of dye on every cell, by marker."""
    events = kind.size
    b = kind == B

    def gamma(shape: float) -> Floats:
        return np.asarray(random.gamma(shape, 1.0 / shape, events), dtype=np.float64)

    def of_subset(column: tuple[float, ...]) -> Floats:
        return np.asarray(np.where(b, np.array([*column, 0.0])[subset], 0.0), dtype=np.float64)

    sticky = blood.stickiness * STUCK * random.exponential(1.0, events) * np.choose(kind, [1, 1, 1, 4, 4, 0.5])
    sticky *= np.where(live, 1.0, 12.0)
    cd27 = np.where(b & (subset == PLASMA), 2200.0 * gamma(2.0), 0.0)
    memory = b & np.isin(subset, (MARGINAL, SWITCHED, M_ONLY))
    cd27[memory] = memory_27(blood, int(memory.sum()), random)
    bearing = (kind == T) & (random.random(events) < 0.78)
    cd27 += np.where(bearing, 1500.0 * gamma(4.0), 0.0)
    cd27 += np.where(b & ~memory & (subset != PLASMA), blood.naive_27 * random.exponential(1.0, events), 0.0)
    of_igd, of_igm = of_subset(_IGD), of_subset(_IGM)
    igd = blood.igd * np.where(of_igd > 0, of_igd * gamma(blood.igd_shape), 0.018 * gamma(4.0))
    igm = blood.igm * np.where(of_igm > 0, of_igm * gamma(4.0), 0.12 * gamma(4.0))
    light = {
        "CD19": np.where(b, np.where(subset == PLASMA, 350.0, 700.0) * gamma(12.0), 0.0),
        "CD27": cd27 * blood.lost,
        "IgD": igd * blood.eaten,
        "IgM": igm * blood.eaten,
        "CD3": np.where(kind == T, 2500.0 * gamma(14.0), 0.0),
        "CD38": of_subset(_CD38) * gamma(4.0) + np.choose(kind, [150, 2000, 0, 1500, 50, 10]) * gamma(1.2),
        "CD24": of_subset(_CD24) * gamma(4.0) + np.where(kind == GRANULOCYTE, 6000.0, 0.0) * gamma(4.0),
        "viability": np.where(live, 12.0, 4000.0) * gamma(3.0),
    }
    added = {marker: values + (sticky if marker != "viability" else 0.0) for marker, values in light.items()}
    for marker in {"memory-FMO27": ("CD27",), "memory-FMOIg": ("IgD", "IgM")}.get(reagent, ()):
        added[marker] = np.zeros(events)
    return added


def separation(tube: Tube, cytometer: Cytometer) -> float:
    """Return Ashman's D of CD27 of memory against other B cells, inverse hyperbolic sine of 150 channels.

    The instrument's own noise is added to the variances; NaN with fewer than 20 cells of either sort.
    """
    light = tube.columns["CD27"] * cytometer.gain + LYMPHOCYTE_LIGHT
    noise = np.sqrt(cytometer.noise**2 + 3.0 * light)
    scaled, error = np.arcsinh(light / 150.0), noise / np.hypot(150.0, light)
    memory = np.isin(tube.subset, (MARGINAL, SWITCHED, M_ONLY)) & tube.b_cells()
    negative = np.isin(tube.subset, (IMMATURE, NAIVE, EXHAUSTED)) & tube.b_cells()
    if min(memory.sum(), negative.sum()) < 20:
        return math.nan
    spread = sum(float(scaled[own].var() + np.mean(error[own] ** 2)) for own in (memory, negative))
    return float(abs(scaled[memory].mean() - scaled[negative].mean()) / math.sqrt(spread / 2))


def true_spill(cytometer: Cytometer) -> Floats:
    """Return the true spillover of the panel's dyes, in the panel's order."""
    markers = list(cytometer.panel)
    matrix = np.eye(len(markers))
    for dye, seen, fraction in cytometer.spill:
        if dye in markers and seen in markers:
            matrix[markers.index(dye), markers.index(seen)] = fraction
    return matrix


def stated_spill(cytometer: Cytometer, random: np.random.Generator) -> Floats:
    """Return the matrix a laboratory works with: each spillover is off by some percent of itself."""
    true = true_spill(cytometer)
    error = 1.0 + cytometer.matrix_error * random.standard_normal(true.shape)
    return np.where(np.eye(len(true)) == 1, 1.0, true * error)


def write_tube(
    path: Path, tube: Tube, cytometer: Cytometer, stated: Floats, dyes: Mapping[str, float], random: np.random.Generator
) -> None:
    """Write one tube as its laboratory does; ``dyes`` are factors by marker, of pipetting and of the day."""
    markers, top = list(cytometer.panel), cytometer.range - 1
    scale = cytometer.range / 262144
    channels = np.column_stack([tube.columns[marker] * dyes.get(marker, 1.0) for marker in markers]) * cytometer.gain
    own = LYMPHOCYTE_LIGHT * (tube.columns["FSC-A"] / 75e3)[:, None] * random.gamma(6.0, 1 / 6.0, channels.shape)
    seen = (channels @ true_spill(cytometer) + own) * scale
    spread = np.sqrt((cytometer.noise * scale) ** 2 + 3.0 * scale * seen + (0.03 * seen) ** 2)
    seen = seen + spread * random.standard_normal(seen.shape)
    if cytometer.log:
        seen = seen @ np.linalg.inv(stated)
        seen = np.floor(np.log10(np.clip(seen / cytometer.range * 1e4, 1.0, None)) * 1024 / 4)
        top = 1023
    scatter = ["FSC-A", "SSC-A"] if cytometer.log or cytometer.width else ["FSC-A", "FSC-H", "SSC-A"]
    names, labels, amplifiers, columns = [], [], [], []
    for name in scatter:
        pulse = tube.columns[name] * (1024 / 262144 if cytometer.log else scale)
        names.append(name.replace("-A", "-H") if cytometer.log else name)
        columns.append(np.clip(pulse, 0, top))
        labels.append("")
        amplifiers.append("0,0")
    if cytometer.width:
        names.append("FSC-W")
        columns.append(np.clip(tube.columns["FSC-A"] / tube.columns["FSC-H"] * 5e4 * scale, 0, top))
        labels.append("")
        amplifiers.append("0,0")
    for marker, column in zip(markers, seen.T, strict=True):
        names.append(cytometer.panel[marker][0])
        labels.append(cytometer.panel[marker][1])
        amplifiers.append("4,1" if cytometer.log else "0,0")
        columns.append(np.minimum(column, top))
    if not cytometer.log:
        names.append("Time")
        labels.append("")
        amplifiers.append("0,0")
        columns.append(np.floor(tube.columns["time"] * 100))
    bits = 16 if cytometer.log else cytometer.bits
    data = np.column_stack(columns)
    content = np.maximum(data, 0).astype(f"<u{bits // 8}") if bits else data.astype("<f4")
    text = {
        "$BEGINANALYSIS": "0", "$ENDANALYSIS": "0", "$BEGINSTEXT": "0", "$ENDSTEXT": "0", "$NEXTDATA": "0",
        "$MODE": "L", "$BYTEORD": "1,2,3,4", "$DATATYPE": "I" if bits else "F", "$PAR": str(len(names)),
        "$TOT": str(len(data)), "$CYT": cytometer.name, "$BTIM": "11:00:00", "$ETIM": "11:04:00",
    }  # fmt: skip
    text |= {} if cytometer.log else {"$TIMESTEP": "0.01"}
    for number, (name, label, amplifier) in enumerate(zip(names, labels, amplifiers, strict=True), start=1):
        most = 1024 if cytometer.log else cytometer.range
        text |= {f"$P{number}N": name, f"$P{number}B": str(bits or 32), f"$P{number}E": amplifier}
        text |= {f"$P{number}R": str(most)} | ({f"$P{number}S": label} if label else {})
    if cytometer.matrix and not cytometer.log:
        values = ",".join(f"{value:.6g}" for value in stated.ravel())
        text[cytometer.matrix] = f"{len(markers)},{','.join(cytometer.panel[m][0] for m in markers)},{values}"
    path.write_bytes(assembled(cytometer.version, text, content.tobytes()))
