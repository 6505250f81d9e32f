"""Gates of the B-cell assays in other programs' files, and set by hand, as those of the first assay."""

from __future__ import annotations

from pathlib import Path

import pytest

from cd40l_flow.simulate.b_cells import BSample, write_b_cells
from helpers.simulated.exports import Lab

TUBES = {"memory_b": ("memory", "memory-FMO27", "memory-FMOIg"), "cd40": ("CD40", "CD40-isotype")}
OVERRIDES = {
    "memory_b": (
        ("", "cd27_low", 900.0), ("", "igd_low", 1500.0), ("C01_memory.fcs", "cd3_high", 900.0),
        ("", "cd19_low", 800.0), ("", "igm_low", 1100.0), ("", "cd38_low", 9000.0),
    ),
    "cd40": (("", "cd14_low", 4000.0), ("", "viability_high", 150.0)),
}  # fmt: skip


@pytest.fixture(scope="module", params=tuple(TUBES))
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lab, str]:
    made = Lab(tmp_path_factory.mktemp("b_cells"))
    sample = BSample("C01", role="control", assay=request.param, b_events=600, tubes=TUBES[request.param])
    write_b_cells(made.directory, 11, [sample])
    made.analyse()
    assert made.export() == 0
    return made, request.param


def counts(lab: Lab) -> dict[tuple[str, str], int]:
    return {
        (tube["fcs"], row["population"]): row["count"] for tube in lab.result["tubes"] for row in tube["populations"]
    }


def test_both_files_hold_the_events_of_the_result(lab: tuple[Lab, str]) -> None:
    """Every population of every tube holds the same events in FlowKit's reading of Gating-ML and of the workspace."""
    made, assay = lab
    known = counts(made)
    rows = made.rows()
    assert {(row.tube, row.gate) for row in rows} >= set(known)
    assert all(row.agrees and row.result == known.get((row.tube, row.gate)) for row in rows)
    last = "switched" if assay == "memory_b" else "CD14+"
    assert any(row.gate == last and row.own > 10 for row in rows)


def test_a_boundary_set_by_hand_moves_every_gate_that_has_it(lab: tuple[Lab, str], tmp_path: Path) -> None:
    """An override of a boundary of two gates moves both, keeps the automatic value, and can be exported."""
    made, assay = lab
    before = counts(made)
    header = "sample\ttube\tgate\tvalue\tby\treason"
    lines = [f"C01\t{tube}\t{gate}\t{value}\tAB\tmoved" for tube, gate, value in OVERRIDES[assay]]
    made.overrides.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    made.analyse()
    assert made.export() == 0
    after = counts(made)
    gates = {(row["gate"], row["tube"] or ""): row for row in made.result["gates"]}
    for tube, gate, value in OVERRIDES[assay]:
        row = gates[gate, tube]
        assert row["value"] == value and row["automatic"] is not None
    moved = ("non-switched", "IgD-CD27+") if assay == "memory_b" else ("CD14+", "viable", "viable-leukocytes")
    main = "C01_memory.fcs" if assay == "memory_b" else "C01_cd40.fcs"
    assert all(before[main, name] != after[main, name] for name in moved)
    assert all(row.agrees for row in made.rows())
