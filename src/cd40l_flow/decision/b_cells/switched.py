"""Which share of switched cells decides, and how it compares with the limits of the age."""

from __future__ import annotations

from dataclasses import dataclass

from cd40l_flow.assay.limits import Limits
from cd40l_flow.base.model import Sample
from cd40l_flow.decision.b_cells.age_curve import AgeCurve, AgeLimits, percent_of
from cd40l_flow.decision.b_cells.measures import MemoryMeasures, Share
from cd40l_flow.decision.rule_logic import Measures


@dataclass(frozen=True)
class AgeFinding:
    """A sample's switched share and the limits of its age; percents of B cells, None where not known.

    ``share`` names the one that is compared with the limits: ``switched`` (CD27+IgD-IgM-), or ``switched_two_marker``
    where IgM is not informative; ``percent`` is its value and ``age_z`` its place on the curve of the age, in SD of the
    logit. ``limit_low`` is the 2.5th percentile of the age, ``limit_certain`` what SWITCHED_LOW lies below,
    ``age_median`` the median; ``table`` says which table decided. An age that is not known has the limits of any age,
    no median and no ``age_z``.
    """

    share: str
    percent: float | None
    age_z: float | None
    limit_low: float
    limit_certain: float
    limit_absent: float
    age_median: float | None
    table: str
    provisional: bool
    limits: AgeLimits
    strict_low: float | None
    two_marker_low: float | None


def counts_igm(measures: MemoryMeasures) -> bool:
    """Return whether switched cells could be distinguished from IgM-only ones."""
    return measures.switched is not None and measures.switched.low is not None and measures.switched.high is not None


def deciding(measures: MemoryMeasures) -> tuple[str, Share]:
    """Return name and share of the switched cells that are compared with the limits."""
    if measures.switched is not None and counts_igm(measures):
        return "switched", measures.switched
    return "switched_two_marker", measures.switched_two_marker


def memory_numbers(sample: Sample, measures: MemoryMeasures | None, curve: AgeCurve, limits: Limits) -> AgeFinding:
    """Return how a sample's switched share compares with the limits of its age."""
    known = sample.age_years is not None
    own = limits.b_cells
    at = curve.any_age(own) if sample.age_years is None else curve.limits(sample.age_years, own)
    name, share = ("switched", None) if measures is None else deciding(measures)
    percent = None if share is None else share.percent
    z = None
    if known and percent is not None and measures is not None and measures.b_events > 0:
        # None seen is less than one of them: half a cell is taken.
        half = 50 / measures.b_events
        z = at.z(min(max(percent, half), 100 - half))
    two = None if measures is None else measures.switched_two_marker
    return AgeFinding(
        share=name,
        percent=percent,
        age_z=z,
        limit_low=at.normal,
        limit_certain=at.low,
        limit_absent=at.absent,
        age_median=percent_of(at.mu) if known else None,
        table=at.table,
        provisional=at.provisional,
        limits=at,
        strict_low=share.low if share is not None and name == "switched" else None,
        two_marker_low=None if two is None else two.low,
    )


def rule_measures(measures: MemoryMeasures, age: AgeFinding, limits: Limits) -> Measures:
    """Return the measures and limits that the rules compare, percents of B cells."""
    own, (name, share) = limits.b_cells, deciding(measures)
    low, high = _ends(share, own.interval_part)
    two_low, two_high = _ends(measures.switched_two_marker, own.interval_part)
    # Without IgM, IgM-only cells may be this many of what was counted.
    allowed = 0.0 if name == "switched" else own.igm_only_points
    return {
        "switched_low": None if low is None else low - allowed,
        "switched_high": high,
        "two_marker_low": two_low,
        "two_marker_high": two_high,
        "limit_normal": age.limit_low,
        "limit_low": age.limit_certain,
        "limit_part": own.switched_part_min * age.limit_certain,
        "limit_absent": age.limit_absent,
        "igm_ratio": _igm_ratio(measures),
        "igm_ratio_min": own.igm_only_level_min,
    }


def _igm_ratio(measures: MemoryMeasures) -> float:
    """Return how bright IgM-only cells are, IgM over that of CD27- B cells; 0 where they are too few to be bright."""
    mine, usual = measures.igm_only_median, measures.igm_median
    return mine / usual if mine is not None and usual is not None and usual > 0 else 0.0


def _ends(share: Share, part: float) -> tuple[float | None, float | None]:
    """Return the ends of a share's interval, moved towards the share where only a part must clear a limit."""
    if share.percent is None or share.low is None or share.high is None:
        return share.low, share.high
    return share.percent - part * (share.percent - share.low), share.percent + part * (share.high - share.percent)
