"""What a guard is, and which calls each takes away: data, for readers as much as for the program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

NORMAL, REDUCED, ABSENT, MOSAIC = "NORMAL", "REDUCED", "ABSENT", "MOSAIC"
FUNCTIONAL_DEFECT, INDETERMINATE = "FUNCTIONAL_DEFECT", "INDETERMINATE"
EVERY = frozenset({NORMAL, REDUCED, ABSENT, MOSAIC, FUNCTIONAL_DEFECT})
LOW = frozenset({REDUCED, ABSENT})
NOTHING: frozenset[str] = frozenset()
INFANT_CALLS = frozenset({MOSAIC, REDUCED})

# Which calls a guard takes away when it fires or cannot be computed.
BLOCKS: Mapping[str, frozenset[str]] = {
    "FILE_INTEGRITY": EVERY,
    "ANALYSIS_FAILED": EVERY,
    "CHANNEL_MAP": EVERY,
    "NO_COMP": EVERY,
    "TUBE_MISSING": EVERY,
    "CONTROL_ABSENT": EVERY,
    "CONTROL_FAILED": EVERY,
    "ACTIVATION_FAILED": EVERY,
    "TOO_FEW_EVENTS": EVERY,
    # Cells hidden by a high background look like cells that lack the target or do not bind.
    "HIGH_BACKGROUND": LOW | {FUNCTIONAL_DEFECT},
    "FIT_UNSTABLE": EVERY,
    "LOW_SEPARATION": EVERY,
    "DRUG_CNI": LOW,
    "DRUG_STATUS_UNKNOWN": LOW,
    "STEROID": LOW,
    # A therapeutic antibody can cover one clone's epitope, or the site that CD40 binds.
    "ANTI_CD154": LOW | {FUNCTIONAL_DEFECT},
    "SAMPLE_AGE": NOTHING,
    # EDTA and citrate bind the calcium that CD154 needs while CD69 comes up all the same.
    "ANTICOAGULANT": LOW | {FUNCTIONAL_DEFECT},
    "ACQ_QC": NOTHING,
    "ID_CONFLICT": NOTHING,
    "TUBE_SWAP": EVERY,
    "MARKER_SWAP": EVERY,
    # Which of two tubes that differ is right cannot be told, and together they are a mixture that nobody has.
    "REPLICATE_DISCORDANT": EVERY,
    "REFERENCE_MISMATCH": NOTHING,
    # What the histogram alone cannot tell.
    "STAIN_FAILED": EVERY,
    "GAIN_MISMATCH": EVERY,
    "CONTROL_DOUBTFUL": EVERY,
    # Cells that were stimulated less, or are no CD4 cells, look like cells without the target.
    "NEGATIVES_DEPENDENT": frozenset({MOSAIC}),
    # Expression is low at birth and rises for years: lower fractions and levels are an infant's own.
    "INFANT": INFANT_CALLS,
    # Two kinds of expressing cells are one that the law does not fit.
    "MODEL_MISFIT": frozenset({NORMAL}),
    # A mixture without a background tube is coarser than the fit that it is held against.
    "SECOND_OPINION": NOTHING,
}
# Warnings that belong to the reasons of any call when they fire: the sample or its acquisition was not as it should be.
TOLD = frozenset({"SAMPLE_AGE", "ANTICOAGULANT", "ACQ_QC", "REFERENCE_MISMATCH"})
# Times the ln odds of a call: its odds squared, for what another kind of cells or person may look like.
SQUARED = 2.0


@dataclass(frozen=True)
class Guard:
    """One guard applied: ``fired`` is None when it could not be computed, ``blocks`` are the calls it then takes away.

    ``reagent`` is empty for the whole sample. ``value`` and ``limit`` are in ``unit``; ``message`` says it in words.
    """

    code: str
    reagent: str
    fired: bool | None
    blocks: frozenset[str]
    value: float | None
    limit: float | None
    unit: str
    message: str

    @property
    def stands_in_the_way(self) -> bool:
        """Whether the guard fired, or ought to have been computable and was not."""
        return self.fired is not False

    @property
    def effect(self) -> str:
        """``hard`` (no call), ``limits`` (some calls), or ``soft`` (a warning)."""
        return "hard" if self.blocks == EVERY else "limits" if self.blocks else "soft"


def guard(
    code: str,
    fired: bool | None,
    message: str,
    *,
    reagent: str = "",
    value: float | None = None,
    limit: float | None = None,
    unit: str = "",
    blocks: frozenset[str] | None = None,
) -> Guard:
    """Return a guard with the effect its code has in ``BLOCKS``, unless ``blocks`` says otherwise."""
    return Guard(code, reagent, fired, BLOCKS[code] if blocks is None else blocks, value, limit, unit, message)


def beyond(value: float | None, limit: float, *, above: bool) -> bool | None:
    """Return whether a value lies beyond its limit, or None when it is not known (None, NaN)."""
    if value is None or value != value:
        return None
    return value > limit if above else value < limit
