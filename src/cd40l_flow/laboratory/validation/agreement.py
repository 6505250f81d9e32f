"""Agreement of calls with the genotype, as CLSI EP12 has it: percent positive and negative agreement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cd40l_flow.assay.effects import INDETERMINATE, NORMAL
from cd40l_flow.laboratory.validation.estimate import Estimate
from cd40l_flow.mixture.proportion import wilson

# What sheets write where no variant was found, in small letters.
NO_VARIANT = ("wild type", "wild-type", "wildtype", "wt", "normal", "no variant", "none", "negative", "healthy")


@dataclass(frozen=True)
class Agreement:
    """Agreement in percent: of the variants that were called, of the others, and the same with open calls as wrong.

    ``positive`` and ``negative`` are of the called samples; ``positive_all`` and ``negative_all`` count every
    INDETERMINATE as no agreement. None where there is no such sample.
    """

    positive: Estimate | None
    negative: Estimate | None
    positive_all: Estimate | None
    negative_all: Estimate | None
    table: dict[str, dict[str, int]]


def agreement(pairs: Sequence[tuple[str, str]], no_variant: Sequence[str] = NO_VARIANT) -> Agreement | None:
    """Return the agreement of pairs of genotype and call, one of each person; None without a pair.

    A genotype is negative where it is one of ``no_variant``, case aside, else positive; a call is positive where it is
    neither NORMAL nor INDETERMINATE. Intervals are Wilson's scores, as EP12 has them.
    """
    if not pairs:
        return None
    without = {text.casefold() for text in no_variant}
    found: dict[bool, list[str]] = {True: [], False: []}
    table: dict[str, dict[str, int]] = {}
    for genotype, call in pairs:
        found[genotype.strip().casefold() not in without].append(call)
        row = table.setdefault(genotype, {})
        row[call] = row.get(call, 0) + 1
    variants, others = found[True], found[False]
    hits = sum(call not in (NORMAL, INDETERMINATE) for call in variants)
    misses = sum(call == NORMAL for call in others)
    return Agreement(
        positive=_share(hits, sum(call != INDETERMINATE for call in variants)),
        negative=_share(misses, sum(call != INDETERMINATE for call in others)),
        positive_all=_share(hits, len(variants)),
        negative_all=_share(misses, len(others)),
        table=dict(sorted(table.items())),
    )


def _share(hits: int, count: int) -> Estimate | None:
    """Return a percent with its interval; None of nothing."""
    if not count:
        return None
    low, high = wilson(hits / count, count)
    return Estimate(100 * hits / count, 100 * low, 100 * high, count, count)
