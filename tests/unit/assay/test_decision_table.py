"""The decision table for readers is the one the program decides by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cd40l_flow.assay.cd40l.reagents import CD40_IG, CD154
from cd40l_flow.assay.cd40l.rules import CALLS, GREY_ZONE, NOT_TESTED, RULES, UNRESOLVED
from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.texts import load_texts, texts_of
from cd40l_flow.decision.case import Case
from cd40l_flow.report.decision_table import decision_table
from cd40l_flow.result.codes import codes
from cd40l_flow.result.types.fields import REASONS
from helpers.by_hand.cases import joint, judge, make_case, with_measures


def test_the_page_is_up_to_date(root: Path) -> None:
    written = (root / "docs" / "decision-table.md").read_text(encoding="utf-8")
    assert written == decision_table(), "run: python -m cd40l_flow.report.decision_table docs/decision-table.md"


def test_every_code_has_its_words() -> None:
    known = set(REASONS)
    assert set().union(*(texts_of(assay)["reasons"] for assay in ("cd40l", "memory_b", "cd40"))) == known
    assert set(current_assay().guard) <= set(load_texts()["reasons"]) <= known
    page = decision_table()
    for code, words in load_texts()["reasons"].items():
        assert words["what"] and words["remedy"]
        assert f"| `{code}` | {words['what']}" in page
    for rule in RULES:
        assert f"| {rule.place} | **{rule.call}** |" in page


def undecided(cd154: str, beside: dict[str, float]) -> Case:
    """Return a case whose CD40-Ig alone gives no call; where CD154 is NORMAL all together give none either."""
    case = with_measures(make_case({CD154: cd154, CD40_IG: cd154}), CD40_IG, beside=beside)
    return replace(case, joint=joint({CD154: cd154, CD40_IG: cd154}, 2.0)) if cd154 == "NORMAL" else case


def of_table(cd154: str, binding: str) -> Case:
    """Return a case whose sub-calls are a row of the table."""
    if binding == NOT_TESTED:
        return make_case({CD154: cd154})
    if binding == GREY_ZONE:
        return undecided(cd154, {"normal_odds": 2.0, "mosaic_odds": -2.0, "reduced_odds": -9.0, "absent_odds": -30.0})
    if binding == UNRESOLVED:
        return undecided(cd154, {"normal_odds": -9.0, "mosaic_odds": -2.0, "reduced_odds": 2.0, "absent_odds": -30.0})
    return make_case({CD154: cd154, CD40_IG: binding})


@pytest.mark.parametrize(("cd154", "binding"), list(CALLS))
def test_every_row_of_the_table_is_reached(cd154: str, binding: str) -> None:
    decision, (call, reason) = judge(of_table(cd154, binding)), CALLS[cd154, binding]
    if binding == "ABSENT" and cd154 in ("NORMAL", "REDUCED"):
        call, reason = "FUNCTIONAL_DEFECT", ""  # its own rule goes before the table
    assert (decision.call, decision.reasons) == (call, (reason,) if reason else ())


@pytest.mark.parametrize(
    ("patterns", "cd154", "binding"),
    [
        (("NORMAL", "NORMAL"), "present", "present"),
        (("ABSENT", "ABSENT"), "absent", "absent"),
        (("NORMAL", "ABSENT"), "present", "absent"),
        (("MOSAIC", "MOSAIC"), "present on one of two populations", "present on one of two populations"),
        (("REDUCED", "REDUCED"), "present but reduced", "present but reduced"),
        (("ABSENT", "NORMAL"), "indeterminate", "indeterminate"),
    ],
)
def test_coded_results(patterns: tuple[str, str], cd154: str, binding: str) -> None:
    """LOINC knows present and absent; where the sample has no call neither reagent has a result."""
    told = codes(judge(make_case(dict(zip((CD154, CD40_IG), patterns, strict=True)))))
    assert told.panel.code == "98239-7"
    assert (told.cd154.code, told.cd154.value) == ("98240-5", cd154)
    assert (told.cd40_ig.code, told.cd40_ig.value) == ("98241-3", binding)
    for coded in (told.cd154, told.cd40_ig):
        # Nothing but a normal result is the one word that a healthy person's is.
        assert (coded.value == coded.reference) == (coded.interpretation == "N") == (coded.abnormal is False)


def test_coded_function_that_was_not_tested() -> None:
    assert codes(judge(make_case({CD154: "ABSENT"}))).cd40_ig.value == "indeterminate"
    assert codes(judge(make_case({"CD154-2": "ABSENT", CD40_IG: "ABSENT"}))).cd154.value == "absent"
