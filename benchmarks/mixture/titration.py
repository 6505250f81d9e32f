"""The titration's limit compared with that of whole simulated runs; writes ``benchmarks/titration.md``.

Of each condition (instrument, stain, separation, size) one run is drawn whose control predicts the limit by counting
and overlap. Then many runs of the same condition are drawn anew, control, background tubes, shifts and all: blanks, and
samples at the limit predicted and around it. From their fractions the limit is found.
"""

from __future__ import annotations

import argparse
import math
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.common.places import PAGES
from benchmarks.mixture.physical import SCALE, Physics, draw_physics
from benchmarks.mixture.sample_case import BACKGROUND_CELLS, CONTROL_CELLS, lent_control, limits
from cd40l_flow.base.model import Floats
from cd40l_flow.decision.control import prior_of, with_titration
from cd40l_flow.mixture.components import background_component
from cd40l_flow.mixture.detection import detectable
from cd40l_flow.mixture.fit import fit_mixture
from cd40l_flow.mixture.histogram import histogram

SEPARATIONS = (2.5, 3.0, 4.0, 6.0, 8.0)
SIZES = (500, 1000, 2000, 5000)
NEGATIVE = 0.10
SHIFT = 0.5
AROUND = (0.6, 1.0, 1.6)  # times the predicted limit


@dataclass(frozen=True)
class Compared:
    """One condition: the limit predicted by one run, the limit found by many, and the seconds of the titration."""

    separation: float
    n: int
    predicted: float | None
    found: float | None
    detected: float
    drawn_detected: float | None
    drawn_error: float | None
    seconds: float

    @property
    def ratio(self) -> float:
        """Predicted over found; NaN where one is missing."""
        return math.nan if self.predicted is None or self.found is None else self.predicted / self.found


def compare(task: tuple[float, int, int, int]) -> Compared:
    """Return the two limits of one condition; the last of the task are the number of runs drawn anew and the seed."""
    separation, n, runs, seed = task
    random = np.random.default_rng((seed, round(10 * separation), n))
    physics, robust_sd = draw_physics(random, separation)
    expression, terms = lent_control(physics, robust_sd, random, negative_fraction=NEGATIVE, shift=_shift(random))
    start = time.process_time()
    titration = with_titration(terms, expression, limits()).titration
    seconds = time.process_time() - start
    if titration is None or terms.negative_fraction is None or terms.negative_fraction_sd is None:
        raise ValueError(f"no titration at D = {separation}, n = {n}")
    relative = terms.negative_fraction_sd / (1 - terms.negative_fraction)
    predicted = detectable(titration, n, relative, 0.0, limits().mixture).limit_counting
    centre = 0.2 if predicted is None else predicted
    mutants = (0.0, *(factor * centre for factor in AROUND))
    found = np.array([whole_run(physics, robust_sd, n, mutants, random) for _ in range(runs)]).T
    blank = limits().mixture.lob_z * math.sqrt(float(np.mean(found[0] ** 2)))
    lowest = found[1:].mean(axis=1) - limits().mixture.lod_z * found[1:].std(axis=1)
    detected = float(np.mean(found[1 + AROUND.index(1.0)] > blank))
    # What is surely exceeded rises with the fraction, nearly straight: a line through the three.
    slope, height = np.polyfit(mutants[1:], lowest, 1)
    limit = float((blank - height) / slope) if slope > 0 else None
    return Compared(separation, n, predicted, limit, detected, titration.drawn_detected, titration.drawn_error, seconds)


def whole_run(
    physics: Physics, robust_sd: float, n: int, mutants: tuple[float, ...], random: np.random.Generator
) -> list[float]:
    """Return the mutant fractions that one run finds in samples of true ones, not clipped at 0.

    The run has a control, and each sample a background tube, a shift and a level of its own.
    """
    prior, theirs = None, NEGATIVE
    fractions = []
    for negative, cells in ((NEGATIVE, CONTROL_CELLS), *((1 - (1 - f) * (1 - NEGATIVE), n) for f in mutants)):
        level = float(np.exp(random.uniform(math.log(0.8), math.log(1.25))))
        shift = _shift(random) * robust_sd / physics.gain
        dark = _binned(physics.cells(random, BACKGROUND_CELLS, 1.0))
        counts = _binned(physics.cells(random, cells, negative, shift, level))
        shift_max = limits().mixture.shift_max
        found = fit_mixture(counts, background_component(dark, SCALE), prior, shift_max)
        if prior is None:
            prior, theirs = prior_of(found, limits().mixture), found.negative_fraction
        else:
            fractions.append(1 - (1 - found.negative_fraction) / (1 - theirs))
    return fractions


def _binned(values: Floats) -> Floats:
    return histogram(SCALE.forward(values), limits().mixture.bins)


def _shift(random: np.random.Generator) -> float:
    return float(random.uniform(-SHIFT, SHIFT))


def page(compared: list[Compared], runs: int, seed: int) -> str:
    """Return the page."""
    within = sum(abs(math.log(one.ratio)) <= math.log(4 / 3) for one in compared if not math.isnan(one.ratio))
    rows = "\n".join(_row(one) for one in compared)
    return f"""# The titration of a run

Written by `python -m benchmarks.mixture.titration --runs {runs} --seed {seed}`.
Each row is a condition with an instrument and a stain of its
own. *Predicted* is what the titration of one run gives from its control alone: the smallest mutant fraction detected
with 95 % power by counting and overlap. *Found* is the limit that {runs} whole runs of the same condition have: blanks
and samples at 0.6, 1 and 1.6 times the predicted limit, every run with a control (10,000 cells), every sample with a
background tube (5,000), a shift (up to half a robust SD) and a level (0.8 to 1.25) of its own. *Detected* is the share
of the samples at the predicted limit that exceed the blank's, 95 % when the prediction is right. The last columns are
the titration's own check by 40 draws, and its processor time.

Predicted and found agree to within a third in **{within} of {len(compared)}** conditions.

| D | cells | predicted | found | ratio | detected | draws detected | their error / computed | seconds |
|---:|---:|---:|---:|---:|---:|---:|---:|---:|
{rows}
"""


def _row(one: Compared) -> str:
    def percent(value: float | None) -> str:
        return "none" if value is None else f"{100 * value:.1f} %"

    check = "" if one.drawn_error is None else f"{one.drawn_error:.2f}"
    cells = (
        *(f"{one.separation:g}", f"{one.n:,}", percent(one.predicted), percent(one.found), f"{one.ratio:.2f}"),
        *(percent(one.detected), percent(one.drawn_detected), check, f"{one.seconds:.1f}"),
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Draw, compare and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mixture.titration", description=__doc__)
    parser.add_argument("--runs", type=int, default=150, help="runs drawn at each fraction (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=20, help="of all of them (default: %(default)s)")
    parser.add_argument("--cores", type=int, default=1, help="processes at a time (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=PAGES / "titration.md", help="file to write")
    options = parser.parse_args()
    tasks = [(separation, n, options.runs, options.seed) for separation in SEPARATIONS for n in SIZES]
    with ProcessPoolExecutor(options.cores) as pool:
        compared = list(pool.map(compare, tasks))
    options.out.write_text(page(compared, options.runs, options.seed), encoding="utf-8")


if __name__ == "__main__":
    main()
