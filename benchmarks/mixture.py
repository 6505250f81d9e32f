"""How well the negative fraction is known, against the limit and others: ``python -m benchmarks.mixture``."""

from __future__ import annotations

import argparse
import math
import platform
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
from benchmarks import rivals
from benchmarks.bound import cramer_rao
from benchmarks.physical import SCALE, Sample, draw_sample

from cd40l_flow.assay.limits import Limits
from cd40l_flow.base.model import Floats
from cd40l_flow.decision.control import control_terms
from cd40l_flow.mixture.components import background_component
from cd40l_flow.mixture.fit import fit_mixture
from cd40l_flow.mixture.histogram import centres, histogram, quantile
from cd40l_flow.mixture.interval import profile_interval
from cd40l_flow.mixture.measures import TargetCells, fit
from cd40l_flow.mixture.model import Anchor, ControlExpression, Expression
from cd40l_flow.mixture.prior import NOTHING_KNOWN
from cd40l_flow.mixture.problem import Problem
from cd40l_flow.signal.scale import Scale

ROOT = Path(__file__).resolve().parent
SEPARATIONS = (6.0, 4.0, 3.0, 2.0)
SIZES = (500, 2000, 10_000)
CONTROL_FRACTION = 0.10
# Times the binomial error allowed at each D, for fractions of 0.05 to 0.95.
OF_BINOMIAL = {6.0: 1.3, 4.0: 1.6, 3.0: 2.5}
OF_BOUND = 1.3
MANY = 1000  # samples in a cell of the full table; of fewer, the RMS has an error of its own
RIVAL_EVERY = 10  # one sample in so many goes to the slower rivals too
UNLIKE = ((0.05, 0.1), (0.1, 0.3))  # how far log spread and skewness of sample and control are apart
ANCHORS = ("own", "control's", "unstimulated")


@dataclass(frozen=True)
class Trial:
    """One sample measured: the truth, the estimate with its interval, the limits, the rivals' estimates, seconds."""

    truth: float
    shift: float
    estimate: float
    low: float
    high: float
    bound: float
    bound_shape: float
    threshold: float
    converged: bool
    borrowed: float
    fit_seconds: float | None
    interval_seconds: float | None
    scikit: float | None
    components: int | None
    scikit_seconds: float | None
    skew_normals: float | None
    mclust: float | None


@cache
def limits() -> Limits:
    """Return the default limits."""
    return Limits()


def _between() -> tuple[float, float]:
    mixture = limits().mixture
    return mixture.shape_spread_sd, mixture.shape_skew_sd


def binned(values: Floats) -> Floats:
    return histogram(SCALE.forward(values), limits().mixture.bins)


def anchor_of(values: Floats, *, exact: bool = True) -> Anchor:
    return Anchor(binned(values), "isotype", ("background.fcs",), exact=exact)


def control_of(sample: Sample) -> ControlExpression:
    """Return what the sample's control lends, measured as the workflow measures it."""
    empty = np.empty(0)
    anchor = anchor_of(sample.control_background)
    return control_terms(fit(TargetCells(sample.control, empty), anchor, SCALE, limits()), limits())


def measured(sample: Sample, control: ControlExpression | None, anchor: Anchor) -> Expression:
    return fit(TargetCells(sample.cells, np.empty(0)), anchor, SCALE, limits(), control=control)


def trial(separation: float, size: int, seed: int, number: int) -> Trial:
    """Return one seeded sample of a cell of the table, measured."""
    sample = draw_sample((seed, round(10 * separation), size, number), separation, size)
    control = control_of(sample)
    anchor = anchor_of(sample.background)
    found = measured(sample, control, anchor)
    bounds = cramer_rao(sample, CONTROL_FRACTION, _between())
    seconds: tuple[float | None, float | None] = (None, None)
    scikit: tuple[float | None, int | None, float | None] = (None, None, None)
    skew_normals = mclust = None
    if number % RIVAL_EVERY == 0:
        seconds = seconds_of(sample, control)
        scaled = SCALE.forward(sample.cells)
        low, centre, high = (quantile(anchor.counts, q) for q in (0.1587, 0.5, 0.8413))
        sd = (high - low) / 2
        scikit = rivals.by_scikit_learn(scaled, centre, sd)
        counts = binned(sample.cells)
        skew_normals = rivals.by_skew_normals(counts, centres(counts.size), centre, sd)
        mclust = rivals.by_mclust(scaled, centre, sd) if rivals.mclust_there() else None
    return Trial(
        truth=sample.fraction,
        shift=sample.shift,
        estimate=_known(found.negative_fraction),
        low=_known(found.negative_fraction_low),
        high=_known(found.negative_fraction_high),
        bound=bounds[0],
        bound_shape=bounds[1],
        threshold=rivals.by_threshold(sample.cells, sample.background),
        converged=bool(found.converged),
        borrowed=_known(found.borrowed),
        fit_seconds=seconds[0],
        interval_seconds=seconds[1],
        scikit=scikit[0],
        components=scikit[1],
        scikit_seconds=scikit[2],
        skew_normals=skew_normals,
        mclust=mclust,
    )


def seconds_of(sample: Sample, control: ControlExpression) -> tuple[float, float]:
    """Return the seconds of one fit, its background's preparation included, and of its interval."""
    counts, dark = binned(sample.cells), binned(sample.background)
    most = limits().mixture.shift_max
    start = time.process_time()
    background = background_component(dark, SCALE)
    best = fit_mixture(counts, background, control.prior, most)
    middle = time.process_time()
    profile_interval(best, Problem(counts, background, control.prior or NOTHING_KNOWN, most))
    return middle - start, time.process_time() - middle


Found = tuple[float, float, float, float]


def fallback(anchor: str, seed: int, number: int) -> Found:
    """Return truth, estimate and interval of a sample of 2,000 cells at D = 4 with a background of this kind.

    The control's has the control's own shift against the sample's tubes; resting cells have half the sample's shift at
    random, for activation moves the autofluorescence.
    """
    sample = draw_sample((seed, 77, number), 4.0, 2000)
    random = np.random.default_rng((seed, 78, number))
    unit = sample.robust_sd / sample.physics.gain
    if anchor == "own":
        used = anchor_of(sample.background)
    elif anchor == "control's":
        values = sample.physics.cells(random, sample.background.size, 1.0, sample.control_shift * unit)
        used = anchor_of(values, exact=False)
    else:
        values = sample.physics.cells(random, sample.background.size, 1.0, random.uniform(-0.5, 0.5) * unit)
        used = anchor_of(values, exact=False)
    found = measured(sample, control_of(sample), used)
    return (
        sample.fraction,
        _known(found.negative_fraction),
        _known(found.negative_fraction_low),
        _known(found.negative_fraction_high),
    )


def differing(separation: float, size: int, unlike: tuple[float, float], seed: int, number: int) -> Found:
    """Return truth, estimate and interval of a sample whose control's signal has another spread and skewness."""
    sample = draw_sample((seed, 80, round(10 * separation), size, number), separation, size, differing=unlike)
    found = measured(sample, control_of(sample), anchor_of(sample.background))
    return (
        sample.fraction,
        _known(found.negative_fraction),
        _known(found.negative_fraction_low),
        _known(found.negative_fraction_high),
    )


def rescaled(seed: int, number: int) -> tuple[list[float], float]:
    """Return the negative fractions of one sample at W, W + 0.3 and W + 0.6, and its interval's width."""
    separation = SEPARATIONS[number % len(SEPARATIONS)]
    sample = draw_sample((seed, 79, number), separation, 2000)
    found, width = [], math.nan
    bins = limits().mixture.bins
    for wider in (0.0, 0.3, 0.6):
        scale = replace(SCALE, w=SCALE.w + wider)
        empty = np.empty(0)

        def of(values: Floats, scale: Scale = scale) -> Anchor:
            return Anchor(histogram(scale.forward(values), bins), "isotype", (), exact=True)

        control = control_terms(
            fit(TargetCells(sample.control, empty), of(sample.control_background), scale, limits()), limits()
        )
        one = fit(TargetCells(sample.cells, empty), of(sample.background), scale, limits(), control=control)
        found.append(_known(one.negative_fraction))
        width = _known(one.negative_fraction_high) - _known(one.negative_fraction_low)
    return found, width


def _known(value: float | None) -> float:
    return math.nan if value is None else value


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mixture", description=__doc__)
    parser.add_argument("--samples", type=int, default=MANY, help="samples in each cell (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of all of them (default: %(default)s)")
    parser.add_argument("--cores", type=int, default=2, help="processes at a time (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=ROOT / "mixture.md", help="file to write")
    options = parser.parse_args()
    numbers = range(options.samples)
    some = range(max(options.samples // 5, 20))
    with ProcessPoolExecutor(options.cores) as pool:
        cells = {
            (d, n): list(pool.map(partial(trial, d, n, options.seed), numbers, chunksize=10))
            for d in SEPARATIONS
            for n in SIZES
        }
        fallbacks = {a: list(pool.map(partial(fallback, a, options.seed), some, chunksize=5)) for a in ANCHORS}
        unlike = {
            (d, n, apart): list(pool.map(partial(differing, d, n, apart, options.seed), some, chunksize=5))
            for d in SEPARATIONS
            for n in SIZES[1:]
            for apart in UNLIKE
        }
        scales = list(pool.map(partial(rescaled, options.seed), some, chunksize=5))
    text = page(cells, unlike, fallbacks, scales, options.samples, options.seed)
    options.out.write_text(text, encoding="utf-8")
    print(text)


Cells = dict[tuple[float, int], list[Trial]]


def page(
    cells: Cells,
    unlike: dict[tuple[float, int, tuple[float, float]], list[Found]],
    fallbacks: dict[str, list[Found]],
    scales: Sequence[tuple[list[float], float]],
    samples: int,
    seed: int,
) -> str:
    every = [one for trials in cells.values() for one in trials]
    covered = np.mean([one.low <= one.truth <= one.high for one in every])
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "scikit-learn"))
    mclust = "" if rivals.mclust_there() else " R or its package mclust is not installed here, so its column is empty."
    return f"""# The negative fraction: errors, intervals, limits

Written by `python -m benchmarks.mixture --samples {samples} --seed {seed}`. Each cell of the tables is {samples}
samples with negative fractions of 0.02 to 0.98, the background shifted by -0.5 to 0.5 robust SD, a background tube of
5,000 cells, and a control of 10,000 cells (10 % negative, the same law of the signal, 0.8 to 1.25 times as bright,
shifted by its own -0.5 to 0.5) with a background tube of its own. The cells come from a physical model (log-normal
background, log-skew-normal target, Poisson photo-electrons of 2 to 10 channels, amplifier noise). The fit takes the
target's law from the same family, but uses neither the background's law nor the size of a photo-electron.

## Errors compared with what is possible

Root mean square (RMS) error of the negative fraction of the donor. The bound is Cramer and Rao's, the least error of
any unbiased estimate, averaged in squares over the same samples; unknown are fraction, shift, level, spread and skew of
sample and of control, the last two known to differ as the configuration says (`shape_spread_sd`, `shape_skew_sd`; here
they do not differ). Both bounds know what a photo-electron is, so they are a little below what can be reached. In
"shape unknown" the shapes of the backgrounds are unknown too, but for the 5,000 cells of their tubes. Binomial is
sqrt(p (1 - p) / n), for fractions of 0.05 to 0.95. Bold is beyond the target:
{OF_BOUND} times the bound, {", ".join(f"{v:g} at D = {d:g}" for d, v in OF_BINOMIAL.items())} times the
binomial, a third of the RMS for the bias.

{error_table(cells)}

## Intervals

95 % intervals hold the donor's true fraction in **{100 * covered:.1f} %** of all {len(every):,} samples (target 93 to
97); per third of the fraction at least 88 %. Ideal is 3.92 times the bound with shapes unknown.

{interval_table(cells)}

By the true shift of the background, all cells pooled: {by_shift(every)}.

Where control and sample differ: the control's signal with another log spread and skewness, either way, at the allowance
of the configuration (standard deviations of {_between()[0]:g} and {_between()[1]:g}); {len(fallbacks["own"])} samples
each.

{unlike_table(unlike)}

## Beside others

RMS errors on the same samples (the slower ones on one in {RIVAL_EVERY}): the share below the background's 99th
percentile; scikit-learn's `GaussianMixture`, components by BIC, those near the background counted; two free
skew-normals by scipy; mclust.{mclust}

{rival_table(cells)}

## Time

{time_lines(every)}

## Other backgrounds

2,000 cells at D = 4, {len(fallbacks["own"])} samples each. A background that is not the sample's own
may lie further off (a standard deviation of 0.6 robust SD) and differ in shape (as if it were 200 cells'): the interval
is wider by that.

{fallback_table(fallbacks)}

## The scale

The same {len(scales)} samples (D 2 to 6, 2,000 cells) on wider logicle scales (W + 0.3 is about a doubled cofactor):
the negative fraction moves by {scale_line(scales)}.

Measured with {packages}; Python {platform.python_version()} on {platform.machine()}.
"""


def rms(values: Sequence[float]) -> float:
    return math.sqrt(float(np.mean(np.square(values))))


def error_table(cells: Cells) -> str:
    rows = ["| D | cells | RMS | bias | bound | RMS / bound | shape unknown | RMS / it | RMS / binomial |"]
    rows.append("|---|---|---|---|---|---|---|---|---|")
    for (d, n), trials in cells.items():
        errors = [one.estimate - one.truth for one in trials]
        inner = [one for one in trials if 0.05 <= one.truth <= 0.95]
        binomial = rms([one.estimate - one.truth for one in inner]) / math.sqrt(
            float(np.mean([one.truth * (1 - one.truth) / n for one in inner]))
        )
        error, bias = rms(errors), float(np.mean(errors))
        bound, shape = rms([one.bound for one in trials]), rms([one.bound_shape for one in trials])
        rows.append(
            f"| {d:g} | {n:,} | {error:.4f} | {_mark(f'{bias:+.4f}', abs(bias) > error / 3)} | {bound:.4f} | "
            f"{_mark(f'{error / bound:.2f}', error > OF_BOUND * bound)} | {shape:.4f} | "
            f"{_mark(f'{error / shape:.2f}', error > OF_BOUND * shape)} | "
            f"{_mark(f'{binomial:.2f}', binomial > OF_BINOMIAL.get(d, math.inf))} |"
        )
    return "\n".join(rows)


def interval_table(cells: Cells) -> str:
    rows = ["| D | cells | covered | p < 1/3 | 1/3 to 2/3 | p > 2/3 | width | width / ideal |", "|" + 8 * "---|"]
    for (d, n), trials in cells.items():
        inside = np.array([one.low <= one.truth <= one.high for one in trials])
        truth = np.array([one.truth for one in trials])
        thirds = []
        for low, high in ((0.0, 0.34), (0.34, 0.66), (0.66, 1.0)):
            part = inside[(truth >= low) & (truth < high)]
            share = 100 * float(part.mean()) if part.size else math.nan
            thirds.append(_mark(f"{share:.1f} %", share < 88))
        width = float(np.mean([one.high - one.low for one in trials]))
        ideal = 3.92 * float(np.mean([one.bound_shape for one in trials]))
        shown = " | ".join(thirds)
        rows.append(f"| {d:g} | {n:,} | {100 * inside.mean():.1f} % | {shown} | {width:.4f} | {width / ideal:.2f} |")
    return "\n".join(rows)


def unlike_table(unlike: dict[tuple[float, int, tuple[float, float]], list[Found]]) -> str:
    rows = ["| D | cells | log spread | skewness | RMS | covered | width |", "|" + 7 * "---|"]
    for (d, n, apart), found in unlike.items():
        truth, estimate, low, high = np.array(found).T
        inside = 100 * float(np.mean((low <= truth) & (truth <= high)))
        rows.append(
            f"| {d:g} | {n:,} | {apart[0]:g} | {apart[1]:g} | {rms(estimate - truth):.4f} | "
            f"{_mark(f'{inside:.1f} %', inside < 88)} | {float(np.mean(high - low)):.4f} |"
        )
    return "\n".join(rows)


def by_shift(every: Sequence[Trial]) -> str:
    parts = []
    for low, high in ((-0.5, -0.25), (-0.25, 0.25), (0.25, 0.5)):
        inside = [one.low <= one.truth <= one.high for one in every if low <= one.shift < high]
        parts.append(f"{low:g} to {high:g} robust SD {100 * float(np.mean(inside)):.1f} %")
    return ", ".join(parts)


def rival_table(cells: Cells) -> str:
    named: dict[str, Callable[[Trial], float | None]] = {
        "anchored": lambda one: one.estimate,
        "threshold": lambda one: one.threshold,
        "GaussianMixture + BIC": lambda one: one.scikit,
        "skew-normals": lambda one: one.skew_normals,
        "mclust": lambda one: one.mclust,
    }
    rows = [f"| D | cells | {' | '.join(named)} | components by BIC |", "|" + (3 + len(named)) * "---|"]
    for (d, n), trials in cells.items():
        shown = []
        for of in named.values():
            errors = [value - one.truth for one in trials if (value := of(one)) is not None]
            shown.append(f"{rms(errors):.4f}" if errors else "")
        counts = [one.components for one in trials if one.components is not None]
        rows.append(f"| {d:g} | {n:,} | {' | '.join(shown)} | {np.mean(counts) if counts else math.nan:.1f} |")
    return "\n".join(rows)


def time_lines(every: Sequence[Trial]) -> str:
    def shown(values: Sequence[float]) -> str:
        middle, high = np.quantile(values, (0.5, 0.99))
        return f"{1e3 * middle:.0f} ms (99th percentile {1e3 * high:.0f} ms)"

    fits, intervals, peers = (
        [value for one in every if (value := getattr(one, name)) is not None]
        for name in ("fit_seconds", "interval_seconds", "scikit_seconds")
    )
    return (
        f"Processor time of one fit, the background's preparation included: {shown(fits)}; its interval: "
        f"{shown(intervals)}; scikit-learn's fit of two components: {shown(peers)}. "
        f"Fits that did not converge: {sum(not one.converged for one in every)} of {len(every):,}."
    )


def fallback_table(fallbacks: dict[str, list[Found]]) -> str:
    rows = ["| background | RMS | covered | width |", "|---|---|---|---|"]
    for name, found in fallbacks.items():
        truth, estimate, low, high = np.array(found).T
        inside = 100 * float(np.mean((low <= truth) & (truth <= high)))
        rows.append(f"| {name} | {rms(estimate - truth):.4f} | {inside:.1f} % | {float(np.mean(high - low)):.4f} |")
    return "\n".join(rows)


def scale_line(scales: Sequence[tuple[list[float], float]]) -> str:
    found = np.array([one for one, _ in scales])
    widths = np.array([width for _, width in scales])
    parts = []
    for column, wider in ((1, 0.3), (2, 0.6)):
        moved = np.abs(found[:, column] - found[:, 0])
        beyond = 100 * float(np.mean(moved > widths / 2))
        parts.append(
            f"{np.median(moved):.4f} in the median ({100 * np.median(moved / widths):.0f} % of the interval's width) at"
            f" W + {wider:g}, beyond half the interval's width in {beyond:.0f} % of them"
        )
    return ", ".join(parts)


def _mark(text: str, missed: bool) -> str:
    return f"**{text}**" if missed else text


if __name__ == "__main__":
    main()
