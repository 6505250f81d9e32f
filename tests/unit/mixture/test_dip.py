"""The dip statistic against its definition and closed cases; its p values against the uniform null."""

from __future__ import annotations

import math
import subprocess
import sys
import time

import numpy as np
import pytest
from scipy.optimize import linprog

from cd40l_flow.base.model import Floats
from cd40l_flow.mixture.checks.dip import dip, dip_p_value


def dip_by_definition(values: Floats) -> float:
    """Return the smallest distance to a unimodal distribution function, by a linear program for each mode."""
    u, counts = np.unique(values, return_counts=True)
    upper = np.cumsum(counts) / values.size
    lower = upper - counts / values.size
    return min(_distance(u, lower, upper, mode) for mode in range(u.size))


def _distance(u: Floats, lower: Floats, upper: Floats, mode: int) -> float:
    # Unknown: G at the values up to the mode from the left, G from the mode on, and the distance d that is minimised.
    left, size = mode + 1, u.size + 2
    x = np.concatenate((u[:left], u[mode:]))
    rows: list[Floats] = []
    bounds: list[float] = []

    def at_most(terms: dict[int, float], bound: float) -> None:
        row = np.zeros(size)
        for index, factor in terms.items():
            row[index] += factor
        rows.append(row)
        bounds.append(bound)

    for index in range(size - 1):
        value = index if index < left else index - 1
        jumps = [lower[value]] if index == mode else [upper[value]] if index == left else [lower[value], upper[value]]
        for target in jumps:
            at_most({index: 1, size - 1: -1}, target)
            at_most({index: -1, size - 1: -1}, -target)
        if index + 1 < size - 1:
            at_most({index: 1, index + 1: -1}, 0)
    for start, stop, sign in ((0, left, 1), (left, size - 1, -1)):
        for a in range(start, stop - 2):
            before, after = x[a + 1] - x[a], x[a + 2] - x[a + 1]
            at_most({a: -sign * after, a + 1: sign * (before + after), a + 2: -sign * before}, 0)
    cost = np.zeros(size)
    cost[-1] = 1
    solution = linprog(cost, A_ub=np.array(rows), b_ub=bounds, bounds=(0, 1))
    assert solution.status == 0
    assert solution.fun is not None
    return float(solution.fun)


def samples(kind: str, n: int, random: np.random.Generator) -> Floats:
    match kind:
        case "uniform":
            values = random.random(n)
        case "normal":
            values = random.normal(size=n)
        case "exponential":
            values = -random.exponential(size=n)
        case "heavy":
            values = random.standard_cauchy(n)
        case "two":
            values = random.normal(size=n) + 4 * (np.arange(n) % 2)
        case _:
            values = random.integers(0, max(2, n // 2), n).astype(np.float64)
    return np.sort(values)


KINDS = ("uniform", "normal", "exponential", "heavy", "two", "ties")


@pytest.mark.parametrize("kind", KINDS)
def test_the_statistic_is_what_the_definition_says(kind: str) -> None:
    random = np.random.default_rng(KINDS.index(kind))
    for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14):
        for _ in range(2 if n < 4 else 5):
            values = samples(kind, n, random)
            assert dip(values) == pytest.approx(dip_by_definition(values), abs=1e-7), values.tolist()


@pytest.mark.parametrize("n", [2, 3, 4, 17, 1000])
def test_equally_spaced_values_have_the_smallest_dip(n: int) -> None:
    assert dip(np.arange(n, dtype=np.float64)) == pytest.approx(1 / (2 * n), abs=1e-15)


def test_two_equal_clusters_have_the_largest_dip() -> None:
    assert dip(np.repeat([0.0, 1.0], 500)) == 0.25
    cluster = np.linspace(0, 1e-6, 500)
    assert dip(np.concatenate((cluster, cluster + 1))) == pytest.approx(0.25, abs=1e-3)


def test_a_minority_counts_as_far_as_it_is_set_apart() -> None:
    assert dip(np.repeat([0.0, 1.0], [80, 20])) == pytest.approx(0.1)
    assert dip(np.repeat([0.0, 1.0, 2.0], [10, 80, 10])) == pytest.approx(0.05)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 50])
def test_constant_and_few_values_show_one_mode(n: int) -> None:
    assert dip(np.full(n, 7.0)) == 0
    assert dip_p_value(0.0, n) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [30, 3000])
def test_shift_scale_and_reflection_change_nothing(kind: str, n: int) -> None:
    values = samples(kind, n, np.random.default_rng(n))
    expected = dip(values)
    assert dip(values * 1024) == expected
    assert dip(-values[::-1]) == pytest.approx(expected, abs=1e-14)
    assert dip(values * 3.7 + 11) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_the_statistic_agrees_with_an_independent_program(kind: str) -> None:
    """The package diptest serves the tests alone: its licence is not ours, and nothing of it is shipped or imported."""
    import diptest

    random = np.random.default_rng(KINDS.index(kind))
    for n in (5, 8, 20, 50, 100, 300, 1000, 10000):
        for _ in range(20 if n <= 300 else 3):
            values = samples(kind, n, random)
            if values[0] < values[-1]:
                theirs = diptest.dipstat(values, sort_x=False, allow_zero=False)
                assert dip(values) == pytest.approx(theirs, rel=0, abs=1e-12)


@pytest.mark.parametrize(("n", "replicates"), [(15, 2000), (30, 2000), (150, 2000), (700, 1500), (10000, 400)])
def test_p_values_of_uniform_samples_are_uniform(n: int, replicates: int) -> None:
    """Kolmogorov's distance to the uniform, below p = 0.5 (a small dip may be p = 1), stays within its 99.9 % point."""
    random = np.random.default_rng(n)
    p = np.sort([dip_p_value(dip(np.sort(random.random(n))), n) for _ in range(replicates)])
    below = p < 0.5
    distance = np.abs(np.arange(1, replicates + 1) / replicates - p)[below].max()
    assert distance < 1.95 / math.sqrt(replicates)
    assert abs(np.mean(p <= 0.05) - 0.05) < 3.3 * math.sqrt(0.05 * 0.95 / replicates)


@pytest.mark.parametrize("n", [4, 5, 20, 33, 100, 5000, 20000, 300000])
def test_the_p_value_falls_with_the_dip(n: int) -> None:
    p = [dip_p_value(float(statistic), n) for statistic in np.linspace(1 / (2 * n), 0.25, 400)]
    assert p[0] == 1
    assert all(before >= after for before, after in zip(p, p[1:], strict=False))
    assert p[-1] == pytest.approx(0.0001)


def test_two_populations_are_told_from_one() -> None:
    random = np.random.default_rng(5)
    two = np.sort(np.concatenate((random.normal(0, 1, 500), random.normal(5, 1, 500))))
    assert dip_p_value(dip(two), two.size) == pytest.approx(0.0001)
    one = np.sort(random.normal(0, 1, 1000))
    assert dip_p_value(dip(one), one.size) > 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_many_events_take_a_moment(kind: str) -> None:
    """50 ms of processor time are meant for 50,000 events; the bound leaves room for a slow machine."""
    values = samples(kind, 50_000, np.random.default_rng(9))
    durations = []
    for _ in range(5):
        start = time.process_time()
        dip(values)
        durations.append(time.process_time() - start)
    assert min(durations) < 0.2


def test_the_import_loads_no_scipy() -> None:
    command = "import sys, cd40l_flow.mixture.checks.dip; sys.exit('scipy' in sys.modules or 'diptest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0


@pytest.mark.parametrize("rising", [True, False])
def test_a_density_that_only_rises_or_falls_has_the_smallest_dip(rising: bool) -> None:
    """Every one of a thousand values is then a vertex of the convex or of the concave function."""
    values = np.sqrt((np.arange(1000) + 0.5) / 1000)
    assert dip(values if rising else np.sort(1 - values)) == pytest.approx(1 / 2000, abs=1e-12)
