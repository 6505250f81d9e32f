"""The laboratory's own limits, as its file of healthy controls gives them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import convert

# The measures of a control with limits, and whether they are log-normal.
CHARTED: Mapping[str, bool] = {
    "cd69_percent": False,
    "percent_positive": False,
    "negative_fraction": False,
    "mfi_above_background": True,
}


@dataclass(frozen=True)
class Spread:
    """Mean and SD of a measure among healthy controls, of its natural logarithm if ``log``; SD None with fewer than
    two.
    """

    count: int
    mean: float
    sd: float | None
    log: bool

    def limit(self, sds: float) -> float | None:
        """Return the value ``sds`` SD from the mean, in the unit of the measure; None without an SD."""
        if self.sd is None:
            return None
        value = self.mean + sds * self.sd
        return math.exp(value) if self.log else value


@dataclass(frozen=True)
class AgeKnot:
    """Mean and SD of the logit of a share among healthy people of one age, in months.

    ``factor`` times the SD below the mean lies the tolerance limit: 97.5 % of healthy people are above it with a
    confidence of 95 %, however few donors there were.
    """

    age_months: float
    mu: float
    sd: float
    factor: float


@dataclass(frozen=True)
class ByAge:
    """The laboratory's own curve of class-switched B cells by age, from healthy donors.

    ``share`` is the share it is of (``switched`` or ``switched_two_marker``), ``knots`` are in order of age, ``bands``
    the donors of each age band of the published table.
    """

    share: str
    knots: tuple[AgeKnot, ...]
    bands: Mapping[str, int]


@dataclass(frozen=True)
class Laboratory:
    """The combined healthy controls of a laboratory.

    By reagent, ``healthy_negative_sd`` is the SD of the negative fraction among healthy donors and runs, net of its
    measurement error, ``healthy_negative`` its mean, ``level_sd`` the SD of the ln level within runs, with the number
    of runs that had several controls. ``spreads`` are by reagent and measure; ``lots`` (by reagent) and ``cytometers``
    are those seen in its controls. ``by_age`` is the curve of switched B cells, None without donors of known age.
    """

    digest: str
    controls: int
    failed: int
    engine_versions: tuple[str, ...]
    cytometers: tuple[str, ...]
    lots: Mapping[str, tuple[str, ...]]
    healthy_negative_sd: Mapping[str, float]
    healthy_negative: Mapping[str, float]
    level_sd: Mapping[str, tuple[int, float]]
    spreads: Mapping[str, Mapping[str, Spread]]
    by_age: ByAge | None = None


def laboratory(plain: Mapping[str, Any]) -> Laboratory:
    """Return the limits of a checked reference file, without the controls they rest on."""
    healthy, levels = plain["healthy_negative"].items(), plain["mfi_ratio"].items()
    values = {
        "digest": plain["digest"],
        "controls": plain["collected"]["used"],
        "failed": plain["collected"]["failed"],
        "engine_versions": plain["engine_versions"],
        "cytometers": plain["seen"]["cytometers"],
        "lots": plain["seen"]["lots"],
        "healthy_negative_sd": {reagent: found["sd_between"] for reagent, found in healthy},
        "healthy_negative": {reagent: found["mean"] for reagent, found in healthy},
        "level_sd": {reagent: (found["runs"], found["log_sd"]) for reagent, found in levels},
        "spreads": plain["limits"],
        "by_age": plain.get("by_age"),
    }
    return convert(values, Laboratory)
