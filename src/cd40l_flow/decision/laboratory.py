"""The laboratory's own limits, made by ``cd40l-flow reference``, as guards and measures use them."""

from __future__ import annotations

from msgspec.structs import replace

from cd40l_flow.assay.limits import Limits
from cd40l_flow.cohort.laboratory import Laboratory


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
