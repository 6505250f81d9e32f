"""Compensation: from detector signals to dye signals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cd40l_flow.assay.tables import TARGET
from cd40l_flow.base.model import Events
from cd40l_flow.signal.acquisition import at_the_top, top_of

_CHUNK = 1 << 14  # events per batch, to stay in the CPU cache


def compensate(events: Events, *, reuse: bool = False) -> Events:
    """Return a tube with spillover removed; a compensated tube is returned unchanged.

    Only scatter and the markers' detectors are kept, (events, detectors), float32, column-major. With ``reuse`` they
    overwrite the values of ``events``, which must not be used afterwards; this halves the memory. Observed = dyes x
    matrix (rows are dyes), so dyes = observed x inverse; detectors outside the matrix are unchanged. Source: Bagwell &
    Adams 1993 (doi:10.1111/j.1749-6632.1993.tb38775.x).
    """
    if events.compensated:
        return events
    scatter = events.scatter
    wanted = [scatter.fsc, scatter.ssc, scatter.fsc_height, scatter.fsc_width, *events.markers.values()]
    names = tuple(dict.fromkeys(name for name in wanted if name))
    columns = {name: events.values[:, at] for at, name in enumerate(events.names)}
    target = events.markers.get(TARGET)
    # Uses the raw signal, which is overwritten below where values are reused.
    top = at_the_top(columns[target], top_of(events, target)) if target is not None else np.zeros(0, dtype=bool)
    dyes = events.spillover.detectors if events.spillover is not None else ()
    if reuse and events.values.dtype == np.float32 and events.names[: len(names)] == names:
        values = events.values[:, : len(names)]
    else:
        values = np.empty((events.values.shape[0], len(names)), dtype=np.float32, order="F")
        for at, name in enumerate(names):
            if name not in dyes:
                values[:, at] = columns[name]
    inside = [at for at, name in enumerate(names) if name in dyes]
    if events.spillover is not None and inside:
        inverse = np.linalg.inv(events.spillover.matrix)[:, [dyes.index(names[at]) for at in inside]].T
        observed = np.empty((len(dyes), min(_CHUNK, values.shape[0])))
        for begin in range(0, values.shape[0], _CHUNK):
            seen = observed[:, : min(_CHUNK, values.shape[0] - begin)]
            for row, name in zip(seen, dyes, strict=True):
                row[:] = columns[name][begin : begin + _CHUNK]
            for at, row in zip(inside, inverse @ seen, strict=True):
                values[begin : begin + _CHUNK, at] = row
    return replace(
        events, names=names, values=values, compensated=True, top_percent=100 * float(np.mean(top)) if top.size else 0.0
    )
