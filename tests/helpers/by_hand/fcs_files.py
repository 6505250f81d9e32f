"""Small FCS files written in any dialect, sound unless told otherwise, independently of the reader."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

NAMES = ("FSC-A", "FSC-H", "SSC-A", "FITC-A", "PE-A", "APC-A", "PerCP-A", "Time")
LABELS = ("", "", "", "CD8", "CD154", "CD3", "CD69", "")
SPILLOVER = "4,FITC-A,PE-A,APC-A,PerCP-A,1,0.1,0,0,0.02,1,0,0,0,0,1,0,0,0,0.05,1"
FLOATS = {"F": "f4", "D": "f8"}


@dataclass
class Fcs:
    """A small FCS file of 8 detectors; ``keywords`` replace or (None) remove what the writer would write.

    ``types`` are the data types of the detectors where they differ from ``datatype`` (FCS 3.2). The shifts move the
    offsets that HEADER or TEXT gives for DATA, away from where it lies.
    """

    events: int = 20
    version: str = "FCS3.1"
    datatype: str = "F"
    bits: tuple[int, ...] = (32,) * len(NAMES)
    types: tuple[str, ...] = ()
    order: str = "1,2,3,4"
    delimiter: str = "|"
    keywords: dict[str, str | None] = field(default_factory=dict)
    raw_text: str = ""
    header_shift: tuple[int, int] = (0, 0)
    text_shift: tuple[int, int] = (0, 0)
    header_zero: bool = False
    tail: bytes = b""

    def kinds(self) -> tuple[str, ...]:
        """Return I, F or D for each detector."""
        return self.types or (self.datatype,) * len(NAMES)

    def values(self) -> np.ndarray:
        """Return the values stored by default, (events, detectors), all different."""
        columns = np.arange(self.events)[:, None] * 7 + np.arange(len(NAMES))[None, :] * 3 + 11.0
        columns[:, -1] = np.arange(self.events)
        return columns + np.array([0.0 if kind == "I" else 0.25 for kind in self.kinds()])

    def data(self, values: np.ndarray | None = None) -> bytes:
        """Return the DATA segment."""
        values = self.values() if values is None else values
        little = self.order[0] == "1"

        def cell(value: float, width: int, kind: str) -> bytes:
            if kind == "I":
                return int(value).to_bytes(width // 8, "little" if little else "big")
            return np.array(value).astype(("<" if little else ">") + FLOATS[kind]).tobytes()

        return b"".join(
            cell(value, width, kind)
            for event in values
            for value, width, kind in zip(event, self.bits, self.kinds(), strict=True)
        )

    def text(self, begin: int, end: int) -> bytes:
        """Return the TEXT segment for DATA from ``begin`` to ``end``."""
        keywords: dict[str, str | None] = {
            "$BEGINDATA": f"{begin:>12}",
            "$ENDDATA": f"{end:>12}",
            "$BYTEORD": self.order,
            "$DATATYPE": self.datatype,
            "$MODE": "L",
            "$NEXTDATA": "0",
            "$PAR": str(len(NAMES)),
            "$TOT": str(self.events),
            "$TIMESTEP": "0.5",
            "$CYT": "Cytometer 9000",
            "$DATE": "07-MAR-2025",
            "$BTIM": "23:59:50",
            "$ETIM": "00:00:20",
            "$SPILLOVER": SPILLOVER,
        }
        for n, (name, label, bits) in enumerate(zip(NAMES, LABELS, self.bits, strict=True), start=1):
            keywords |= {f"$P{n}N": name, f"$P{n}B": str(bits), f"$P{n}E": "0,0", f"$P{n}R": "262144", f"$P{n}V": "450"}
            if label:
                keywords[f"$P{n}S"] = label
            if self.types:
                keywords[f"$P{n}DATATYPE"] = self.types[n - 1]
        keywords |= self.keywords
        cut = self.delimiter
        told = "".join(f"{key}{cut}{value}{cut}" for key, value in keywords.items() if value is not None)
        return (cut + told + self.raw_text).encode("utf-8")

    def bytes(self, data: bytes | None = None) -> bytes:
        """Return the whole file."""
        data = self.data() if data is None else data
        length = len(self.text(0, 0))
        begin, end = 58 + length, 57 + length + len(data)
        text = self.text(begin + self.text_shift[0], end + self.text_shift[1])
        header = (begin + self.header_shift[0], end + self.header_shift[1])
        offsets = (58, 57 + length, *((0, 0) if self.header_zero else header), 0, 0)
        fields = "".join(f"{offset:>8}" for offset in offsets)
        return f"{self.version}    {fields}".encode() + text + data + self.tail


def dialects() -> dict[str, Fcs]:
    """Return one file of every dialect the reader knows, by name."""
    integers = {width: (width,) * len(NAMES) for width in (8, 16, 24, 32, 40, 48, 56, 64)}
    found = {
        "float": Fcs(),
        "float big endian": Fcs(order="4,3,2,1", version="FCS3.0", delimiter="/"),
        "double": Fcs(datatype="D", bits=(64,) * 8, version="FCS3.0", delimiter="\x0c"),
        "double big endian": Fcs(datatype="D", bits=(64,) * 8, order="4,3,2,1", delimiter="\\"),
        "mixed types": Fcs(version="FCS3.2", types=tuple("IFDIFDIF"), bits=(16, 32, 64, 24, 32, 64, 32, 32)),
        "mixed widths": Fcs(datatype="I", bits=(16, 24, 32, 8, 40, 16, 32, 64), order="2,1", version="FCS2.0"),
        "log": Fcs(datatype="I", bits=(16,) * 8, keywords={f"$P{n}E": "4,0" for n in range(4, 8)}, version="FCS2.0"),
        "offsets in TEXT only": Fcs(header_zero=True),
        "end one too far": Fcs(header_shift=(0, 1), text_shift=(0, 1)),
        "checksum left out": Fcs(tail=b"00000000"),
        "two data sets": chained(),
    }
    for width, bits in integers.items():
        events = 5 if width == 8 else 20
        found[f"{width} bit"] = Fcs(datatype="I", bits=bits, events=events)
        found[f"{width} bit big endian"] = Fcs(datatype="I", bits=bits, events=events, order="4,3,2,1")
    return found


def chained() -> Fcs:
    """Return a file whose ``$NEXTDATA`` leads to a second data set of 3 events."""
    second = Fcs(events=3).bytes()
    one = Fcs(keywords={"$NEXTDATA": f"{0:>8}"})
    return Fcs(keywords={"$NEXTDATA": f"{len(one.bytes()):>8}"}, tail=second)
