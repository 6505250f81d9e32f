"""The types that carry a sample from the sheets to the gates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
# What figures are drawn from: name -> array; ``index`` is JSON text.
Arrays = Mapping[str, NDArray[np.generic]]
NewArrays = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Tube:
    """One FCS file of a sample, as the sheet names it.

    ``fcs`` is the text of the sheet and the tube's name everywhere; ``path`` is where it lies, relative to the working
    directory; ``present`` whether a file was there when the run was planned.
    """

    fcs: str
    path: str
    stimulation: str
    reagent: str
    panel: str = "default"
    clone: str = ""
    lot: str = ""
    present: bool = True


@dataclass(frozen=True)
class Sample:
    """One blood sample of one subject in one run, with its tubes in canonical order (not the sheet's).

    ``extra`` holds the sheet's cells of the columns that ``show_columns`` and ``identity`` name, by their labels.
    ``subject`` joins samples of one patient; ``collected`` is their order: a number, or a month (``YYYY-MM``). Serum
    immunoglobulins are in g/L, IgE in IU/mL, B cells per microlitre of blood; ``expected_fraction`` is 0 to 1.
    """

    sample: str
    run: str
    role: str
    sex: str
    tubes: tuple[Tube, ...] = ()
    age_years: float | None = None
    control: str | None = None
    family: str = ""
    transplant: str = "unknown"
    calcineurin_inhibitor: str = "unknown"
    steroid: str = "unknown"
    anti_cd154: str = "unknown"
    transfusion: str = "unknown"
    anticoagulant: str = ""
    collected_h: float | None = None
    stimulation_h: float | None = None
    assay: str = "cd40l"
    subject: str = ""
    collected: str = ""
    b_depletion: str = "unknown"
    anti_cd40: str = "unknown"
    igm_g_l: float | None = None
    igg_g_l: float | None = None
    iga_g_l: float | None = None
    ige_iu_ml: float | None = None
    b_per_ul: float | None = None
    genotype: str = ""
    expected_fraction: float | None = None
    extra: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Override:
    """A boundary set by hand: ``tube`` is the tube's ``fcs`` or empty for all tubes of the sample.

    ``value`` is in compensated linear channel units, a ratio for singlets, seconds for time.
    """

    sample: str
    tube: str
    gate: str
    value: float
    by: str
    reason: str


@dataclass(frozen=True)
class Detector:
    """One parameter of an FCS file: ``$PnN``, ``$PnS``, ``$PnR`` (channel values), ``$PnV`` (volts, or None), ``$PnG``.

    ``index`` is its position in the file, from 0; ``maximum`` the largest value on the linear scale (after gain or
    log). ``range`` is None and ``maximum`` infinite where the file does not say.
    """

    name: str
    label: str
    index: int
    range: float | None
    maximum: float
    voltage: float | None
    gain: float


@dataclass(frozen=True)
class Spillover:
    """A spillover matrix: row i is the fraction of the dye of ``detectors[i]`` seen in each detector; diagonal 1.

    ``source`` says where it came from: a keyword of the file, or the name of a CSV file.
    """

    detectors: tuple[str, ...]
    matrix: Floats
    source: str


@dataclass(frozen=True)
class Header:
    """What the TEXT segment of one FCS file says, through an allow-list: no keyword that can hold a person's name.

    ``spillover`` is the file's own matrix or None. ``cytometer`` is ``$CYT``, ``month`` ``YYYY-MM`` of ``$DATE`` or
    empty, ``duration_s`` from ``$BTIM`` and ``$ETIM`` or None.
    """

    version: str
    events: int
    detectors: tuple[Detector, ...]
    spillover: Spillover | None
    cytometer: str
    month: str
    duration_s: float | None

    def detector(self, name: str) -> Detector | None:
        """Return the detector with this ``$PnN``, or None."""
        return next((detector for detector in self.detectors if detector.name == name), None)


@dataclass(frozen=True)
class Scatter:
    """The ``$PnN`` of the scatter detectors and of time; None where the file has none.

    FSC and SSC are both there, or both None where the panel says that there is no scatter (mass cytometry).
    """

    fsc: str | None
    ssc: str | None
    fsc_height: str | None
    fsc_width: str | None
    time: str | None


@dataclass(frozen=True)
class Events:
    """The events of one tube on the linear scale, as read: not yet compensated.

    ``values`` is (events, detectors) in the order of ``names``: scatter, the detectors of the markers and every other
    fluorescence detector of the spillover matrix; gain and log amplifiers already undone; in single precision where the
    file holds it so and nothing was undone. ``time`` is (events,) in seconds, or None with ``time_problem`` saying why.
    ``markers`` maps marker -> detector name. ``spillover`` is the matrix to apply, None when the values are already
    compensated (declared by the configuration). ``digest`` is the SHA-256 of the DATA segment. ``time_note`` says what
    was done to make time usable, empty where nothing was; ``notes`` is what of the file was decided by its values.

    ``signal.compensation`` returns the same tube with ``compensated`` true: ``names`` are then scatter and the markers'
    detectors alone, ``values`` compensated and float32, and ``top_percent`` how many events had been at the top of the
    target's range.
    """

    tube: Tube
    header: Header
    names: tuple[str, ...]
    values: Floats | Singles
    time: Floats | None
    time_problem: str
    scatter: Scatter
    markers: Mapping[str, str]
    spillover: Spillover | None
    digest: str
    time_note: str = ""
    notes: tuple[str, ...] = ()
    compensated: bool = False
    top_percent: float | None = None

    def column(self, name: str) -> Floats:
        """Return the values of one detector, (events,), linear scale, float64."""
        column: Floats = np.asarray(self.values[:, self.names.index(name)], dtype=np.float64)
        return column
