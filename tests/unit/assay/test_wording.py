"""What is stated about every call, to whom, and what is never stated."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from cd40l_flow.assay.cd40l.reagents import CD40_IG, CD154, CLONE_2
from cd40l_flow.decision.case import Case
from cd40l_flow.decision.change import Change
from cd40l_flow.decision.independence import Dependence, Independence
from cd40l_flow.report import wording
from helpers.by_hand.cases import (
    ACTIVE,
    CHECKS,
    CONTROL_SAMPLE,
    SAMPLE,
    control_alone,
    joint,
    judge,
    limits,
    make_case,
    with_measures,
)

FORBIDDEN = ("not a carrier", "diagnostic of", "rules out", "ruled out", "excludes x-linked", "no carrier")
CALLED = {
    "NORMAL": ("NORMAL", "NORMAL"),
    "ABSENT": ("ABSENT", "ABSENT"),
    "REDUCED": ("REDUCED", "REDUCED"),
    "MOSAIC": ("MOSAIC", "MOSAIC"),
    "FUNCTIONAL_DEFECT": ("NORMAL", "ABSENT"),
}


def said(case: Case, *, require_function: bool = True) -> str:
    decision = judge(case, require_function=require_function)
    return " ".join(wording.statement(case, decision, limits()))


def called(call: str, **history: Any) -> Case:
    return make_case(dict(zip((CD154, CD40_IG), CALLED[call], strict=True)), sample=replace(SAMPLE, **history))


EVERYONE = [
    dict(zip(("sex", "transplant", "age_years", "transfusion", "stimulation_h"), values, strict=True))
    for values in product(("M", "F", "unknown"), ("no", "yes", "unknown"), (0.2, 8.0, 40.0), ("no", "yes"), (None, 4.0))
]


@pytest.mark.parametrize("call", list(CALLED))
def test_nothing_forbidden_is_said_to_anybody(call: str) -> None:
    for history in EVERYONE:
        for case in (
            called(call, **history),
            with_measures(called(call, **history), CD154, beside={"mutant_fraction": 0.1, "lob": None}),
            replace(called(call, **history), control=None, comparisons={}),
            make_case({CD154: CALLED[call][0]}, sample=replace(SAMPLE, **history)),
        ):
            for strict in (True, False):
                words = said(case, require_function=strict)
                assert words
                # The one sentence that names exclusion says that there is none.
                plain = words.lower().replace("neither establishes nor excludes x-linked", "")
                assert [phrase for phrase in FORBIDDEN if phrase in plain] == []
                assert "None" not in words and "nan" not in words.split()


@pytest.mark.parametrize("low", [-0.15, 0.2])
def test_of_a_residual_allele_the_level_of_its_cells_is_stated(low: float) -> None:
    """They express, so the share that lacks CD154 may be none, or less than none."""
    shown = {"mutant_fraction": low + 0.1, "mutant_fraction_low": low, "mutant_fraction_high": low + 0.2}
    case = with_measures(called("MOSAIC", sex="M", transplant="yes"), CD154, beside={**shown, "residual_kept": 0.24})
    decision = judge(replace(case, joint=joint(dict.fromkeys((CD154, CD40_IG), "MOSAIC"), 20.0)))
    assert decision.call == "MOSAIC"
    words = " ".join(wording.statement(case, decision, limits()))
    assert "about 24% of the level" in words and "Donor-like" not in words
    assert ("lack CD154" in words) is (low > 0)
    # Of cells that do not express there are more than in a healthy person.
    shown |= {"mutant_fraction": 0.3}
    plain = with_measures(case, CD154, beside={**shown, "residual_kept": None})
    assert "lack CD154" in " ".join(wording.statement(plain, judge(plain), limits()))


def test_the_number_of_controls_that_would_settle_a_call_is_stated() -> None:
    case = make_case()
    change = Change("", "INDETERMINATE", "NORMAL", (), "A run with 2 healthy controls would settle it.", controls=2)
    other = replace(change, text="CD154: the level below 0.5.", controls=None)
    words = wording.statement(case, judge(case), limits(), (change, other))
    assert change.text in words and other.text not in words


def test_what_a_repeat_would_show_again_is_not_to_be_repeated() -> None:
    """Negative cells that are of another kind belong to the person; a failed stimulation does not."""
    biology = replace(called("MOSAIC"), independence={CD154: Independence(Dependence(1.2, 0.1), None, np.empty(0))})
    failed = make_case(activation={CD154: replace(ACTIVE, percent=30.0), CD40_IG: ACTIVE})
    assert "NEGATIVES_DEPENDENT" in judge(biology).reasons
    assert said(biology).startswith("No call can be made. ") and "Repeat the assay once" not in said(biology)
    assert "Repeat the assay once the cause" in said(failed)


def test_a_normal_female_reads_the_limit_of_detection() -> None:
    words = said(called("NORMAL", sex="F"))
    assert "13% of cells" in words
    assert "carrier status not excluded" in words
    assert "carrier" not in said(called("NORMAL"))


@pytest.mark.parametrize("transplant", ["no", "unknown", "yes"])
def test_a_mosaic_male_is_never_a_carrier(transplant: str) -> None:
    words = said(called("MOSAIC", transplant=transplant))
    assert "carrier status" not in words
    if transplant == "yes":
        assert "chimerism" in words
        assert "56%" in words  # one minus the mutant fraction
    else:
        assert "mosaicism" in words and "maternal" in words and "47,XXY" in words


def test_sex_decides_the_words_of_a_mosaic() -> None:
    assert "consistent with carrier status" in said(called("MOSAIC", sex="F"))
    both = said(called("MOSAIC", sex="unknown"))
    assert "carrier status" in both and "mosaicism" in both and "sign only once" in both


def test_absent() -> None:
    assert "urgent" in said(called("ABSENT"))
    assert "engraftment" in said(called("ABSENT", transplant="yes"))
    female = said(called("ABSENT", sex="F"))
    assert "lyonization" in female and "urgent" not in female
    infant = said(called("ABSENT", age_years=0.2))
    assert "age-matched" in infant and "stimulated for 4 h" in infant
    assert "Infant" not in said(called("ABSENT", age_years=2.0))


def test_reduced_neither_alarms_nor_reassures() -> None:
    words = said(called("REDUCED"))
    assert "neither establishes nor excludes" in words
    assert "common variable immunodeficiency" in said(called("REDUCED", age_years=30.0))
    assert "urgent" not in words
    for age, told in ((2.0, True), (9.9, True), (10.0, False), (None, False)):
        assert ("control of the child's age" in said(called("REDUCED", age_years=age))) is told


def test_functional_defect_names_the_time_of_stimulation() -> None:
    assert "stimulated for 4 h" in said(called("FUNCTIONAL_DEFECT"))
    assert "not known" in said(called("FUNCTIONAL_DEFECT", stimulation_h=None))


def test_without_function_normal_expression_excludes_nothing() -> None:
    for strict in (True, False):
        words = said(make_case({CD154: "NORMAL"}), require_function=strict)
        assert "expression normal; function not tested" in words
        assert "not excluded" in words
    assert "function not tested" in said(make_case({CLONE_2: "NORMAL"}))


def test_what_gets_no_call_may_be_described_but_is_no_result() -> None:
    failed = said(replace(called("ABSENT"), control=None))
    assert "expression not detected" in failed
    assert "not a result" in failed
    close = {"normal_odds": 2.0, "mosaic_odds": -2.0, "reduced_odds": -9.0, "absent_odds": -20.0}
    case = with_measures(make_case(), CD154, beside=close)
    grey = said(replace(case, joint=joint(dict.fromkeys(case.planned, "NORMAL"), 2.0)))
    assert "cannot be excluded" in grey
    assert "speak most for: like the control's, 7 to 1 against all else. Next: " in grey


def test_a_mosaic_of_few_cells_or_without_function_says_so() -> None:
    few = with_measures(called("MOSAIC"), CD40_IG, events=1500)
    assert "Fewer than 2000 activated cells" in said(few)
    assert "Fewer than" not in said(called("MOSAIC"))
    assert "not validly tested" in said(make_case({CD154: "MOSAIC"}))


def test_two_populations_of_binding_alone_are_told() -> None:
    case = make_case({CD154: "NORMAL", CD40_IG: "MOSAIC"}, sample=replace(SAMPLE, sex="F"))
    assert judge(case).call == "INDETERMINATE"
    assert "CD40-Ig alone shows two populations" in said(case)


def test_relatives_are_pointed_to_and_change_nothing() -> None:
    alone, related = called("NORMAL"), called("NORMAL", family="F7")
    assert "Relatives (family F7)" in said(related)
    assert judge(alone) == judge(related)


def test_without_a_control_the_cells_are_described() -> None:
    words = said(replace(called("ABSENT"), control=None, comparisons={}))
    assert "Without a control the cells can only be described" in words and "0 % of 3,000 activated cells" in words


def test_a_control_gets_one_sentence() -> None:
    case = control_alone()
    assert said(case) == "This healthy control meets its limits."
    weak = replace(case.reagents[CD154], converged=False)
    failed = replace(case, reagents={**case.reagents, CD154: weak})
    assert said(failed) == "This control does not meet its limits for CD154, which the run cannot use."
    swapped = replace(case, checks=replace(CHECKS, removed_percent=90.0))
    assert said(swapped) == "This control does not meet its limits: its run cannot be called."
    # Beside another control it may stay open, and is used all the same.
    beside = with_measures(make_case(sample=CONTROL_SAMPLE), CD154, beside={"normal_odds": 1.0, "mosaic_odds": -1.0})
    assert said(replace(beside, joint={})).startswith("This control meets its limits and is used.")
