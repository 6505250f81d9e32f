"""The gating strategy: the assay's gates, one after the other, the same for every tube of a sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from cd40l_flow.assay.gating_limits import GatingLimits
from cd40l_flow.assay.limits import limit_named
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.tables import Gate
from cd40l_flow.base.model import Override, Sample
from cd40l_flow.gating.control_gates import ControlGates
from cd40l_flow.gating.marker_gate import gate_on_marker
from cd40l_flow.gating.model import GatedSample, GatedTube
from cd40l_flow.gating.scatter_steps import gate_lymphocytes, gate_singlets, gate_time
from cd40l_flow.gating.working import Working, WorkingTube
from cd40l_flow.signal.prepare import TubeSignal
from cd40l_flow.signal.scale import Scale

# The steps of gates that are not on a marker, by the name of their finder.
STEPS: Mapping[str, Callable[[Working, Gate, str], bool]] = {
    "time": gate_time,
    "scatter": gate_lymphocytes,
    "singlets": gate_singlets,
}
NO_GATES = ControlGates()


def gate(
    sample: Sample,
    signals: Sequence[TubeSignal],
    scales: Mapping[str, Scale],
    overrides: Sequence[Override],
    limits: GatingLimits,
    control_gates: ControlGates = NO_GATES,
) -> GatedSample:
    """Return the gated tubes of a sample: boundaries are found on its tubes together, then applied to each.

    ``scales`` maps detector -> scale, ``limits`` is the group ``gating`` of the configuration, ``control_gates`` are
    those of the run's controls. If a gate cannot be drawn, its population and those below are missing from ``indices``
    of every tube. The reason is in ``flags``, the evidence in ``found`` of the tubes.
    """
    tubes = [WorkingTube(signal) for signal in signals]
    work = Working(tubes, scales, overrides, limits, control_gates)
    for row in current_assay().gates if work.tubes else ():
        if row.only_if and not limit_named(limits, row.only_if):
            continue
        parent = _parent(work, row)
        if parent is not None and not STEPS.get(row.finder, gate_on_marker)(work, row, parent):
            work.without.add(row.population)
    gated = tuple(tube.finish() for tube in work.tubes)
    # The reason that stopped gating comes last: it explains the missing populations.
    return GatedSample(sample, gated, scales, (*_low_percents(gated, limits), *work.flags))


def _parent(work: Working, row: Gate) -> str | None:
    """Return the population that a gate is drawn on; None where it could not be gated.

    A gate that is left out, or whose marker no tube has, hands on its own parent.
    """
    assay = current_assay()
    name = assay.parent_of[row.population]
    while name != "all" and not any(name in tube.indices for tube in work.tubes):
        maker = assay.maker[name]
        if maker.population in work.without:
            work.without.add(row.population)
            return None
        name = assay.parent_of[maker.population]
    return name


def _low_percents(tubes: Sequence[GatedTube], limits: GatingLimits) -> list[str]:
    """Return a warning of each population that is an unusually small part of another in some tubes."""
    messages = []
    for row in current_assay().gates:
        whole, limit = row.warn
        if not limit:
            continue
        least = limit_named(limits, limit)
        low = [
            f"{tube.signal.events.tube.fcs} ({percent:.0f} %)"
            for tube in tubes
            if (percent := tube.percent_of(row.population, whole)) is not None and percent < least
        ]
        if low:
            messages.append(f"fewer {row.population} than {least:g} % of {whole}: {', '.join(low)}")
    return messages
