"""What was measured of B cells: a sentence and a table of results for page one, and the measures of the annex."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cd40l_flow.assay.effects import INDETERMINATE, PRESENT, SWITCHED_NORMAL
from cd40l_flow.assay.texts import load_texts
from cd40l_flow.report.figures import why_absent
from cd40l_flow.report.measures import MeasureCell, MeasuresTable
from cd40l_flow.report.quantity import ResultRow
from cd40l_flow.result.numbers import format_interval, format_number, format_unit
from cd40l_flow.result.types.b_cells import Cd40, Cd40Cells, Memory, Share, deciding, deciding_share
from cd40l_flow.result.types.result import Result

SUBSETS = ("switched", "switched_two_marker", "igm_only", "non_switched", "naive", "double_negative", "plasmablasts")
_SMALLEST = 0.005  # percent: what is less would be written as 0.00 %
_HEALTHY = (SWITCHED_NORMAL, PRESENT)


class Flag(NamedTuple):
    """The flag of a result, its word, and the limit that it was judged by, or nothing."""

    key: str = "none"
    word: str = "–"
    reference: str = ""


def share_words(share: Share | None) -> str:
    """Return a share in words: a percent, never a bare 0: what was not seen or is too little is stated as such."""
    words = load_texts()["page"]
    if share is None or share.percent is None:
        return str(words["unmeasured"])
    if share.percent < _SMALLEST:
        return str(words["none_seen"] if share.events == 0 else words["least"])
    return format_number("percent", share.percent)


def share_interval(share: Share | None) -> str:
    """Return the 95 % interval of a share, empty where it has none."""
    if share is None or share.percent is None:
        return ""
    return format_interval("percent", {"percent_low": share.low, "percent_high": share.high})


def sentence(result: Result) -> str:
    """Return one sentence with what was measured, its interval and what it is compared with."""
    if result.memory is not None:
        return _memory_sentence(result, result.memory)
    if result.cd40 is not None:
        return _cd40_sentence(result.cd40)
    return f"{load_texts()['page']['sentence']['nothing'].format(why=why_absent(result).rstrip('.'))}."


def _in_brackets(interval: str) -> str:
    return str(load_texts()["page"]["sentence"]["interval"].format(interval=interval)) if interval else ""


def _memory_sentence(result: Result, memory: Memory) -> str:
    words, name, share = load_texts()["page"]["sentence"], deciding(memory), deciding_share(memory)
    parts = [words["unresolved"].format(why=memory.unresolved.rstrip("."))] if memory.unresolved else []
    if share.percent is not None:
        interval = _in_brackets(share_interval(share))
        values = {"value": share_words(share), "interval": interval, "events": format_number("events", memory.b_events)}
        parts.append(words["switched"].format(name=words["names"][name], **values))
        if memory.limit_low is not None:
            known = words["limit" if result.age_band is not None else "any_age"]
            text = known.format(limit=format_number("percent", memory.limit_low))
            if memory.age_median is not None:
                text += words["median"].format(median=format_number("percent", memory.age_median))
            parts.append(text)
    whole = _in_brackets(share_interval(memory.b_cells))
    parts.append(words["b_cells"].format(value=share_words(memory.b_cells), interval=whole))
    return "; ".join(parts) + "."


def _cd40_sentence(cd40: Cd40) -> str:
    page = load_texts()["page"]
    words, parts = page["sentence"], []
    for one in cd40.cells:
        values = {"cells": page["cells"].get(one.population, one.population), "positive": share_words(one.positive)}
        values["events"] = format_number("events", one.events)
        if one.ratio is None:
            parts.append(words["alone"].format(**values))
        else:
            interval = _in_brackets(ratio_interval(one))
            parts.append(words["level"].format(value=ratio_words(one.ratio), interval=interval, **values))
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."


def results_rows(result: Result, controls: Sequence[Result]) -> list[ResultRow]:
    """Return the rows of results: subsets with the limits of the age, or CD40 with the control's."""
    if result.memory is not None:
        return _memory_rows(result, result.memory)
    if result.cd40 is not None:
        return _cd40_rows(result, result.cd40, [one.cd40 for one in controls if one.cd40 is not None])
    return []


def _row(
    name: str,
    share: Share | None = None,
    *,
    word: str = "",
    value: str | None = None,
    interval: str | None = None,
    control: str = "",
    flag: Flag | None = None,
) -> ResultRow:
    """Return a row of results; value and interval are those of the share unless they are given."""
    flag = flag or Flag()
    return {
        "name": name,
        "word": word,
        "value": share_words(share) if value is None else value,
        "interval": share_interval(share) if interval is None else interval,
        "control": control,
        "flag": flag.key,
        "flag_word": flag.word,
        "reference": flag.reference,
    }


def _memory_rows(result: Result, memory: Memory) -> list[ResultRow]:
    words, decides = load_texts()["page"], deciding(memory)
    rows: list[ResultRow] = []
    for name in SUBSETS:
        share: Share | None = getattr(memory, name)
        if share is None and name != "switched":
            continue
        if name != decides:
            rows.append(_row(words["rows"][name], share))
            continue
        low, median = memory.limit_low, memory.age_median
        flag = _flag(result.call, "" if low is None else words["of_age"].format(limit=format_number("percent", low)))
        control = "" if median is None else format_number("percent", median)
        word = words["results"][result.call]
        rows.append(_row(words["rows"][name], share, word=word, control=control, flag=flag))
    flag = _check(result, "B_ABSENT")
    return [*rows, _row(words["rows"]["b_cells"], memory.b_cells, flag=flag), _counted(result)]


def _flag(call: str, reference: str) -> Flag:
    words = load_texts()["page"]["flags"]
    if call == INDETERMINATE:
        return Flag("open", words["open"], reference)
    healthy = call in _HEALTHY
    return Flag("normal" if healthy else "abnormal", words["normal" if healthy else "low"], reference)


def _check(result: Result, code: str) -> Flag:
    """Return flag and reference by a check that asks for at least its limit."""
    words = load_texts()["page"]["flags"]
    guard = next((one for one in result.guards if one.code == code and one.limit is not None), None)
    if guard is None or guard.fired is None:
        return Flag()
    flag, word = ("abnormal", "low") if guard.fired else ("normal", "normal")
    return Flag(flag, words[word], f"≥ {format_unit(guard.unit, guard.limit, limit=True)}")


def _counted(result: Result) -> ResultRow:
    words = load_texts()["page"]["rows"]
    measured = result.memory or result.cd40
    events = measured.b_events if measured is not None else None
    name = words["b_events"] if "b_events" in words else words["events"].format(cells=_first("B cells"))
    return _row(name, value=format_number("events", events), interval="", flag=_check(result, "TOO_FEW_B"))


def _first(cells: str) -> str:
    return str(load_texts()["page"]["cells_first"].get(cells, cells))


def ratio_words(ratio: float) -> str:
    """Return a level over the controls' in words, never a bare 0; one below the isotype is negative."""
    # The median may lie at the isotype's: no bare 0 for what was measured.
    return format_number("ratio", ratio) if abs(ratio) >= _SMALLEST else "<0.01"


def no_level_fits(ratio: float | None, high: float) -> bool:
    """Return whether a level over the controls' is shown as negative and its interval, cut at 0, ends there."""
    return ratio is not None and ratio <= -_SMALLEST and high <= 0


def ratio_interval(cells: Cd40Cells) -> str:
    """Return the 95 % interval of a level over the controls', empty where it has none or no level fits."""
    if cells.ratio_low is None or cells.ratio_high is None or no_level_fits(cells.ratio, cells.ratio_high):
        return ""
    return f"{ratio_words(cells.ratio_low)} to {ratio_words(cells.ratio_high)}"


def _cd40_rows(result: Result, cd40: Cd40, controls: Sequence[Cd40]) -> list[ResultRow]:
    words = load_texts()["page"]
    rows: list[ResultRow] = []
    theirs = {one.population: one for control in reversed(controls) for one in control.cells}
    low = result.configuration.limits.get("b_cells", {}).get("cd40_low_ratio_max")
    for one in cd40.cells:
        cells = words["cells"].get(one.population, one.population)
        subcall = result.subcalls.get(one.population)
        call = subcall.call if subcall is not None else INDETERMINATE
        control = theirs.get(one.population)
        level = words["ratio"].format(value=ratio_words(one.ratio)) if one.ratio is not None else _mfi(one.mfi)
        rows.append(
            _row(
                words["rows"]["level"].format(cells=cells),
                word=words["results"].get(call, ""),
                value=level,
                interval=ratio_interval(one),
                control=_mfi(control.mfi) if control is not None and control.mfi is not None else "",
                flag=_flag(call, f"≥ {low:g}" if isinstance(low, int | float) else ""),
            )
        )
        theirs_positive = share_words(control.positive) if control is not None else ""
        rows.append(_row(words["rows"]["positive"].format(cells=cells), one.positive, control=theirs_positive))
        if one.population != "B cells":
            name = words["rows"]["events"].format(cells=_first(one.population))
            rows.append(_row(name, value=format_number("events", one.events), interval=""))
    return [*rows, _row(words["rows"]["b_cells"], cd40.b_cells), _counted(result)]


def _mfi(value: float | None) -> str:
    return str(load_texts()["page"]["control_level"].format(value=format_number("intensity", value)))


def measures_view(result: Result, controls: Sequence[Result]) -> MeasuresTable | None:
    """Return every measure of sample and controls, a column each, as the template of the measures takes it."""
    part = "memory" if result.memory is not None else "cd40"
    subjects = [one for one in (result, *controls) if getattr(one, part) is not None]
    if result not in subjects:
        return None
    groups, facts = (_memory_measures if part == "memory" else _cd40_measures)(subjects)
    return {
        "reagents": [{"name": load_texts()["assays"][result.assay], "span": len(subjects)}],
        "subjects": [{"sample": one.sample, "own": one is result} for one in subjects],
        "groups": [
            {"name": name, "rows": [{"label": label, "help": "", "cells": cells} for label, cells in rows]}
            for name, rows in groups.items()
        ],
        "facts": [{"label": label, "cells": cells} for label, cells in facts],
    }


Rows = list[tuple[str, list[MeasureCell]]]


def _cell(value: str, interval: str = "") -> MeasureCell:
    return {"value": value, "interval": interval}


def _share_cell(share: Share | None) -> MeasureCell:
    plain = "" if share is None else load_texts()["b_cell_measures"]["by_threshold"].format(
        events=format_number("events", share.events),
        percent=share_words(Share(share.threshold_percent, None, None, share.events, share.threshold_percent)),
    )  # fmt: skip
    interval = share_interval(share)
    return _cell(share_words(share), f"{interval} {plain}".strip())


def _numbers(subjects: Sequence[Memory] | Sequence[Cd40], names: Mapping[str, str]) -> Rows:
    words = load_texts()["b_cell_measures"]
    return [
        (words[name], [_cell(format_number(kind, getattr(one, name))) for one in subjects])
        for name, kind in names.items()
    ]


def _memory_measures(results: Sequence[Result]) -> tuple[Mapping[str, Rows], list[tuple[str, list[str]]]]:
    words, rows = load_texts()["b_cell_measures"], load_texts()["page"]["rows"]
    found = [one.memory for one in results if one.memory is not None]
    groups: dict[str, Rows] = {
        "share": [(rows[name], [_share_cell(getattr(one, name)) for one in found]) for name in ("b_cells", *SUBSETS)]
        + _numbers(found, {"lymphocytes": "events", "b_events": "events", "transitional_percent": "percent"}),
        "age": _numbers(
            found, {"age_z": "number", "limit_low": "percent", "limit_absent": "percent", "age_median": "percent"}
        ),
        "brightness": _numbers(
            found,
            {
                **{"cd27_separation": "number", "cd27_threshold": "intensity", "cd27_negative_median": "intensity"},
                **{"igd_separation": "number", "igd_negative_percent": "percent", "igd_median": "intensity"},
                **{"igm_median": "intensity", "cd3_percent": "percent"},
            },
        ),
    }
    facts = [
        (words["cd27_background"], [one.cd27_background or "–" for one in found]),
        (words["table"], [one.table or "–" for one in found]),
        (words["tubes"], [", ".join(one.tubes) for one in found]),
        (words["notes"], [" ".join(one.notes) or "–" for one in found]),
    ]
    return groups, facts


def _cd40_measures(results: Sequence[Result]) -> tuple[Mapping[str, Rows], list[tuple[str, list[str]]]]:
    words = load_texts()["b_cell_measures"]
    found = [one.cd40 for one in results if one.cd40 is not None]
    populations = dict.fromkeys(cells.population for one in found for cells in one.cells)
    groups: dict[str, Rows] = {"level": [], "cells": []}
    for population in populations:
        cells = [next((each for each in one.cells if each.population == population), None) for one in found]
        name = _first(population)
        ratios = [
            _cell("–") if one is None or one.ratio is None else _cell(ratio_words(one.ratio), ratio_interval(one))
            for one in cells
        ]
        negative = [_negative(one) for one in cells]
        medians = [
            [_cell("–" if one is None else format_number("intensity", getattr(one, key))) for one in cells]
            for key in ("mfi", "mfi_background")
        ]
        groups["level"] += [
            (words["ratio"].format(cells=name), ratios),
            (words["mfi"].format(cells=name), medians[0]),
            (words["mfi_background"].format(cells=name), medians[1]),
            (
                words["positive"].format(cells=name),
                [_share_cell(None if one is None else one.positive) for one in cells],
            ),
            (words["negative_fraction"].format(cells=name), negative),
        ]
        counts = [_cell("–" if one is None else format_number("events", one.events)) for one in cells]
        groups["cells"].append((words["events"].format(cells=name), counts))
    groups["cells"] += [
        (words["b_cells"], [_share_cell(one.b_cells) for one in found]),
        *_numbers(found, {"lymphocytes": "events", "cd3_percent": "percent"}),
    ]
    facts = [
        (words["background"], [one.background or "–" for one in found]),
        (words["tubes"], [", ".join(one.tubes) for one in found]),
        (words["notes"], [" ".join(one.notes) or "–" for one in found]),
    ]
    return groups, facts


def _negative(cells: Cd40Cells | None) -> MeasureCell:
    if cells is None or cells.negative_fraction is None:
        return _cell("–")
    ends = {"fraction_low": cells.negative_fraction_low, "fraction_high": cells.negative_fraction_high}
    return _cell(format_number("fraction", cells.negative_fraction), format_interval("fraction", ends))
