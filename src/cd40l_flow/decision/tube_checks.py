"""Checks between the tubes of one sample: stimulation, labels, acquisition."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from cd40l_flow.assay.cd40l.gates import ACTIVATED, CD3_POSITIVE, CD8_NEGATIVE, CD8_POSITIVE
from cd40l_flow.assay.gating_limits import GatingLimits
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.shared_gates import LYMPHOCYTES
from cd40l_flow.assay.tables import TARGET
from cd40l_flow.base.model import Tube
from cd40l_flow.decision.calls import Decision
from cd40l_flow.decision.case import Case, TubeCheck, WithoutTimeQC
from cd40l_flow.decision.compensation_check import slopes
from cd40l_flow.decision.fingerprints import differences
from cd40l_flow.gating.density import HIGH, counted, density_of, find_valleys
from cd40l_flow.gating.model import GatedSample, GatedTube
from cd40l_flow.gating.working import ends_of
from cd40l_flow.signal.acquisition import Mask
from cd40l_flow.signal.prepare import TubeSignal, without_time_qc
from cd40l_flow.signal.scale import Scale, robust_sd

# A ratio of medians that means another state of the cells, not another staining.
FAR = 3.0
FAR_POINTS = 20.0  # more CD69+ cells than in the other state, percentage points
ENOUGH = 300
# CD8+ cells are T cells but for some NK cells; not all T cells are CD8+.
LEAST_T_OF_CD8 = 0.75
CLEARLY = 0.2
# With exchanged labels nearly all "CD3+" cells are "CD8+", in T lymphopenia with bright NK cells but a part of them.
LEAST_CD8_OF_T = 0.6
# Fewest bright cells for a share; bright cells lie above this position of the scale.
FEWEST_BRIGHT, LEAST_BRIGHT = 50, 0.2


def check_tubes(gated: GatedSample, limits: GatingLimits) -> TubeCheck:
    """Return the checks between the tubes of a sample; None or empty if not comparable.

    ``limits`` is the group ``gating`` of the configuration.
    """
    stimulated = [tube for tube in gated.tubes if _tube(tube).stimulation == "stimulated"]
    unstimulated = [tube for tube in gated.tubes if _tube(tube).stimulation == "unstimulated"]
    swapped = _swapped(stimulated, unstimulated, gated.scales)
    found = slopes(stimulated)
    return replace(
        acquisition_checks(gated),
        swapped=swapped,
        markers_swapped=_markers_swapped(stimulated, unstimulated, gated.scales),
        cd3_cd8_swapped=_cd3_cd8_swapped(gated),
        cd8_percent=_cd8_percent(gated),
        # Exchanged tubes differ in activation without being of another donor.
        differences=() if swapped else differences(gated.tubes, limits),
        residue=max((one.residue for one in found), key=abs, default=None),
        slopes=found,
    )


def acquisition_checks(gated: GatedSample) -> TubeCheck:
    """Return what each tube's acquisition shows, nothing of which compares one tube with another."""
    acquisitions = [tube.signal.acquisition for tube in gated.tubes]
    return TubeCheck(
        removed_percent=max((one.removed_percent for one in acquisitions), default=None),
        margin_percent=max((one.margin_percent for one in acquisitions), default=None),
        untimed=tuple(_tube(tube).fcs for tube in gated.tubes if tube.signal.acquisition.problem),
        drifting=tuple(_tube(tube).fcs for tube in gated.tubes if tube.signal.acquisition.time_qc.drifts),
        swapped=None,
        markers_swapped=None,
        cd3_cd8_swapped=None,
        differences=(),
        residue=None,
    )


def largest_change(cut: GatedSample, without: GatedSample) -> float:
    """Return the largest change of a population's percent of parent between two gatings of the same tubes, points."""
    changes = [0.0]
    for one, other in zip(cut.tubes, without.tubes, strict=True):
        for population in one.populations:
            before, after = other.percent(population.population), population.percent_of_parent
            # The time gate itself is not compared.
            if population.parent != "all" and before is not None and after is not None:
                changes.append(abs(after - before))
    return max(changes)


def without_time_gate(
    signals: Sequence[TubeSignal],
    cut: GatedSample,
    call: str,
    judge: Callable[[Sequence[TubeSignal]], tuple[GatedSample, Case, Decision]],
) -> WithoutTimeQC | None:
    """Return a sample without its time gate, judged as with it, or None where that removed nothing.

    ``cut`` and ``call`` are the sample with the time gate.
    """
    if not any(signal.acquisition.time_qc.stretches for signal in signals):
        return None
    gated, case, decision = judge([without_time_qc(signal) for signal in signals])
    return WithoutTimeQC(decision.call, decision.reasons, decision.call == call, largest_change(cut, gated), case)


def _tube(tube: GatedTube) -> Tube:
    return tube.signal.events.tube


def cd69_median(tube: GatedTube) -> float | None:
    """Return the CD69 median of CD3+CD8- cells, compensated linear, or None below 50 cells or without the gate."""
    return _median(tube, "CD69")


def _median(tube: GatedTube, marker: str) -> float | None:
    if CD8_NEGATIVE not in tube.indices or tube.count(CD8_NEGATIVE) < 50:
        return None
    return tube.median(marker, CD8_NEGATIVE)


def floor_of(tube: GatedTube, marker: str, scales: Mapping[str, Scale]) -> float:
    """Return the robust SD of a marker on CD3+CD8- cells, channel values: the minimum of a denominator of a ratio.

    If nearly all cells are in a pile-up, the linear width of the scale is used, which fits backgrounds. ``scales`` maps
    detector -> scale.
    """
    detector = tube.signal.events.markers[marker]
    spread = robust_sd(tube.linear(marker, CD8_NEGATIVE), tube.signal.floors.get(detector))
    return scales[detector].linear_width if math.isnan(spread) else spread


def _swapped(
    stimulated: Sequence[GatedTube], unstimulated: Sequence[GatedTube], scales: Mapping[str, Scale]
) -> bool | None:
    """Return whether CD69 of an unstimulated tube lies far above that of a stimulated one."""
    compared = False
    for rest in unstimulated:
        resting = cd69_median(rest)
        for tube in stimulated:
            active = cd69_median(tube)
            if resting is None or active is None:
                continue
            compared = True
            if _far_above(resting, active, tube, "CD69", scales) or _percent(rest) > _percent(tube) + FAR_POINTS:
                return True
    return False if compared else None


def _markers_swapped(
    stimulated: Sequence[GatedTube], unstimulated: Sequence[GatedTube], scales: Mapping[str, Scale]
) -> bool | None:
    """Return whether, in a background tube, stimulation raises the "target" and not "CD69": their labels are exchanged.

    This is independent of the patient, since a background tube has no target stain.
    """
    compared = False
    for rest in unstimulated:
        for background in stimulated:
            if _tube(background).reagent not in current_assay().background_of:
                continue
            raised = tuple(_raised(background, rest, marker, scales) for marker in ("target", "CD69"))
            if None in raised:
                continue
            compared = True
            if raised == (True, False):
                return True
    return False if compared else None


def _raised(tube: GatedTube, rest: GatedTube, marker: str, scales: Mapping[str, Scale]) -> bool | None:
    """Return whether a marker's median lies far above that of a resting tube, or None if either is unknown."""
    active, resting = _median(tube, marker), _median(rest, marker)
    if active is None or resting is None:
        return None
    return _far_above(active, resting, rest, marker, scales)


def _far_above(one: float, other: float, tube: GatedTube, marker: str, scales: Mapping[str, Scale]) -> bool:
    """Return whether one median lies far above another, and above the spread of a tube."""
    return one > FAR * other and one > FAR * floor_of(tube, marker, scales)


def _percent(tube: GatedTube) -> float:
    """Return the CD69+ percent of CD3+CD8- cells, 0 where it is not known."""
    return tube.percent(ACTIVATED) or 0.0


def _cd3_cd8_swapped(gated: GatedSample) -> bool | None:
    """Return whether CD3 and CD8 are exchanged: nearly all bright "CD3+" lymphocytes are "CD8+", few bright "CD8+" ones
    "CD3+".

    Each marker is split by itself, since gates rest on the labels. Only bright cells are used, because CD8-dim cells
    may be mostly NK cells. All tubes must agree, since they have the same labels.
    """
    swapped = None
    for tube in gated.tubes:
        if LYMPHOCYTES not in tube.indices or tube.count(LYMPHOCYTES) < ENOUGH:
            continue
        cd3, cd8 = (_split(tube, marker, gated.scales) for marker in ("CD3", "CD8"))
        if cd3 is None or cd8 is None:
            continue
        t_of_cd8, cd8_of_t = float(cd3[0][cd8[1]].mean()), float(cd8[0][cd3[1]].mean())
        swapped = t_of_cd8 < LEAST_T_OF_CD8 and cd8_of_t > max(t_of_cd8 + CLEARLY, LEAST_CD8_OF_T)
        if not swapped:
            break
    return swapped


def _cd8_percent(gated: GatedSample) -> float | None:
    """Return the percent of CD3+ cells that are CD8+, of the tube with most; None without a tube with enough cells."""
    found = [tube.percent_of(CD8_POSITIVE, CD3_POSITIVE) for tube in gated.tubes]
    return max((percent for percent in found if percent is not None), default=None)


def _split(tube: GatedTube, marker: str, scales: Mapping[str, Scale]) -> tuple[Mask, Mask] | None:
    """Return the masks, (n,), of lymphocytes positive for a marker and of its brightest population; None without a
    valley or with too few bright cells.
    """
    scaled = tube.scaled(marker, LYMPHOCYTES)
    curve = density_of(counted(scaled), ends=ends_of([tube.signal], marker, scales))
    valleys = find_valleys(curve, LEAST_BRIGHT, HIGH, min_mass=FEWEST_BRIGHT / scaled.size)
    if not valleys:
        return None
    bright = scaled > valleys[-1].position
    return (scaled > valleys[0].position, bright) if np.count_nonzero(bright) >= FEWEST_BRIGHT else None


def volts_of(tubes: Iterable[GatedTube]) -> dict[str, tuple[float, ...]]:
    """Return the voltages of each detector of the target, of all these tubes; empty if the files state none."""
    found: dict[str, set[float]] = {}
    for tube in tubes:
        events = tube.signal.events
        detector = events.header.detector(events.markers.get(TARGET, ""))
        if detector is not None and detector.voltage is not None:
            found.setdefault(detector.name, set()).add(detector.voltage)
    return {name: tuple(sorted(volts)) for name, volts in found.items()}
