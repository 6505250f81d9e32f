"""Detection limits of a run: the smallest detectable mutant fraction for a number of cells, from its titration."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cd40l_flow.assay.call_limits import MixtureLimits
from cd40l_flow.base.model import Floats

FINE = 1000  # steps of the search for a limit


@dataclass(frozen=True)
class Titration:
    """Recovered values of known mutant fractions, by fraction and number of cells.

    ``recovered`` are mutant fractions and ``errors`` their standard errors (sample and its background tube, not the
    control), each (fractions, sizes). ``drawn_fraction`` is the limit at ``DRAWN_SIZE`` cells, where samples were
    drawn; ``drawn_detected`` is the share of them above the limit of blank, 0.95 if the computation is right, and
    ``drawn_error`` their standard deviation over the computed error. Both are None without a limit.
    """

    fractions: tuple[float, ...]
    sizes: tuple[int, ...]
    recovered: tuple[tuple[float, ...], ...]
    errors: tuple[tuple[float, ...], ...]
    drawn_size: int
    drawn_fraction: float | None
    drawn_detected: float | None
    drawn_error: float | None

    def at(self, events: float) -> tuple[Floats, Floats]:
        """Return recovered fractions and errors for a number of cells, (fractions,) each, interpolated in its log."""
        place = math.log(max(events, 1.0))
        grid = np.log(np.array(self.sizes, dtype=np.float64))
        recovered = np.array([np.interp(place, grid, row) for row in self.recovered])
        # Errors are a power of n: linear in logarithms, extrapolated with the square root of n.
        beyond = math.exp(-0.5 * (place - min(max(place, float(grid[0])), float(grid[-1]))))
        errors = np.array([math.exp(np.interp(place, grid, np.log(row))) for row in self.errors]) * beyond
        return recovered, errors


@dataclass(frozen=True)
class Limits:
    """The smallest mutant fractions detectable with 95 % power; None if none is.

    ``limit_counting`` rests on counting and overlap alone, ``limit_with_healthy_spread`` also on differences between
    healthy people, and is the one used. ``bias`` is that of the fraction recovered at ``limit_counting``, ``recovery``
    the recovered over the true one. ``drawn_detected`` and ``drawn_error`` are the check by draws (see `Titration`).
    """

    limit_counting: float | None
    limit_with_healthy_spread: float | None
    bias: float | None
    recovery: float | None
    drawn_detected: float | None
    drawn_error: float | None


def detectable(
    titration: Titration, events: int, control_error: float, healthy_error: float, mixture: MixtureLimits
) -> Limits:
    """Return the limits for a number of cells.

    ``control_error`` and ``healthy_error`` are standard errors of the mutant fraction, of the control's counting and of
    the differences between healthy people. A fraction is detectable if its recovered value lies ``lod_z`` of its errors
    above ``lob_z`` errors of the blank.
    """
    recovered, errors = titration.at(events)
    fractions = titration.fractions
    fine = np.linspace(0.0, fractions[-1], FINE)
    mean, error = np.interp(fine, fractions, recovered), np.interp(fine, fractions, errors)
    counting = np.hypot(error, control_error * (1 - fine))

    def smallest(spread: float) -> float | None:
        total = np.hypot(counting, spread)
        seen = mean - mixture.lod_z * total >= mixture.lob_z * total[0]
        # Use the first one: above it, a wider error must not hide a greater fraction.
        return float(fine[np.argmax(seen)]) if seen.any() else None

    limit = smallest(0.0)
    there = None if limit is None else float(np.interp(limit, fine, mean))
    return Limits(
        limit_counting=limit,
        limit_with_healthy_spread=smallest(healthy_error),
        bias=None if limit is None or there is None else there - limit,
        recovery=None if not limit or there is None else there / limit,
        drawn_detected=titration.drawn_detected,
        drawn_error=titration.drawn_error,
    )


def combine_titrations(several: Sequence[Titration | None]) -> Titration | None:
    """Return several controls' titrations as one, in any order: mean fractions, errors by their mean square."""
    known = [one for one in several if one is not None]
    if len(known) <= 1:
        return known[0] if known else None
    first, count = known[0], len(known)

    def cells(of: str, power: float) -> tuple[tuple[float, ...], ...]:
        tables = [getattr(one, of) for one in known]
        return tuple(
            tuple(
                (math.fsum(table[i][j] ** power for table in tables) / count) ** (1 / power)
                for j in range(len(first.sizes))
            )
            for i in range(len(first.fractions))
        )

    def mean(of: str) -> float | None:
        values = [value for one in known if (value := getattr(one, of)) is not None]
        return math.fsum(values) / len(values) if values else None

    return Titration(
        fractions=first.fractions,
        sizes=first.sizes,
        recovered=cells("recovered", 1),
        errors=cells("errors", 2),
        drawn_size=first.drawn_size,
        drawn_fraction=mean("drawn_fraction"),
        drawn_detected=mean("drawn_detected"),
        drawn_error=mean("drawn_error"),
    )
