"""The gated events of a sample as AnnData, with everything that was done to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import to_builtins

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.shared_gates import VIABLE
from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.cohort.settings import Job
from cd40l_flow.interop.tube_values import linear_values, read_again
from cd40l_flow.result.gates.shapes import GateTree, membership
from cd40l_flow.result.gates.tree import gate_trees, scales_of
from cd40l_flow.result.types.result import Result
from cd40l_flow.result.types.tubes import Tube

FORMAT = "1"
SCATTER = ("FSC", "SSC")
DESCRIBED = (
    "call",
    "configuration",
    "gates",
    "qc",
    "reasons",
    "role",
    "run",
    "sample",
    "scales",
    "schema_version",
    "statement",
)


def write_h5ad(result: Result, job: Job, path: Path, population: str = VIABLE) -> int:
    """Write the events of a population of every tube that has it; returns their number.

    ``X`` holds compensated linear values, ``layers["logicle"]`` the same on the scales of the result (scatter: linear);
    NaN where a tube lacks a marker. ``obs`` has tube, stimulation, reagent, the event's number in its file and every
    gate; ``uns["cd40l_flow"]`` calls, gates, scales, matrices and configuration as JSON. Raises Cd40lFlowError
    without anndata, and where no tube has the population.
    """
    try:
        import anndata
        import pandas
    except ImportError:
        raise Cd40lFlowError(
            "AnnData files need anndata, which is not installed: pip install 'cd40l-flow[anndata]'."
        ) from None
    read = {marker for tube in result.tubes for marker in tube.markers}
    names = (*SCATTER, *(marker for marker in current_assay().marker_names if marker in read))
    trees = gate_trees(result)
    gates = tuple(dict.fromkeys(gate.name for tree in trees for gate in tree.gates))
    tables, linear, logicle = [], [], []
    for tree in trees:
        if population in {gate.name for gate in tree.gates}:
            row = next(tube for tube in result.tubes if tube.fcs == tree.fcs and tube.status == "ok")
            cells, values, scaled = _tube(result, tree, row, job, population, names, gates)
            tables.append(pandas.DataFrame(cells))
            linear.append(values)
            logicle.append(scaled)
    if not tables:
        raise Cd40lFlowError(f"{result.sample}: no tube has the population {population!r}. Name another one.")
    events = pandas.concat(tables, ignore_index=True)
    for name in ("tube", "stimulation", "reagent"):
        events[name] = events[name].astype("category")
    events.index = events.index.astype(str)
    detectors = [_detectors(result, name) for name in names]
    data = anndata.AnnData(
        X=np.vstack(linear),
        obs=events,
        var=pandas.DataFrame({"detector": detectors}, index=list(names)),
        layers={"logicle": np.vstack(logicle)},
        uns={"cd40l_flow": _done(result, population)},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        data.write_h5ad(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return int(data.n_obs)


def _tube(
    result: Result,
    tree: GateTree,
    row: Tube,
    job: Job,
    population: str,
    names: tuple[str, ...],
    gates: tuple[str, ...],
) -> tuple[dict[str, Any], Any, Any]:
    """Return the columns of ``obs`` and the values, linear and scaled, (events, names), of a tube's population."""
    events = read_again(tree.fcs, result, job)
    scatter = events[0].scatter
    given = zip(SCATTER, (scatter.fsc, scatter.ssc), strict=True)
    columns = {name: detector for name, detector in given if detector is not None} | row.markers
    values = linear_values(events, dict.fromkeys((*tree.detectors, *columns.values())))
    held = membership(tree, values)
    chosen = np.flatnonzero(held[population])
    linear = np.full((chosen.size, len(names)), np.nan, dtype=np.float32)
    scaled = linear.copy()
    scales = scales_of(result)
    for at, name in enumerate(names):
        if name in columns:
            here = values[columns[name]][chosen]
            scale = scales.get(columns[name])
            linear[:, at] = here
            scaled[:, at] = here if scale is None or name in SCATTER else scale.forward(here)
    cells: dict[str, Any] = {
        "tube": np.repeat(tree.fcs, chosen.size),
        "stimulation": np.repeat(row.stimulation, chosen.size),
        "reagent": np.repeat(row.reagent, chosen.size),
        "event": chosen,
    }
    nowhere = np.zeros(held[population].size, dtype=bool)
    return cells | {name: held.get(name, nowhere)[chosen] for name in gates}, linear, scaled


def _detectors(result: Result, name: str) -> str:
    """Return the detectors that a marker has in the tubes; of scatter those of the acquisition."""
    if name in SCATTER:
        found = [getattr(course.scatter, name.lower()) for course in result.acquisition.tubes]
    else:
        found = [tube.markers[name] for tube in result.tubes if name in tube.markers]
    return ", ".join(dict.fromkeys(name for name in found if name is not None))


def _done(result: Result, population: str) -> dict[str, str]:
    """Return what was done to the events: text by name, JSON where it is more than a word."""
    matrices = {tube.fcs: to_builtins(tube.spillover) for tube in result.tubes if tube.status == "ok"}
    described = {name: to_builtins(getattr(result, name)) for name in DESCRIBED} | {"spillover": matrices}
    plain = {
        name: value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        for name, value in described.items()
    }
    return plain | {"population": population, "format": FORMAT, "engine_version": str(result.engine_version)}
