"""The histograms of the report with their captions and alt texts, or the reason why one is not there."""

from __future__ import annotations

from typing import NamedTuple, NotRequired, TypedDict, final

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.texts import load_texts, reason_texts
from cd40l_flow.figures.binned import Densities
from cd40l_flow.figures.drawing import Drawing
from cd40l_flow.figures.target import draw_activation, draw_target
from cd40l_flow.report.banner import finding, shown_subcalls
from cd40l_flow.result.numbers import format_measure, format_number
from cd40l_flow.result.types.result import Result

_KEYS = ("sample", "control", "background", "unstimulated", "negative", "positive", "total", "threshold")


class Subject(NamedTuple):
    """One sample's result and binned data; ``problem`` is why there are none of these."""

    result: Result
    densities: Densities
    problem: str = ""


@final
class TargetFigure(TypedDict):
    """The histogram of a reagent; ``numbers`` are percent positive, negative fraction and events, with their units.

    ``keys`` are the names of its lines, ``background`` says what the background was taken from, or is empty.
    """

    sample: str
    role: str
    drawing: Drawing
    alt: str
    keys: list[str]
    numbers: tuple[str, str, str]
    background: str


class ActivationFigure(TypedDict):
    """The histogram of CD69; ``numbers`` states the percent above its threshold."""

    sample: str
    role: str
    drawing: Drawing
    alt: str
    numbers: str


@final
class AbsentFigure(TypedDict):
    """Why a histogram is not there, and of which sample, unless there is no sample to show."""

    why: str
    sample: NotRequired[str]
    role: NotRequired[str]


class TargetView(TypedDict):
    """One reagent, patient next to control; ``subcall`` is None where it has none, ``word`` states so or is empty."""

    reagent: str
    subcall: str | None
    word: str
    keys_drawn: list[str]
    figures: list[TargetFigure | AbsentFigure]


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


def target_views(subject: Subject, control: Subject | None) -> list[TargetView]:
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


def _target_view(subject: Subject, control: Subject | None, reagent: str) -> TargetView:
    subcalls = shown_subcalls(subject.result)
    subcall = subcalls[reagent].call if reagent in subcalls else None
    measured = reagent in subject.result.reagents
    figures = [_target_figure(subject, control, reagent)]
    if control is None:
        figures.append({"why": _why_alone(subject.result)})
    else:
        figures.append(_target_figure(control, None, reagent))
    drawn = {key for figure in figures if "keys" in figure for key in figure["keys"]}
    return {
        "reagent": reagent,
        "subcall": subcall,
        "word": load_texts()["calls"][subcall]["word"] if subcall else "" if measured else load_texts()["not_tested"],
        "keys_drawn": [name for name in _KEYS if name in drawn],
        "figures": figures,
    }


def _why_alone(result: Result) -> str:
    """Return in words why no control is shown with a sample."""
    words = load_texts()["sections"]["target"]
    named = ", ".join(result.controls)
    return str(words["controls_unread"].format(controls=named) if named else words["no_controls"])


def _target_figure(subject: Subject, control: Subject | None, reagent: str) -> TargetFigure | AbsentFigure:
    words = load_texts()["sections"]["target"]
    result, target = subject.result, subject.densities.target(reagent)
    if target is None:
        why = subject.problem or why_absent(result, reagent)
        return {"why": words["absent"].format(reagent=reagent, why=why), "sample": result.sample, "role": _role(result)}
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
    return {
        "sample": result.sample,
        "role": _role(result),
        "drawing": drawing,
        "alt": alt,
        "keys": keys,
        "numbers": (percent, negative, events),
        "background": background,
    }


def _role(result: Result) -> str:
    return str(load_texts()["context"]["roles"][result.role])


def activation_views(subject: Subject, control: Subject | None) -> list[ActivationFigure | AbsentFigure]:
    """Return the CD69 histograms, patient next to control."""
    words = load_texts()["sections"]["activation"]
    views: list[ActivationFigure | AbsentFigure] = []
    for each in (subject, control):
        if each is None:
            views.append({"why": _why_alone(subject.result)})
            continue
        result, activation = each.result, each.densities.activation
        sample, role = result.sample, _role(result)
        if activation is None:
            why = each.problem or why_absent(result)
            views.append({"why": words["absent"].format(why=why), "sample": sample, "role": role})
            continue
        unstimulated = words["overlaid" if activation.unstimulated else "not_available"]
        percent = format_measure("cd69_percent", result.cd69_percent)
        alt = words["alt"].format(sample=sample, percent=percent, unstimulated=unstimulated)
        numbers = words["percent"].format(percent=percent)
        if result.activated_events is not None:
            numbers = words["numbers"].format(percent=percent, events=format_number("events", result.activated_events))
        drawing = draw_activation(each.densities, activation)
        views.append({"sample": sample, "role": role, "drawing": drawing, "alt": alt, "numbers": numbers})
    return views
