"""What a simulated sample is in truth, and which calls of it are right or dangerous."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cd40l_flow.simulate import Scenario

AFFECTED = ("ABSENT", "REDUCED", "MOSAIC", "FUNCTIONAL_DEFECT")
# The reader finds DATA whose end is given one byte too far: nothing is wrong with the cells.
READ_AS_MEANT = "offset"
METHODS = ("cd40l-flow", "threshold", "GaussianMixture and BIC")


@dataclass(frozen=True)
class Judged:
    """One sample: its scenario, truth, the calls of the three methods, and what the control's D was.

    ``mutant_fraction`` is the donor's true one beyond the control's; ``kind`` is ``healthy``, ``affected``, ``mosaic``
    or ``failed`` (no call may be made); ``odds`` are the natural-log odds of each call by all reagents together.
    """

    run: int
    sample: str
    kind: str
    negative_fraction: float
    mutant_fraction: float
    lod: float | None
    separation: float | None
    expected: frozenset[str]
    calls: Mapping[str, str]
    reasons: tuple[str, ...]
    pattern: str
    odds: Mapping[str, float]

    def right(self, method: str) -> bool:
        """Whether a method's call is one of the expected."""
        return self.calls[method] in self.expected

    def dangerous(self, method: str) -> bool:
        """Whether a method's call could harm: an affected one normal, a healthy one affected, a failed assay called."""
        call = self.calls[method]
        if call in self.expected:
            return False
        if self.kind == "failed":
            return call != "INDETERMINATE"
        if self.kind == "affected":
            return call == "NORMAL"
        if self.kind == "mosaic":
            return call == "NORMAL" and self.mutant_fraction > (0.13 if self.lod is None else self.lod)
        return call in AFFECTED


def kind_of(scenario: Scenario) -> str:
    """Return what a scenario is in truth."""
    if scenario.right == {"INDETERMINATE"} and READ_AS_MEANT not in scenario.sample:
        return "failed"
    if scenario.expected_call == "MOSAIC" or "carrier" in scenario.sample:
        return "mosaic"
    return "healthy" if scenario.expected_call in ("NORMAL", "INDETERMINATE") else "affected"


def expected_of(scenario: Scenario) -> frozenset[str]:
    """Return the calls that are right; a grey zone is INDETERMINATE."""
    kind = kind_of(scenario)
    if kind == "mosaic":
        negative = scenario.negative_fraction
        if negative > 0.28:
            return frozenset({"MOSAIC"})
        if negative >= 0.22:
            return frozenset({"MOSAIC", "INDETERMINATE"})
        # Between the limits of blank and of detection, as the control's own negatives happen to be.
        return frozenset({"MOSAIC", "INDETERMINATE", "NORMAL"} if negative > 0.18 else {"INDETERMINATE", "NORMAL"})
    if READ_AS_MEANT in scenario.sample:
        return frozenset({"NORMAL", "INDETERMINATE"})
    return scenario.right
