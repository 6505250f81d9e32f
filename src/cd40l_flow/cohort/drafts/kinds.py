"""What a tube is, by its names: stimulated or not, with which reagent; each thing not certain becomes a question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.cohort.drafts.b_cell_tubes import reagent_of
from cd40l_flow.cohort.drafts.names import Level, Part, read_name

STIMULATED, UNSTIMULATED = "stimulated", "unstimulated"
_OTHER = {STIMULATED: UNSTIMULATED, UNSTIMULATED: STIMULATED}
# Negations that are never part of a person's or a study's name; the others (no, un, con) may be.
_PLAIN_NEGATIONS = frozenset(
    ("without", "ohne", "nicht", "sans", "sin", "senza", "sem", "zonder", "not", "minus", "neg", "negative", "negativ")
)


@dataclass(frozen=True)
class Mention:
    """One thing a name says of the stimulation: its value, empty where it is unclear, the text, and whether surely."""

    value: str
    text: str
    sure: bool


@dataclass(frozen=True)
class Scene:
    """What the whole folder shows about its words.

    ``confirmed`` are phrases that are not certain by themselves, but alternate with plain words in the tubes of the
    same people. ``plus`` says on which side of words of stimulation a plus stands anywhere (``before``, ``after``,
    ``joined``). ``common`` are the folders (paths) that hold every file, ``mixed`` those whose files
    contradict them. ``template`` is the reagent that the label of every file names, though their names say others.
    """

    confirmed: frozenset[str] = frozenset()
    plus: frozenset[str] = frozenset()
    common: frozenset[str] = frozenset()
    mixed: frozenset[str] = frozenset()
    template: str = ""


@dataclass(frozen=True)
class Kind:
    """What a tube is; what is not known is empty, and ``doubts`` ask. ``labelled``: only a label gives the reagent."""

    stimulation: str
    reagent: str
    doubts: tuple[str, ...]
    labelled: bool = False


def kind_of(
    levels: Sequence[Level], folders: Sequence[str], labels: Mapping[str, str], scene: Scene, *, alone: bool = False
) -> Kind:
    """Return what a tube is by its levels (file first), the paths of its folders (inner first) and ``$PnN`` -> label.

    ``alone``: no other tube of its sample is like it, so that the label of its detector gives the reagent for certain.
    """
    doubts: list[str] = []
    if not current_assay().stimulated:
        reagent = reagent_of(levels, labels, doubts)
        return Kind(UNSTIMULATED, reagent, (*doubts, *_named_stimulated(levels, folders, scene)))
    stimulation = _stimulation(levels, folders, scene, doubts)
    reagent, labelled = _reagent(levels, labels, scene, doubts, alone=alone)
    return Kind(stimulation, reagent, tuple(dict.fromkeys(doubts)), labelled)


def mentions(level: Level, scene: Scene) -> list[Mention]:
    """Return everything that one name says of the stimulation."""
    found = []
    negated = False
    for at, part in enumerate(level.parts):
        if part.role == "unclear":
            found.append(Mention("", part.text, False))
        if part.role != "stimulation":
            negated = False
            continue
        known = part.sure or part.phrase in scene.confirmed
        before = level.parts[at - 1] if at else None
        after = level.parts[at + 1] if at + 1 < len(level.parts) else None
        carried = negated and before is not None and before.role == "stimulation"
        value, sure, text = _turned(part, before, level.parts[max(at - 2, 0) : at - 1], after, scene)
        negated = carried or (value != part.meaning)
        if carried and value == part.meaning == STIMULATED:
            value = UNSTIMULATED
        # A sign or a negation makes plain what a noun such as `Stimulation` leaves open.
        found.append(Mention(value, text, sure and (known or value != part.meaning or text != part.text)))
    return found


def _hours(level: Level) -> list[Mention]:
    """Return what hours of a culture say where nothing else says it: none, that there was no stimulation."""
    return [Mention(UNSTIMULATED if _zero(part) else STIMULATED, part.text, False) for part in level.of("duration")]


def _turned(
    part: Part, before: Part | None, earlier: Sequence[Part], after: Part | None, scene: Scene
) -> tuple[str, bool, str]:
    """Return what a word of stimulation says with the negations and signs around it, whether surely, and the words."""
    value = part.meaning
    if before and before.role == "negation":
        return _OTHER[value], value == STIMULATED, f"{before.text} {part.text}"
    if before and earlier and earlier[-1].role == "negation" and before.role in ("rest", "with", "filler"):
        return _OTHER[value], False, f"{earlier[-1].text} {before.text} {part.text}"
    if before and before.role == "with":
        return value, True, f"{before.text} {part.text}"
    if value == UNSTIMULATED:
        return value, True, part.text
    if after and (after.role == "after" or after.phrase == "minus"):
        return UNSTIMULATED, True, f"{part.text} {after.text}"
    if after and after.role == "negation" and after.phrase in _PLAIN_NEGATIONS:
        return "", False, f"{part.text} {after.text}"
    if part.after == "-" or part.before == "-":
        side = "after" if part.after == "-" else "before"
        return UNSTIMULATED, side in scene.plus, f"{part.before}{part.text}{part.after}"
    if part.joined == "-" and "joined" in scene.plus and not (before and before.role in ("stimulation", "reagent")):
        return UNSTIMULATED, False, f"-{part.text}"
    if part.after == "+" or part.before == "+":
        return value, True, f"{part.before}{part.text}{part.after}"
    return value, True, part.text


def plus_signs(levels: Sequence[Level]) -> set[str]:
    """Return on which sides of words of stimulation a file's name has a plus that is no sum such as PMA+ionomycin."""
    sides = set()
    for level in levels:
        for at, part in enumerate(level.parts):
            if part.role == "stimulation" and part.meaning == STIMULATED:
                sides |= {side for side in ("before", "after") if getattr(part, side) == "+"}
                if part.joined == "+" and at and level.parts[at - 1].role not in ("stimulation", "reagent", "marker"):
                    sides.add("joined")
    return sides


def _stimulation(levels: Sequence[Level], folders: Sequence[str], scene: Scene, doubts: list[str]) -> str:
    value, place = "", ""
    named = [
        ("the file's name", "", levels[0]),
        *(("a folder", *pair) for pair in zip(folders, levels[1:], strict=True)),
    ]
    plain = any(mentions(level, scene) for level in levels)
    for where, path, level in named:
        words = mentions(level, scene) if plain else _hours(level)
        values = {word.value for word in words}
        if not words or (path and len(values) > 1):
            continue  # a folder that names both holds both
        if value or place:
            if not (path in scene.common or path in scene.mixed) and values != {value}:
                doubts.append(f"stimulated or unstimulated? {place}; a folder says {_quoted(words)}")
            continue
        place = f"{where} says {_quoted(words)}"
        sure = {word.value for word in words if word.sure}
        if len(values) > 1 or values == {""}:
            value = next(iter(sure)) if len(sure) == 1 and "" not in values else ""
            doubts.append(f"stimulated or unstimulated? {place}, which is not plain")
        elif not sure:
            value = next(iter(values))
            doubts.append(f"{value}, or does {_quoted(words)} say something else?")
        elif path in scene.common or path in scene.mixed:
            value = next(iter(values))
            doubts.append(f"{value}? Only a folder says so that also holds {_holds(path, scene)}")
        else:
            value = next(iter(values))
    if not place:
        doubts.append("stimulated or unstimulated? No name says")
    loose = [part.text for part in levels[0].parts if _loose(levels[0].parts, part)]
    if loose:
        doubts.append(f"what does {' and '.join(repr(text) for text in loose)} in the file's name mean?")
    return value


def _named_stimulated(levels: Sequence[Level], folders: Sequence[str], scene: Scene) -> list[str]:
    """Return the question where a name says that cells were stimulated, for an assay whose cells are not."""
    own = [levels[0], *(level for path, level in zip(folders, levels[1:], strict=True) if path not in scene.common)]
    words = [word for level in own for word in mentions(level, scene) if word.sure and word.value == STIMULATED]
    return [f"unstimulated? A name says {_quoted(words)}"] if words else []


def _holds(path: str, scene: Scene) -> str:
    return "files that say otherwise" if path in scene.mixed else "all the others"


def _loose(parts: Sequence[Part], part: Part) -> bool:
    """Return whether a plain negation stands where it turns neither a word of stimulation nor a reagent."""
    if part.role not in ("negation", "after") or part.phrase not in _PLAIN_NEGATIONS:
        return False
    at = parts.index(part)
    near = [each.role for each in parts[max(at - 1, 0) : at]] + [each.role for each in parts[at + 1 : at + 3]]
    return "stimulation" not in near


def _zero(part: Part) -> bool:
    return part.phrase.split(" ")[0].rstrip("abcdefghijklmnopqrstuvwxyz").strip("0") == ""


def _quoted(words: Sequence[Mention]) -> str:
    return " and ".join(f"'{text}'" for text in dict.fromkeys(word.text for word in words))


def _reagent(
    levels: Sequence[Level], labels: Mapping[str, str], scene: Scene, doubts: list[str], *, alone: bool
) -> tuple[str, bool]:
    assay, label = current_assay(), label_reagent(labels)
    for level in levels:
        parts = level.of("reagent")
        if not parts:
            continue
        meanings = {part.meaning for part in parts}
        back, targets = meanings & set(assay.background_of), meanings & set(assay.targets)
        text = " and ".join(f"'{part.text}'" for part in parts)
        if len(back) > 1 or (not back and {assay.function} < targets):
            doubts.append(f"which reagent? A name says {text}")
            return "", False
        # Of several clones that a name says, the last is the one that is numbered.
        reagent = back.pop() if back else max(targets, key=assay.reagent_names.index)
        served = assay.background_of.get(reagent, ())
        if served and targets and not targets & set(served):
            doubts.append(f"{reagent} is the background of {' or '.join(served)}, but a name says {text}")
        elif not all(part.sure for part in parts):
            doubts.append(f"{reagent}, or does {text} only number the tube?")
        _ask_of_background(level, reagent, labels, doubts)
        if label and label != scene.template and not _compatible(reagent, label):
            doubts.append(f"the name says {reagent}, a label {label}")
        return reagent, False
    if label and not alone:
        doubts.append(f"{label} by its label only")
    elif not label:
        doubts.append("which reagent? Neither name nor labels say")
    return label, bool(label)


def named_reagents(levels: Sequence[Level]) -> set[str]:
    """Return the reagents that the names of a file and its folders hold."""
    return {part.meaning for level in levels for part in level.of("reagent")}


def template_label(files: Sequence[tuple[Sequence[Level], Mapping[str, str]]]) -> str:
    """Return the reagent that labels name in every file where it is right for some by their names; else empty.

    Such labels come with a template: that they name one reagent on the tubes of another says nothing.
    """
    labels = {label_reagent(labels) for _, labels in files} - {""}
    label = labels.pop() if len(labels) == 1 else ""
    return label if label and any(label in named_reagents(levels) for levels, _ in files) else ""


def label_reagent(labels: Mapping[str, str]) -> str:
    """Return the reagent that the labels name, empty where they name none or several."""
    found = {part.meaning for text in labels.values() for part in read_name(text).of("reagent") if part.sure}
    return found.pop() if len(found) == 1 else ""


def _compatible(named: str, labelled: str) -> bool:
    """Return whether a template's label may be on this tube: one panel serves a target, its clones and background."""
    targets = current_assay().targets
    for target in targets.values():
        clones = [name for name, other in targets.items() if other.labels == target.labels]
        # FMO is a way to make the background of any stain.
        if {named, labelled} <= {*clones, *target.backgrounds, "FMO"}:
            return True
    return False


def _ask_of_background(level: Level, reagent: str, labels: Mapping[str, str], doubts: list[str]) -> None:
    """Ask where a name states that a reagent is missing, or names a background of another marker than the target."""
    parts = level.parts
    for at, part in enumerate(parts):
        if part.role != "reagent":
            continue
        turned = at > 1 and parts[at - 2].role == "stimulation" and parts[at - 1].role == "after"  # `stim neg CD154`
        if at and parts[at - 1].role in ("negation", "after") and not turned:
            doubts.append(f"{reagent}, or does '{parts[at - 1].text} {part.text}' say that it is missing?")
        near = [
            each for each in (*parts[max(at - 1, 0) : at], *parts[at + 1 : at + 2]) if each.role in ("marker", "dye")
        ]
        if part.meaning == "FMO":
            foreign = [each.text for each in near if each.role == "marker" or not _is_target_dye(each, labels)]
            if foreign:
                doubts.append(
                    f"FMO of the target? The name says '{foreign[0]}'; that of another marker is no background"
                )
        elif part.meaning == "isotype" and len(level.of("marker")) == 1 and near and near[0].role == "marker":
            doubts.append(f"isotype of the target? The name says '{near[0].text}'")


def _is_target_dye(dye: Part, labels: Mapping[str, str]) -> bool:
    """Return whether a dye is that of the detector labelled with the target, and of no other."""
    named = [name for name in labels if _begins(read_name(name).parts, dye)]
    return len(named) >= 1 and all(label_reagent({name: labels[name]}) for name in named)


def _begins(parts: Sequence[Part], dye: Part) -> bool:
    return bool(parts) and parts[0].role == "dye" and parts[0].phrase.replace(" ", "") == dye.phrase.replace(" ", "")


def readings(levels: Sequence[Level], scene: Scene) -> set[str]:
    """Return what a file's own name says for certain of the stimulation."""
    return {word.value for word in mentions(levels[0], scene) if word.sure}
