"""What is stated about the calls of the assays of B cells."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from cd40l_flow.assay.cd40.guards import GUARDS as CD40_GUARDS
from cd40l_flow.assay.effects import CD40_CALLS, INDETERMINATE, MEMORY_CALLS
from cd40l_flow.assay.limits import Limits
from cd40l_flow.assay.memory_b.guards import GUARDS as MEMORY_GUARDS
from cd40l_flow.assay.texts import load_texts, reason_texts, texts_of
from cd40l_flow.decision.b_cells.age_curve import AgeCurve
from cd40l_flow.decision.b_cells.switched import memory_numbers
from cd40l_flow.report.b_cell_rows import ratio_interval, ratio_words
from cd40l_flow.report.b_cell_wording import cd40_statement, memory_statement
from cd40l_flow.result.types.b_cells import Cd40Cells
from cd40l_flow.result.types.plain import from_dataclass
from helpers.by_hand.b_cells import SAMPLE, call_cd40, call_memory, cd40, cd40_cells, memory

FORBIDDEN = ("not a carrier", "diagnostic of", "rules out", "ruled out", "excludes ", "xhim")


@pytest.mark.parametrize(
    ("assay", "guards", "calls"), [("memory_b", MEMORY_GUARDS, MEMORY_CALLS), ("cd40", CD40_GUARDS, CD40_CALLS)]
)
def test_every_code_and_call_has_its_words(assay: str, guards: object, calls: frozenset[str]) -> None:
    texts = texts_of(assay)
    for code in (*(row.code for row in guards), "BETWEEN_LIMITS"):  # type: ignore[attr-defined]
        words = reason_texts(code, assay)
        assert words["name"] and words["what"] and words["remedy"]
        assert words["name"] != code
    assert {*calls, INDETERMINATE} <= set(texts["calls"])
    assert set(texts["interpretation"]["calls"]) == {*calls, INDETERMINATE, "open"}
    for words in texts["calls"].values():
        assert words["word"] and words["title"] and words["short"]


def test_the_words_of_the_first_assay_are_its_own() -> None:
    assert texts_of("cd40l") is load_texts()
    assert reason_texts("TOO_FEW_EVENTS")["name"] == load_texts()["reasons"]["TOO_FEW_EVENTS"]["name"]
    with pytest.raises(KeyError):
        texts_of("another")


def told(percent: float | None, events: int = 2000, **changed: object) -> str:
    sample = replace(SAMPLE, assay="memory_b", **changed)  # type: ignore[arg-type]
    measures = memory(percent, events)
    age = memory_numbers(sample, measures, AgeCurve(), Limits())
    return " ".join(memory_statement(sample, measures, age, call_memory(measures, sample)))


def test_a_share_is_told_beside_the_limit_of_its_age() -> None:
    words = told(3.0)
    assert "3 % (95 % interval 2.3 % to 3.8 %) of B cells (CD27+IgD-IgM-)" in words
    assert "at least 11 % (ARUP 2008901)" in words and "does not name the gene" in words
    assert "Age is not known" in told(3.0, age_years=None)
    assert "up to 3.7 %" in told(0.0, 99) and "99 B cells" in told(0.0, 99)
    assert "too near a limit" in told(11.0)
    assert "once the cause" in told(3.0, b_depletion="yes")
    assert "CD19+ cells" in told(3.0, transplant="yes") and "rituximab" in told(3.0, b_depletion="unknown")
    assert told(18.0, role="control") == "This healthy control meets its limits."


def test_nothing_forbidden_is_said_to_anybody() -> None:
    for percent, age, transplant, depletion in product(
        (None, 0.0, 0.2, 3.0, 11.0, 18.0, 60.0),
        (None, 0.1, 0.5, 1.0, 7.0, 40.0),
        ("yes", "unknown"),
        ("yes", "unknown"),
    ):
        words = told(percent, age_years=age, transplant=transplant, b_depletion=depletion).lower()
        assert words and not [phrase for phrase in FORBIDDEN if phrase in words]
        assert "none" not in words and "nan" not in words.split() and "{" not in words
    for ratio, drug in product((0.0, 0.25, 0.4, 1.0), ("yes", "unknown")):
        sample = replace(SAMPLE, assay="cd40", anti_cd40=drug)
        words = " ".join(cd40_statement(sample, cd40(ratio), call_cd40(cd40(ratio), sample))).lower()
        assert words and not [phrase for phrase in FORBIDDEN if phrase in words]


def test_cd40_that_is_present_is_never_reassuring() -> None:
    sample = replace(SAMPLE, assay="cd40")
    words = " ".join(cd40_statement(sample, cd40(1.0), call_cd40(cd40(1.0), sample)))
    assert "CD40 on B cells is 1.00 (95 % interval 0.90 to 1.10) of the control's." in words
    assert "does not exclude CD40 deficiency" in words


@pytest.mark.parametrize(
    ("ratio", "high", "words", "interval"),
    [(-0.95, 0.0, "-0.95", ""), (-0.02, 0.01, "-0.02", "<0.01 to 0.01"), (-0.002, 0.0, "<0.01", "<0.01 to <0.01")],
)
def test_cells_below_their_isotype_have_a_negative_level(ratio: float, high: float, words: str, interval: str) -> None:
    """It is no small level, and 0 to 0 is no interval of it."""
    cells = replace(cd40_cells("B cells", ratio), ratio_low=0.0, ratio_high=high)
    measures = replace(cd40(), cells=(cells,))
    sentence = cd40_statement(SAMPLE, measures, call_cd40(measures))[0]
    shown = f" (95 % interval {interval})" if interval else ""
    assert sentence == f"CD40 on B cells is {words}{shown} of the control's."
    assert (ratio_words(ratio).replace("\N{MINUS SIGN}", "-"), ratio_interval(from_dataclass(cells, Cd40Cells))) == (
        words,
        interval,
    )
