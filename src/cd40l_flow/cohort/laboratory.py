"""The laboratory's own limits, as its file of healthy controls gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import UNSET

from cd40l_flow.cohort.reference_types import AgeKnot, Reference, Spread


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


def laboratory(reference: Reference) -> Laboratory:
    """Return the limits of a reference file, without the controls they rest on."""
    healthy, levels, by_age = reference.healthy_negative.items(), reference.mfi_ratio.items(), reference.by_age
    return Laboratory(
        digest=reference.digest,
        controls=reference.collected.used,
        failed=reference.collected.failed,
        engine_versions=tuple(reference.engine_versions),
        cytometers=tuple(reference.seen.cytometers),
        lots={reagent: tuple(lots) for reagent, lots in reference.seen.lots.items()},
        healthy_negative_sd={reagent: found.sd_between for reagent, found in healthy},
        healthy_negative={reagent: found.mean for reagent, found in healthy},
        level_sd={reagent: (found.runs, found.log_sd) for reagent, found in levels},
        spreads=reference.limits,
        by_age=None if by_age is UNSET else ByAge(by_age.share, tuple(by_age.knots), by_age.bands),
    )
