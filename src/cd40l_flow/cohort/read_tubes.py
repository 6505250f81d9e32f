"""The tubes of a sample read in turn: a background tube is read in the detector of its stimulated tube."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.tables import TARGET
from cd40l_flow.base.errors import TubeError
from cd40l_flow.base.model import Sample, Tube
from cd40l_flow.fcs.panel import awaited, background_detector


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
    sample: Sample, read: Callable[[Tube, str | None], Read], refused: Collection[str] = ()
) -> TubesRead[Read]:
    """Return every tube of a sample, as ``read`` gives it from the tube and the detector of its target, or its error.

    ``read`` may raise TubeError. ``refused`` are the ``fcs`` of tubes that are not to be read.
    """
    backgrounds = current_assay().background_of
    found: dict[Tube, Read] = {}
    errors: dict[Tube, TubeError] = {}
    waiting: dict[Tube, str] = {}
    targets: dict[str, str] = {}
    lost: dict[str, str] = {}
    for tube in sorted(sample.tubes, key=lambda tube: tube.reagent in backgrounds):
        has_target = tube.stimulation == "stimulated" and tube.reagent not in backgrounds
        try:
            if tube.fcs not in refused:
                found[tube] = read(tube, background_detector(tube.reagent, targets))
        except TubeError as error:
            errors[tube] = error
            other = awaited(tube.reagent, targets, lost)
            if error.code == "CHANNEL_MAP" and other is not None:
                waiting[tube] = other
        if has_target and tube in found:
            targets.setdefault(tube.reagent, found[tube].markers[TARGET])
        elif has_target:
            lost.setdefault(tube.reagent, tube.fcs)
    return TubesRead(found, errors, waiting)
