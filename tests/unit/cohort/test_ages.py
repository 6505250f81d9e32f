"""Ages are kept as bands, and a band is younger than an age only where everybody in it is."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cd40l_flow.assay.memory_b.age_table import band_at
from cd40l_flow.cohort.ages import age_band, fine_band, middle_of, younger_than

BANDS = {
    0.0: "under 6 months",
    0.4: "under 6 months",
    0.5: "6 to 11 months",
    1.0: "1 y",
    4.9: "2 to 4 y",
    9.0: "5 to 9 y",
}
OLDER = {10.0: "10 to 17 y", 18.0: "18 to 44 y", 45.0: "45 y or older", 99.0: "45 y or older"}


@pytest.mark.parametrize(("age", "band"), [*BANDS.items(), *OLDER.items(), (None, None)])
def test_an_age_lies_in_its_band(age: float | None, band: str | None) -> None:
    assert age_band(age) == band


@pytest.mark.parametrize("years", [0.5, 1.0, 2.0, 5.0, 10.0, 18.0, 45.0])
@pytest.mark.parametrize("age", [0.1, 0.7, 1.5, 3.0, 7.0, 12.0, 30.0, 70.0])
def test_a_band_is_younger_than_its_upper_end_and_all_above(age: float, years: float) -> None:
    """At the borders of the bands, where they tell as much as the ages themselves."""
    assert younger_than(age_band(age), years) == (age < years)


def test_what_is_between_the_borders_is_not_known_to_be_younger() -> None:
    assert not younger_than("2 to 4 y", 3.0)
    assert not younger_than(None, 100.0)


def test_fine_bands_lie_within_the_published_ones_and_have_a_middle() -> None:
    """The middle of every fine band is of the same published band as everybody in it."""
    for months in np.concatenate([np.linspace(2, 260, 500), [600.0, 1000.0]]):
        band = fine_band(float(months) / 12)
        assert band is not None
        assert fine_band(middle_of(band) / 12) == band
        assert band_at(middle_of(band)) is band_at(float(months))
    assert fine_band(None) is None
    assert middle_of("2 y") == pytest.approx(math.sqrt(24 * 36))
    with pytest.raises(KeyError):
        middle_of("2 to 4 y")
