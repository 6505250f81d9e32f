"""The gating strategy: time, lymphocytes, singlets, viability, CD3+, CD8-, CD69+, the same for every tube of a
sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cd40l_flow.base.model import Override, Sample
from cd40l_flow.gating.fluorescence_steps import gate_cd3, gate_cd4, gate_cd8, gate_cd69, gate_viable
from cd40l_flow.gating.model import (
    ACTIVATED,
    CD3_POSITIVE,
    CD4_POSITIVE,
    CD8_NEGATIVE,
    LYMPHOCYTES,
    SINGLETS,
    TIME,
    VIABLE,
    GatedSample,
    GatedTube,
)
from cd40l_flow.gating.scatter_steps import gate_lymphocytes, gate_singlets, gate_time
from cd40l_flow.gating.working import Working, WorkingTube
from cd40l_flow.signal.prepare import TubeSignal
from cd40l_flow.signal.scale import Scale

# A population, what it is told as a percent of, and the limit below which a tube is warned of.
LOW_PERCENTS = (
    (SINGLETS, LYMPHOCYTES, "singlets_warn_percent"),
    (VIABLE, SINGLETS, "viable_warn_percent"),
    (CD3_POSITIVE, LYMPHOCYTES, "cd3_warn_percent"),
)
Step = Callable[[Working, str], bool]


def gate(
    sample: Sample,
    signals: Sequence[TubeSignal],
    scales: Mapping[str, Scale],
    overrides: Sequence[Override],
    limits: Mapping[str, Any],
    lent: Mapping[str, Mapping[str, Any]] | None = None,
) -> GatedSample:
    """Return the gated tubes of a sample: boundaries are found on its tubes together, then hold for each of them.

    ``scales`` maps detector -> scale, ``limits`` is the group ``gating`` of the configuration, ``lent`` what the run's
    control gives: gate -> its detector and position (``scaled``), ``lymphocytes`` -> detectors and vertices. A gate
    that cannot be drawn leaves its population and those below it out of ``places`` of every tube; the reason stands in
    ``flags``, and what was looked at in ``found`` of the tubes.
    """
    work = Working([WorkingTube(signal) for signal in signals], scales, overrides, limits, lent or {})
    gate_time(work)
    parent = TIME
    for population, step in _steps(limits):
        if not work.tubes or not step(work, parent):
            break
        if any(population in tube.places for tube in work.tubes):
            parent = population
    tubes = tuple(tube.finish() for tube in work.tubes)
    # What stopped the gating speaks last: it is why the populations behind it are missing.
    return GatedSample(sample, tubes, scales, (*_low_percents(tubes, limits), *work.flags))


def _low_percents(tubes: Sequence[GatedTube], limits: Mapping[str, Any]) -> list[str]:
    """Return a warning of each population that is an unusually small part of another in some tubes."""
    told = []
    for population, whole, limit in LOW_PERCENTS:
        least = float(limits[limit])
        low = [
            f"{tube.signal.events.tube.fcs} ({percent:.0f} %)"
            for tube in tubes
            if (percent := tube.percent_of(population, whole)) is not None and percent < least
        ]
        if low:
            told.append(f"fewer {population} than {least:g} % of {whole}: {', '.join(low)}")
    return told


def _steps(limits: Mapping[str, Any]) -> list[tuple[str, Step]]:
    return [
        (LYMPHOCYTES, gate_lymphocytes),
        (SINGLETS, gate_singlets),
        (VIABLE, gate_viable),
        (CD3_POSITIVE, gate_cd3),
        (CD8_NEGATIVE, gate_cd8),
        *([(CD4_POSITIVE, gate_cd4)] if limits["cd4_gate"] else []),
        (ACTIVATED, gate_cd69),
    ]
