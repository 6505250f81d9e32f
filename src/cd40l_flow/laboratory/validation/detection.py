"""Limits of blank and detection, as CLSI EP17 has them: of repeats of healthy blood and of blood with few mutants.

Values of one person, and of one run, have something in common, so that sixty of three runs are worth less than sixty of
sixty; the intervals account for that, while those of the guideline take all values as independent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from scipy.stats import binom, t

from cd40l_flow.laboratory.validation.estimate import Estimate, summed
from cd40l_flow.laboratory.validation.precision import precision

# What EP17-A2 asks for each reagent lot: measurements, samples, days.
ASKED, ASKED_SAMPLES, ASKED_RUNS = 60, 4, 3
# Fewer do not determine a 95th percentile.
FEWEST = 10
SHARE = 0.95
_Z = 1.6448536269514722  # 95th percentile of the normal distribution
# Of so few groups no interval is made.
_FEWEST_GROUPS = 3
# Person, run and value.
Values = Sequence[tuple[str, str, float]]


def limit_of_blank(blanks: Values) -> Estimate | None:
    """Return the 95th percentile of blanks by mean and SD, EP17's parametric limit; None with fewer than ten.

    The SD is that of one value of another person: between and within people. The interval joins, by MOVER, that of the
    mean (between people or between runs, whichever is wider) and that of 1.645 SD.
    """
    sd = _spread(blanks) if len(blanks) >= FEWEST else None
    mean = _mean(blanks)
    if sd is None or mean is None:
        return None
    return summed(mean, _times(sd))


def limit_of_detection(blank: Estimate, low: Estimate) -> Estimate:
    """Return the limit of detection: 95 % of samples there lie above the limit of blank.

    ``low`` is the SD of samples of low fraction, as `spread_of_low` gives it; LoD = LoB + 1.645 SD, the SD enlarged as
    in EP17. The intervals of both parts are joined by MOVER.
    """
    return summed(blank, _times(low))


def spread_of_low(levels: Mapping[float, Values]) -> Estimate | None:
    """Return the SD of one value of another person about the mean of its level, over all levels; None with too few.

    ``groups`` of it is the number of people.
    """
    apart = []
    for values in levels.values():
        if len(values) > 1:
            mean = math.fsum(value for *_, value in values) / len(values)
            apart += [(person, run, value - mean) for person, run, value in values]
    return _spread(apart)


def _times(sd: Estimate) -> Estimate:
    """Return 1.645 SD, enlarged for an SD of few groups, which is too small on average (EP17); ends as they are."""
    factor = _Z / (1 - 1 / (4 * (sd.groups - 1))) if sd.groups > 1 else _Z
    low, high = (None if end is None else _Z * end for end in (sd.low, sd.high))
    return Estimate(factor * sd.value, low, high, sd.count, sd.groups)


def _by(values: Values, factor: int) -> dict[str, list[float]]:
    """Return values by person (0) or by run (1)."""
    found: dict[str, list[float]] = {}
    for one in values:
        found.setdefault((one[0], one[1])[factor], []).append(one[2])
    return found


def _spread(values: Values) -> Estimate | None:
    """Return the SD of one value of another person, between and within people; None with fewer than three people."""
    people = _by(values, 0)
    if len(people) < _FEWEST_GROUPS:
        return None
    found = precision({"": people})
    sd = found.within_laboratory if found is not None else None
    if sd is None or sd.value == 0:
        return None
    return Estimate(sd.value, sd.low, sd.high, len(values), len(people))


def _mean(values: Values) -> Estimate | None:
    """Return the mean, with the wider of its t intervals between people and between runs."""
    mean, found = math.fsum(value for *_, value in values) / max(len(values), 1), []
    for factor in (0, 1):
        means = [math.fsum(one) / len(one) for one in _by(values, factor).values()]
        if len(means) >= _FEWEST_GROUPS:
            centre = math.fsum(means) / len(means)
            error = math.sqrt(math.fsum((one - centre) ** 2 for one in means) / (len(means) - 1) / len(means))
            found.append((float(t.ppf(0.975, len(means) - 1)) * error, len(means)))
    if not found:
        return None
    reach, groups = max(found)
    return Estimate(mean, mean - reach, mean + reach, len(values), groups)


def limit_of_blank_by_rank(values: Sequence[float]) -> Estimate | None:
    """Return the 95th percentile of blanks by rank, EP17's limit without a law, None below the number it asks for.

    The interval is that of a quantile by order statistics (binomial); an end that so few values do not have is None.
    """
    count = len(values)
    if count < ASKED:
        return None
    ordered = sorted(values)
    rank = 0.5 + SHARE * count
    below = min(int(rank), count)
    above = min(below + 1, count)
    value = ordered[below - 1] + (rank - below) * (ordered[above - 1] - ordered[below - 1])
    low = int(binom.ppf(0.025, count, SHARE))
    high = int(binom.ppf(0.975, count, SHARE)) + 1
    return Estimate(value, ordered[max(low - 1, 0)], ordered[high - 1] if high <= count else None, count)
