"""The assay is data: a reagent, a gate, a guard and a column are rows, and everything that reads them follows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cd40l_flow.analyse import analyse
from cd40l_flow.assay.cd40l import CD40L
from cd40l_flow.assay.cd40l.gates import CD3_POSITIVE
from cd40l_flow.assay.cd40l.reagents import CD154
from cd40l_flow.assay.effects import ALL_CALLS
from cd40l_flow.assay.limits import Limits
from cd40l_flow.assay.lookup import current_assay, using
from cd40l_flow.assay.tables import Assay, Check, Gate, GuardRow
from cd40l_flow.assay.texts import load_texts
from cd40l_flow.base.errors import RecordError
from cd40l_flow.base.model import Sample
from cd40l_flow.cohort.config import config_schema
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.gating.finders import FINDERS
from cd40l_flow.gating.strategy import STEPS
from cd40l_flow.mixture.model import Expression
from cd40l_flow.report.decision_table import decision_table
from cd40l_flow.result.gates.tree import gate_trees
from cd40l_flow.result.record import read_record, write_record
from cd40l_flow.result.reviews.state import ReviewState
from cd40l_flow.result.summary import summary_columns, summary_row
from cd40l_flow.result.types.result import Result
from cd40l_flow.simulate import healthy_control, write_cohort

REAGENT, GATE, GUARD = "CD154-3", Gate("T cells", "positive", ("t_low",), "CD3", from_control=True), "DIM_STAIN"
STAIN = Check("stain_index", 1e6, "x", "Stain index.", above=False)


def made_up() -> Assay:
    """Return the assay with a third clone, a gate before CD3+, a guard that always fires and a column."""
    clone = replace(CD40L.targets[CD154], name=REAGENT, key="cd154_3", loinc=("", ""))
    names = [gate.population for gate in CD40L.gates]
    at = names.index(CD3_POSITIVE)
    return replace(
        CD40L,
        reagents=(*CD40L.reagents[:2], clone, *CD40L.reagents[2:]),
        gates=(*CD40L.gates[:at], replace(GATE, distance="cd3_distance_max"), *CD40L.gates[at:]),
        guards=(*CD40L.guards, GuardRow(GUARD, ALL_CALLS, check=STAIN)),
        summary=(*CD40L.summary, (REAGENT, "percent_positive")),
    )


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Result]:
    """Yield the result of a control whose second clone the sheet calls by the made-up name, the assay still at work."""
    folder = tmp_path_factory.mktemp("assay")
    scenario = replace(healthy_control(), stimulated=(CD154, "CD154-2", "isotype"))
    write_cohort(folder, 7, cohort=(scenario,), events_scale=0.6)
    sheet = folder / "config" / "tubes.tsv"
    sheet.write_text(sheet.read_text(encoding="utf-8").replace("\tCD154-2\t", f"\t{REAGENT}\t"), encoding="utf-8")
    overrides = folder / "config" / "overrides.tsv"
    line = f"{scenario.sample}\t\tt_low\t700\tAB\tmoved by eye\n"
    overrides.write_text(overrides.read_text(encoding="utf-8") + line, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch, using(made_up()):
        patch.chdir(folder)
        yield analyse(load_plan("config/config.yaml").job(scenario.sample), {})[0]


def test_a_made_up_reagent_is_measured(result: Result) -> None:
    assert list(result.subcalls) == [CD154, REAGENT]
    measured = result.reagents[REAGENT]
    assert measured.percent_positive == pytest.approx(result.reagents[CD154].percent_positive, abs=5)
    assert measured.background.source == "isotype"


def test_a_made_up_gate_is_drawn_moved_and_exported(result: Result) -> None:
    row = next(gate for gate in result.gates if gate.gate == "t_low")
    assert (row.population, row.value, row.override and row.override.by) == ("T cells", 700.0, "AB")
    assert row.automatic is not None
    for tube in result.tubes:
        parents = {each.population: each.parent for each in tube.populations}
        assert (parents["T cells"], parents[CD3_POSITIVE]) == ("viable", "T cells")
    assert all("t_low" in [name for gate in tree.gates for name in gate.boundaries] for tree in gate_trees(result))
    assert result.lent is not None and result.lent.gates["t_low"].scaled == row.scaled


def test_a_made_up_guard_takes_the_calls_away(result: Result) -> None:
    found = [guard for guard in result.guards if guard.code == GUARD]
    assert [guard.reagent for guard in found] == [CD154, REAGENT]
    assert all(guard.fired and guard.limit == 1e6 for guard in found)
    assert (result.call, result.reasons) == ("INDETERMINATE", [GUARD])
    assert f"`{GUARD}`" in decision_table()


def test_a_result_of_the_made_up_assay_is_read_back_by_it_alone(result: Result, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_record(result, path)
    assert read_record(path).reasons == [GUARD]
    with using(CD40L), pytest.raises(RecordError, match="holds what no result holds"):
        read_record(path)


def test_a_made_up_column_is_filled(result: Result) -> None:
    row = summary_row(result, ReviewState("unsigned", "", (), (), "", ()))
    columns = summary_columns()
    # Behind the assay's own columns stand those of the other assays.
    assert columns[columns.index("cd154_3_percent_positive") + 1] == "memory_call"
    assert float(row["cd154_3_percent_positive"]) == pytest.approx(result.reagents[REAGENT].percent_positive)


def test_the_assay_at_work_is_the_laboratorys_again_after_another() -> None:
    before = current_assay()
    with using(made_up()):
        assert current_assay() is not before
    assert current_assay() is before


def test_the_documentation_and_the_schema_name_what_the_tables_name(root: Path) -> None:
    text = (root / "config" / "README.md").read_text(encoding="utf-8")
    for name in (*CD40L.reagent_names, *CD40L.marker_names, *CD40L.override_names):
        assert f"`{name}`" in text, name
    (panel,) = config_schema()["properties"]["panels"]["patternProperties"].values()
    assert set(CD40L.marker_names) <= set(panel["properties"])


def test_what_the_tables_name_is_there() -> None:
    """Finders, limits, measures, sheet columns, backgrounds and words that rows name exist; no name comes twice."""
    limits = Limits()
    measures = Expression.__dataclass_fields__
    for gate in CD40L.gates:
        assert gate.finder in {*FINDERS, *STEPS}
        assert bool(gate.marker) == (gate.finder in FINDERS)
        assert all(
            name in limits.gating.__struct_fields__ for name in (gate.only_if, gate.distance, gate.warn[1]) if name
        )
        assert bool(gate.distance) == gate.from_control
        assert gate.marker in ("", *CD40L.marker_names)
        assert gate.warn[0] in ("", *CD40L.populations)
    for guard in CD40L.guards:
        assert guard.code in load_texts()["reasons"]
        assert guard.answer in ("", *Sample.__dataclass_fields__)
        assert ("{}" in guard.message) == bool(guard.answer)
        if guard.check is not None:
            assert guard.check.measure in measures
            assert not isinstance(guard.check.limit, str) or guard.check.limit in limits.guards.__struct_fields__
    for target in CD40L.targets.values():
        assert target.labels and target.key and set(target.backgrounds) <= set(CD40L.background_of)
        assert target.control_positive in limits.guards.__struct_fields__
    for group in CD40L.measures.values():
        assert all(measure in load_texts()["measures"] for measure in group)
    for names in (CD40L.reagent_names, CD40L.marker_names, CD40L.override_names, CD40L.populations, CD40L.columns):
        assert len(set(names)) == len(names)
    assert all(population in load_texts()["populations"] for population in CD40L.populations)
