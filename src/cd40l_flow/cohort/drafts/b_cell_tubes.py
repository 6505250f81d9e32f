"""Tubes of the B-cell assays in a folder: which assay the labels of a file show, and which of its tubes a file is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cd40l_flow.assay.cd40.reagents import CD40, ISOTYPE
from cd40l_flow.assay.cd40l import CD40L
from cd40l_flow.assay.lookup import ASSAYS, assay_named, current_assay, using
from cd40l_flow.assay.tables import TARGET
from cd40l_flow.base.model import Header
from cd40l_flow.base.schema import listed
from cd40l_flow.cohort.drafts.names import Level, read_name, read_path
from cd40l_flow.fcs.panel import find_roles

B_CELL_ASSAYS = tuple(name for name, assay in ASSAYS.items() if not assay.stimulated)
# What names and labels of every assay call an isotype is this tube in the assay of CD40.
_OWN_WORDS = {"isotype": ISOTYPE}


def assay_of(path: str, header: Header | None) -> tuple[str, str]:
    """Return the assay whose tube a file is for certain, and the question where its labels may show another.

    A file is one of a B-cell assay by what its labels name, each on one detector: CD19 with CD27 and IgD, or CD19 with
    CD40. A background may lack the marker that its name says is missing. All others are files of `CD40L`.
    """
    if header is None or _is_of_t_cells(header):
        return CD40L.name, ""
    with using(assay_named("memory_b")):
        subsets = _markers(header)
    with using(assay_named("cd40")):
        level = _markers(header)
    if "CD19" not in subsets:
        return CD40L.name, ""
    both = {"CD27", "IgD"}
    memory = both <= subsets | _named_missing(path)
    cd40 = TARGET in level or (not both & subsets and _is_isotype(path, header))
    if memory != cd40:
        return "memory_b" if memory else "cd40", ""
    shown = [*sorted({"CD19", *both} & subsets), *(["CD40"] if TARGET in level else [])]
    return CD40L.name, f"a tube of which assay? Of CD19, CD27, IgD and CD40 its labels name {listed(shown, 'and')}"


def _is_of_t_cells(header: Header) -> bool:
    """Return whether labels name the target or all other markers of the assay on T cells, whatever else they name."""
    with using(CD40L):
        found = _markers(header)
        return TARGET in found or set(CD40L.required_markers) - {TARGET} <= found


def _markers(header: Header) -> set[str]:
    """Return the markers of the current assay that one detector each is labelled with."""
    return {role.split(" (")[0] for roles in find_roles(header)[0].values() for role in roles}


def _named_missing(path: str) -> set[str]:
    """Return the markers that a name says for certain a tube of memory B cells lacks."""
    with using(assay_named("memory_b")):
        parts = [part for level in read_path(path) for part in level.of("reagent")]
        names = {part.meaning for part in parts if part.sure} & set(current_assay().background_of)
        return set(current_assay().reagent[names.pop()].lacks) if len(names) == 1 else set()


def _is_isotype(path: str, header: Header) -> bool:
    levels = [*read_path(path), *(read_name(each.label) for each in header.detectors)]
    return any(part.meaning == "isotype" and part.sure for level in levels for part in level.of("reagent"))


def reagent_of(levels: Sequence[Level], labels: Mapping[str, str], doubts: list[str]) -> str:
    """Return which tube of the current B-cell assay a file is, empty where it is not known; ``doubts`` get questions.

    ``levels`` are the names of the file and its folders, ``labels`` ``$PnN`` -> label. What no name calls a background
    is the stained tube that its labels show.
    """
    assay = current_assay()
    own, *folders = levels
    # Folders of a study may name what other assays test.
    known_words = {*assay.reagent_names, *_OWN_WORDS, *CD40L.background_of}
    parts = [
        *own.of("reagent"),
        *(part for each in folders for part in each.of("reagent") if part.meaning in known_words),
    ]
    named = {_OWN_WORDS.get(part.meaning, part.meaning) for part in parts}
    text = " and ".join(dict.fromkeys(f"'{part.text}'" for part in parts))
    backgrounds = named & set(assay.background_of)
    foreign = named - set(assay.reagent_names)
    if foreign or len(backgrounds) > 1:
        doubts.append(f"which reagent? A name says {text}; there are {listed(assay.reagent_names, 'and')}")
        return ""
    inner = {_OWN_WORDS.get(part.meaning, part.meaning) for part in own.of("reagent")}
    if backgrounds and inner and not inner & backgrounds:
        doubts.append(f"which reagent? Names say {text}")
        return ""
    found = {part.meaning for label in labels.values() for part in read_name(label).of("reagent") if part.sure}
    if assay.name == "cd40" and "isotype" in found and CD40 not in found and not backgrounds:
        if named:
            doubts.append(f"{CD40} or {ISOTYPE}? The name says {text}, a label 'isotype'")
            return ""
        return ISOTYPE
    if not backgrounds:
        return next(iter(assay.targets))
    (background,) = backgrounds
    if not all(part.sure for part in parts):
        doubts.append(f"{background}? The name says {text}")
    markers = [f"'{part.text}'" for level in levels for part in level.of("marker")]
    if markers:
        doubts.append(f"{background}? The name says {text}, and {listed(list(dict.fromkeys(markers)), 'and')}")
    if any(level.of("negation") for level in levels):
        doubts.append(f"{background}, or do the names say that it is none?")
    return background


def alone(reagents: Sequence[str]) -> str:
    """Return the question where a sample has a background but no tube it is the background of; else empty."""
    assay = current_assay()
    served = {name for reagent in reagents for name in assay.background_of.get(reagent, ())}
    if not served or served & set(reagents):
        return ""
    return f"whose background? This sample has no tube of {listed(sorted(served))}"
