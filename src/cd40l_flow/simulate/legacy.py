"""The FCS 2.0 file an analog four-colour instrument would have written of the same tube.

Such instruments compensate in hardware before the log amplifiers, hold 1,024 channels, know no pulse area and no
viability dye, and leave no spillover matrix.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cd40l_flow.inputs.model import Floats
from cd40l_flow.simulate.fcs import TARGET_LABELS
from cd40l_flow.simulate.parameters import SimulationParameters
from cd40l_flow.simulate.tube import SimulatedTube

CHANNELS = 1024
DECADES = 4.0
FLUORESCENCE = {"FL1-H": "CD69", "FL2-H": "target", "FL3-H": "CD8", "FL4-H": "CD3"}
DYES = {"FL1-H": "FITC", "FL2-H": "PE", "FL3-H": "PerCP", "FL4-H": "APC"}
TEXT_AT = 256


def encode_fcs2(
    tube: SimulatedTube,
    reagent: str,
    fcs: str,
    parameters: SimulationParameters,
    *,
    faults: frozenset[str] = frozenset(),
    planted_keywords: Mapping[str, str] | None = None,
) -> bytes:
    """Return the bytes of an FCS 2.0 file: 16-bit big-endian integers, ``$PnE`` 4,1 for fluorescence, no spillover.

    Of the faults only ``truncated`` is known here.
    """
    markers = [detector.marker for detector in parameters.recorded()]
    compensated = tube.compensated(parameters)
    step = parameters.range / CHANNELS
    scatter = tube.values[:, [tube.names.index("FSC-H"), tube.names.index("SSC-A")]].astype(np.float64)
    columns = [np.floor(scatter / step)]
    full_scale = 10.0**DECADES
    for marker in FLUORESCENCE.values():
        linear: Floats = compensated[:, [markers.index(marker)]] * full_scale / parameters.range
        columns.append(np.floor(np.log10(np.maximum(linear, 1.0)) * CHANNELS / DECADES))
    data: bytes = np.clip(np.hstack(columns), 0, CHANNELS - 1).astype(">u2").tobytes()

    names = ["FSC-H", "SSC-H", *FLUORESCENCE]
    keywords = {
        "$MODE": "L",
        "$DATATYPE": "I",
        "$BYTEORD": "4,3,2,1",
        "$NEXTDATA": "0",
        "$PAR": str(len(names)),
        "$TOT": str(len(tube.values)),
        "$CYT": "Simulated analog",
        "$FIL": fcs,
    }
    for number, name in enumerate(names, 1):
        keywords |= {f"$P{number}N": name, f"$P{number}B": "16", f"$P{number}R": str(CHANNELS)}
        keywords[f"$P{number}E"] = f"{DECADES:g},1" if name in FLUORESCENCE else "0,0"
        if name in FLUORESCENCE:
            marker = FLUORESCENCE[name]
            keywords[f"$P{number}S"] = TARGET_LABELS[reagent] if marker == "target" else f"{marker} {DYES[name]}"
    keywords |= planted_keywords or {}
    text = "".join(f"/{key}/{value.replace('/', '//')}" for key, value in keywords.items()) + "/"
    text_end = TEXT_AT + len(text.encode()) - 1
    offsets = (TEXT_AT, text_end, text_end + 1, text_end + len(data), 0, 0)
    header = "FCS2.0    " + "".join(f"{offset:>8}" for offset in offsets)
    content = header.ljust(TEXT_AT).encode() + text.encode() + data
    return content[: len(content) * 3 // 5] if "truncated" in faults else content
