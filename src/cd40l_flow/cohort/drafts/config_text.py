"""The drafted configuration: what the headers say, what somebody must fill in, and what every key is for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from cd40l_flow.assay.lookup import assay_named, current_assay, using
from cd40l_flow.assay.tables import TARGET, Assay
from cd40l_flow.base.model import Header
from cd40l_flow.cohort.config import UNFILLED
from cd40l_flow.cohort.drafts.b_cell_tubes import B_CELL_ASSAYS
from cd40l_flow.fcs.panel import find_roles

Layout = tuple[tuple[str, str], ...]


def layout(header: Header) -> Layout:
    """Return marker and detector of everything that labels give for certain: equal layouts share a panel."""
    roles, _ = find_roles(header)
    found = {role.split(" (")[0]: detector for detector, names in roles.items() for role in names}
    known = [marker for marker in current_assay().marker_names if marker in found and marker != TARGET]
    return tuple((marker, found[marker]) for marker in known)


def panels_of(headers: Sequence[Header]) -> dict[str, Layout]:
    """Return panel -> what its labels give; the first, which most files have, is ``default``."""
    layouts = [layout(header) for header in headers]
    ranked = sorted(set(layouts), key=lambda each: (-layouts.count(each), each))
    return {"default" if n == 0 else f"panel{n + 1}": each for n, each in enumerate(ranked)}


def unlabelled(labelled: Layout, headers: Sequence[Header]) -> list[str]:
    """Return the markers of a panel that no label gives; the target is known where one of its files labels it."""
    roles = {role for header in headers for names in find_roles(header)[0].values() for role in names}
    known = {marker for marker, _ in labelled} | ({TARGET} if any(role.startswith(TARGET) for role in roles) else set())
    return [marker for marker in current_assay().required_markers if marker not in known]


def assay_of_panel(name: str) -> Assay:
    """Return the assay of a panel: a B-cell assay has one, of its name; all others are of the current assay."""
    return assay_named(name) if name in B_CELL_ASSAYS else current_assay()


def config_text(
    fcs_dir: str, panels: Mapping[str, Layout], headers: Mapping[str, Sequence[Header]], samples: str, tubes: str
) -> str:
    """Return the configuration; ``headers`` are those of the files of each panel, the sheets' paths come last."""
    lines = [
        "# A draft from the headers of the FCS files. README.md beside this file explains every key and every limit.",
        "# Paths start at the folder above this one, the working directory.",
        f"samples: {samples}",
        f"tubes: {tubes}",
        "# Boundaries of gates that you set by hand; `cd40l-flow override` adds lines.",
        "overrides: config/overrides.tsv",
        "# Where the files go that a report saves when it is signed.",
        "reviews: reviews",
        "# Who may sign, each as - {name: A. Smith, role: pathologist, may_sign_second: true}",
        "reviewers: []",
        "# Where the FCS files lie that the sheet of tubes names.",
        f"fcs_dir: {json.dumps(fcs_dir)}",
        "# file: the matrix each FCS file carries | the path of a CSV file | none: compensated already",
        "spillover: file",
        "# Without a valid CD40-Ig result no sample is NORMAL; false where the laboratory does not test function.",
        "require_function: true",
        "# marker: {detector: NAME}, for what labels do not show; the column `panel` of the tubes names it.",
        "panels:",
    ]
    for name, labelled in panels.items():
        with using(assay_of_panel(name)):
            lines += _panel(name, labelled, headers[name])
    return "\n".join(lines) + "\n"


def _panel(name: str, labelled: Layout, headers: Sequence[Header]) -> list[str]:
    missing = unlabelled(labelled, headers)
    example = headers[0]
    lines = [f"  {name}:{'' if missing else ' {}'}"]
    lines += [f"    # {marker}: {detector}, by its label" for marker, detector in labelled]
    if missing:
        lines += [f"    {marker}: {{detector: {UNFILLED}}}" for marker in missing]
        shown = [f"{each.name} ({each.label})" if each.label else each.name for each in example.detectors]
        lines.append(f"    # the files have: {' '.join(', '.join(shown).split())}")
    named = {*current_assay().required_markers, *dict(labelled)}
    optional = [marker for marker in current_assay().marker_names if marker not in named]
    if missing and optional:
        lines.append(f"    # where the tubes were stained for them, likewise: {', '.join(optional)}")
    if example.spillover is None:
        lines.append("    # the files carry no matrix: `spillover: none` here says that they are compensated already")
    return lines
