"""What is true of a simulated tube: the table that results are judged by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.base.disk import write_atomically
from cd40l_flow.base.model import Floats
from cd40l_flow.simulate.cells import KINDS, target_binding
from cd40l_flow.simulate.cohort import Scenario
from cd40l_flow.simulate.parameters import SimulationParameters
from cd40l_flow.simulate.tube import SimulatedTube

TRUTH_COLUMNS = (
    "sample",
    "run",
    "fcs",
    "stimulation",
    "reagent",
    "events",
    "truth_activated_events",
    "negative_fraction_asked",
    "negative_fraction_realised",
    "expression_level",
    "separation_true",
    "expected_call",
    "expected_reasons",
)
FEWEST_FOR_SEPARATION = 20


def ashman_d(first: Floats, second: Floats) -> float:
    """Return Ashman's D of two sets of values: the distance of their means over their pooled spread, times root 2."""
    spread = np.sqrt((first.var() + second.var()) / 2.0)
    return float(abs(first.mean() - second.mean()) / spread)


def true_separation(tube: SimulatedTube, parameters: SimulationParameters) -> float | None:
    """Return Ashman's D of expressing against other activated cells on a logicle scale (4.5 decades, W 0.5).

    The values are the written ones, compensated with the true matrix. None with fewer than 20 cells of either sort.
    """
    from flowutils.transforms import logicle

    counted = tube.counted()
    column = [detector.marker for detector in parameters.recorded()].index("target")
    scaled = logicle(tube.compensated(parameters)[:, [column]], [0], t=parameters.range, m=4.5, w=0.5, a=0.0)[:, 0]
    positive, negative = scaled[counted & tube.expressing], scaled[counted & ~tube.expressing]
    if min(positive.size, negative.size) < FEWEST_FOR_SEPARATION:
        return None
    return ashman_d(positive, negative)


def truth_row(
    scenario: Scenario, fcs: str, stimulation: str, reagent: str, tube: SimulatedTube, parameters: SimulationParameters
) -> dict[str, str]:
    """Return the row of ``truth.tsv`` for one file, computed of the events that are in it.

    Fractions and levels are blank where nothing can express: unstimulated and background tubes.
    """
    counted = tube.counted()
    activated = int(counted.sum())
    row = dict.fromkeys(TRUTH_COLUMNS, "")
    row |= {
        "sample": scenario.sample,
        "run": scenario.run,
        "fcs": fcs,
        "stimulation": stimulation,
        "reagent": reagent,
        "events": str(len(tube.values)),
        "truth_activated_events": str(activated),
        "expected_call": scenario.expected_call,
        "expected_reasons": ";".join(scenario.expected_reasons),
    }
    if stimulation == "stimulated" and reagent in current_assay().targets:
        binding = target_binding(parameters, scenario, reagent) / target_binding(
            parameters, Scenario(scenario.sample), reagent
        )
        binds = binding > 0.0 and scenario.ionomycin
        row["negative_fraction_asked"] = f"{scenario.negative_fraction if binds else 1.0:g}"
        row["expression_level"] = f"{scenario.expression_level * binding if binds else 0.0:g}"
        if activated:
            row["negative_fraction_realised"] = f"{(counted & ~tube.expressing).sum() / activated:.6f}"
        separation = true_separation(tube, parameters)
        if separation is not None:
            row["separation_true"] = f"{separation:.3f}"
    return row


def write_truth(path: Path, rows: Sequence[dict[str, str]]) -> None:
    """Write ``truth.tsv``: one line a tube, in the order given."""
    lines = ["\t".join(TRUTH_COLUMNS), *("\t".join(row[column] for column in TRUTH_COLUMNS) for row in rows)]
    write_atomically(path, "\n".join(lines) + "\n")


def write_events_truth(path: Path, tube: SimulatedTube) -> None:
    """Write what every event is as a compressed npz: ``kind`` (an index into ``kinds``) and a flag for each state.

    ``counted`` marks the assay's cells: live single activated CD3+CD8-.
    """
    np.savez_compressed(
        path,
        kinds=np.array(KINDS),
        kind=tube.kind.astype(np.uint8),
        live=tube.live,
        single=tube.single,
        activated=tube.activated,
        expressing=tube.expressing,
        clogged=tube.clogged,
        counted=tube.counted(),
    )
