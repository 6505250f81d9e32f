"""What B cells people have at an age: published intervals, joined by straight lines in the logarithm of age.

The intervals of class-switched cells and of B cells among lymphocytes are those of ARUP's test 2008901, whose central
values are medians and ranges of 95 %. This module is for drawing donors; no decision uses it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

STAGES = ("transitional", "naive", "non_switched", "switched", "igm_only", "double_negative", "plasmablast")
TRANSITIONAL, NAIVE, NON_SWITCHED, SWITCHED, IGM_ONLY, DOUBLE_NEGATIVE, PLASMABLAST = range(len(STAGES))
Z_95 = 1.96
RHO = 0.5  # between the logits of switched and non-switched memory of a donor; unsourced
MOST_BESIDE_NAIVE = 0.97

# Age in years; switched: median (percent of B cells) and SD of the logit; non-switched and B cells: 2.5 and 97.5 %.
_KNOTS = (
    (0.26, 2.2, 0.76, (3.0, 9.0), (18.0, 38.0)),
    (0.56, 3.8, 0.33, (3.0, 7.0), (16.0, 34.0)),
    (0.97, 3.6, 0.66, (3.0, 11.0), (14.0, 28.0)),
    (1.58, 7.6, 0.35, (4.0, 14.0), (16.0, 34.0)),
    (3.16, 10.6, 0.41, (3.0, 20.0), (14.0, 29.0)),
    (7.07, 18.7, 0.32, (5.0, 20.0), (10.0, 24.0)),
    (12.65, 15.7, 0.32, (5.0, 18.0), (9.0, 23.0)),
    (30.0, 14.3, 0.71, (3.0, 35.0), (6.0, 28.0)),
)


@dataclass(frozen=True)
class Subsets:
    """The stages of B cells as fractions (0 to 1) of all B cells; naive cells are the rest."""

    transitional: float = 0.05
    non_switched: float = 0.08
    switched: float = 0.12
    igm_only: float = 0.006
    double_negative: float = 0.03
    plasmablast: float = 0.006

    def __post_init__(self) -> None:
        values = [getattr(self, field.name) for field in fields(self)]
        if min(values) < 0 or sum(values) > 1:
            raise ValueError(f"The subsets do not add up to 1: {values}.")

    @property
    def naive(self) -> float:
        """Return what is left for naive cells."""
        return float(1.0 - sum(getattr(self, field.name) for field in fields(self)))

    def shares(self) -> tuple[float, ...]:
        """Return the fractions in the order of ``STAGES``."""
        return tuple(getattr(self, name) for name in STAGES)

    def mixed(self, other: Subsets, fraction: float) -> Subsets:
        """Return the subsets of a mixture in which ``fraction`` of the B cells are those of ``other``."""
        names = [field.name for field in fields(self)]
        return Subsets(**{n: (1 - fraction) * getattr(self, n) + fraction * getattr(other, n) for n in names})

    def with_share(self, name: str, value: float) -> Subsets:
        """Return the same with another share of one stage, the other stages in their old proportions."""
        kept = (1.0 - value) / (1.0 - getattr(self, name))
        scaled = {field.name: kept * getattr(self, field.name) for field in fields(self)}
        return Subsets(**(scaled | {name: value}))


def logit(share: float) -> float:
    """Return the logarithm of the odds of a fraction."""
    return float(np.log(share / (1.0 - share)))


def _fraction(logarithm: float) -> float:
    return float(1.0 / (1.0 + np.exp(-logarithm)))


def _at(age_years: float, values: list[float]) -> float:
    return float(np.interp(np.log(age_years), [np.log(knot[0]) for knot in _KNOTS], values))


def switched_law(age_years: float) -> tuple[float, float]:
    """Return mean and SD of the logit of the switched fraction of healthy donors of an age in years."""
    return _at(age_years, [logit(knot[1] / 100) for knot in _KNOTS]), _at(age_years, [knot[2] for knot in _KNOTS])


def healthy_subsets(age_years: float, rng: np.random.Generator, *, switched_z: float | None = None) -> Subsets:
    """Return the subsets of a healthy donor of an age in years.

    ``switched_z`` is how many SD of the logit the switched fraction is off the mean of the age; None draws it.
    Transitional cells fall from a quarter in the first months to 4 % in adults; stages without a published interval
    are log-normal about typical values.
    """
    z = float(rng.standard_normal()) if switched_z is None else switched_z
    mean, sd = switched_law(age_years)
    low, high = ([logit(knot[3][end] / 100) for knot in _KNOTS] for end in (0, 1))
    middle, spread = (
        (_at(age_years, low) + _at(age_years, high)) / 2,
        (_at(age_years, high) - _at(age_years, low)) / (2 * Z_95),
    )
    other = RHO * z + np.sqrt(1.0 - RHO**2) * float(rng.standard_normal())
    early = float(np.exp(np.interp(np.log(age_years), np.log([0.1, 1.0, 6.0, 18.0]), np.log([0.25, 0.15, 0.07, 0.04]))))

    def about(typical: float, sd_ln: float) -> float:
        return float(typical * np.exp(sd_ln * rng.standard_normal()))

    drawn = {
        "transitional": min(about(early, 0.3), 0.5),
        "non_switched": _fraction(middle + spread * other),
        "switched": _fraction(mean + sd * z),
        "igm_only": about(0.005, 0.4),
        "double_negative": about(0.025, 0.3),
        "plasmablast": about(0.005, 0.5),
    }
    excess = sum(drawn.values()) / MOST_BESIDE_NAIVE
    return Subsets(**{name: value / max(excess, 1.0) for name, value in drawn.items()})


def healthy_b_percent(age_years: float, rng: np.random.Generator) -> float:
    """Return the percent of B cells among the lymphocytes of a healthy donor of an age in years: log-normal."""
    low, high = (_at(age_years, [float(np.log(knot[4][end])) for knot in _KNOTS]) for end in (0, 1))
    return float(np.exp((low + high) / 2 + (high - low) / (2 * Z_95) * rng.standard_normal()))


def without_germinal_centre(healthy: Subsets, rng: np.random.Generator) -> Subsets:
    """Return the subsets where T cells give no help (XHIM, CD40, ICOS): 0 to 0.3 % switched, 1 to 6 % non-switched."""
    return replace(
        healthy,
        switched=float(rng.uniform(0.0, 0.003)),
        non_switched=float(rng.uniform(0.01, 0.06)),
        igm_only=healthy.igm_only / 2,
        plasmablast=healthy.plasmablast / 2,
    )


def without_switching(healthy: Subsets, rng: np.random.Generator) -> Subsets:
    """Return the subsets where cells cannot switch (AID, UNG): no switched ones, CD27+IgM+ normal or raised."""
    raised = float(rng.uniform(1.0, 1.8))
    return replace(
        healthy,
        switched=0.0,
        non_switched=min(raised * (healthy.non_switched + 0.02), 0.35),
        igm_only=raised * 2 * healthy.igm_only,
        plasmablast=healthy.plasmablast / 2,
    )
