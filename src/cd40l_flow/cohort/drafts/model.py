"""What a draft is made of: samples with their tubes."""

from __future__ import annotations

from dataclasses import dataclass

from cd40l_flow.base.model import Header
from cd40l_flow.cohort.drafts.kinds import Kind


@dataclass(frozen=True)
class DraftTube:
    """One file: its path inside the folder (``fcs``), its sample, what it is, what is asked, its header and panel."""

    fcs: str
    sample: str
    kind: Kind
    doubts: tuple[str, ...]
    header: Header | None
    panel: str = "default"


@dataclass(frozen=True)
class DraftSample:
    """One sample: its name, run, whether a name says that it is a control, its tubes, where its name was read, and its
    assay.
    """

    name: str
    run: str
    control: bool
    read_from: str
    tubes: tuple[DraftTube, ...]
    assay: str = "cd40l"
