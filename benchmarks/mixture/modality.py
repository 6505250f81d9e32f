"""Healthy, carriers, reduced: how often one reagent is called a mosaic; writes ``benchmarks/mixture_modality.md``.

Every sample has its own instrument and stain, background tube and control, drawn by `benchmarks.mixture.physical`, and
goes through the measures, the guards and the rules.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.common.places import PAGES
from benchmarks.mixture.physical import draw_physics
from benchmarks.mixture.sample_case import judged, lent_control, measured

HEALTHY, HEALTHY_SD = 0.10, 0.02
SEPARATIONS = (3.0, 4.0, 6.0, 8.0)
SIZES = (500, 2000, 10_000)
FRACTIONS = (0.05, 0.10, 0.15, 0.20, 0.30)
SHIFT = 0.5  # robust SD, either way, of sample and control
LEVELS = (0.8, 1.25)  # of the control over the stain
GREY, UNRESOLVED = "MOSAIC_GREY_ZONE", "REDUCED_VS_MOSAIC"


@dataclass(frozen=True)
class Kind:
    """One cell of the benchmark: what is drawn; the last three are ranges, the level is over the control's."""

    name: str
    separation: float
    n: int
    mutant: tuple[float, float] | None = None
    negative: tuple[float, float] | None = None
    level: tuple[float, float] | None = None


@dataclass(frozen=True)
class Called:
    """What became of one sample; ``seconds`` of measures, comparison, guards and rules."""

    kind: Kind
    call: str
    reasons: tuple[str, ...]
    fraction: float | None
    separation: float | None
    seconds: float


def draw(task: tuple[Kind, int, int]) -> Called:
    """Draw one sample of a kind with its control and call it; the task holds its number and the seed of all."""
    kind, number, seed = task
    key = (seed, number, kind.n, round(10 * kind.separation), *(ord(letter) for letter in kind.name))
    random = np.random.default_rng(key)
    physics, robust_sd = draw_physics(random, kind.separation)
    theirs = float(np.exp(random.uniform(*np.log(LEVELS))))
    # The control is a healthy person of the same run, and differs as such.
    control_negative = _healthy(random)
    shifts = random.uniform(-SHIFT, SHIFT, 2)
    _, control = lent_control(
        physics, robust_sd, random, negative_fraction=control_negative, level=theirs, shift=float(shifts[0])
    )
    negative = _healthy(random)
    if kind.mutant is not None:
        negative = 1 - (1 - negative) * (1 - random.uniform(*kind.mutant))
    if kind.negative is not None:
        negative = random.uniform(*kind.negative)
    level = 1.0 if kind.level is None else theirs * random.uniform(*kind.level)
    start = time.process_time()
    expression = measured(
        physics, robust_sd, kind.n, negative, random, control=control, shift=float(shifts[1]), level=level
    )
    found = judged(expression, control)
    seconds = time.process_time() - start
    mutant = found.comparison.mutant_fraction
    return Called(kind, found.subcall.call, found.subcall.reasons, mutant, expression.separation, seconds)


def _healthy(random: np.random.Generator) -> float:
    return float(np.clip(random.normal(HEALTHY, HEALTHY_SD), 0.01, 0.5))


def kinds(samples: int, seed: int) -> dict[str, list[tuple[Kind, int, int]]]:
    """Return the tasks of each table; ``samples`` is the number of healthy ones in all."""
    grid = [(separation, n) for separation in SEPARATIONS for n in SIZES]
    each = math.ceil(samples / len(grid))
    tables: dict[str, list[Kind]] = {
        "healthy": [Kind("healthy", *cell) for cell in grid],
        "carrier": [
            Kind("carrier", separation, n, negative=(0.3, 0.7)) for separation, n in grid if separation > 3 and n > 500
        ],
        "reduced": [Kind("reduced", *cell, level=(0.15, 0.5)) for cell in grid],
        "dim carrier": [Kind("dim carrier", 1.5, n, negative=(0.3, 0.7)) for n in SIZES],
        "dim healthy": [Kind("dim healthy", 1.5, n) for n in SIZES],
        "power": [Kind("power", *cell, mutant=(fraction, fraction)) for cell in grid for fraction in FRACTIONS],
    }
    few = max(each // 6, 1)
    counts = {"healthy": each, "carrier": each, "reduced": 3 * few}
    return {
        name: [(kind, number, seed) for kind in several for number in range(counts.get(name, few))]
        for name, several in tables.items()
    }


def share(calls: Sequence[Called], of: Callable[[Called], bool]) -> str:
    """Return a percentage with the counts it rests on."""
    hits = sum(of(one) for one in calls)
    return f"{100 * hits / len(calls):.1f} % ({hits} of {len(calls)})"


def is_mosaic(one: Called) -> bool:
    """Return whether the reagent is called a mosaic."""
    return one.call == "MOSAIC"


def has(code: str) -> Callable[[Called], bool]:
    """Return a test for a reason."""
    return lambda one: code in one.reasons


def table(calls: Sequence[Called]) -> str:
    """Return a kind of samples as a Markdown table: a row for each separation and size."""
    lines = ["| D | cells | mosaic | grey zone | mosaic or reduced | normal | reduced | other |", "|" + "---:|" * 8]
    cells = sorted({(one.kind.separation, one.kind.n) for one in calls})
    for separation, n in cells:
        some = [one for one in calls if (one.kind.separation, one.kind.n) == (separation, n)]
        lines.append(_row(f"{separation:g}", f"{n:,}", some))
    lines.append(_row("**all**", "", calls))
    return "\n".join(lines)


def _row(separation: str, n: str, calls: Sequence[Called]) -> str:
    found = Counter(
        GREY if GREY in one.reasons else UNRESOLVED if UNRESOLVED in one.reasons else one.call for one in calls
    )
    known = [found[name] for name in ("MOSAIC", GREY, UNRESOLVED, "NORMAL", "REDUCED")]
    shown = [f"{100 * count / len(calls):.1f} %" for count in (*known, len(calls) - sum(known))]
    return f"| {' | '.join((separation, n, *shown))} |"


def power_table(power: Sequence[Called], healthy: Sequence[Called]) -> str:
    """Return the power curves and the limits they give, a row for each separation and size.

    The limit of blank is the 99th percentile of healthy samples' fractions, the limit of detection the fraction whose
    5th percentile reaches it, the limit of quantification that whose coefficient of variation is 20 %, between the
    fractions drawn.
    """
    names = " | ".join(f"{100 * fraction:g} %" for fraction in FRACTIONS)
    lines = [f"| D | cells | {names} | LoB | LoD | LoQ |", "|" + "---:|" * (5 + len(FRACTIONS))]
    for separation in SEPARATIONS:
        for n in SIZES:
            cells = [
                [one for one in power if _is(one, separation, n) and one.kind.mutant == (fraction, fraction)]
                for fraction in FRACTIONS
            ]
            blanks = np.array([one.fraction or 0.0 for one in healthy if _is(one, separation, n)])
            spread = [np.array([one.fraction or 0.0 for one in cell]) for cell in cells]
            # Half of the blanks are clipped at 0: their spread is that of the upper half, about 0.
            blank_sd = math.sqrt(float(np.mean(blanks[blanks > 0] ** 2))) if (blanks > 0).any() else 0.0
            lob = 2.33 * blank_sd
            low = [float(np.mean(values)) - 1.645 * float(np.std(values)) for values in spread]
            varying = [float(np.std(values)) / max(float(np.mean(values)), 1e-9) for values in spread]
            limits = (lob, _reaches(low, lob), _reaches([-value for value in varying], -0.2))
            shown = [f"{100 * sum(map(is_mosaic, cell)) / len(cell):.0f} %" for cell in cells]
            ends = ["over 30 %" if value is None else f"{100 * value:.1f} %" for value in limits]
            lines.append(f"| {' | '.join((f'{separation:g}', f'{n:,}', *shown, *ends))} |")
    return "\n".join(lines)


def _is(one: Called, separation: float, n: int) -> bool:
    return (one.kind.separation, one.kind.n) == (separation, n)


def _reaches(values: Sequence[float], limit: float) -> float | None:
    """Return the mutant fraction at which values that rise with it reach a limit, between the fractions drawn."""
    for place, value in enumerate(values):
        if value >= limit:
            if place == 0:
                return FRACTIONS[0]
            part = (limit - values[place - 1]) / (value - values[place - 1])
            return FRACTIONS[place - 1] + part * (FRACTIONS[place] - FRACTIONS[place - 1])
    return None


def _rows(found: dict[str, list[Called]]) -> str:
    """Return the targets, with what was found, as rows of a Markdown table."""
    healthy, carriers, reduced = found["healthy"], found["carrier"], found["reduced"]
    rows = (
        ("healthy called mosaic", share(healthy, is_mosaic), "at most 0.2 %"),
        ("healthy in the grey zone", share(healthy, has(GREY)), "none: see below"),
        ("carriers of 30 to 70 % negative called; D of 4 or more, 2,000 cells or more", share(carriers, is_mosaic),
         "at least 99 %"),
        ("the same carriers called normal", share(carriers, lambda one: one.call == "NORMAL"), "none"),
        ("uniformly reduced to 15 to 50 % of the control's level, called mosaic", share(reduced, is_mosaic),
         "at most 1 %"),
        ("carriers at D of 1.5 called anything else than mosaic",
         share(found["dim carrier"], lambda one: one.call not in ("MOSAIC", "INDETERMINATE")), "none"),
        ("healthy at D of 1.5 called mosaic or reduced",
         share(found["dim healthy"], lambda one: one.call in ("MOSAIC", "REDUCED")), "none"),
    )  # fmt: skip
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def page(found: dict[str, list[Called]], samples: int, seed: int) -> str:
    """Return the page."""
    everything = [one for calls in found.values() for one in calls]
    seconds = sorted(one.seconds for one in everything)
    return f"""# One population or two

Written by `python -m benchmarks.mixture.modality --samples {samples} --seed {seed}`:
{len(everything):,} samples of one reagent. Each has an instrument and a stain of its own (gain, noise, background,
spread and skew of the expressing cells, Ashman's D as given), a background tube of 5,000 cells, and a control of
10,000 that is another healthy person: negatives of 10 % with an SD of 2 %, level 0.8 to 1.25 times, background
shifted by up to half a robust SD, as the sample's is. The physics shares no code with what measures it. Every sample
goes through the measures, the guards and the rules as in a run.

| | found | target |
|---|---:|---:|
{_rows(found)}

Processor time of measures, comparison, guards and rules of one sample, its cells' drawing included: median
{1000 * seconds[len(seconds) // 2]:.0f} ms, 99 % below {1000 * seconds[int(0.99 * len(seconds))]:.0f} ms.

## Healthy

The default limits suppose that healthy people differ by 4 % in negatives and by 0.25 in ln level, twice what they do
here; what one control leaves open is in the grey zone, and a laboratory with limits of its own has less of it.

{table(found["healthy"])}

## Carriers, 30 to 70 % negative

{table(found["carrier"])}

## Uniformly reduced

D is that of the stain at the control's level: at 15 % of it the cells of a run of D = 3 lie in the background.

{table(found["reduced"])}

## Dim stains, D of 1.5

Carriers:

{table(found["dim carrier"])}

Healthy:

{table(found["dim healthy"])}

## Power against the mutant fraction

Samples of a healthy person's negatives and a mutant fraction on top: called mosaic at 5 to 30 % mutant cells. The
limits are those of the drawn samples, differences between healthy people included: blank (1 % of healthy above),
detection (5 % missed), quantification (coefficient of variation 20 %).

{power_table(found["power"], found["healthy"])}
"""


def main() -> None:
    """Draw, call and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mixture.modality", description=__doc__)
    parser.add_argument("--samples", type=int, default=1000, help="healthy samples (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of all of them (default: %(default)s)")
    parser.add_argument("--cores", type=int, default=1, help="processes at a time (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=PAGES / "mixture_modality.md", help="file to write")
    options = parser.parse_args()
    with ProcessPoolExecutor(options.cores) as pool:
        found = {
            name: list(pool.map(draw, tasks, chunksize=16))
            for name, tasks in kinds(options.samples, options.seed).items()
        }
    options.out.write_text(page(found, options.samples, options.seed), encoding="utf-8")


if __name__ == "__main__":
    main()
