"""The order of gates, and which cells a finder looks at, on tubes made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cd40l_flow.assay import b_cells as names
from cd40l_flow.assay.cd40l.gates import ACTIVATED, CD3_POSITIVE, CD4_POSITIVE, CD8_NEGATIVE, GATES
from cd40l_flow.assay.gating_limits import GatingLimits
from cd40l_flow.assay.lookup import using
from cd40l_flow.assay.memory_b import MEMORY_B
from cd40l_flow.assay.memory_b.gates import GATES as MEMORY_GATES
from cd40l_flow.assay.memory_b.gates import IGD_POSITIVE, NON_SWITCHED, SWITCHED
from cd40l_flow.assay.shared_gates import LYMPHOCYTES, SINGLETS, VIABLE
from cd40l_flow.gating.finders import FINDERS, without
from cd40l_flow.gating.model import GatedSample
from cd40l_flow.gating.strategy import gate
from cd40l_flow.gating.working import WorkingTube
from cd40l_flow.signal.prepare import TubeSignal
from helpers.by_hand.cases import SAMPLE
from helpers.by_hand.tubes import by_hand, peaks, row, scales, signal, working

CELLS = 1000


def tube(stimulation: str = "stimulated", **more: Any) -> TubeSignal:
    """Return 1,000 lymphocytes: four fifths CD3+, of them half CD8-, of them most CD4+ and, stimulated, CD69+."""
    lit = 0.7 if stimulation == "stimulated" else 0.2
    markers = {
        "CD3": peaks((0.2, 0.03, 200), (0.7, 0.03, 800)),
        "CD8": peaks((0.2, 0.03, 200), (0.7, 0.03, 400), (0.2, 0.03, 400), seed=2),
        "CD4": peaks((0.2, 0.03, 600), (0.2, 0.03, 100), (0.7, 0.03, 300), seed=3),
        "CD69": peaks((0.2, 0.03, 700), (lit, 0.03, 300), seed=4),
    }
    scatter = {"FSC": peaks((400, 30, CELLS), seed=5), "SSC": peaks((120, 10, CELLS), seed=6)}
    scatter["FSC-H"] = scatter["FSC"] / peaks((1.2, 0.03, CELLS - 20), (2.0, 0.03, 20), seed=7)
    markers |= more.pop("markers", {})
    return signal(markers, fcs=f"{stimulation}.fcs", stimulation=stimulation, scatter=scatter, **more)


def gated(*signals: TubeSignal, overrides: Any = (), **limits: Any) -> GatedSample:
    return gate(SAMPLE, signals, scales(*signals), overrides, GatingLimits(**limits))


def made(sample: GatedSample) -> list[str]:
    """Return the populations of the first tube with the population that each is made of, in order."""
    return [f"{one.parent} > {one.population}" for one in sample.tubes[0].populations]


def test_the_gate_of_cd4_is_drawn_where_it_is_switched_on_and_is_then_the_parent_of_cd69() -> None:
    tubes = tube("unstimulated"), tube()
    plain, switched = gated(*tubes), gated(*tubes, cd4_gate=True)
    assert made(plain)[-1] == f"{CD8_NEGATIVE} > {ACTIVATED}"
    assert made(switched)[-2:] == [f"{CD8_NEGATIVE} > {CD4_POSITIVE}", f"{CD4_POSITIVE} > {ACTIVATED}"]
    assert [one.tubes[1].count(ACTIVATED) for one in (plain, switched)] == pytest.approx([290, 290], abs=15)
    assert plain.flags == switched.flags == ("viability not stained in 2 tube(s)",)
    # Without a tube stained for viability dye, CD3+ cells are made of single cells.
    assert f"{SINGLETS} > {CD3_POSITIVE}" in [line for line in made(plain) if VIABLE not in line]
    assert not gated().tubes


def test_a_population_that_cannot_be_gated_takes_with_it_what_is_made_of_it() -> None:
    """And the reason comes last, after warnings of small populations."""
    one = tube(markers={"CD8": np.linspace(0.2, 0.8, CELLS), "CD3": peaks((0.13, 0.03, CELLS))})
    sample = gated(one, singlets_warn_percent=100.0)
    assert CD3_POSITIVE not in sample.tubes[0].indices and CD8_NEGATIVE not in sample.tubes[0].indices
    assert ACTIVATED not in sample.tubes[0].indices
    assert sample.tubes[0].failed == {CD3_POSITIVE: made(sample)[-1].split(" > ")[1]}
    assert sample.flags[0].startswith("fewer singlets than 100 % of lymphocytes: stimulated.fcs (")
    assert "CD3" in sample.flags[-1] and len(sample.flags) == len(set(sample.flags))


@pytest.mark.parametrize(("limit", "warned"), [(25.0, False), (25.1, True), (0.0, False)])
def test_a_part_smaller_than_its_limit_is_warned_of(limit: float, warned: bool) -> None:
    """A fifth of 1,000 lymphocytes, cut out by hand, is a quarter of the single ones."""
    ratio = np.where(np.arange(CELLS) < 250, 1.2, 3.0)
    base = tube()
    height = base.events.column("FSC") / ratio
    one = signal(
        {"CD3": base.scaled["CD3"].astype(np.float64)},
        scatter={"FSC": base.events.column("FSC"), "SSC": base.events.column("SSC"), "FSC-H": height},
    )
    hands = [by_hand(f"lymph_{end}", value) for end, value in zip(
        ("fsc_low", "fsc_high", "ssc_low", "ssc_high"), (0.0, 1e5, 0.0, 1e5), strict=True
    )]  # fmt: skip
    hands += [by_hand("singlet_low", 1.0), by_hand("singlet_high", 2.0)]
    sample = gated(one, overrides=hands, singlets_warn_percent=limit)
    assert sample.tubes[0].percent_of(SINGLETS, LYMPHOCYTES) == 25.0
    told = [flag for flag in sample.flags if flag.startswith("fewer singlets")]
    assert told == ([f"fewer singlets than {limit:g} % of lymphocytes: a.fcs (25 %)"] if warned else [])


def test_stimulated_tubes_set_cd3_and_cd8_and_unstimulated_ones_cd69() -> None:
    work = working(tube("unstimulated"), tube(), parent="T")
    work.tubes[0].indices["T"] = work.tubes[0].indices["T"][:900]
    events = {name: FINDERS[row(GATES, name).finder](work, row(GATES, name), "T")[1] for name in (
        CD3_POSITIVE, CD8_NEGATIVE, CD4_POSITIVE, ACTIVATED,
    )}  # fmt: skip
    assert events == {CD3_POSITIVE: 1000, CD8_NEGATIVE: 1000, CD4_POSITIVE: 1900, ACTIVATED: 900}
    cd69 = FINDERS["cd69"](work, row(GATES, ACTIVATED), "T")[0]
    assert cd69.evidence is not None and cd69.evidence.reference is not None
    assert cd69.evidence.reference.total == 900 and cd69.evidence.curve.total == 1000
    alone = working(tube(), parent="T")
    assert FINDERS["cd69"](alone, row(GATES, ACTIVATED), "T")[1] == 1000
    resting = working(tube("unstimulated"), parent="T")
    assert FINDERS["cd3"](resting, row(GATES, CD3_POSITIVE), "T")[1] == 1000


def b_cells(reagent: str = "memory", count: int = 1000, *, igd: float = 0.6, lacking: str = "") -> WorkingTube:
    """Return B cells, a fifth of them with CD27 and without IgD, as a tube at work."""
    part = count // 5
    markers = {
        "CD27": peaks((0.3, 0.03, count - part), (0.6, 0.03, part)),
        "IgD": peaks((igd, 0.03, count - part), (0.3, 0.03, part), seed=2),
    }
    one = WorkingTube(signal({name: each for name, each in markers.items() if name != lacking}, reagent=reagent))
    one.indices[names.B_CELLS] = np.arange(count, dtype=np.int32)
    return one


def test_cells_without_an_immunoglobulin_are_the_first_kind_that_is_not_few() -> None:
    """T cells, then B cells of the FMO, then other lymphocytes; T cells where all are few."""
    with using(MEMORY_B):
        for t_cells, whose, total in ((100, "T cells", 100), (99, "cells without CD19", 300)):
            one = b_cells()
            one.indices |= {names.CD3_POSITIVE: np.arange(t_cells), names.CD19_NEGATIVE: np.arange(300)}
            work = working(one.signal)
            work.tubes = [one]
            curve, said = without(work, "IgD")
            assert (said, curve.total) == (whose, total)
        one.indices[names.CD19_NEGATIVE] = np.arange(99)
        assert without(work, "IgD")[1] == "T cells"


def test_memory_cells_show_what_b_cells_without_igd_have() -> None:
    """They are those with more CD27 than naive cells, of tubes that are stained for both and have B cells."""
    igd = row(MEMORY_GATES, IGD_POSITIVE)
    with using(MEMORY_B):
        one, fmo, bare = b_cells(), b_cells("memory-FMO27", 600), b_cells(lacking="IgD")
        empty = WorkingTube(b_cells().signal)
        for tubes in ([one], [one, fmo, bare, empty]):
            work = working(one.signal)
            work.tubes = tubes
            one.indices[names.CD3_POSITIVE] = np.arange(800, 1000, dtype=np.int32)
            found, events = FINDERS["immunoglobulin"](work, igd, names.B_CELLS)
            assert events == 1000 + 600 * (fmo in tubes)
            assert found.position == pytest.approx(0.45, abs=0.08)
        work.tubes = [bare]
        assert FINDERS["immunoglobulin"](work, row(MEMORY_GATES, SWITCHED), names.B_CELLS)[1] == 0


@pytest.mark.parametrize(("fmo", "rests_on"), [(300, 1000), (1500, 1500)])
def test_cd27_rests_on_naive_cells_or_on_the_fmo_whichever_are_more(fmo: int, rests_on: int) -> None:
    """Cells of the FMO are its background, and are not among those that are stained."""
    with using(MEMORY_B):
        work = working(b_cells().signal)
        work.tubes = [b_cells(), b_cells("memory-FMO27", fmo)]
        found, events = FINDERS["cd27"](work, row(MEMORY_GATES, NON_SWITCHED), names.B_CELLS)
    assert events == rests_on and found.evidence is not None and found.evidence.reference is not None
    assert (found.evidence.curve.total, found.evidence.reference.total) == (1000, fmo)
