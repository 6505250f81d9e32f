"""Ages as bands: an exact age may identify a person."""

from __future__ import annotations

import math

AGE_BANDS = ((0.5, "under 6 months"), (1, "6 to 11 months"), (2, "1 y"), (5, "2 to 4 y"), (10, "5 to 9 y"))
OLDER_BANDS = ((18, "10 to 17 y"), (45, "18 to 44 y"), (math.inf, "45 y or older"))

# Finer bands, of which each lies within one of the published table of memory B cells: upper end in months.
FINE_BANDS = (
    (2, "under 2 months"),
    (5, "2 to 4 months"),
    (9, "5 to 8 months"),
    (12, "9 to 11 months"),
    (15, "12 to 14 months"),
    (24, "15 to 23 months"),
    (36, "2 y"),
    (48, "3 y"),
    (60, "4 y"),
    (84, "5 to 6 y"),
    (120, "7 to 9 y"),
    (156, "10 to 12 y"),
    (192, "13 to 15 y"),
    (300, "16 to 24 y"),
    (540, "25 to 44 y"),
    (math.inf, "45 y or older"),
)
# What represents the open ends, in months.
_BIRTH, _OLD = 1.0, 960.0


def fine_band(age_years: float | None) -> str | None:
    """Return the fine band an age lies in; None for none."""
    if age_years is None:
        return None
    return next(band for limit, band in FINE_BANDS if 12 * age_years < limit)


def middle_of(band: str) -> float:
    """Return the middle of a fine band on the logarithm of age, in months; raises KeyError for another band."""
    ends = [_BIRTH, *(limit for limit, _ in FINE_BANDS[:-1]), _OLD]
    place = {name: place for place, (_, name) in enumerate(FINE_BANDS)}[band]
    return math.sqrt(ends[place] * ends[place + 1])


def age_band(age_years: float | None) -> str | None:
    """Return the band an age lies in; None for none."""
    if age_years is None:
        return None
    return next(band for limit, band in (*AGE_BANDS, *OLDER_BANDS) if age_years < limit)


def younger_than(band: str | None, years: float) -> bool:
    """Return whether everybody in a band is younger than so many years; False where no age is known."""
    return any(name == band and limit <= years for limit, name in (*AGE_BANDS, *OLDER_BANDS))
