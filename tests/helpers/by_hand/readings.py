"""What the reader says of the bytes of a file, and a tube that names the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cd40l_flow.base.errors import TubeError
from cd40l_flow.base.model import Tube
from cd40l_flow.fcs.reader import parse_recording


def refusal(content: bytes) -> str:
    """Return the words in which a file is refused."""
    with pytest.raises(TubeError) as caught:
        recording = parse_recording(memoryview(content), "P01.fcs")
        recording.linear(range(len(recording.header.detectors)))
    assert caught.value.code == "FILE_INTEGRITY"
    assert str(caught.value).startswith("P01.fcs: ")
    return str(caught.value)


def stored(content: bytes) -> np.ndarray:
    """Return the stored values of a file, (events, detectors)."""
    recording = parse_recording(memoryview(content), "P01.fcs")
    return recording.stored(range(len(recording.header.detectors)))


def tube(path: Path, reagent: str = "CD154", stimulation: str = "stimulated") -> Tube:
    """Return the tube of a file."""
    return Tube(path.name, str(path), stimulation, reagent)
