"""Titrations: real cells mixed at known fractions, measured as samples are, and the page of them."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from benchmarks.mixture.page import rms
from benchmarks.mixture.sample_case import REAGENT, judged
from benchmarks.mixture.trials import limits
from benchmarks.real.cells import MAKERS, SHIFT_MAX, Blood, Stain, binned, stains
from cd40l_flow.base.model import Floats
from cd40l_flow.decision.control import control_terms
from cd40l_flow.mixture.components import Background, background_component
from cd40l_flow.mixture.histogram import bin_of, histogram
from cd40l_flow.mixture.measures import TargetCells, fit
from cd40l_flow.mixture.model import Anchor, Expression
from cd40l_flow.mixture.prior import NOTHING_KNOWN, Prior
from cd40l_flow.mixture.problem import Problem, find_starts
from cd40l_flow.mixture.proportion import wilson
from cd40l_flow.mixture.signal_law import BENDS

SIZES = (500, 2000, 5000, 20_000)
HALF_SIZES = (500, 800)  # of the smaller recordings a half has no more expressing cells
FRACTIONS = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95)
HEALTHY = 0.1
CONTROL_CELLS, TUBE_CELLS = 10_000, 5000
BETWEEN_LEVELS, BETWEEN_SPREADS = 0.25, 0.07  # standard deviations of natural logarithms, between people
SAME, DIFFERS, HALVES = "same", "differs", "halves"
LEAST = 0.93  # coverage
KNOWN = 100_000  # cells of either kind from which the best fit determines the law
SURE = 1e-3  # what is left open of it
NO_WRONG = ("NORMAL", "MOSAIC", "REDUCED", "ABSENT")


@dataclass(frozen=True)
class Cell:
    """One cell of the table: a stain, a kind of control, and a number of cells."""

    stain: str
    kind: str
    n: int


@dataclass(frozen=True)
class Titrated:
    """One titration: the truth, what was found, the control's, the best fit with shapes known, and the call."""

    truth: float
    estimate: float
    low: float
    high: float
    control: float
    control_low: float
    control_high: float
    known: float
    doubted: bool
    call: str
    expressing: int
    seconds: float

    @property
    def covered(self) -> bool:
        """Whether the interval holds the truth."""
        return self.low <= self.truth <= self.high

    @property
    def wrong(self) -> bool:
        """Whether the call contradicts the mixture: fewer expressing cells, all at their own level.

        Too few of them to be reported as a second kind (`minor_quantify`) leave ABSENT.
        """
        mutant = 1 - (1 - self.truth) / (1 - HEALTHY)
        if mutant <= 0:
            return self.call in ("MOSAIC", "REDUCED", "ABSENT", "FUNCTIONAL_DEFECT")
        right = ("MOSAIC", "NORMAL") if mutant < 0.15 else ("MOSAIC",)
        if self.expressing < limits().guards.minor_quantify:
            right = ("MOSAIC", "ABSENT")
        return self.call in NO_WRONG and self.call not in right


@cache
def known_law(name: str) -> Prior:
    """Return the law of a stain's expressing cells as a prior that leaves nothing but its level open.

    It is the bent law that fits very many of them best, their number among as many of the background being known.
    """
    stain = stains()[name]
    random = np.random.default_rng(KNOWN)
    lit = stain.cells[random.choice(stain.cells.size, KNOWN, p=(1 - stain.darkness) / (1 - stain.darkness).sum())]
    dark = stain.copies(random, stain.background, KNOWN)
    counts = binned(np.concatenate((stain.copies(random, lit, KNOWN), dark)), stain.scale)
    background = component(stain, stain.copies(random, stain.background, KNOWN))
    plain = Problem(counts, background, NOTHING_KNOWN, SHIFT_MAX, weight=0.0)
    straight = plain.solve(*find_starts(plain)).theta
    bent = replace(plain, bending=np.eye(BENDS.size))
    law = bent.law(bent.solve(np.append(straight, np.zeros(BENDS.size))).theta)
    return Prior(law, SURE**2 * np.eye(3))


def component(stain: Stain, tube: Floats) -> Background:
    """Return the negative component of a background tube's linear values."""
    floor = 0 if stain.floor is None else bin_of(stain.scale.to_scaled(stain.floor), limits().mixture.bins)
    return background_component(binned(tube, stain.scale), stain.scale, floor)


def best_known(stain: str, counts: Floats, tube: Floats) -> float:
    """Return the negative fraction of binned cells, (bins,), by the same fit where the law's shape is known."""
    case = Problem(counts, component(stains()[stain], tube), known_law(stain), SHIFT_MAX)
    return 1 / (1 + math.exp(-float(case.solve(*find_starts(case)).theta[0])))


def measured(stain: Stain, values: Floats, tube: Floats, control: Expression | None) -> Expression:
    """Return the measures of cells with a background tube, linear values, as a run makes them."""
    bins = limits().mixture.bins
    anchor = Anchor(histogram(stain.scale.forward(tube), bins), "isotype", ("b.fcs",), exact=True, floor=stain.floor)
    control_result = None if control is None else control_terms(control, limits())
    return fit(TargetCells(values, tube), anchor, stain.scale, limits(), reagent=REAGENT, control=control_result)


def titrated(cell: Cell, seed: int, number: int) -> Titrated:
    """Return one seeded titration of a cell of the table."""
    stain = stains()[cell.stain]
    random = np.random.default_rng((seed, list(MAKERS).index(cell.stain), len(cell.kind), cell.n, number))
    blood = Blood.of(stain, random, halves=cell.kind == HALVES)
    level = spread = 1.0
    if cell.kind == DIFFERS:
        level = math.exp(random.normal(0.0, BETWEEN_LEVELS))
        spread = math.exp(random.normal(0.0, BETWEEN_SPREADS))
    truth = FRACTIONS[number % len(FRACTIONS)]
    most = HALF_SIZES[-1] if cell.kind == HALVES else CONTROL_CELLS
    theirs = measured(stain, blood.sample(random, most, HEALTHY, control=True), blood.tube(random, TUBE_CELLS), None)
    values = blood.sample(random, cell.n, truth, level=level, spread=spread)
    tube = blood.tube(random, TUBE_CELLS)
    start = time.process_time()
    own = measured(stain, values, tube, theirs)
    seconds = time.process_time() - start
    called = judged(own, control_terms(theirs, limits()))
    return Titrated(
        truth=truth,
        estimate=_known(own.negative_fraction),
        low=_known(own.negative_fraction_low),
        high=_known(own.negative_fraction_high),
        control=_known(theirs.negative_fraction),
        control_low=_known(theirs.negative_fraction_low),
        control_high=_known(theirs.negative_fraction_high),
        known=best_known(cell.stain, own.counts, tube),
        doubted=bool(own.at_bound) or own.converged is False or _known(own.model_error) > 0,
        call=called.subcall.call,
        expressing=round((1 - truth) * cell.n),
        seconds=seconds,
    )


def _known(value: float | None) -> float:
    return math.nan if value is None else value


def cells() -> list[Cell]:
    """Return the cells of the table."""
    sizes = {SAME: SIZES, DIFFERS: SIZES, HALVES: HALF_SIZES}
    return [Cell(stain, kind, n) for stain in MAKERS for kind, some in sizes.items() for n in some]


def page(found: dict[Cell, list[Titrated]], samples: int, seed: int) -> str:
    """Return the page."""
    every = [one for several in found.values() for one in several]
    same = [one for cell, several in found.items() if cell.kind != DIFFERS for one in several]
    wrong = sum(one.wrong for one in every)
    called = sum(one.call in NO_WRONG for one in every)
    rows = "\n".join(_row(cell, several) for cell, several in found.items())
    sizes = ", ".join(
        f"{stain.name}: {stain.cells.size:,} cells, {stain.background.size:,} of the background"
        for stain in stains().values()
    )
    return f"""# Real cells at known fractions

Written by `python -m benchmarks.real --samples {samples} --seed {seed}`: {samples} titrations in each row, 0 to 95 %
negative. Negative cells are real cells of the background, expressing ones real cells of the stain ({sizes}). Which of
a stain's own cells express is nobody's knowledge: each counts as expressing with the probability that a fit of the
whole recording gives it, its law free to bend. What is known is then exact: how many of a sample's cells come from the
background.

*same*: control (10,000 cells, 10 % negative) and sample are draws of the same law, each cell a real one moved by a
tenth of a natural logarithm at most (a smooth bootstrap), so that there can be more of them than were recorded;
*differs*: the sample's light is another person's, its level by a standard deviation of {BETWEEN_LEVELS:g} and its
spread by {BETWEEN_SPREADS:g} natural logarithms; *halves*: control and sample are the two halves of the recording, no
cell twice. Background tubes have 5,000 cells (of halves, half the recording's).

Coverage of 95 % intervals is **{_percent([one.covered for one in every])}** in all,
{_percent([one.covered for one in same])} where control and sample are alike (target {100 * LEAST:g} %); bold is a row
whose upper 95 % bound lies below {100 * LEAST:g} %. *Shape known* is the RMS of the same fit where the law's shape, but
not its level nor the background's shift, is known from {KNOWN:,} cells. The control's column is of its own fit, which
has no control. *Wrong* are calls of one reagent that contradict the mixture (a mosaic below 15 % may be called
normal, one of fewer than {limits().guards.minor_quantify} expressing cells absent):
{wrong} of {called:,} that were called. *Doubt* is the share of fits that give an error of the model, or are at a bound.

| stain | control | cells | RMS | bias | shape known | RMS / it | covered | width | control covered | wrong | doubt |
|---|---|---|---|---|---|---|---|---|---|---|---|
{rows}

Processor time of all measures of one sample: median {1e3 * float(np.median([one.seconds for one in every])):.0f} ms.
"""


def _row(cell: Cell, several: Sequence[Titrated]) -> str:
    truth, estimate, low, high, known = (
        np.array([getattr(one, name) for one in several]) for name in ("truth", "estimate", "low", "high", "known")
    )
    covered = [one.covered for one in several]
    _, upper = wilson(float(np.mean(covered)), len(covered))
    shown = _percent(covered)
    least = rms(known - truth)
    theirs = _percent([one.control_low <= HEALTHY <= one.control_high for one in several])
    fields = (
        stains()[cell.stain].name,
        cell.kind,
        f"{cell.n:,}",
        f"{rms(estimate - truth):.4f}",
        f"{float(np.mean(estimate - truth)):+.4f}",
        f"{least:.4f}",
        f"{rms(estimate - truth) / least:.2f}",
        f"**{shown}**" if upper < LEAST else shown,
        f"{float(np.mean(high - low)):.4f}",
        theirs,
        str(sum(one.wrong for one in several)),
        _percent([one.doubted for one in several]),
    )
    return f"| {' | '.join(fields)} |"


def _percent(several: Sequence[bool]) -> str:
    return f"{100 * float(np.mean(several)):.1f} %"
