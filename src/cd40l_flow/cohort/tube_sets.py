"""What a set of tubes allows, before anything is run: one line for each kind of set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from cd40l_flow.assay.lookup import assay_named, current_assay, every_reagent, using
from cd40l_flow.base.errors import Problem
from cd40l_flow.base.model import Sample
from cd40l_flow.base.schema import listed
from cd40l_flow.cohort.config import Config

# Stimulation and reagent of the tubes of one sample, each kind once.
Kinds = frozenset[tuple[str, str]]

STIMULATED, UNSTIMULATED = "stimulated", "unstimulated"
MOST_NAMES = 12
NO_CALL = "no call can be made"


def tube_set_problems(config: Config, samples: Mapping[str, Sample], lines: Mapping[str, int]) -> list[Problem]:
    """Return a warning for each set of tubes that leaves something out, naming its samples.

    ``lines`` maps each sample to its line in the sheet of samples.
    """
    groups: dict[tuple[str, Kinds], list[str]] = {}
    for name, sample in samples.items():
        kinds = frozenset((tube.stimulation, tube.reagent) for tube in sample.tubes)
        groups.setdefault((sample.assay, kinds), []).append(name)
    problems = []
    for (assay, kinds), names in groups.items():
        with using(assay_named(assay)):
            messages = list(_messages(kinds, function=config.require_function))
        if not messages:
            continue
        one = len(names) == 1
        if kinds:
            limits = "; ".join(messages)
            message = f"{'sample' if one else 'samples'} {_names(names)} ({_described(kinds)} only): {limits}."
        else:
            message = f"sample '{names[0]}' has no tubes." if one else f"samples {_names(names)} have no tubes."
        remedy = "Add tubes that exist to the sheet of tubes; otherwise this is what the set can give."
        place = names[0] if one else None
        line = min(lines[name] for name in names)
        problems.append(Problem("TUBE_MISSING", "warning", message, config.samples, line, "sample", place, remedy))
    return sorted(problems, key=lambda problem: problem.line or 0)


def _messages(kinds: Kinds, *, function: bool) -> Iterator[str]:
    """Yield what a set of tubes allows and what not; nothing for a complete one."""
    if not current_assay().stimulated:
        yield from _unstimulated(kinds)
        return
    clones = [reagent for reagent in current_assay().expression if (STIMULATED, reagent) in kinds]
    resting = any(stimulation == UNSTIMULATED for stimulation, _ in kinds)
    if not clones:
        yield f"{NO_CALL} without a stimulated {current_assay().expression[0]} tube"
    if not resting:
        yield f"{NO_CALL} without an unstimulated tube, because activation is judged by it"
    if clones and resting:
        yield from _expression(kinds, clones)
    yield from _binding(kinds, function=function)


def _unstimulated(kinds: Kinds) -> Iterator[str]:
    """Yield what is lost without a tube, for an assay whose cells are not stimulated."""
    for target in current_assay().targets.values():
        if (UNSTIMULATED, target.name) not in kinds:
            yield f"{NO_CALL} without a {target.name} tube"
        elif not {(UNSTIMULATED, background) for background in target.backgrounds} & kinds:
            yield f"{target.name} has no background tube ({listed(target.backgrounds)}): the error is wider"


def _expression(kinds: Kinds, clones: list[str]) -> Iterator[str]:
    for reagent in clones:
        backgrounds = current_assay().targets[reagent].backgrounds
        if {(STIMULATED, background) for background in backgrounds} & kinds:
            continue
        if (UNSTIMULATED, reagent) in kinds:
            yield (
                f"{reagent} expression can be called without {listed(backgrounds)}, unstimulated cells standing in for "
                "the background, with a wider error; a share of non-expressing cells is reported only where the cells "
                "show it"
            )
        else:
            yield f"{reagent} cannot be called without {', '.join(backgrounds)} or an unstimulated tube of {reagent}"


def _binding(kinds: Kinds, *, function: bool) -> Iterator[str]:
    reagent = current_assay().function
    backgrounds = current_assay().targets[reagent].backgrounds
    if (STIMULATED, reagent) in kinds:
        if {(STIMULATED, background) for background in backgrounds} & kinds:
            return
        without = f"without {listed(backgrounds)}"
        if (UNSTIMULATED, reagent) in kinds:
            yield f"{reagent} binding can be called {without}, by its unstimulated tube, with a wider error"
            return
        missed = f"{reagent} binding cannot be judged {without} or an unstimulated {reagent} tube"
    else:
        missed = f"{reagent} binding is not tested"
    lost = f"{missed}: a functional defect is not seen"
    yield f"{lost}, and NORMAL is not called while require_function is true" if function else lost


def _described(kinds: Kinds) -> str:
    """Return the tubes in words: "unstimulated and stimulated CD154"."""
    words = []
    for reagent in every_reagent():
        states = [state for state in (UNSTIMULATED, STIMULATED) if (state, reagent) in kinds]
        if states:
            words.append(f"{' and '.join(states)} {reagent}")
    return listed(words, "and")


def _names(names: list[str]) -> str:
    first = ", ".join(f"'{name}'" for name in islice(names, MOST_NAMES))
    return first if len(names) <= MOST_NAMES else f"{first} and {len(names) - MOST_NAMES} more"
