"""Sound and odd FCS files that the damaged ones are made from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cd40l_flow.simulate.cohort import default_cohort
from cd40l_flow.simulate.dialects import INSTRUMENTS
from cd40l_flow.simulate.write import write_cohort
from helpers.by_hand.fcs_files import dialects

# Larger ones take their time for what smaller ones show as well.
_LARGEST = 400_000


def small_seeds() -> list[bytes]:
    """Return a file of every dialect."""
    return [fcs.bytes() for fcs in dialects().values()]


def simulated_seeds(directory: Path) -> list[bytes]:
    """Return simulated tubes of every family of instruments, written to ``directory``."""
    cohort = [one for one in default_cohort() if one.role == "control"][:1]
    cohort += [replace(cohort[0], sample=name, instrument=name) for name in INSTRUMENTS]
    written = write_cohort(directory, 11, cohort=tuple(cohort), events_scale=0.02)
    return [path.read_bytes() for path in written if path.suffix == ".fcs"]


def recorded_seeds(zoo: Path) -> list[bytes]:
    """Return the real files of a folder, but for the largest."""
    files = [path for path in sorted(zoo.iterdir()) if path.stat().st_size <= _LARGEST]
    return [path.read_bytes() for path in files]
