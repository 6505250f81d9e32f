"""How instruments write the tubes of the B-cell assays down: the dialects of the simulation with other dyes."""

from __future__ import annotations

from dataclasses import replace

from cd40l_flow.simulate.b_cells.panels import stained
from cd40l_flow.simulate.b_cells.samples import BSample
from cd40l_flow.simulate.dialects import DIALECTS, Column, Dialect
from cd40l_flow.simulate.parameters import SimulationParameters

# Makers that name detectors by number, and the words after the number.
_NUMBERED = {"navios": "FL{} INT", "calibur": "FL{}-H", "fc500": "FL{}-H"}
TARGET_LABELS = {"CD40": "CD40", "CD40-isotype": "isotype"}


def b_dialect(sample: BSample) -> Dialect:
    """Return how the sample's instrument writes its tubes: its scatter and time, and the dyes of the sample's panel."""
    dialect = DIALECTS[sample.instrument]
    pattern = _NUMBERED.get(sample.instrument)
    dyes = tuple(
        Column(
            pattern.format(number) if pattern else detector.name,
            detector.marker,
            f"{'{target}' if detector.marker == 'target' else detector.marker} {detector.dye}",
        )
        for number, detector in enumerate(stained(sample, SimulationParameters()).recorded(), 1)
    )
    first = next(at for at, column in enumerate(dialect.columns) if column.marker)
    before = tuple(column for column in dialect.columns[:first] if not column.marker)
    after = tuple(column for column in dialect.columns[first:] if not column.marker)
    return replace(dialect, columns=(*before, *dyes, *after))
