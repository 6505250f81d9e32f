"""The laboratory's own limits from the healthy controls of many result folders: ``cd40l-flow reference``."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Protocol, TypeVar

from msgspec import UNSET, UnsetType, convert, to_builtins

from cd40l_flow.assay.effects import INDETERMINATE, NORMAL
from cd40l_flow.assay.limits import Limits
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.memory_b.age_table import BANDS, band_at
from cd40l_flow.base.disk import write_atomically
from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.base.plain_json import digest_of
from cd40l_flow.cohort.ages import middle_of
from cd40l_flow.cohort.reference_types import (
    CHARTED,
    Collected,
    ControlMeasures,
    ControlRow,
    DonorsByAge,
    Excluded,
    HealthyNegative,
    RatioRange,
    Reference,
    Seen,
    Share,
    Spread,
)
from cd40l_flow.decision.b_cells.own_curve import Donor, own_curve
from cd40l_flow.decision.compare import detection_limits
from cd40l_flow.mixture.between import between
from cd40l_flow.mixture.proportion import Z95
from cd40l_flow.result.types.control import Control
from cd40l_flow.result.types.plain import rounded
from cd40l_flow.result.types.result import Result

T = TypeVar("T")
SCHEMA_VERSION = "1.0"


def collect(results: Sequence[tuple[str, Result]], limits: Limits) -> Reference:
    """Return the content of a reference file; ``results`` are pairs of path and result, of any role.

    ``limits`` are all groups of the configuration's, at their defaults: the limits of blank and detection printed are
    those of a sample and a control with the controls' median error. Raises Cd40lFlowError when the same data come
    twice, or when there is no healthy control.
    """
    all_controls = [(path, result) for path, result in results if result.role == "control"]
    refuse_repeats(all_controls)
    donors = [result for _, result in all_controls if donor_of(result, "switched_two_marker") is not None]
    controls = [(path, result) for path, result in all_controls if result.assay == "cd40l"]
    failures = [(result, why(result)) for _, result in controls]
    kept = sorted((row_of(result) for result, found in failures if not found), key=_order)
    if not kept and not donors:
        raise Cd40lFlowError(
            f"{len(results)} results hold no healthy control that met its limits: there is nothing to make limits of. "
            "Name more results folders; each report says which limit its control failed."
        )
    reagents = [name for name in current_assay().targets if any(name in row.reagents for row in kept)]
    plain = rounded(
        Reference(
            schema_version=SCHEMA_VERSION,
            digest="",
            engine_versions=sorted(
                {result.engine_version for result in (*(one for one, found in failures if not found), *donors)},
                key=lambda version: (len(version), version),  # whole numbers as text
            ),
            collected=Collected(
                results=len(results),
                controls=len(controls),
                used=len(kept),
                failed=len(controls) - len(kept),
                few=len(kept) < limits.reference.fewest_controls,
            ),
            seen=Seen(
                months=sorted({row.month for row in kept if row.month}),
                cytometers=sorted({row.cytometer for row in kept}),
                lots={reagent: sorted({one.lot for one in _of(kept, reagent)}) for reagent in reagents},
                clones={reagent: sorted({one.clone for one in _of(kept, reagent)}) for reagent in reagents},
            ),
            limits={reagent: _spreads(kept, reagent) for reagent in reagents},
            healthy_negative=_known({reagent: _healthy(kept, reagent, limits) for reagent in reagents}),
            mfi_ratio=_known({reagent: _ratio_range(kept, reagent) for reagent in reagents}),
            controls=kept,
            excluded=sorted(
                (Excluded(sample=one.sample, run=one.run, why=found) for one, found in failures if found),
                key=lambda one: (one.run, one.sample),
            ),
            by_age=_by_age(donors, limits),
        )
    )
    return convert(plain | {"digest": digest_of(plain)}, Reference)


def _known(found: Mapping[str, T | None]) -> dict[str, T]:
    return {name: one for name, one in found.items() if one is not None}


def donor_of(result: Result, share: str) -> Donor | None:
    """Return a control as a healthy donor of the curve by age; None where it does not count.

    It counts with an age, a share with an interval, and no check of its own that leaves no call; how far its share lies
    from that of others is not asked, or the spread would be too small. Its age is the middle of its band.
    """
    memory = result.memory
    if result.role != "control" or memory is None or memory.age_band is None:
        return None
    hard = [one for one in result.guards if one.effect == "hard" and one.fired is not False]
    if any(one.code not in ("CONTROL_ABSENT", "CONTROL_FAILED") for one in hard):
        return None
    found = memory.switched if share == "switched" else memory.switched_two_marker
    if found is None or found.percent is None or found.low is None or found.high is None:
        return None
    return Donor(middle_of(memory.age_band), found.percent, found.low, found.high)


def _by_age(results: Sequence[Result], limits: Limits) -> DonorsByAge | UnsetType:
    """Return the curve of switched B cells by age, of the share without IgM where it is known of every donor."""
    if not results:
        return UNSET
    strict = [found for result in results if (found := donor_of(result, "switched")) is not None]
    share: Share = "switched" if len(strict) == len(results) else "switched_two_marker"
    donors = [found for result in results if (found := donor_of(result, share)) is not None]
    own = limits.b_cells
    curve = own_curve(donors, share, fewest=own.own_donors_fewest)
    bands = {band.words: sum(band_at(one.age_months) is band for one in donors) for band in BANDS}
    return DonorsByAge(
        share=share,
        donors=len(donors),
        bands=bands,
        provisional=[words for words, count in bands.items() if own.own_donors_fewest <= count < own.own_donors_min],
        knots=[] if curve is None else list(curve.knots),
    )


def write_reference(content: Reference, path: Path) -> None:
    """Write a reference as JSON, keys sorted: equal content is equal bytes."""
    write_atomically(path, json.dumps(to_builtins(content), indent=1, sort_keys=True, allow_nan=False) + "\n")


def summary_lines(content: Reference, fewest: int) -> Iterator[str]:
    """Yield the content of a reference, in lines for a terminal."""
    collected = content.collected
    yield (
        f"reference: {collected.used} healthy controls of {collected.controls} ({collected.failed} failed and "
        f"left out), {len(content.seen.cytometers)} instruments, "
        f"versions of the analysis: {', '.join(content.engine_versions)}"
    )
    if collected.few:
        yield (
            f"  fewer than {fewest} controls: the limits are provisional. The spread of healthy donors is taken to be "
            "no smaller than the default, and no control fails by its chart."
        )
    if content.by_age is not UNSET:
        yield from _by_age_lines(content.by_age)
    for reagent, found in content.healthy_negative.items():
        yield (
            f"  {reagent}: negative fraction of healthy donors {found.mean:.3f}, SD between them "
            f"{found.sd_between:.4f} (as measured {found.sd_total:.4f}); mutant fraction: limit of blank "
            f"{found.lob:.3f}, limit of detection {found.lod:.3f}"
        )


def _by_age_lines(found: DonorsByAge) -> Iterator[str]:
    counted = ", ".join(f"{words} {count}" for words, count in found.bands.items() if count)
    yield f"  switched B cells by age ({found.share}): {found.donors} donors ({counted})"
    if found.provisional:
        yield (
            f"  provisional because there are few donors; the published table must agree: "
            f"{', '.join(found.provisional)}. Ages without a curve are judged by the published table."
        )


class HealthyCandidate(Protocol):
    """What decides whether a control may count among the healthy: a result, or the parts of one."""

    @property
    def call(self) -> str:
        """The automatic call."""

    @property
    def lent(self) -> Control | None:
        """What it gives to the samples of its run."""

    @property
    def reagents(self) -> Mapping[str, object]:
        """What was measured, by reagent."""


def why(result: HealthyCandidate) -> str:
    """Return why a control must not count among the healthy; empty when it may.

    That another control of its run failed is not its own fault, and a control in the grey zone stays: to leave out
    healthy donors with many negative cells would make the spread too small.
    """
    if result.lent is None or result.lent.failures:
        return " ".join(result.lent.failures) if result.lent else "It has no control record."
    if result.call not in (NORMAL, INDETERMINATE):
        return f"It is called {result.call} when compared with the run's other controls."
    return "" if result.reagents else "Nothing could be measured."


def refuse_repeats(results: Sequence[tuple[str, Result]]) -> None:
    """Raise Cd40lFlowError where results, pairs of path and result, hold the same data twice: it is no repeat."""
    seen: dict[str, tuple[str, Result]] = {}
    repeats = []
    for path, result in results:
        digests = [tube.digest for tube in result.tubes if tube.digest]
        first = next((seen[digest] for digest in digests if digest in seen), None)
        if first is not None:
            repeats.append(
                f"{path} ({result.sample} of run {result.run}) holds the data of {first[0]} "
                f"({first[1].sample} of run {first[1].run})."
            )
        for digest in digests:
            seen.setdefault(digest, (path, result))
    if repeats:
        raise Cd40lFlowError("\n  ".join(["The same data must not count twice. Leave one of each out:", *repeats]))


def row_of(result: Result) -> ControlRow:
    """Return the row of one control: allow-listed words, and its measures."""
    read = [tube for tube in result.tubes if tube.status == "ok"]
    return ControlRow(
        sample=result.sample,
        run=result.run,
        month=min((tube.month for tube in read if tube.month), default=""),
        cytometer=next((tube.cytometer or "" for tube in read), ""),
        reagents={reagent: _control_measures(result, reagent) for reagent in result.reagents},
    )


def _control_measures(result: Result, reagent: str) -> ControlMeasures:
    """Return what of one reagent of a control enters rows and charts; percents 0 to 100, fractions 0 to 1."""
    found = result.reagents[reagent]
    low, high = found.negative_fraction_low, found.negative_fraction_high
    positive, background = found.mfi_positive, found.mfi_background
    tube = next(tube for tube in result.tubes if tube.fcs in found.tubes)
    activation = result.lent.activation_percent if result.lent is not None else {}
    return ControlMeasures(
        clone=tube.clone,
        lot=tube.lot,
        cd69_percent=activation.get(reagent),
        percent_positive=found.percent_positive,
        negative_fraction=found.negative_fraction,
        negative_fraction_error=None if low is None or high is None else (high - low) / (2 * Z95),
        mfi_above_background=None if positive is None or background is None else positive - background,
    )


def _order(row: ControlRow) -> tuple[str, str, str, str]:
    return row.month, row.run, row.sample, json.dumps(to_builtins(row), sort_keys=True)


def _of(rows: Sequence[ControlRow], reagent: str) -> list[ControlMeasures]:
    return [row.reagents[reagent] for row in rows if reagent in row.reagents]


def values_of(rows: Sequence[ControlRow], reagent: str, measure: str) -> list[float]:
    """Return the known values of a measure; on the logarithm where it is charted so."""
    known = [value for one in _of(rows, reagent) if (value := one.charted(measure)) is not None]
    return [math.log(value) for value in known if value > 0] if CHARTED[measure] else known


def spread(values: Sequence[float], *, log: bool) -> Spread:
    """Return count, mean and SD of values."""
    return Spread(count=len(values), mean=fmean(values), sd=stdev(values) if len(values) > 1 else None, log=log)


def _spreads(rows: Sequence[ControlRow], reagent: str) -> dict[str, Spread]:
    found = {measure: values_of(rows, reagent, measure) for measure in CHARTED}
    return {measure: spread(values, log=CHARTED[measure]) for measure, values in found.items() if values}


def _healthy(rows: Sequence[ControlRow], reagent: str, limits: Limits) -> HealthyNegative | None:
    """Return how much the negative fraction of healthy donors differs, and what follows for the mutant fraction."""
    pairs = [
        (one.negative_fraction, one.negative_fraction_error)
        for one in _of(rows, reagent)
        if one.negative_fraction is not None and one.negative_fraction_error is not None
    ]
    values, errors = [value for value, _ in pairs], [error for _, error in pairs]
    found = between(values, errors)
    if found is None:
        return None
    error = sorted(errors)[len(errors) // 2]
    lob, lod = detection_limits(found.sd, found.mean, error, error, limits.mixture)
    return HealthyNegative(
        count=found.count,
        mean=found.mean,
        sd_between=found.sd,
        sd_total=stdev(values),
        median_error=error,
        lob=lob,
        lod=lod,
    )


def _ratio_range(rows: Sequence[ControlRow], reagent: str) -> RatioRange | None:
    """Return the 95 % range of the MFI ratio of two healthy donors of one run; None without a run of two controls.

    From the variance of ln MFI within runs, pooled; a ratio of two has twice that variance.
    """
    runs: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        runs.setdefault((row.month, row.run), []).extend(values_of([row], reagent, "mfi_above_background"))
    together = [values for values in runs.values() if len(values) > 1]
    if not together:
        return None
    freedom = sum(len(values) - 1 for values in together)
    variance = sum((len(values) - 1) * stdev(values) ** 2 for values in together) / freedom
    reach = Z95 * math.sqrt(2 * variance)
    return RatioRange(runs=len(together), log_sd=math.sqrt(variance), low=math.exp(-reach), high=math.exp(reach))
