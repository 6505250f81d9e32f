"""Compensation: from what the detectors saw to what each dye emitted."""

from __future__ import annotations

import numpy as np

from cd40l_flow.inputs.model import Events, Floats


def compensate(events: Events) -> Floats:
    """Return the values of a tube with the spillover of every dye removed, (events, detectors), linear scale.

    Observed = dyes x matrix (rows are dyes), so dyes = observed x inverse; detectors outside the matrix are unchanged.
    Source: Bagwell & Adams 1993 (doi:10.1111/j.1749-6632.1993.tb38775.x).
    """
    values = events.values.copy()
    if events.spillover is None:
        return values
    columns = [events.names.index(name) for name in events.spillover.detectors]
    values[:, columns] = np.linalg.solve(events.spillover.matrix.T, values[:, columns].T).T
    return values
