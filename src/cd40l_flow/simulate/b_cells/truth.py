"""What is true of a simulated sample of a B-cell assay: the table that results are judged by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cd40l_flow.base.disk import write_atomically
from cd40l_flow.simulate.b_cells.laws import DOUBLE_NEGATIVE, IGM_ONLY, NAIVE, NON_SWITCHED, STAGES, SWITCHED
from cd40l_flow.simulate.b_cells.laws import TRANSITIONAL as TRANSITIONAL_STAGE
from cd40l_flow.simulate.b_cells.panels import stained
from cd40l_flow.simulate.b_cells.samples import MEMORY, BSample
from cd40l_flow.simulate.b_cells.tube import BTube
from cd40l_flow.simulate.cells import KINDS, MONOCYTE
from cd40l_flow.simulate.parameters import SimulationParameters
from cd40l_flow.simulate.truth import FEWEST_FOR_SEPARATION, ashman_d

MEMORY_STAGES = (NON_SWITCHED, SWITCHED, IGM_ONLY)
CD27_NEGATIVE_STAGES = (TRANSITIONAL_STAGE, NAIVE, DOUBLE_NEGATIVE)
B_TRUTH_COLUMNS = (
    "sample",
    "assay",
    "subject",
    "run",
    "role",
    "scenario",
    "disturbance",
    "age_years",
    "events",
    "lymphocytes",
    "b_events",
    "b_percent_asked",
    *(f"{stage}_percent_asked" for stage in STAGES),
    *(f"{stage}_percent" for stage in STAGES),
    "switched_two_marker_percent",
    "cd27_separation_true",
    "monocytes",
    "cd40_b_level",
    "cd40_monocyte_level",
    "cd40_lacking_fraction",
    "expected_calls",
    "expected_reasons",
    "dangerous_calls",
)


def cd27_separation(tube: BTube, parameters: SimulationParameters) -> float | None:
    """Return Ashman's D of CD27 of memory against naive, transitional and double negative cells, live single B cells.

    On a logicle scale (4.5 decades, W 0.5) of the values compensated with the true matrix. None with fewer than 20
    cells of either sort, or where CD27 is not recorded.
    """
    from flowutils.transforms import logicle

    markers = [detector.marker for detector in parameters.recorded()]
    if "CD27" not in markers:
        return None
    values = tube.compensated(parameters)[:, [markers.index("CD27")]]
    scaled = logicle(values, [0], t=parameters.range, m=4.5, w=0.5, a=0.0)[:, 0]
    counted = tube.b_cells()
    memory = scaled[counted & np.isin(tube.stage, MEMORY_STAGES)]
    negative = scaled[counted & np.isin(tube.stage, CD27_NEGATIVE_STAGES)]
    if min(memory.size, negative.size) < FEWEST_FOR_SEPARATION:
        return None
    return ashman_d(memory, negative)


def b_truth_row(sample: BSample, main: BTube | None, parameters: SimulationParameters) -> dict[str, str]:
    """Return the row of one sample, computed of the live single B cells in its main tube (``memory``, ``CD40``).

    ``_asked`` is the donor's true share, the plain column that of the cells written; percents are of B cells,
    ``b_percent_asked`` of lymphocytes. ``parameters`` are those of the whole simulation, without the panel.
    """
    row = dict.fromkeys(B_TRUTH_COLUMNS, "")
    row |= {name: getattr(sample, name) for name in ("sample", "assay", "run", "role", "scenario", "disturbance")}
    row |= {
        "subject": sample.subject or sample.sample,
        "age_years": "" if sample.age_years is None else f"{sample.age_years:g}",
        "b_percent_asked": f"{sample.b_percent:.6g}",
        "expected_calls": ";".join(sample.expected),
        "expected_reasons": ";".join(sample.expected_reasons),
        "dangerous_calls": ";".join(sample.dangerous),
    }
    if sample.assay == MEMORY:
        shares = zip(STAGES, sample.subsets.shares(), strict=True)
        row |= {f"{stage}_percent_asked": f"{100 * share:.6g}" for stage, share in shares}
    else:
        row |= {
            "cd40_b_level": f"{sample.cd40_b * sample.cd40_epitope:g}",
            "cd40_monocyte_level": f"{sample.cd40_monocyte * sample.cd40_epitope:g}",
            "cd40_lacking_fraction": f"{sample.cd40_lacking:g}",
        }
    if main is None:
        return row
    counted = main.b_cells()
    total = int(counted.sum())
    row |= {
        "events": str(len(main.values)),
        "lymphocytes": str(int(main.lymphocytes().sum())),
        "b_events": str(total),
        "monocytes": str(int((main.live & main.single & (main.kind == MONOCYTE)).sum())),
    }
    if sample.assay == MEMORY and total:
        written = np.bincount(main.stage[counted], minlength=len(STAGES)) / total
        row |= {f"{stage}_percent": f"{100 * share:.6g}" for stage, share in zip(STAGES, written, strict=True)}
        row["switched_two_marker_percent"] = f"{100 * (written[SWITCHED] + written[IGM_ONLY]):.6g}"
        separation = cd27_separation(main, stained(sample, parameters))
        row["cd27_separation_true"] = "" if separation is None else f"{separation:.3f}"
    return row


def write_b_truth(path: Path, rows: Sequence[dict[str, str]]) -> None:
    """Write ``truth_b_cells.tsv``: one line a sample, in the order given."""
    lines = ["\t".join(B_TRUTH_COLUMNS), *("\t".join(row[column] for column in B_TRUTH_COLUMNS) for row in rows)]
    write_atomically(path, "\n".join(lines) + "\n")


def write_b_events_truth(path: Path, tube: BTube) -> None:
    """Write what every event is as a compressed npz: ``kind`` and ``stage`` (indices into ``kinds`` and ``stages``).

    ``stage`` is -1 for what is no B cell; ``counted`` marks live single B cells.
    """
    np.savez_compressed(
        path,
        kinds=np.array(KINDS),
        stages=np.array(STAGES),
        kind=tube.kind.astype(np.uint8),
        stage=tube.stage.astype(np.int8),
        live=tube.live,
        single=tube.single,
        conjugate=tube.conjugate,
        lacking=tube.lacking,
        counted=tube.b_cells(),
    )
