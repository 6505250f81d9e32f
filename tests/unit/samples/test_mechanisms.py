"""What goes wrong in real laboratories, each mechanism simulated, gated, fitted and called: which calls are right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.simulate import named, write_cohort
from helpers.results.records import analyse

SEED = 20_261
AFFECTED = {"ABSENT", "REDUCED", "MOSAIC", "FUNCTIONAL_DEFECT"}

# Name of the mechanism, the calls that are right, reason codes of which an open call must give one (none: any).
RIGHT: list[tuple[str, set[str], set[str]]] = [
    # Events piled up in the lowest channel are no population.
    ("healthy-calibur", {"NORMAL", "INDETERMINATE"}, {"MOSAIC_GREY_ZONE", "BETWEEN_LIMITS"}),
    ("carrier-calibur", {"MOSAIC"}, set()),
    ("absent-fc500", {"ABSENT"}, set()),
    ("carrier-floor-one", {"MOSAIC"}, set()),
    # Cells that keep a part of the level are a second kind of cells.
    ("residual-carrier-20", {"MOSAIC", "INDETERMINATE", "REDUCED"}, set()),
    # Negatives that follow CD69 or CD3 are no mosaic's, but do not prove that there is none.
    ("weak-stimulation", {"INDETERMINATE"}, {"NEGATIVES_DEPENDENT", "MOSAIC_GREY_ZONE", "REDUCED_VS_MOSAIC"}),
    ("hardly-stimulated", {"INDETERMINATE"}, {"NEGATIVES_DEPENDENT"}),
    ("weak-stimulation-carrier", {"MOSAIC", "INDETERMINATE"}, set()),
    ("gamma-delta", {"INDETERMINATE", "NORMAL"}, {"NEGATIVES_DEPENDENT", "MOSAIC_GREY_ZONE"}),
    # Cells below their own background were not stained; a sticky background does the same to absent cells.
    ("unstained-cd154", {"INDETERMINATE"}, {"STAIN_FAILED"}),
    ("sticky-isotype-absent", {"ABSENT", "INDETERMINATE"}, set()),
    # Levels at another voltage cannot be compared.
    ("other-voltage", {"INDETERMINATE"}, {"GAIN_MISMATCH"}),
    ("unrecorded-voltage", {"INDETERMINATE"}, {"GAIN_MISMATCH"}),
    # A control that is a carrier, or half as bright as it should be.
    ("carrier-as-control", {"INDETERMINATE", "NORMAL"}, set()),
    # Binding is weak because little is there to bind to, or although it is there.
    ("weak-expresser", {"REDUCED", "INDETERMINATE"}, set()),
    ("partial-binding", {"INDETERMINATE", "FUNCTIONAL_DEFECT"}, set()),
    ("no-binding", {"FUNCTIONAL_DEFECT"}, set()),
    # As bright as the control, with a little fewer positive cells.
    ("seventy-percent-positive", {"NORMAL", "INDETERMINATE"}, set()),
    # Infants beside adults.
    ("infant", {"INDETERMINATE", "NORMAL"}, {"INFANT", "MOSAIC_GREY_ZONE"}),
    ("infant-absent", {"ABSENT"}, set()),
    # What is plain for all that: few T cells, few cells, a dim stain, one reagent whose control failed.
    ("dim-carrier-d3", {"MOSAIC"}, set()),
    ("dim-cd40ig-control", {"INDETERMINATE"}, {"FUNCTION_NOT_TESTED", "LOW_SEPARATION"}),
]


@pytest.fixture(params=RIGHT, ids=[name for name, _, _ in RIGHT])
def mechanism(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[dict[str, Any], set[str], set[str]]:
    """Return the result of a mechanism's sample with its control, and what is right."""
    name, calls, reasons = request.param
    cohort, parameters = named(name)
    write_cohort(tmp_path, SEED, cohort=cohort, parameters=parameters)
    monkeypatch.chdir(tmp_path)
    plan = load_plan("config/config.yaml")
    control, sample = (one.sample for one in cohort)
    lent, _ = analyse(plan.job(control), {})
    result, _ = analyse(plan.job(sample), {control: lent})
    return result, calls, reasons


def test_the_call_is_right_and_says_why(mechanism: tuple[dict[str, Any], set[str], set[str]]) -> None:
    result, calls, reasons = mechanism

    assert result["call"] in calls, (result["call"], result["reasons"])
    if result["call"] == "INDETERMINATE":
        assert result["reasons"]
        assert not reasons or reasons & set(result["reasons"]), result["reasons"]
