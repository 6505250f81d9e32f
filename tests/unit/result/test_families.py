"""Relatives side by side: what their calls mean together, and that no call changes."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from cd40l_flow.result.families import families
from helpers.results.controls import whole_result

CALLS = ("NORMAL", "REDUCED", "ABSENT", "MOSAIC", "FUNCTIONAL_DEFECT", "INDETERMINATE")


def relative(sample: str, sex: str, call: str, **changes: Any) -> dict[str, Any]:
    result = {
        "sample": sample, "run": "R1", "role": "test", "sex": sex, "age_band": "1 y", "call": call, "qc": "pass",
        "family": "F1", "metadata": {"transplant": "no"},
        "reagents": {"CD154": dict.fromkeys(
            ("percent_positive", "negative_fraction", "mfi_ratio", "mutant_fraction", "mutant_fraction_low",
             "mutant_fraction_high", "valley"), 0.5)},
    }  # fmt: skip
    return result | changes


def said(*members: dict[str, Any]) -> str:
    (family,) = families([whole_result(one) for one in members])
    return " ".join(family["statements"])


def test_members_stand_side_by_side() -> None:
    other = relative("P9", "M", "NORMAL", family="F2")
    alone = relative("P8", "M", "NORMAL", family="")
    control = relative("C01", "F", "NORMAL", role="control")
    (family,) = families(
        [
            whole_result(one)
            for one in (relative("P2", "F", "MOSAIC"), other, alone, control, relative("P1", "M", "ABSENT"))
        ]
    )
    assert family["family"] == "F1"
    assert [(one["sample"], one["call"]) for one in family["members"]] == [("P1", "ABSENT"), ("P2", "MOSAIC")]
    assert family["members"][0]["reagents"]["CD154"]["mutant_fraction"] == 0.5
    assert "valley" not in family["members"][0]["reagents"]["CD154"]


@pytest.mark.parametrize("male", ["ABSENT", "FUNCTIONAL_DEFECT"])
def test_an_affected_son_and_a_mosaic_mother_support_each_other(male: str) -> None:
    assert "support each other" in said(relative("P1", "M", male), relative("P2", "F", "MOSAIC"))
    apart = said(relative("P1", "M", male), relative("P2", "F", "NORMAL"))
    assert "do not settle" in apart and "carrier status is not excluded" in apart


@pytest.mark.parametrize("male", ["NORMAL", "MOSAIC", "ABSENT"])
def test_one_against_the_other_asks_for_identities(male: str) -> None:
    assert "identities" in said(relative("P1", "M", male), relative("P2", "F", "ABSENT"))


def test_a_transplanted_male_says_nothing_of_his_relatives() -> None:
    transplanted = relative("P1", "M", "MOSAIC", metadata={"transplant": "yes"})
    assert said(transplanted, relative("P2", "F", "ABSENT")) == ""


def test_nothing_is_said_before_everybody_has_a_call() -> None:
    assert "P2: no call" in said(relative("P1", "M", "ABSENT"), relative("P2", "F", "INDETERMINATE"))


def test_no_pair_is_called_anything_forbidden() -> None:
    for male, female in product(CALLS, repeat=2):
        words = said(relative("P1", "M", male), relative("P2", "F", female)).lower()
        for phrase in ("not a carrier", "diagnostic of", "rules out", "ruled out", "no carrier"):
            assert phrase not in words
        assert "{" not in words


def test_order_does_not_matter() -> None:
    pair = [relative("P1", "M", "ABSENT"), relative("P2", "F", "MOSAIC")]
    both = [whole_result(one) for one in pair]
    assert families(both) == families(both[::-1])
