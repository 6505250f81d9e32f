"""The laboratory's own limits, made by ``cd40l-flow reference``, as guards and measures use them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from cd40l_flow.assay.limits import Limits

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
class Laboratory:
    """The combined healthy controls of a laboratory.

    By reagent, ``healthy_negative_sd`` is the SD of the negative fraction among healthy donors and runs, net of its
    measurement error, ``healthy_negative`` its mean, ``level_sd`` the SD of the ln level within runs, with the number
    of runs that had several controls. ``spreads`` are by reagent and measure; ``lots`` (by reagent) and ``cytometers``
    are those seen in its controls.
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


def laboratory(plain: Mapping[str, Any] | None) -> Laboratory | None:
    """Return the limits of a reference file; None without one."""
    if plain is None:
        return None
    return Laboratory(
        digest=str(plain["digest"]),
        controls=int(plain["collected"]["used"]),
        failed=int(plain["collected"]["failed"]),
        engine_versions=tuple(plain["engine_versions"]),
        cytometers=tuple(plain["seen"]["cytometers"]),
        lots={reagent: tuple(lots) for reagent, lots in plain["seen"]["lots"].items()},
        healthy_negative_sd={
            reagent: float(found["sd_between"]) for reagent, found in plain["healthy_negative"].items()
        },
        healthy_negative={reagent: float(found["mean"]) for reagent, found in plain["healthy_negative"].items()},
        level_sd={
            reagent: (int(found["runs"]), float(found["log_sd"])) for reagent, found in plain["mfi_ratio"].items()
        },
        spreads={
            reagent: {name: Spread(**found) for name, found in measures.items()}
            for reagent, measures in plain["limits"].items()
        },
    )


def healthy_sd(own: Laboratory | None, reagent: str, limits: Limits) -> float:
    """Return the SD of the negative fraction among healthy donors (0 to 1) that the limits of detection rest on.

    The laboratory's own, never below ``healthy_negative_sd_min``; with too few controls to trust it, never below the
    default of the configuration either: an SD that is too small would call healthy donors mosaics.
    """
    default = limits.mixture.healthy_negative_sd
    if own is None or reagent not in own.healthy_negative_sd:
        return default
    least = limits.reference.healthy_negative_sd_min
    found = max(own.healthy_negative_sd[reagent], least)
    return max(found, default) if own.controls < limits.reference.fewest_controls else found


def level_sd(own: Laboratory | None, reagent: str, limits: Limits) -> float:
    """Return the SD of the ln level of expression among healthy donors.

    It is the laboratory's own if runs had several controls, by the rules of ``healthy_sd`` with the number of runs.
    """
    default = limits.odds.level_sd
    if own is None or reagent not in own.level_sd:
        return default
    runs, sd = own.level_sd[reagent]
    found = max(sd, limits.reference.level_sd_min)
    return max(found, default) if runs < limits.reference.fewest_controls else found


def with_laboratory(limits: Limits, own: Laboratory | None, reagent: str) -> Limits:
    """Return the limits with the laboratory's own values for healthy donors."""
    if own is None:
        return limits
    sd = healthy_sd(own, reagent, limits)
    odds = replace(limits.odds, level_sd=level_sd(own, reagent, limits))
    if reagent in own.healthy_negative and own.controls >= limits.reference.fewest_controls:
        # The SD of a reference includes differences between runs and between donors.
        odds = replace(odds, healthy_negative=own.healthy_negative[reagent], healthy_negative_mean_sd=sd)
    return replace(limits, mixture=replace(limits.mixture, healthy_negative_sd=sd), odds=odds)
