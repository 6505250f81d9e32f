"""The figures of the report with their captions and alt texts, or the reason why one is not there."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.texts import load_texts, population_name, reason_texts
from cd40l_flow.figures.binned import Densities
from cd40l_flow.figures.gating import draw_panels
from cd40l_flow.figures.plots import AnyPanel, MissingPanel, Panel
from cd40l_flow.figures.target import draw_activation, draw_target
from cd40l_flow.report.banner import finding, shown_subcalls
from cd40l_flow.result.numbers import format_measure, format_number
from cd40l_flow.result.types.result import Result
from cd40l_flow.result.types.tubes import Tube

View = dict[str, Any]

_KEYS = ("sample", "control", "background", "unstimulated", "negative", "positive", "total", "threshold")


class Subject(NamedTuple):
    """One sample's result and binned data; ``problem`` is why there are none of these."""

    result: Result
    densities: Densities
    problem: str = ""


def why_absent(result: Result, reagent: str | None = None) -> str:
    """Return in words why a measurement is missing: its refused tubes, its checks, else the sample's faults."""
    tubes = [tube for tube in result.tubes if tube.status == "refused"]
    guards = [guard for guard in result.guards if guard.fired]
    found: list[str] = [tube.error.message for tube in tubes if tube.reagent == reagent and tube.error]
    own = [guard for guard in guards if reagent is not None and guard.reagent == reagent]
    found = found or [finding(guard, named=False) for guard in own]
    planned = {tube.reagent for tube in result.tubes if tube.stimulation == "stimulated"}
    if not found and reagent is not None and reagent not in planned:
        return str(load_texts()["sections"]["target"]["not_planned"])
    found = found or [message.text for message in result.messages if message.severity == "error"]
    found = found or [reason_texts(code)["name"] for code in result.reasons]
    sentences = [text if text.endswith(".") else f"{text}." for text in dict.fromkeys(found)]
    return " ".join(sentences) or str(load_texts()["not_computed"])


def target_views(subject: Subject, control: Subject | None) -> list[View]:
    """Return the target histograms, patient next to control, one view a reagent; CD154 and CD40-Ig always."""
    result = subject.result
    named = {
        *result.subcalls,
        *result.reagents,
        *(target.reagent for target in subject.densities.index.targets),
    }
    return [
        _target_view(subject, control, name)
        for name, reagent in current_assay().targets.items()
        if reagent.expected or name in named
    ]


def _target_view(subject: Subject, control: Subject | None, reagent: str) -> View:
    subcalls = shown_subcalls(subject.result)
    subcall = subcalls[reagent].call if reagent in subcalls else None
    measured = reagent in subject.result.reagents
    left = _target_figure(subject, control, reagent)
    right = {"why": _why_alone(subject.result)} if control is None else _target_figure(control, None, reagent)
    return {
        "reagent": reagent,
        "subcall": subcall,
        "word": load_texts()["calls"][subcall]["word"] if subcall else "" if measured else load_texts()["not_tested"],
        "keys_drawn": [name for name in _KEYS if name in {*left.get("keys", ()), *right.get("keys", ())}],
        "figures": [left, right],
    }


def _why_alone(result: Result) -> str:
    """Return in words why no control is shown with a sample."""
    words = load_texts()["sections"]["target"]
    named = ", ".join(result.controls)
    return str(words["controls_unread"].format(controls=named) if named else words["no_controls"])


def _target_figure(subject: Subject, control: Subject | None, reagent: str) -> View:
    words = load_texts()["sections"]["target"]
    result, target = subject.result, subject.densities.target(reagent)
    if target is None:
        why = subject.problem or why_absent(result, reagent)
        return {"why": words["absent"].format(reagent=reagent, why=why), **_who(result)}
    values = result.numbers(reagent)
    other = control.densities if control is not None else None
    overlays = ["background"] if target.background else []
    overlays += ["unstimulated"] if target.unstimulated else []
    if other is not None and other.target(reagent) is not None:
        overlays.append("control")
    fitted = bool(target.fit_negative or target.fit_positive)
    keys = ["sample", *overlays, *(("negative", "positive", "total") if fitted else ())]
    if target.threshold is not None:
        keys.append("threshold")
    percent = format_measure("percent_positive", values.get("percent_positive"))
    negative = format_measure("negative_fraction", values.get("negative_fraction"))
    named = ", ".join(load_texts()["key"][name] for name in keys[1:])
    alt = words["alt"].format(reagent=reagent, sample=result.sample, percent=percent, negative=negative, overlays=named)
    drawing = draw_target(subject.densities, target, other)
    events = format_number("events", values.get("events"))
    source = target.names.background
    background = words["background"].format(source=source) if source else ""
    captions = {"numbers": (percent, negative, events), "background": background}
    return {"drawing": drawing, "alt": alt, "keys": keys, **captions, **_who(result)}


def _who(result: Result) -> View:
    return {"sample": result.sample, "role": load_texts()["context"]["roles"][result.role]}


def activation_views(subject: Subject, control: Subject | None) -> list[View]:
    """Return the CD69 histograms, patient next to control."""
    words = load_texts()["sections"]["activation"]
    views: list[View] = []
    for each in (subject, control):
        if each is None:
            views.append({"why": _why_alone(subject.result)})
            continue
        result, activation = each.result, each.densities.activation
        if activation is None:
            why = each.problem or why_absent(result)
            views.append({"why": words["absent"].format(why=why), **_who(result)})
            continue
        unstimulated = words["overlaid" if activation.unstimulated else "not_available"]
        percent = format_measure("cd69_percent", result.cd69_percent)
        alt = words["alt"].format(sample=result.sample, percent=percent, unstimulated=unstimulated)
        numbers = words["percent"].format(percent=percent)
        if result.activated_events is not None:
            numbers = words["numbers"].format(percent=percent, events=format_number("events", result.activated_events))
        drawing = draw_activation(each.densities, activation)
        views.append({"drawing": drawing, "alt": alt, "numbers": numbers, **_who(result)})
    return views


def gating_views(subject: Subject, control: Subject | None) -> list[View]:
    """Return one view for each tube of the sample or its control: the panels of both, population by population."""
    return [
        _tube_pair(subject, control, mine, other, key)
        for key, mine, other in paired_tubes(subject.result, control.result if control is not None else None)
    ]


def paired_tubes(result: Result, control: Result | None) -> list[tuple[tuple[str, str], Tube | None, Tube | None]]:
    """Pair the tubes of the same stimulation and reagent, replicates in their order; either side may lack one."""

    def grouped(tubes: Sequence[Tube]) -> dict[tuple[str, str], list[Tube]]:
        groups: dict[tuple[str, str], list[Tube]] = {}
        for tube in tubes:
            groups.setdefault((tube.stimulation, tube.reagent), []).append(tube)
        return groups

    mine, others = grouped(result.tubes), grouped(control.tubes if control is not None else [])
    keys = [*mine, *(key for key in others if key not in mine)]
    return [(key, *pair) for key in keys for pair in zip_longest(mine.get(key, []), others.get(key, []))]


def _tube_pair(
    subject: Subject,
    control: Subject | None,
    mine: Tube | None,
    other: Tube | None,
    key: tuple[str, str],
) -> View:
    stimulation, reagent = key
    words = load_texts()["sections"]["gating"]
    title = f"{load_texts()['tube_names'][stimulation]} · {reagent}"
    theirs, why_none = _tube_panels(control, other) if control is not None else ([], words["no_control"])
    panels, problem = _tube_panels(subject, mine)
    drawn = [panel for panel in panels if not isinstance(panel, MissingPanel)]
    pictures = iter(draw_panels(drawn, subject.densities, theirs))
    percents = {panel.population: panel.percent_of_parent for panel in theirs if not isinstance(panel, MissingPanel)}
    columns = []
    for panel in panels:
        name = panel.population
        cell: View = {"parent": "", "population": population_name(name), "gate": None}
        if isinstance(panel, MissingPanel):
            cell["why"] = words["missing"].format(why=panel.missing)
        else:
            cell |= {"drawing": next(pictures), **_panel_words(subject.result, panel, title)}
            cell["gate"] = (mine.fcs, stimulation, reagent, name) if mine is not None else None
            percent = percents.get(name)
            cell["control"] = format_number("percent", percent) if percent is not None else ""
        columns.append(cell)
    sides = [
        {"sample": each.result.sample, "fcs": tube.fcs if tube is not None else "", "problem": why}
        for each, tube, why in ((subject, mine, problem), (control, other, why_none))
        if each is not None
    ]
    return {"title": title, "sides": sides, "columns": columns}


def _tube_panels(subject: Subject, tube: Tube | None) -> tuple[Sequence[AnyPanel], str]:
    """Return the panels of one tube and, where it has none, why, in words."""
    words = load_texts()["sections"]["gating"]
    if tube is None:
        return [], words["no_tube"].format(sample=subject.result.sample)
    if tube.status == "refused":
        error = tube.error
        return [], f"{words['refused'].format(code=error.code if error else '')}: {error.message if error else ''}"
    panels = subject.densities.panels(tube.fcs, tube.stimulation, tube.reagent)
    return panels, "" if panels else f"{words['no_panels']} {subject.problem}".rstrip()


def _panel_words(result: Result, panel: Panel, title: str) -> View:
    failed = panel.failed
    percent = "" if failed else format_number("percent", panel.percent_of_parent)
    counts = {
        "count": format_number("events", panel.count),
        "parent_count": format_number("events", panel.parent_count),
    }
    parent = population_name(panel.parent)
    population = population_name(panel.population)
    alt = load_texts()["sections"]["gating"]["alt"].format(
        population=population,
        sample=result.sample,
        tube=title,
        x=panel.x.label,
        y=panel.y.label,
        percent=percent,
        parent=parent,
        **counts,
    )
    return {
        "alt": alt,
        "parent": parent,
        "percent": percent,
        **counts,
        "overridden": panel.overridden,
        "failed": load_texts()["sections"]["gating"]["failed"].format(why=failed) if failed else "",
        "flag": "" if failed else panel.flag,
    }
