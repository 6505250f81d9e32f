"""The stains of the B-cell assays: which dye sits on which marker, and the instrument that counts its light."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cd40l_flow.simulate.b_cells.samples import CD40, BSample
from cd40l_flow.simulate.parameters import DyeDetector, SimulationParameters

# The marker of each is set by the panel. Efficiency, gain and noise are typical, as in ``parameters``.
_DETECTORS = (
    DyeDetector("FITC-A", "FITC", "", 0.030, 8.0, 20.0, 11.0, 480),
    DyeDetector("PE-A", "PE", "", 0.180, 5.5, 22.0, 10.0, 520),
    DyeDetector("PerCP-Cy5-5-A", "PerCP-Cy5.5", "", 0.012, 8.0, 22.0, 2.5, 570),
    DyeDetector("PE-Cy7-A", "PE-Cy7", "", 0.050, 6.0, 22.0, 2.0, 600),
    DyeDetector("APC-A", "APC", "", 0.050, 5.0, 18.0, 1.5, 600),
    DyeDetector("APC-H7-A", "APC-H7", "", 0.025, 5.0, 22.0, 3.0, 560),
    DyeDetector("BV421-A", "BV421", "", 0.120, 6.0, 20.0, 10.0, 430),
    DyeDetector("BV510-A", "BV510", "", 0.030, 6.0, 24.0, 12.0, 450),
    DyeDetector("BV605-A", "BV605", "", 0.060, 5.0, 22.0, 6.0, 500),
)
# Row i: the signal of dye i in each of the detectors, as a fraction of its signal in its own (typical, none is zero).
_SPILLOVER = (
    (1.0, 0.150, 0.020, 0.0020, 0.0010, 0.0008, 0.0010, 0.020, 0.010),
    (0.012, 1.0, 0.140, 0.012, 0.0040, 0.0020, 0.0005, 0.003, 0.060),
    (0.0010, 0.0022, 1.0, 0.200, 0.018, 0.080, 0.0005, 0.0010, 0.030),
    (0.0012, 0.012, 0.0060, 1.0, 0.0015, 0.030, 0.0005, 0.0008, 0.0020),
    (0.0006, 0.0012, 0.045, 0.0050, 1.0, 0.080, 0.0005, 0.0005, 0.0040),
    (0.0010, 0.0016, 0.0080, 0.050, 0.060, 1.0, 0.0005, 0.0010, 0.0010),
    (0.0010, 0.0008, 0.0005, 0.0004, 0.0005, 0.0004, 1.0, 0.080, 0.020),
    (0.035, 0.025, 0.012, 0.0030, 0.0010, 0.0018, 0.040, 1.0, 0.150),
    (0.0050, 0.080, 0.060, 0.010, 0.020, 0.010, 0.015, 0.010, 1.0),
)
_SHARED = {"CD19": "PE-Cy7-A", "CD3": "APC-H7-A", "viability": "BV510-A"}
_MEMORY = {"IgD": "FITC-A", "IgM": "APC-A", "CD38": "PerCP-Cy5-5-A", "CD45": "BV605-A"}
# Where CD27 sits: on a dye of its own laser, or on one that the dyes of IgD and CD38 reach.
PANELS = {
    "CD27-BV421": _SHARED | _MEMORY | {"CD27": "BV421-A", "CD24": "PE-A"},
    "CD27-PE": _SHARED | _MEMORY | {"CD27": "PE-A", "CD24": "BV421-A"},
    CD40: _SHARED | {"CD14": "FITC-A", "target": "PE-A"},
}
OF_CD38 = ("CD38", "CD24")


def panel_of(sample: BSample) -> dict[str, str]:
    """Return marker -> detector of the dyes in the tubes of a sample."""
    panel = dict(PANELS[CD40 if sample.assay == CD40 else sample.panel])
    absent = {marker for marker, there in (("CD3", sample.dump), ("CD45", sample.cd45)) if not there}
    absent |= set() if sample.cd38 else set(OF_CD38)
    return {marker: detector for marker, detector in panel.items() if marker not in absent}


def stained(sample: BSample, usual: SimulationParameters, *, stated: bool = False) -> SimulationParameters:
    """Return the physics with the detectors of a sample's panel.

    ``stated`` gives the spillover that the file states, without what of CD38 goes into CD27 unnoticed.
    """
    on = {detector: marker for marker, detector in panel_of(sample).items()}
    kept = [at for at, detector in enumerate(_DETECTORS) if detector.name in on]
    detectors = tuple(replace(_DETECTORS[at], marker=on[_DETECTORS[at].name]) for at in kept)
    spillover = np.array(_SPILLOVER)[np.ix_(kept, kept)]
    markers = [detector.marker for detector in detectors]
    if sample.cd38_spill and not stated and "CD38" in markers:
        spillover[markers.index("CD38"), markers.index("CD27")] += sample.cd38_spill
    return replace(usual, detectors=detectors, spillover=tuple(map(tuple, spillover.tolist())))
