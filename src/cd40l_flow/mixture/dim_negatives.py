"""Healthy people whose cells that do not express the target hold a little of it all the same.

Regulatory and double-negative T cells bind a few percent of what the others do, or more of the stain than of its
isotype. Beside the background such cells look like mutant cells that keep a part of the level. They are no evidence of
a residual allele unless there are more of them than a healthy person has cells that do not express.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from cd40l_flow.assay.call_limits import OddsLimits
from cd40l_flow.base.model import Floats
from cd40l_flow.mixture import hypotheses as h
from cd40l_flow.mixture.evidence import Evidence, evidence
from cd40l_flow.mixture.hypotheses import (
    Above,
    Hypothesis,
    Normal,
    People,
    level_law,
    log_convolved,
    log_share,
    share_law,
)
from cd40l_flow.mixture.problem import Problem

# Share of people, healthy or not, whose negative cells are partly dim. Default, not validated.
SHARE = 0.2
# ln of what dim cells hold over the level of the others: 3 to 50 % within two SD.
KEPT, KEPT_SD = math.log(0.12), 0.7
# Any share of cells is as likely as any other; the edge of its distribution is blurred by this SD.
LEAST, BLUR = 0.001, 0.02
# Log evidence by which a residual allele may lie behind the likeliest hypothesis for dim cells to be worth a search.
WORTH = 6.0
# Of a mosaic dim cells are what a residual allele leaves them: its evidence counts there, with the same caution.
WITH_DIM = ((h.NORMAL, h.NORMAL), (h.REDUCED, h.REDUCED), (h.MOSAIC, h.RESIDUAL))


def with_dim_negatives(
    found: Mapping[str, Evidence],
    problem: Problem,
    residual: Hypothesis,
    people: People,
    near: Floats,
    odds: OddsLimits,
) -> dict[str, Evidence]:
    """Return the evidence of every hypothesis, those with negative cells also given that some of these are dim.

    ``residual`` is the hypothesis of a residual allele, ``near`` the best fit, (9,); ``odds`` is that group of the
    limits. The shares of negative and of dim cells are free in the search. Their sum, all cells below the level of the
    others, is then as the negative fraction of each hypothesis, and any part of it may be dim.
    """
    best = max(one.log for one in found.values())
    if found[h.RESIDUAL].log < best - WORTH:
        return dict(found)
    free = replace(
        residual,
        negative=Above(LEAST, BLUR),
        residual=Normal(KEPT, KEPT_SD),
        mutants=Above(LEAST, BLUR, residual.most_mutants),
    )
    value = min(one.value for one in found.values())
    dim = evidence(problem, free, people.negative, near, value)
    if dim.below is None:
        return dict(found)
    share, error = dim.below
    negative = (share - dim.fraction) / (1 - dim.fraction)
    # From the densities of two free shares to that of their sum and of the dim part of it.
    each = dim.log + math.log(SHARE) + math.log(max(1 - negative, 1e-3) / max(share, 1e-3))
    each -= log_convolved(dim.level, dim.level_error**2, residual.level)
    # Enough cells have the full level.
    each += log_share((residual.most_mutants - share) / max(error, 1e-3))[0]
    joined, given = dict(found), {}
    for name, counted in WITH_DIM:
        more = log_convolved(dim.level, dim.level_error**2, level_law(name, people, odds))
        more += log_convolved(share - people.negative, error**2, share_law(name, people))
        given[name] = each + more
        # The estimates stay those without dim cells: two reagents of one blood are compared by the same kind.
        joined[counted] = replace(joined[counted], log=float(np.logaddexp(joined[counted].log, given[name])))
    # Dim cells are as likely in both, so what speaks for a mosaic with and without them does so whatever they are.
    odds_of_mosaic = min(found[h.MOSAIC].log - found[h.NORMAL].log, given[h.MOSAIC] - given[h.NORMAL])
    mosaic = max(found[h.MOSAIC].log, joined[h.NORMAL].log + odds_of_mosaic)
    return {**joined, h.MOSAIC: replace(found[h.MOSAIC], log=mosaic)}
