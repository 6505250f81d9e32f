"""Laboratories of `independent`: their panels, tubes and files, written by a writer of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.independent.cells import DYES, Floats

Tube = tuple[str, str]  # stimulation, reagent
RESTING, DRIVEN = "unstimulated", "stimulated"


@dataclass(frozen=True)
class Laboratory:
    """A laboratory: detectors and labels of each of `DYES` ("" is not recorded), its tubes, and how it writes files.

    ``spill`` lists (dye, seen in, fraction). ``log`` instruments write 10 bits of four decades, compensated before the
    amplifier; ``bits`` is 0 for floating point; ``gain`` multiplies all light, ``volts``: whether they are stated.
    """

    name: str
    detectors: tuple[str, ...]
    labels: tuple[str, ...]
    tubes: tuple[Tube, ...]
    spill: tuple[tuple[str, str, float], ...]
    version: str = "FCS3.1"
    matrix: str = "$SPILLOVER"
    bits: int = 0
    log: bool = False
    gain: float = 1.0
    range: int = 262144
    volts: bool = True
    height: bool = True
    time: bool = True
    function: bool = True
    whole_blood: bool = True


_BOTH = ((RESTING, "CD154"), (DRIVEN, "CD154"), (RESTING, "CD40-Ig"), (DRIVEN, "CD40-Ig"))
LABORATORIES = (
    Laboratory(
        "violet viability, isotype", ("PerCP-Cy5-5-A", "APC-H7-A", "APC-A", "PE-A", "V450-A"),
        ("CD3", "CD8", "CD69", "{}", "Viability"),
        (*_BOTH, (DRIVEN, "isotype"), (DRIVEN, "secondary")),
        (("target", "CD3", 0.12), ("CD69", "CD8", 0.10), ("CD8", "CD69", 0.04), ("CD3", "target", 0.003),
         ("CD3", "CD69", 0.04), ("CD3", "CD8", 0.05), ("target", "CD69", 0.003)),
    ),
    Laboratory(
        "avalanche diodes, FMO, two clones", ("APC-A", "PC7-A", "FITC-A", "PE-A", ""),
        ("CD3 APC", "CD8a PC7", "CD69 FITC", "{} PE", ""),
        (*_BOTH, (DRIVEN, "FMO"), (DRIVEN, "CD154-2"), (DRIVEN, "secondary")),
        (("CD69", "target", 0.18), ("target", "CD69", 0.012), ("target", "CD8", 0.02), ("CD8", "target", 0.012),
         ("CD3", "CD8", 0.03)),
        version="FCS3.0", gain=9.0, range=16777216, volts=False, whole_blood=False,
    ),
    Laboratory(
        "log amplifiers", ("FL3-H", "FL1-H", "FL4-H", "FL2-H", ""), ("CD3 PerCP", "CD8 FITC", "CD69 APC", "{} PE", ""),
        (*_BOTH, (DRIVEN, "isotype"), (DRIVEN, "secondary")),
        (("CD8", "target", 0.15), ("target", "CD8", 0.012), ("target", "CD3", 0.15), ("CD3", "CD69", 0.03)),
        version="FCS2.0", matrix="", bits=16, log=True, gain=1 / 15, range=1024, height=False, time=False,
    ),
    Laboratory(
        "four tubes", ("Pacific Blue-A", "FITC-A", "APC-A", "PE-A", "7-AAD-A"),
        ("CD3 PB", "CD8 FITC", "CD69 APC", "{} PE", "7-AAD"), _BOTH,
        (("CD8", "target", 0.14), ("target", "CD8", 0.012), ("target", "viability", 0.2),
         ("viability", "target", 0.05)),
        version="FCS3.0", matrix="SPILL",
    ),
    Laboratory(
        "CD154 alone, integers", ("FL4 INT", "FL3 INT", "FL1 INT", "FL2 INT", ""),
        ("CD3-APC", "CD8-PC5.5", "CD69-FITC", "{}-PE", ""),
        ((RESTING, "CD154"), (DRIVEN, "CD154"), (DRIVEN, "isotype")),
        (("CD69", "target", 0.16), ("target", "CD69", 0.014), ("target", "CD8", 0.11), ("CD3", "CD8", 0.03)),
        version="FCS3.0", bits=32, gain=3.0, range=1048576, function=False,
    ),
)  # fmt: skip


def true_spill(laboratory: Laboratory) -> Floats:
    """Return the true spillover, (dyes, dyes)."""
    matrix = np.eye(len(DYES))
    for dye, seen, fraction in laboratory.spill:
        matrix[DYES.index(dye), DYES.index(seen)] = fraction
    return matrix


def write_fcs(
    path: Path,
    events: Mapping[str, Floats],
    reagent: str,
    laboratory: Laboratory,
    stated: Floats,
    volts: int,
) -> None:
    """Write a tube as its laboratory does; ``stated`` is the matrix that the laboratory believes in, (dyes, dyes)."""
    seen = [k for k, name in enumerate(laboratory.detectors) if name]
    light = np.column_stack([events[dye] for dye in DYES])[:, seen] * laboratory.gain
    matrix = stated[np.ix_(seen, seen)]
    if laboratory.log:
        light = light @ np.linalg.inv(matrix)
    top = laboratory.range - 1
    names = ["FSC-A", "FSC-H", "SSC-A"] if laboratory.height else ["FSC-H", "SSC-H"]
    scatter = [events[name] for name in (("FSC-A", "FSC-H", "SSC-A") if laboratory.height else ("FSC-A", "SSC-A"))]
    columns = [np.clip(column * laboratory.range / 262144, 0, top) for column in scatter]
    amplifiers = ["0,0"] * len(columns)
    labels = [""] * len(columns)
    for k, column in zip(seen, light.T, strict=True):
        value = np.clip(column, 1.0, None)
        value = np.floor(np.log10(value) * laboratory.range / 4) if laboratory.log else column
        columns.append(np.minimum(np.maximum(value, 0.0) if laboratory.bits else value, top))
        amplifiers.append("4,1" if laboratory.log else "0,0")
        names.append(laboratory.detectors[k])
        labels.append(laboratory.labels[k].format(reagent.removesuffix("-2")))
    if laboratory.time:
        names.append("Time" if laboratory.bits == 0 else "TIME")
        columns.append(np.floor(events["time"] * 100) % laboratory.range)
        amplifiers.append("0,0")
        labels.append("")
    data = np.column_stack(columns)
    content = (
        data.astype("<f4").tobytes() if laboratory.bits == 0 else data.astype(f"<u{laboratory.bits // 8}").tobytes()
    )
    text = {
        "$BEGINANALYSIS": "0", "$ENDANALYSIS": "0", "$BEGINSTEXT": "0", "$ENDSTEXT": "0", "$NEXTDATA": "0",
        "$MODE": "L", "$BYTEORD": "1,2,3,4", "$DATATYPE": "I" if laboratory.bits else "F",
        "$PAR": str(len(names)), "$TOT": str(len(data)), "$CYT": laboratory.name.split(",")[0],
        "$BTIM": "10:00:00", "$ETIM": "10:05:00",
    }  # fmt: skip
    if laboratory.time:
        text["$TIMESTEP"] = "0.01"
    for number, name in enumerate(names, start=1):
        dye = name in laboratory.detectors
        text |= {
            f"$P{number}N": name,
            f"$P{number}B": str(laboratory.bits or 32),
            f"$P{number}E": amplifiers[number - 1],
            f"$P{number}R": str(laboratory.range),
        }
        if labels[number - 1]:
            text[f"$P{number}S"] = labels[number - 1]
        if laboratory.volts and name.upper() != "TIME":
            text[f"$P{number}V"] = str(volts if dye and name == laboratory.detectors[DYES.index("target")] else 450)
    if laboratory.matrix:
        values = ",".join(f"{value:.6g}" for value in matrix.ravel())
        text[laboratory.matrix] = f"{len(seen)},{','.join(laboratory.detectors[k] for k in seen)},{values}"
    path.write_bytes(assembled(laboratory.version, text, content))


def assembled(version: str, text: Mapping[str, str], content: bytes) -> bytes:
    """Return header, TEXT and DATA; the offsets are padded so that their length does not depend on their value."""
    begin = 58
    offsets = {"$BEGINDATA": "0" * 10, "$ENDDATA": "0" * 10}
    length = len(_text({**text, **offsets}))
    first = begin + length
    last = first + len(content) - 1
    body = _text({**text, "$BEGINDATA": f"{first:010d}", "$ENDDATA": f"{last:010d}"})
    fits = last <= 99_999_999
    header = f"{version}    {begin:8d}{first - 1:8d}{first if fits else 0:8d}{last if fits else 0:8d}{0:8d}{0:8d}"
    return header.encode("ascii") + body + content


def _text(keywords: Mapping[str, str]) -> bytes:
    return ("|" + "".join(f"{key}|{value}|" for key, value in keywords.items())).encode("utf-8")


def write_sheets(
    folder: Path,
    laboratory: Laboratory,
    samples: Sequence[Mapping[str, str]],
    tubes: Sequence[tuple[str, str, str, str]],
    require_function: bool,
) -> None:
    """Write the configuration and the sheets; ``tubes`` are sample, file, stimulation, reagent."""
    spillover = "none" if laboratory.log else "file"
    (folder / "config.yaml").write_text(
        f"samples: samples.tsv\ntubes: tubes.tsv\nfcs_dir: fcs\nspillover: {spillover}\n"
        f"require_function: {'true' if require_function else 'false'}\n",
        encoding="utf-8",
    )
    columns = list(dict.fromkeys(column for row in samples for column in row))
    rows = ["\t".join(columns), *("\t".join(row.get(column, "") for column in columns) for row in samples)]
    (folder / "samples.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    lines = ["sample\tfcs\tstimulation\treagent", *("\t".join(row) for row in tubes)]
    (folder / "tubes.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
