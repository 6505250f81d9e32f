"""Drafts made of names of files alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cd40l_flow.cohort.draft import draft_samples
from cd40l_flow.cohort.drafts.model import DraftTube
from cd40l_flow.cohort.drafts.names import read_path
from cd40l_flow.cohort.drafts.people import File

TUBES = ("unstim_CD154", "stim_CD154", "stim_isotype", "stim_CD40-Ig", "stim_secondary")


def drafted(
    paths: Sequence[str],
    labels: Mapping[str, str] | None = None,
    identity: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, DraftTube]:
    """Return path -> tube of a draft from paths alone."""
    files = {}
    for path in paths:
        outer = path.split("/")[:-1]
        folders = tuple("/".join(outer[:depth]) for depth in range(len(outer), 0, -1))
        files[path] = File(path, read_path(path), folders, labels or {}, (identity or {}).get(path, {}))
    samples = draft_samples(files, dict.fromkeys(files), {path: [] for path in files})
    return {tube.fcs: tube for sample in samples for tube in sample.tubes}
