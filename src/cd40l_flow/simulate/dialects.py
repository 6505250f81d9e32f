"""How instruments and exports write a tube down: names, number format, range, keywords, as data.

Taken from files such instruments wrote and from their makers' descriptions of the format; what they measure is
the matter of ``tube``, how the bytes are laid out is that of ``fcs``.
"""

from __future__ import annotations

from dataclasses import dataclass

# Names of persons that vendors' keywords carry. No output may repeat them.
PERSONS = ("Jane Q. Roe", "R. Technician")
SIMULATED = "simulated"


@dataclass(frozen=True)
class Column:
    """One parameter of a file: its ``$PnN``, what is written there, its ``$PnS``.

    ``measure`` is a scatter pulse (``FSC-A``, ``FSC-H``, ``FSC-W``, ``SSC-A``, ``SSC-H``, ``SSC-W``), ``Time``, a
    marker (its area) or a marker with ``-H`` (its height). ``{target}`` in ``label`` is replaced by the tube's reagent.
    """

    name: str
    measure: str
    label: str = ""

    @property
    def marker(self) -> str:
        """The marker whose dye is measured; empty for scatter and time."""
        base = self.measure.removesuffix("-H")
        return "" if base.startswith(("FSC", "SSC", "Time")) else base


@dataclass(frozen=True)
class Dialect:
    """How one family of instruments writes files.

    ``datatype`` is F or I, of ``bits`` bits; ``range`` is ``$PnR`` of scatter and fluorescence (channels),
    ``time_range`` that of time, ``timestep`` in seconds; ``decades`` the log amplifiers of the fluorescence detectors
    (0: linear), ``lowest`` the linear value that they write as channel 0. ``floor`` and ``ceiling`` are the least and
    the most that a linear export holds of fluorescence, as fractions of the range: what lies beyond is written as they
    (None: it is written as it is). ``matrix_keyword`` holds the spillover matrix, by detector names or, as
    ``matrix_numbers`` says, by numbers; without one the values are ``compensated`` already (in hardware, or unmixed).
    ``width_unit`` is the pulse width, channels, of a pulse whose area equals its height. ``gains`` are ``$PnG`` of the
    detectors and of time, blank for none. ``vendor`` are keywords of the maker's own.
    """

    cytometer: str
    version: str
    columns: tuple[Column, ...]
    datatype: str = "F"
    bits: int = 32
    big_endian: bool = False
    range: int = 262144
    time_range: int = 262144
    timestep: float = 0.01
    decades: float = 0.0
    lowest: float = 1.0
    floor: float | None = None
    ceiling: float | None = None
    matrix_keyword: str = "$SPILLOVER"
    matrix_numbers: bool = False
    width_unit: float = 65536.0
    gains: tuple[str, str] = ("1.0", "1.0")
    delimiter: str = "/"
    text_start: int = 256
    vendor: tuple[tuple[str, str], ...] = ()

    @property
    def compensated(self) -> bool:
        """Whether the values are compensated before they are written, so that the file carries no matrix."""
        return not self.matrix_keyword


def _scatter(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, name) for name in names)


_TIME = Column("Time", "Time")
_AREAS = ("FSC-A", "FSC-H", "FSC-W", "SSC-A", "SSC-H", "SSC-W")
_DYES = (
    Column("FITC-A", "CD69", "CD69 FITC"),
    Column("PE-A", "target", "{target} PE"),
    Column("APC-A", "CD3", "CD3 APC"),
    Column("APC-H7-A", "CD8", "CD8 APC-H7"),
    Column("BV510-A", "viability", "viability BV510"),
    Column("PerCP-Cy5-5-A", "CD4", "CD4 PerCP-Cy5.5"),
)

DIALECTS: dict[str, Dialect] = {
    # No maker's: what a standard FCS 3.1 file should be.
    SIMULATED: Dialect(
        cytometer="Simulated",
        version="FCS3.1",
        columns=(*_scatter("FSC-A", "FSC-H", "SSC-A"), *_DYES, _TIME),
    ),
    # BD FACSDiva (FACSCanto, LSRFortessa, FACSAria)
    "diva": Dialect(
        cytometer="LSRFortessa",
        version="FCS3.0",
        big_endian=True,
        columns=(*_scatter(*_AREAS), *_DYES, _TIME),
        matrix_keyword="SPILL",
        gains=("1.0", "0.01"),
        delimiter="\f",
        vendor=(
            ("$SYS", "Windows 7 6.1"),
            ("CREATOR", "BD FACSDiva Software Version 8.0.1"),
            ("TUBE NAME", "Tube_001"),
            ("$SRC", PERSONS[0]),
            ("EXPERIMENT NAME", f"CD40L {PERSONS[0]}"),
            ("$OP", PERSONS[1]),
            ("EXPORT USER NAME", PERSONS[1]),
            ("PATIENT ID", PERSONS[0]),
            ("AUTOBS", "TRUE"),
            ("WINDOW EXTENSION", "10.00"),
            ("APPLY COMPENSATION", "TRUE"),
            ("THRESHOLD", "FSC,5000"),
            ("CST SETUP STATUS", "SUCCESS"),
            ("CST BEADS LOT ID", "50109"),
            ("CST BASELINE DATE", "2025-12-01T08:30:00+00:00"),
        ),
    ),
    # BD FACSLyric (FACSuite)
    "lyric": Dialect(
        cytometer="BD FACSLyric",
        version="FCS3.1",
        columns=(
            _TIME,
            *_scatter(*_AREAS),
            Column("FITC-A", "CD69", "CD69 FITC"),
            Column("PE-A", "target", "{target} PE"),
            Column("PerCP-Cy5.5-A", "CD4", "CD4 PerCP-Cy5.5"),
            Column("APC-A", "CD3", "CD3 APC"),
            Column("APC-Cy7-A", "CD8", "CD8 APC-H7"),
            Column("V500-C-A", "viability", "FVS510"),
        ),
        timestep=0.001,
        time_range=16777216,
        delimiter="\f",
        vendor=(("BD$WORKLIST", "CD40L"), ("$OP", PERSONS[1]), ("$SRC", PERSONS[0])),
    ),
    # Thermo Fisher Attune NxT: area and height of every detector, 20 bits
    "attune": Dialect(
        cytometer="Attune NxT Acoustic Focusing Cytometer (Lasers: BRV)",
        version="FCS3.1",
        columns=(
            Column("Time", "Time", "Time"),
            Column("FSC-A", "FSC-A", "FSC-A"),
            Column("SSC-A", "SSC-A", "SSC-A"),
            Column("BL1-A", "CD69", "CD69 FITC-A"),
            Column("BL2-A", "target", "{target} PE-A"),
            Column("BL3-A", "CD4", "CD4 PerCP-Cy5.5-A"),
            Column("RL1-A", "CD3", "CD3 APC-A"),
            Column("RL3-A", "CD8", "CD8 APC-H7-A"),
            Column("VL2-A", "viability", "LIVE/DEAD Aqua-A"),
            Column("FSC-H", "FSC-H", "FSC-H"),
            Column("SSC-H", "SSC-H", "SSC-H"),
            Column("BL1-H", "CD69-H", "CD69 FITC-H"),
            Column("BL2-H", "target-H", "{target} PE-H"),
            Column("BL3-H", "CD4-H", "CD4 PerCP-Cy5.5-H"),
            Column("RL1-H", "CD3-H", "CD3 APC-H"),
            Column("RL3-H", "CD8-H", "CD8 APC-H7-H"),
            Column("VL2-H", "viability-H", "LIVE/DEAD Aqua-H"),
            Column("FSC-W", "FSC-W", "FSC-W"),
            Column("SSC-W", "SSC-W", "SSC-W"),
        ),
        range=1048576,
        timestep=0.001,
        time_range=67108864,
        width_unit=80.0,
        gains=("", ""),
        text_start=58,
        vendor=(("$OP", PERSONS[1]), ("$SMNO", PERSONS[0]), ("#FLOWRATE", "100"), ("#WINEXT", "0")),
    ),
    # Beckman Coulter Navios: integers of 20 bits, detectors by number, matrix by parameter numbers
    "navios": Dialect(
        cytometer="Navios",
        version="FCS3.0",
        columns=(
            Column("FS INT", "FSC-A"),
            Column("FS PEAK", "FSC-H"),
            Column("FS TOF", "FSC-W"),
            Column("SS INT", "SSC-A"),
            Column("FL1 INT", "CD69", "CD69 FITC"),
            Column("FL2 INT", "target", "{target} PE"),
            Column("FL4 INT", "CD4", "CD4 PC5.5"),
            Column("FL6 INT", "CD3", "CD3 APC"),
            Column("FL8 INT", "CD8", "CD8 APC-A750"),
            Column("FL10 INT", "viability", "Zombie Aqua"),
            Column("TIME", "Time"),
        ),
        datatype="I",
        range=1048576,
        time_range=1048576,
        matrix_numbers=True,
        width_unit=16384.0,
        gains=("", ""),
        delimiter="!",
        text_start=128,
        vendor=(("$RUNNUMBER", "42"), ("TESTNAME", "CD40L"), ("$OP", PERSONS[1]), ("@SAMPLEID1", PERSONS[0])),
    ),
    # BD FACSCalibur (CellQuest): analog, compensated before the log amplifiers, 1,024 channels, no pulse area
    "calibur": Dialect(
        cytometer="FACSCalibur",
        version="FCS2.0",
        columns=(
            *_scatter("FSC-H", "SSC-H"),
            Column("FL1-H", "CD69", "CD69 FITC"),
            Column("FL2-H", "target", "{target} PE"),
            Column("FL3-H", "CD8", "CD8 PerCP"),
            Column("FL4-H", "CD3", "CD3 APC"),
        ),
        datatype="I",
        bits=16,
        big_endian=True,
        range=1024,
        decades=4.0,
        matrix_keyword="",
        gains=("", ""),
        delimiter="\\",
        vendor=(("$SYS", "Macintosh System Software 9.2"), ("CREATOR", "CELLQuest 3.3"), ("SAMPLE ID", PERSONS[0])),
    ),
    # Cytek Aurora (SpectroFlo): unmixed, so there is nothing left to compensate
    "aurora": Dialect(
        cytometer="Aurora",
        version="FCS3.1",
        columns=(
            _TIME,
            *_scatter("SSC-W", "SSC-H", "SSC-A", "FSC-W", "FSC-H", "FSC-A"),
            Column("BV510-A", "viability", "Viability"),
            Column("FITC-A", "CD69", "CD69"),
            Column("PE-A", "target", "{target}"),
            Column("PerCP-Cy5.5-A", "CD4", "CD4"),
            Column("APC-A", "CD3", "CD3"),
            Column("APC-H7-A", "CD8", "CD8"),
        ),
        range=4194304,
        timestep=0.0001,
        time_range=4194304,
        matrix_keyword="",
        width_unit=600_000.0,
        gains=("", ""),
        delimiter="|",
        text_start=58,
        vendor=(("$INST", "Cytekbio"), ("$OP", PERSONS[1]), ("CREATOR", "SpectroFlo 3.2.1"), ("TUBENAME", "PMA")),
    ),
}
INSTRUMENTS = tuple(name for name in DIALECTS if name != SIMULATED)


def _export(floor: float, ceiling: float | None = None, *, viability: bool = True) -> Dialect:
    """Return an export of compensated values by analysis software that cuts them off at its axes' ends."""
    dyes = tuple(dye for dye in _DYES if viability or dye.measure != "viability")
    return Dialect(
        cytometer="Simulated",
        version="FCS3.0",
        columns=(*_scatter("FSC-A", "FSC-H", "SSC-A"), *dyes, _TIME),
        matrix_keyword="",
        floor=floor,
        ceiling=ceiling,
    )


# Files that pile events up at an end of the range, in addition to those of the FACSCalibur.
CLIPPED: dict[str, Dialect] = {
    # Beckman Coulter FC500: log amplifiers, compensated before them, a fifth colour for viability
    "fc500": Dialect(
        cytometer="Cytomics FC 500",
        version="FCS2.0",
        columns=(
            *_scatter("FSC-H", "SSC-H"),
            Column("FL1-H", "CD69", "CD69 FITC"),
            Column("FL2-H", "target", "{target} PE"),
            Column("FL3-H", "viability", "7-AAD viability"),
            Column("FL4-H", "CD8", "CD8 PC7"),
            Column("FL5-H", "CD3", "CD3 APC"),
        ),
        datatype="I",
        bits=16,
        range=1024,
        decades=4.0,
        lowest=0.1,
        matrix_keyword="",
        gains=("", ""),
        vendor=(("$SYS", "CXP"), ("$OP", PERSONS[1]), ("@SAMPLEID1", PERSONS[0])),
    ),
    "floor-zero": _export(0.0),
    "floor-one": _export(1 / 262144, viability=False),
    "floor-and-top": _export(111 / 262144, 0.08),
}
# A converter of 24 bits, as those of Accuri, CytoFLEX or NovoCyte: $PnR says little about the size of a signal.
DIALECTS |= CLIPPED | {
    "24-bit": Dialect(
        cytometer="Simulated",
        version="FCS3.1",
        columns=(*_scatter("FSC-A", "FSC-H", "SSC-A"), *_DYES, _TIME),
        range=16777216,
        gains=("", ""),
    ),
}
