"""Absence in which every cell holds a trace of the target, or more of the stain than of its isotype.

Such cells all lie a little above the background, as those of one kind that expresses very little.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from cd40l_flow.assay.call_limits import OddsLimits
from cd40l_flow.mixture import hypotheses as h
from cd40l_flow.mixture.evidence import Evidence
from cd40l_flow.mixture.hypotheses import Normal, People, level_law, log_convolved, share_law

# Share of people without expression of whom any part of the cells holds traces. Default, not validated.
SHARE = 0.1
# ln level over the control's: 3 to 12 % within two SD, of a dim stain too. What patients with reduced expression or
# healthy people may have is no trace.
TRACES = Normal(h.ABSENT_LEVEL, 0.35)


def with_traces(found: Mapping[str, Evidence], people: People, odds: OddsLimits) -> dict[str, Evidence]:
    """Return the evidence of every hypothesis, absence also given that any share of the cells holds traces.

    It follows from that of reduced expression, whose level and share of negative cells have other priors. ``odds`` is
    that group of the limits.
    """
    one = found[h.REDUCED]
    level, fraction = (one.level, one.level_error**2), (one.fraction, one.fraction_error**2)
    log = one.log + math.log(SHARE)
    log += log_convolved(*level, TRACES) - log_convolved(*level, level_law(h.REDUCED, people, odds))
    # Any share is as likely as any other.
    log -= log_convolved(*fraction, share_law(h.REDUCED, people))
    both = float(np.logaddexp(found[h.ABSENT].log, log))
    return {**found, h.ABSENT: replace(found[h.ABSENT], log=both)}
