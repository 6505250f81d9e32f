"""What several assays of one person mean together: words in addition to the calls, never a call."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from cd40l_flow.assay.b_cell_limits import AgeRows, SerumIgLimits, age_row_faults, age_rows
from cd40l_flow.assay.effects import CD40_CALLS, INDETERMINATE, MEMORY_CALLS
from cd40l_flow.assay.joint_reading import ROWS
from cd40l_flow.assay.limits import limits_schema, read_limits
from cd40l_flow.base.schema import faults
from cd40l_flow.cohort.config import parse_config
from cd40l_flow.decision.b_cells.joint import SERUM, Together, joint_reading, joint_words

CD154 = (None, "NORMAL", "REDUCED", "ABSENT", "MOSAIC", "FUNCTIONAL_DEFECT", INDETERMINATE)
MEMORY = (None, *sorted(MEMORY_CALLS), INDETERMINATE)
CD40 = (None, *sorted(CD40_CALLS), INDETERMINATE)
NONE = SerumIgLimits()
OWN = SerumIgLimits(
    igm_g_l=AgeRows(("0: 0.2-1.5", "10: 0.5-2.5")), igg_g_l=AgeRows(("0: 2-10",)), iga_g_l=AgeRows(("1: 0.1-2",))
)
FORBIDDEN = (
    "not a carrier",
    "diagnostic of",
    "rules out",
    "ruled out",
    "excludes x-linked",
    "no carrier",
    "diagnosis of",
)


def read(limits: SerumIgLimits = NONE, **case: Any) -> Any:
    return joint_reading(Together(**{"age_years": 7.0, "sex": "M", "transplant": "no", **case}), limits)


@pytest.mark.parametrize(
    ("cd154", "memory", "sex", "transplant", "keys", "gene", "word"),
    [
        ("ABSENT", "SWITCHED_ABSENT", "M", "no", ("concordant",), "CD40LG", "consistent with"),
        ("FUNCTIONAL_DEFECT", "SWITCHED_LOW", "M", "no", ("concordant",), "CD40LG", "CD40LG"),
        ("ABSENT", "SWITCHED_NORMAL", "M", "no", ("discordant",), "CD40LG", "Repeat both"),
        ("REDUCED", "SWITCHED_LOW", "M", "no", ("reduced_few",), "CD40LG", "CVID"),
        ("REDUCED", "SWITCHED_NORMAL", "M", "no", ("reduced_enough",), "CD40LG", "argues against"),
        ("NORMAL", "SWITCHED_ABSENT", "M", "no", ("other_forms",), "AICDA", "Test CD40"),
        ("NORMAL", "SWITCHED_NORMAL", "M", "no", ("unlikely",), None, "not excluded"),
        ("MOSAIC", "SWITCHED_LOW", "F", "no", ("carrier_few",), "CD40LG", "unexpected"),
        ("MOSAIC", "SWITCHED_NORMAL", "F", "no", ("carrier_enough",), "CD40LG", "expected in a carrier"),
        ("MOSAIC", "SWITCHED_LOW", "M", "yes", ("chimera_few",), None, "lags behind"),
        ("MOSAIC", "SWITCHED_NORMAL", "M", "yes", ("chimera_enough",), None, "graft"),
        ("MOSAIC", "SWITCHED_LOW", "unknown", "no", ("carrier_few", "mosaic_man_few"), "CD40LG", "maternal"),
        ("ABSENT", "SWITCHED_LOW", "M", "yes", ("transplanted_few",), None, "graft"),
        (INDETERMINATE, "SWITCHED_LOW", "M", "no", ("cd154_open",), None, "Repeat CD154"),
        ("ABSENT", INDETERMINATE, "M", "no", (), None, "adds nothing"),
    ],
)
def test_the_table_of_calls(
    cd154: str, memory: str, sex: str, transplant: str, keys: tuple[str, ...], gene: str | None, word: str
) -> None:
    found = read(cd154=cd154, memory=memory, sex=sex, transplant=transplant)
    assert found.keys == keys
    assert (gene in found.genes) if gene else not found.genes
    assert word in " ".join((*found.reading, *found.next_steps))


def test_every_pair_hasjoint_words_and_none_says_what_is_forbidden() -> None:
    used = set()
    for cd154, memory, cd40, sex, transplant in product(
        CD154, MEMORY, CD40, ("F", "M", "unknown"), ("yes", "no", "unknown")
    ):
        found = read(cd154=cd154, memory=memory, cd40=cd40, sex=sex, transplant=transplant)
        used |= set(found.keys)
        text = " ".join((*found.reading, *found.next_steps)).lower()
        assert not [phrase for phrase in FORBIDDEN if phrase in text]
        called = [call for call in (cd154, memory) if call not in (None, INDETERMINATE)]
        if len(called) == 2:
            assert found.keys and found.next_steps
        # An assay that has no call is never read as if it had one.
        if cd154 == INDETERMINATE:
            assert set(found.keys) <= {"cd154_open"}
        if memory in (None, INDETERMINATE):
            assert not found.keys
    assert used == {row.key for row in ROWS} == set(joint_words()["rows"])


def test_few_switched_cells_without_cd154_or_beside_a_normal_one() -> None:
    alone = read(memory="SWITCHED_LOW")
    assert not alone.genes and any("CD154" in step for step in alone.next_steps)
    done = read(cd154="NORMAL", memory="SWITCHED_ABSENT", cd40="CD40_ABSENT")
    assert done.genes[0] == "CD40" and not any("Test CD40" in step for step in done.next_steps)
    present = read(cd154="NORMAL", memory="SWITCHED_ABSENT", cd40="PRESENT")
    assert "CD40" in present.genes and "does not exclude" in " ".join(present.reading)


def test_normal_switching_speaks_against_nothing_in_infants_after_transplantation_or_without_an_age() -> None:
    for change, word in (
        ({"age_years": 0.9}, "first year"),
        ({"transplant": "yes"}, "donor's"),
        ({"age_years": None}, "little"),
    ):
        found = read(cd154="REDUCED", memory="SWITCHED_NORMAL", **change)
        assert word in found.reading[0]
    assert "argues against" in read(cd154="REDUCED", memory="SWITCHED_NORMAL").reading[0]
    # From the first birthday on, and where nothing is normal or nothing stands beside it, there is no such word.
    for case in (
        {"cd154": "REDUCED", "memory": "SWITCHED_NORMAL", "age_years": 1.0},
        {"cd154": "REDUCED", "memory": "SWITCHED_LOW", "age_years": 0.9},
        {"cd154": INDETERMINATE, "memory": "SWITCHED_NORMAL", "age_years": 0.9},
        {"memory": "SWITCHED_NORMAL", "age_years": 0.9},
    ):
        assert joint_words()["switched_young"] not in read(**case).reading


def test_switched_cells_that_are_open_are_said_beside_another_assay() -> None:
    words = joint_words()["switched_open"]
    for case, said in (
        ({"memory": INDETERMINATE, "cd154": "NORMAL"}, True),
        ({"memory": INDETERMINATE, "cd40": "PRESENT"}, True),
        ({"memory": INDETERMINATE}, False),
        ({"memory": "SWITCHED_LOW", "cd154": "NORMAL"}, False),
        ({"cd40": "PRESENT"}, False),
    ):
        assert (words in read(**case).reading) is said, case
    # One assay alone has no row of the table.
    assert read(cd154="ABSENT").keys == read(memory="SWITCHED_LOW").keys == ()


@pytest.mark.parametrize(
    ("igm", "igg", "said"),
    [(1.0, 1.0, True), (3.0, 1.0, True), (0.1, 1.0, False), (1.0, 5.0, False), (None, 1.0, False)],
)
def test_the_pattern_of_hyper_igm_is_low_igg_beside_igm_that_is_not(igm: float | None, igg: float, said: bool) -> None:
    serum = {name: value for name, value in (("igm_g_l", igm), ("igg_g_l", igg)) if value is not None}
    found = read(OWN, cd154="NORMAL", memory="SWITCHED_LOW", serum=serum)
    assert (joint_words()["serum"]["pattern"] in found.reading) is said


def test_serum_immunoglobulins_are_context() -> None:
    serum = {"igm_g_l": 3.0, "igg_g_l": 1.0, "iga_g_l": 0.05}
    text = " ".join(read(OWN, cd154="NORMAL", memory="SWITCHED_LOW", serum=serum).reading)
    assert "IgM 3 g/L (above 0.2 to 1.5)" in text and "IgG 1 g/L (below 2 to 10)" in text
    assert "pattern that the hyper-IgM syndromes share" in text
    low = " ".join(read(OWN, cd154="ABSENT", memory="SWITCHED_LOW", serum={"igm_g_l": 0.1}).reading)
    assert "argues against nothing" in low
    assert "above 0.5 to 2.5" in " ".join(read(OWN, age_years=10.0, serum={"igm_g_l": 3.0}).reading)
    assert "no limits of the laboratory" in " ".join(read(serum=serum).reading)
    assert "age not known" in " ".join(read(OWN, age_years=None, serum=serum).reading)
    # Before the first row there are none.
    assert "IgA 0.05 g/L (no limits" in " ".join(read(OWN, age_years=0.5, serum=serum).reading)
    calls = {"cd154": "NORMAL", "memory": "SWITCHED_LOW"}
    for other in ({}, serum):
        found = read(OWN, **calls, serum=other)
        assert (found.keys, found.genes, found.next_steps) == (
            read(**calls).keys, read(**calls).genes, read(**calls).next_steps,
        )  # fmt: skip


def test_a_genotype_is_said_as_it_stands() -> None:
    found = read(cd154="ABSENT", memory="SWITCHED_LOW", genotype="CD40LG c.761C>T {x}")
    assert "CD40LG c.761C>T {x}" in found.reading[-1] and "neither confirm nor refute" in found.reading[-1]


def test_limits_of_serum_are_read_by_age_and_refused_where_they_make_no_sense() -> None:
    assert age_rows(["10: 0.5-2.5", " 0.5 :0.2 - 1"]) == [(0.5, 0.2, 1.0), (10.0, 0.5, 2.5)]
    assert len(list(age_row_faults(["0: 3-1", "0.0: 1-2"]))) == 2
    assert list(age_row_faults(["0: 1-2", "1: 1-2"])) == []
    assert set(SERUM) == set(SerumIgLimits.__struct_fields__)
    assert read_limits({"serum_ig": {"igm_g_l": ["0: 1-2"]}}).serum_ig.igm_g_l == ("0: 1-2",)
    (fault,) = faults({"serum_ig": {"igm_g_l": ["1-2"]}}, limits_schema())
    assert 'an age in years and limits, as "2: 0.5-1.8"' in fault[1]


def test_the_configuration_tells_of_limits_that_make_no_sense() -> None:
    data = {"samples": "s.tsv", "tubes": "t.tsv", "fcs_dir": ".", "limits": {"serum_ig": {"igg_g_l": ["0: 3-1"]}}}
    _, problems = parse_config(data)
    assert any("exceeds the upper one" in str(problem) for problem in problems)
