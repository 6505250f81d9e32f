"""``history.html``: control charts and every sample in a searchable table, one offline file.

The samples are in the page as columns of JSON, texts as numbers into lists of their different values; its script shows
fifty at a time. A hundred thousand samples take about ten megabytes.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from cd40l_flow.assay.lookup import current_assay
from cd40l_flow.assay.texts import load_texts, reason_texts
from cd40l_flow.laboratory.chart_drawing import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Drawn, draw
from cd40l_flow.laboratory.charts import Chart, control_charts
from cd40l_flow.laboratory.pages import page_assets, page_template
from cd40l_flow.laboratory.rows import Row
from cd40l_flow.report.pages import security_policy
from cd40l_flow.result.numbers import format_measure, measure_kind, measure_label
from cd40l_flow.result.order import CALL_ORDER, QC_ORDER

# Columns of texts in the table, with their heads.
TEXTS = {
    "assay": "assay",
    "run": "run",
    "month": "month",
    "role": "role",
    "call": "call",
    "reasons": "reasons",
    "qc": "QC",
    "review": "review",
    "cytometer": "instrument",
}
# Measures of each reagent in the table, with the words that follow the reagent's name in their heads.
MEASURES = {
    "negative_fraction": "negative",
    "percent_positive": "positive",
    "mfi_ratio": "MFI ratio",
    "mutant_fraction": "mutant",
}
MOST_EVENTS = 200


def render_history(rows: Sequence[Row], out: Path) -> str:
    """Return the page of a history; ``rows`` are in the order of time, ``out`` is the folder it will lie in."""
    from markupsafe import Markup

    charts = control_charts(rows)
    drawn = [draw(chart) for chart in charts]
    style, script = page_assets("style.css", "history.css"), page_assets("history.js")
    calls, texts = Counter(row["call"] for row in rows), load_texts()
    runs = dict.fromkeys(row["run"] for row in rows)
    copies = _copies(rows)
    context = {
        "t": texts,
        "style": Markup(style),
        "script": Markup(script),
        "policy": security_policy(style, script),
        "count": len(rows),
        "controls": sum(row["role"] == "control" for row in rows),
        "runs": len(runs),
        "months": _span(rows),
        "calls": [(call, _word("call", call), calls[call]) for call in _ordered("call", calls)],
        "groups": _groups(charts, drawn),
        "size": (WIDTH, HEIGHT),
        "frame": (LEFT, RIGHT, TOP, BOTTOM),
        "events": _events(charts)[:MOST_EVENTS],
        "more_events": max(len(_events(charts)) - MOST_EVENTS, 0),
        "copies": copies[:MOST_EVENTS],
        "more_copies": max(len(copies) - MOST_EVENTS, 0),
        "filters": [(name, head, _values(rows, name)) for name, head in TEXTS.items() if name in _FILTERED],
        "data": Markup(_data(rows, out)),
    }
    return page_template("history.html.j2").render(context).lstrip()


_FILTERED = ("call", "role", "qc", "review")
_ORDERS = {"call": CALL_ORDER, "qc": QC_ORDER}


def _span(rows: Sequence[Row]) -> str:
    months = sorted({row["month"] for row in rows if row.get("month")})
    return "" if not months else months[0] if len(months) == 1 else f"{months[0]} to {months[-1]}"


def _values(rows: Sequence[Row], name: str) -> list[tuple[str, str, int]]:
    """Return the values of a column with their words and how often they are there."""
    counts = Counter(row.get(name) or "" for row in rows)
    return [(value, _word(name, value), counts[value]) for value in _ordered(name, counts) if value]


def _ordered(name: str, values: Iterable[str]) -> list[str]:
    """Return the different values of a column in their order: those with a rank first, the others by name."""
    there, ranked = set(values), _ORDERS.get(name, ())
    return [value for value in ranked if value in there] + sorted(there.difference(ranked))


def _word(name: str, value: str) -> str:
    texts = load_texts()
    if name == "call" and value in texts["calls"]:
        return str(texts["calls"][value]["word"])
    if name == "reasons":
        return ", ".join(str(reason_texts(code)["name"]) for code in value.split(";")) if value else ""
    words = {"qc": texts["index"]["qc"], "review": texts["index"]["review"], "role": texts["index"]["roles"]}
    return str(words[name].get(value, value)) if name in words else value


def _groups(charts: Sequence[Chart], drawn: Sequence[Drawn]) -> list[tuple[str, int, list[Drawn]]]:
    """Return the charts by reagent and instrument, with how many controls are out of control in each."""
    groups: dict[str, list[Drawn]] = {}
    for chart, one in zip(charts, drawn, strict=True):
        name = current_assay().title(chart.reagent) + (f" · {chart.cytometer}" if chart.cytometer else "")
        groups.setdefault(name, []).append(one)
    return [(name, sum(one.out for one in group), group) for name, group in groups.items()]


def _events(charts: Sequence[Chart]) -> list[dict[str, str]]:
    """Return what is out of control, the newest first."""
    found = [
        {
            "month": point.month,
            "run": point.run,
            "sample": point.sample,
            "what": f"{chart.reagent} · {measure_label(chart.measure)}",
            "where": " · ".join(part for part in (chart.cytometer, point.lot and f"lot {point.lot}") if part),
            "value": format_measure(chart.measure, point.value),
            "z": f"{point.z:+.1f}".replace("-", "−") if point.z is not None else "",
            "rules": ", ".join(point.rules),
        }
        for chart in charts
        for point in chart.points
        if point.status == "fail"
    ]
    return sorted(found, key=lambda event: (event["month"], event["run"], event["sample"]), reverse=True)


def _copies(rows: Sequence[Row]) -> list[str]:
    """Return what shares the data of a tube with another sample: one sentence for each pair of samples."""
    first: dict[str, Row] = {}
    found: dict[str, None] = {}
    for row in rows:
        for digest in row.get("data") or ():
            other = first.setdefault(digest, row)
            if other is not row:
                names = (f"{one['sample']} of run {one['run']}" for one in (other, row))
                found[" and ".join(names)] = None
    return list(found)


def _data(rows: Sequence[Row], out: Path) -> str:
    """Return the samples as JSON that may be embedded in a page."""
    keys = {reagent.key: name for name, reagent in current_assay().targets.items()}
    numbers = [
        (f"{key}_{measure}", f"{name} {words}", measure)
        for key, name in keys.items()
        for measure, words in MEASURES.items()
        if any(row.get(f"{key}_{measure}") is not None for row in rows)
    ]
    numbers += [
        ("cd69_percent", "CD69 positive", "cd69_percent"),
        ("activated_events", "activated", "activated_events"),
    ]
    folders = list(dict.fromkeys(row["folder"] for row in rows))
    data: dict[str, Any] = {
        "sample": [row["sample"] for row in rows],
        "folders": folders,
        "folder": _codes([row["folder"] for row in rows], folders),
        "report": "".join("1" if _report(row, out) else "0" for row in rows),
        "texts": [_text_column(rows, name, head) for name, head in _shown(rows)],
        "numbers": [
            {
                "name": column,
                "head": head,
                "kind": measure_kind(measure),
                "values": [_brief(row.get(column)) for row in rows],
            }
            for column, head, measure in numbers
        ],
    }
    # Nothing in it may end the element around it.
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")


def _shown(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Return the columns of texts: that of the assay only where there are several."""
    assays = {row.get("assay") or "" for row in rows} - {""}
    return [(name, head) for name, head in TEXTS.items() if name != "assay" or len(assays) > 1]


def _text_column(rows: Sequence[Row], name: str, head: str) -> dict[str, Any]:
    texts = [row.get(name) or "" for row in rows]
    values = _ordered(name, texts)
    return {
        "name": name,
        "head": head,
        "values": values,
        "words": [_word(name, value) for value in values],
        "codes": _codes(texts, values),
    }


def _codes(texts: Sequence[str], values: Sequence[str]) -> list[int]:
    place = {value: number for number, value in enumerate(values)}
    return [place[text] for text in texts]


def _brief(value: float | None) -> float | int | None:
    """Return a number to four digits, as the table shows no more; a count in full."""
    if value is None:
        return None
    brief = value if float(value).is_integer() else float(f"{value:.4g}")
    return int(brief) if float(brief).is_integer() else brief


def _report(row: Row, out: Path) -> bool:
    return os.path.exists(f"{out}/{row['folder']}/samples/{row['sample']}/report.html")  # noqa: PTH110  100,000 of them
