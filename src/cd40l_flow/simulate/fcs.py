"""The FCS 3.1 file of a simulated tube, and what can be wrong with such a file."""

from __future__ import annotations

import io
from array import array
from collections.abc import Mapping

import numpy as np

from cd40l_flow.inputs.model import Floats
from cd40l_flow.simulate.instrument import spillover_matrix
from cd40l_flow.simulate.parameters import SimulationParameters
from cd40l_flow.simulate.tube import SimulatedTube

TARGET_LABELS = {
    "CD154": "CD154 PE",
    "CD154-2": "CD154 PE",
    "CD40-Ig": "CD40-Ig PE",
    "isotype": "isotype PE",
    "FMO": "FMO PE",
    "secondary": "secondary PE",
}
SCATTER_VOLTS = {"FSC-A": 320, "FSC-H": 320, "SSC-A": 390}
FIRST_TUBE_AT = 10 * 3600  # $BTIM of every tube, seconds after midnight


def labels(parameters: SimulationParameters, names: tuple[str, ...], reagent: str) -> list[str]:
    """Return the ``$PnS`` of every detector; scatter and time have none."""
    found = {}
    for detector in parameters.recorded():
        label = "viability" if detector.marker == "viability" else detector.marker
        found[detector.name] = TARGET_LABELS[reagent] if label == "target" else f"{label} {detector.dye}"
    return [found.get(name, "") for name in names]


def spillover_text(names: tuple[str, ...], matrix: Floats) -> str:
    """Return the value of ``$SPILLOVER``: count, names, and the matrix by rows."""
    values = [format(value, "g") for value in matrix.ravel().tolist()]
    return ",".join([str(len(names)), *names, *values])


def clock(seconds: float) -> str:
    """Return seconds after midnight as ``hh:mm:ss.cc``."""
    minutes, rest = divmod(seconds, 60.0)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours:02d}:{minutes:02d}:{rest:05.2f}"


def encode_fcs(
    tube: SimulatedTube,
    reagent: str,
    fcs: str,
    parameters: SimulationParameters,
    *,
    faults: frozenset[str] = frozenset(),
    planted_keywords: Mapping[str, str] | None = None,
) -> bytes:
    """Return the bytes of the tube's FCS 3.1 file, with the faults of the file asked for."""
    from flowio import create_fcs

    names, values = tube.names, tube.values
    pns = labels(parameters, names, reagent)
    detectors = parameters.recorded()
    index = {detector.marker: names.index(detector.name) for detector in detectors}
    matrix = spillover_matrix(parameters)
    if "swap_labels" in faults:
        pns[index["CD69"]], pns[index["target"]] = pns[index["target"]], pns[index["CD69"]]
    if "no_cd69" in faults:
        pns[index["CD69"]] = pns[index["CD69"]].replace("CD69", "CD38")
    if "transposed_spillover" in faults:
        matrix = matrix.T
    if "already_compensated" in faults:
        values = values.copy()
        values[:, [names.index(detector.name) for detector in detectors]] = tube.compensated(parameters)
    duration = float(values[-1, -1]) * parameters.timestep if len(values) else 0.0
    if "no_time" in faults:
        names, pns, values = names[:-1], pns[:-1], values[:, :-1]

    volts = SCATTER_VOLTS | {detector.name: detector.volts for detector in detectors}
    metadata = {f"p{number}v": str(volts[name]) for number, name in enumerate(names, 1) if name in volts}
    metadata |= {f"p{number}r": str(parameters.range) for number in range(1, len(names) + 1)}
    metadata |= {
        "fil": fcs,
        "cyt": "Simulated",
        "date": "05-JAN-2026",
        "btim": clock(FIRST_TUBE_AT),
        "etim": clock(FIRST_TUBE_AT + duration),
    }
    if "no_time" not in faults:
        metadata["timestep"] = f"{parameters.timestep:g}"
    if "no_spillover" not in faults:
        metadata["spillover"] = spillover_text(tuple(detector.name for detector in detectors), matrix)
    metadata |= planted_keywords or {}
    flat = array("f", np.ascontiguousarray(values, dtype="<f4").tobytes())
    with io.BytesIO() as stream:
        create_fcs(stream, flat, list(names), opt_channel_names=pns, metadata_dict=metadata)
        content = stream.getvalue()
    if "offset" in faults:
        content = _one_byte_too_far(content)
    if "truncated" in faults:
        content = content[: len(content) * 3 // 5]
    return content


def _one_byte_too_far(content: bytes) -> bytes:
    """Return the file with the end of its data given as one past the last byte, in header and TEXT alike."""
    end = int(content[34:42])
    text = content[42:].replace(f"/$ENDDATA/{end}/".encode(), f"/$ENDDATA/{end + 1}/".encode(), 1)
    return content[:34] + f"{end + 1:>8}".encode() + text
