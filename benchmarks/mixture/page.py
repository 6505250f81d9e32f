"""The page of the negative fraction: errors, intervals, times, other backgrounds and scales."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Sequence
from importlib.metadata import version

import numpy as np

from benchmarks.mixture import rivals
from benchmarks.mixture.trials import RIVAL_EVERY, Found, Trial, between

# Times the binomial error allowed at each D, for fractions of 0.05 to 0.95.
OF_BINOMIAL = {6.0: 1.3, 4.0: 1.6, 3.0: 2.5}
OF_BOUND = 1.3
Cells = dict[tuple[float, int], list[Trial]]


def page(
    cells: Cells,
    unlike: dict[tuple[float, int, tuple[float, float]], list[Found]],
    fallbacks: dict[str, list[Found]],
    scales: Sequence[tuple[list[float], float]],
    samples: int,
    seed: int,
) -> str:
    """Return the page of the benchmark."""
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
of the configuration (standard deviations of {between()[0]:g} and {between()[1]:g}); {len(fallbacks["own"])} samples
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
        error, inside, width = _of_found(found)
        rows.append(
            f"| {d:g} | {n:,} | {apart[0]:g} | {apart[1]:g} | {error:.4f} | "
            f"{_mark(f'{inside:.1f} %', inside < 88)} | {width:.4f} |"
        )
    return "\n".join(rows)


def _of_found(found: Sequence[Found]) -> tuple[float, float, float]:
    """Return RMS error, coverage (%) and mean width of the intervals."""
    truth, estimate, low, high = np.array(found).T
    inside = 100 * float(np.mean((low <= truth) & (truth <= high)))
    return rms(estimate - truth), inside, float(np.mean(high - low))


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
        error, inside, width = _of_found(found)
        rows.append(f"| {name} | {error:.4f} | {inside:.1f} % | {width:.4f} |")
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
