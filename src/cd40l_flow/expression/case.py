"""A case: everything that guards and rules may look at, for one sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cd40l_flow.expression.model import Comparison, ControlExpression, Expression
from cd40l_flow.inputs.model import Sample


@dataclass(frozen=True)
class Refusal:
    """A tube that could not be used: its ``fcs``, the reason code, and what is wrong in words."""

    fcs: str
    code: str
    message: str


@dataclass(frozen=True)
class Activation:
    """How well one reagent's stimulated tubes were activated; percents 0 to 100 of CD3+CD8- cells, None not computable.

    ``median_ratio`` is the CD69 median of stimulated over unstimulated CD3+CD8- cells on the linear scale; ``events``
    the activated cells of the stimulated tubes, None when no tube of the reagent could be read.
    """

    percent: float | None
    unstimulated_percent: float | None
    median_ratio: float | None
    events: int | None = None


@dataclass(frozen=True)
class TubeCheck:
    """What the tubes of a sample say of each other, and the acquisition of the worst; see ``tube_checks``.

    ``untimed`` names the tubes (``fcs``) whose steadiness in time could not be assessed; ``residue`` is how far the
    target follows CD69 in cells that do not express it, robust SD, largest of the stimulated tubes.
    """

    removed_percent: float | None
    margin_percent: float | None
    untimed: tuple[str, ...]
    swapped: bool | None
    markers_swapped: bool | None
    fingerprint_points: float | None
    scatter_percent: float | None
    residue: float | None


@dataclass(frozen=True)
class ControlCase:
    """What a run's controls say: combined measures per reagent, CD69 percent, and why one failed (empty: none did)."""

    names: tuple[str, ...]
    reagents: Mapping[str, ControlExpression]
    activation_percent: Mapping[str, float]
    failures: tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """One sample as guards and rules see it.

    ``reagents`` are those that could be measured; ``planned`` those with a stimulated tube in the sheet; ``missing``
    maps reagent -> what the sheet lacks; ``control`` is None when there is none to compare with (``alone``: a single
    control, judged by its own guards).
    """

    sample: Sample
    alone: bool
    refusals: tuple[Refusal, ...]
    planned: tuple[str, ...]
    missing: Mapping[str, str]
    unstimulated_missing: bool
    reagents: Mapping[str, Expression]
    comparisons: Mapping[str, Comparison]
    activation: Mapping[str, Activation]
    checks: TubeCheck
    control: ControlCase | None

    def comparison(self, reagent: str) -> Comparison:
        """Return a reagent beside the control's, empty where there is no control."""
        return self.comparisons.get(reagent, Comparison())
