"""Ages as bands: an exact age may identify a person."""

from __future__ import annotations

import math

AGE_BANDS = ((0.5, "under 6 months"), (1, "6 to 11 months"), (2, "1 y"), (5, "2 to 4 y"), (10, "5 to 9 y"))
OLDER_BANDS = ((18, "10 to 17 y"), (45, "18 to 44 y"), (math.inf, "45 y or older"))


def age_band(age_years: float | None) -> str | None:
    """Return the band an age lies in; None for none."""
    if age_years is None:
        return None
    return next(band for limit, band in (*AGE_BANDS, *OLDER_BANDS) if age_years < limit)


def younger_than(band: str | None, years: float) -> bool:
    """Return whether everybody in a band is younger than so many years; nobody of whom no age is known."""
    return any(name == band and limit <= years for limit, name in (*AGE_BANDS, *OLDER_BANDS))
