"""The FCS file of a simulated tube in the dialect of its instrument, and what can be wrong with such a file."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cd40l_flow.base.model import Floats
from cd40l_flow.simulate.dialects import Column, Dialect
from cd40l_flow.simulate.instrument import spillover_matrix
from cd40l_flow.simulate.parameters import SimulationParameters
from cd40l_flow.simulate.tube import Recording

FSC_VOLTS, SSC_VOLTS = 320, 390
FIRST_TUBE_AT = 10 * 3600  # $BTIM of every tube, seconds after midnight
MOST_IN_HEADER = 99_999_999  # offsets in HEADER have 8 digits


def written_columns(dialect: Dialect, parameters: SimulationParameters, faults: frozenset[str]) -> list[Column]:
    """Return the parameters of a file: no dye that is not recorded, no time where that is the fault."""
    stained = {detector.marker for detector in parameters.recorded()}
    return [
        column
        for column in dialect.columns
        if (not column.marker or column.marker in stained) and not ("no_time" in faults and column.measure == "Time")
    ]


def labels(columns: list[Column], reagent: str, faults: frozenset[str]) -> list[str]:
    """Return the ``$PnS`` of every parameter; ``CD154-2`` is a clone, which labels do not distinguish."""
    found = {column.measure: column.label for column in columns}
    if "swap_labels" in faults:
        for pulse in ("", "-H"):
            one, other = (marker + pulse for marker in ("CD69", "target"))
            if one in found:
                found[one], found[other] = found[other], found[one]
    if "no_cd69" in faults:
        found = {measure: label.replace("CD69", "CD38") for measure, label in found.items()}
    return [found[column.measure].replace("{target}", reagent.removesuffix("-2")) for column in columns]


def spillover_text(names: tuple[str, ...], matrix: Floats) -> str:
    """Return the value of ``$SPILLOVER``: count, names, and the matrix by rows."""
    values = [format(value, "g") for value in matrix.ravel().tolist()]
    return ",".join([str(len(names)), *names, *values])


def clock(seconds: float) -> str:
    """Return seconds after midnight as ``hh:mm:ss.cc``."""
    minutes, rest = divmod(seconds, 60.0)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours:02d}:{minutes:02d}:{rest:05.2f}"


def written_values(
    tube: Recording,
    dialect: Dialect,
    columns: list[Column],
    parameters: SimulationParameters,
    *,
    compensated: bool,
) -> Floats:
    """Return what the instrument writes, (events, columns), before it is made an integer of so many bits.

    All of a linear instrument is multiplied by the ratio of the ranges. Pulses of one cell have one shape, so heights
    of side scatter and of dyes follow that of forward scatter.
    """
    p = parameters
    scale = dialect.range / p.range
    raw = {name: tube.values[:, at].astype(np.float64) for at, name in enumerate(tube.names)}
    light = {detector.marker: raw[detector.name] for detector in p.recorded()}
    if compensated:
        light = {detector.marker: column for detector, column in zip(p.recorded(), tube.compensated(p).T, strict=True)}
    with np.errstate(divide="ignore", invalid="ignore"):
        height = np.where(raw["FSC-A"] > 0, raw["FSC-H"] / raw["FSC-A"], 0.0)
        width = np.where(height > 0, dialect.width_unit / height, 0.0)
    pulses = {
        "FSC-A": scale * raw["FSC-A"],
        "FSC-H": scale * raw["FSC-H"],
        "SSC-A": scale * raw["SSC-A"],
        "SSC-H": scale * raw["SSC-A"] * height,
        "FSC-W": width,
        "SSC-W": width,
        "Time": np.floor(raw["Time"] * p.timestep / dialect.timestep + 1e-6),
    }
    written = []
    for column in columns:
        if not column.marker:
            written.append(pulses[column.measure])
        elif dialect.decades:
            # In units of the value at channel 0.
            linear = light[column.marker] * 10.0**dialect.decades / p.range
            written.append(np.log10(np.maximum(linear, 1.0)) * dialect.range / dialect.decades)
        else:
            ends = (end if end is None else end * dialect.range for end in (dialect.floor, dialect.ceiling))
            pulse = _clipped(scale * light[column.marker], *ends)
            written.append(pulse * height if column.measure.endswith("-H") else pulse)
    return np.column_stack(written)


def _clipped(values: Floats, floor: float | None, ceiling: float | None) -> Floats:
    """Return values, (events,), cut off at the ends there are."""
    return values if floor is None and ceiling is None else np.clip(values, floor, ceiling)


def encode_fcs(
    tube: Recording,
    reagent: str,
    fcs: str,
    parameters: SimulationParameters,
    dialect: Dialect,
    *,
    faults: frozenset[str] = frozenset(),
    planted_keywords: Mapping[str, str] | None = None,
) -> bytes:
    """Return the bytes of the tube's file as an instrument of this dialect writes them, with the faults asked for."""
    columns = written_columns(dialect, parameters, faults)
    compensated = dialect.compensated or "already_compensated" in faults
    values = written_values(tube, dialect, columns, parameters, compensated=compensated)
    order = ">" if dialect.big_endian else "<"
    if dialect.datatype == "I":
        tops = [_range(dialect, column) - 1 for column in columns]
        data = np.clip(np.floor(values), 0, tops).astype(f"{order}u{dialect.bits // 8}").tobytes()
    else:
        data = values.astype(f"{order}f{dialect.bits // 8}").tobytes()

    keywords = _parameter_keywords(dialect, columns, reagent, faults)
    volts = {detector.marker: detector.volts for detector in parameters.recorded()}
    for number, column in enumerate(columns, 1):
        if column.measure != "Time" and "no_voltages" not in faults:
            scatter = FSC_VOLTS if column.measure.startswith("FSC") else SSC_VOLTS
            keywords[f"$P{number}V"] = str(volts.get(column.marker, scatter))
    duration = float(tube.values[-1, -1]) * parameters.timestep if len(tube.values) else 0.0
    keywords |= {
        "$FIL": fcs,
        "$CYT": dialect.cytometer,
        "$DATE": "05-JAN-2026",
        "$BTIM": clock(FIRST_TUBE_AT),
        "$ETIM": clock(FIRST_TUBE_AT + duration),
    }
    if any(column.measure == "Time" for column in columns):
        keywords["$TIMESTEP"] = f"{dialect.timestep:g}"
    if dialect.matrix_keyword and "no_spillover" not in faults:
        keywords[dialect.matrix_keyword] = _matrix_text(dialect, columns, parameters, faults)
    keywords |= dict(dialect.vendor) | dict(planted_keywords or {})
    content = _assemble(dialect, keywords, len(columns), len(tube.values), data, one_too_far="offset" in faults)
    return content[: len(content) * 3 // 5] if "truncated" in faults else content


def _range(dialect: Dialect, column: Column) -> int:
    return dialect.time_range if column.measure == "Time" else dialect.range


def _parameter_keywords(
    dialect: Dialect, columns: list[Column], reagent: str, faults: frozenset[str]
) -> dict[str, str]:
    """Return the ``$PnX`` of a file, but for the voltages."""
    keywords: dict[str, str] = {}
    for number, (column, label) in enumerate(zip(columns, labels(columns, reagent, faults), strict=True), 1):
        gain = dialect.gains[column.measure == "Time"]
        amplifier = f"{dialect.decades:g},{dialect.lowest:g}" if dialect.decades and column.marker else "0,0"
        keywords |= {f"$P{number}B": str(dialect.bits), f"$P{number}E": amplifier}
        keywords |= {f"$P{number}G": gain} if gain else {}
        keywords |= {f"$P{number}R": str(_range(dialect, column)), f"$P{number}N": column.name}
        keywords |= {f"$P{number}S": label} if label else {}
    return keywords


def _matrix_text(
    dialect: Dialect, columns: list[Column], parameters: SimulationParameters, faults: frozenset[str]
) -> str:
    """Return the value of the keyword with the spillover matrix of the areas."""
    areas = {column.measure: (number, column.name) for number, column in enumerate(columns, 1)}
    found = [areas[detector.marker] for detector in parameters.recorded()]
    names = tuple(str(number) if dialect.matrix_numbers else name for number, name in found)
    matrix = spillover_matrix(parameters)
    return spillover_text(names, matrix.T if "transposed_spillover" in faults else matrix)


def _assemble(
    dialect: Dialect, keywords: Mapping[str, str], detectors: int, events: int, data: bytes, *, one_too_far: bool
) -> bytes:
    """Return HEADER, TEXT and DATA; ``one_too_far`` gives the byte after the last one of DATA as its end."""
    first, last = dialect.text_start, 0
    text = b""
    # The offsets are part of the text whose length they depend on.
    while True:
        begin = first + len(text)
        end = begin + len(data) - (0 if one_too_far else 1)
        if last == end:
            break
        last, text = end, _text(dialect, keywords, detectors, events, begin, end)
    stated = (begin, end) if end <= MOST_IN_HEADER else (0, 0)
    header = f"{dialect.version}    " + "".join(f"{offset:>8}" for offset in (first, begin - 1, *stated, 0, 0))
    return header.ljust(first).encode() + text + data


def _text(dialect: Dialect, keywords: Mapping[str, str], detectors: int, events: int, begin: int, end: int) -> bytes:
    """Return the TEXT segment, standard keywords before a maker's own; a delimiter in a value is doubled."""
    required = {
        "$BYTEORD": "4,3,2,1" if dialect.big_endian else "1,2,3,4",
        "$DATATYPE": dialect.datatype,
        "$MODE": "L",
        "$NEXTDATA": "0",
        "$PAR": str(detectors),
        "$TOT": str(events),
    }
    if dialect.version != "FCS2.0":
        required |= {f"${edge}{segment}": "0" for edge in ("BEGIN", "END") for segment in ("ANALYSIS", "STEXT")}
        required |= {"$BEGINDATA": str(begin), "$ENDDATA": str(end)}
    pairs = dict(sorted(required.items())) | dict(keywords)
    standard = [key for key in pairs if key.startswith("$")]
    mark = dialect.delimiter
    ordered = [*standard, *(key for key in pairs if not key.startswith("$"))]
    return "".join(f"{mark}{key}{mark}{pairs[key].replace(mark, 2 * mark)}" for key in ordered).encode() + mark.encode()
