"""Measures of B cells with known shares, and decisions on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cd40l_flow.assay.limits import Limits
from cd40l_flow.base.model import Sample, Tube
from cd40l_flow.decision.b_cells.age_curve import AgeCurve
from cd40l_flow.decision.b_cells.decide import decide_cd40, decide_memory
from cd40l_flow.decision.b_cells.measures import Cd40Cells, Cd40Measures, MemoryControl, MemoryMeasures, Share
from cd40l_flow.decision.calls import Decision
from cd40l_flow.decision.case import Refusal, TubeCheck
from cd40l_flow.mixture.proportion import wilson

MEMORY_TUBE = Tube("m.fcs", "fcs/m.fcs", "unstimulated", "memory")
CD40_TUBE = Tube("c.fcs", "fcs/c.fcs", "unstimulated", "CD40")
SAMPLE = Sample(
    "P01", "R1", "test", "M", (MEMORY_TUBE, CD40_TUBE), age_years=7.0, transplant="no", steroid="no", transfusion="no",
    collected_h=10.0, b_depletion="no", anti_cd40="no", anticoagulant="EDTA",
)  # fmt: skip
CONTROL = MemoryControl(("C01",), igd_median=5000.0, igm_median=900.0, cd27_negative_median=120.0)
CHECKS = TubeCheck(1.0, 0.1, (), None, None, None, (), None)


def share(percent: float | None, events: int = 2000) -> Share:
    """Return a share with its Wilson interval."""
    if percent is None:
        return Share(None, None, None, 0)
    low, high = wilson(percent / 100, events)
    return Share(percent, 100 * low, 100 * high, round(percent * events / 100))


def memory(
    switched: float | None = 15.0, events: int = 2000, two: float | None = None, **changed: Any
) -> MemoryMeasures:
    """Return measures of a clean sample; ``two`` is the two-marker share, the switched one if left out."""
    two = switched if two is None else two
    measures = MemoryMeasures(
        tubes=("m.fcs",), lymphocytes=10 * events, b_events=events, b_cells=share(10.0, 10 * events),
        naive=share(70.0, events), non_switched=share(10.0, events), switched=share(switched, events),
        switched_two_marker=share(two, events), igm_only=share(0.5, events), double_negative=share(4.0, events),
        plasmablasts=share(0.5, events), transitional_percent=5.0, cd27_separation=3.0,
        cd27_background="memory-FMO27", cd27_threshold=300.0, cd27_negative_median=130.0, cd27_converged=True,
        igd_separation=5.0, igd_negative_percent=5.0, igd_median=4800.0, igm_median=950.0, cd3_percent=0.5,
    )  # fmt: skip
    return replace(measures, **changed)


def cd40_cells(
    population: str, ratio: float | None, positive: float = 95.0, error: float = 0.1, **changed: Any
) -> Cd40Cells:
    """Return CD40 on one kind of cells; ``error`` is half the width of the ratio's interval."""
    low, high = (None, None) if ratio is None else (ratio - error, ratio + error)
    cells = Cd40Cells(population, 1500, 900.0, 40.0, ratio, low, high, share(positive, 1500), 0.0, 0.0, 0.01)
    return replace(cells, **changed)


def cd40(b_cells: float = 1.0, monocytes: float | None = 1.0, **changed: Any) -> Cd40Measures:
    """Return measures of both kinds of cells by their ratio to the control's; monocytes None leaves them out."""
    rows = [("B cells", b_cells)] + ([] if monocytes is None else [("monocytes", monocytes)])
    cells = tuple(
        cd40_cells(name, ratio, 95.0 if ratio > 0.2 else 1.0, 0.1 if ratio > 0.2 else 0.02) for name, ratio in rows
    )
    measures = Cd40Measures(("c.fcs",), 20000, 1500, share(10.0, 20000), cells, "CD40-isotype", 0.5)
    return replace(measures, **changed)


def call_memory(
    measures: MemoryMeasures | None,
    sample: Sample = SAMPLE,
    control: MemoryControl | None = CONTROL,
    refusals: tuple[Refusal, ...] = (),
    checks: TubeCheck | None = CHECKS,
    limits: Limits | None = None,
    curve: AgeCurve | None = None,
) -> Decision:
    """Return the decision on a sample of the memory tube."""
    return decide_memory(sample, measures, control, refusals, checks, limits or Limits(), curve or AgeCurve())


def call_cd40(
    measures: Cd40Measures | None,
    sample: Sample = SAMPLE,
    control: MemoryControl | None = CONTROL,
    refusals: tuple[Refusal, ...] = (),
    checks: TubeCheck | None = CHECKS,
    controls: Sequence[Cd40Measures] = (),
) -> Decision:
    """Return the decision on a sample of the CD40 tube."""
    return decide_cd40(sample, measures, control, refusals, checks, Limits(), controls)
