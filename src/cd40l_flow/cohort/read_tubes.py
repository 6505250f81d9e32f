"""The tubes of a sample read in turn: a background tube is read in the detectors of the tube it serves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from cd40l_flow.assay.lookup import assay_named, using
from cd40l_flow.assay.tables import Assay
from cd40l_flow.base.errors import TubeError
from cd40l_flow.base.model import Sample, Tube
from cd40l_flow.fcs.panel import awaited, borrowed_detectors


class Mapped(Protocol):
    """A tube whose detectors are known."""

    @property
    def markers(self) -> Mapping[str, str]:
        """Marker -> detector."""


Read = TypeVar("Read", bound=Mapped)


@dataclass(frozen=True)
class TubesRead(Generic[Read]):
    """The tubes of a sample: those read, the errors of the others, and ``waiting``: tube -> ``fcs`` of the tube without
    which its detector is not known, where that is all that is wrong with it.
    """

    read: Mapping[Tube, Read]
    errors: Mapping[Tube, TubeError]
    waiting: Mapping[Tube, str]


def read_tubes(
    sample: Sample, read: Callable[[Tube, Mapping[str, str]], Read], refused: Collection[str] = ()
) -> TubesRead[Read]:
    """Return every tube of a sample, as ``read`` gives it from the tube and its borrowed detectors, or its error.

    ``read`` may raise TubeError; the assay of the sample is the current one while it reads. ``refused`` are the ``fcs``
    of tubes that are not to be read.
    """
    assay = assay_named(sample.assay)
    with using(assay):
        return _read_tubes(assay, sample, read, refused)


def _read_tubes(
    assay: Assay, sample: Sample, read: Callable[[Tube, Mapping[str, str]], Read], refused: Collection[str]
) -> TubesRead[Read]:
    backgrounds = assay.background_of
    found: dict[Tube, Read] = {}
    errors: dict[Tube, TubeError] = {}
    waiting: dict[Tube, str] = {}
    known: dict[str, Mapping[str, str]] = {}
    lost: dict[str, str] = {}
    for tube in sorted(sample.tubes, key=lambda tube: tube.reagent in backgrounds):
        measured = tube.stimulation == "stimulated" or not assay.stimulated
        has_target = measured and tube.reagent not in backgrounds
        try:
            if tube.fcs not in refused:
                found[tube] = read(tube, borrowed_detectors(tube.reagent, known))
        except TubeError as error:
            errors[tube] = error
            other = awaited(tube.reagent, known, lost)
            if error.code == "CHANNEL_MAP" and other is not None:
                waiting[tube] = other
        if has_target and tube in found:
            known.setdefault(tube.reagent, found[tube].markers)
        elif has_target:
            lost.setdefault(tube.reagent, tube.fcs)
    return TubesRead(found, errors, waiting)
