"""The index of all samples: worst first, every row a way into its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cd40l_flow.outputs.index_strips import HEIGHT, WIDTH, draw_strips
from cd40l_flow.outputs.numbers import format_measure, format_number
from cd40l_flow.outputs.report import environment, read_asset, security_policy
from cd40l_flow.outputs.summary import read_results
from cd40l_flow.outputs.texts import load_texts, reason_texts

Result = Mapping[str, Any]

# What needs a reader most comes first: no call, then loss of the protein or its function, then mixtures and shades.
CALL_ORDER = ("INDETERMINATE", "ABSENT", "FUNCTIONAL_DEFECT", "MOSAIC", "REDUCED", "NORMAL")
_QC_ORDER = ("fail", "warn", "pass")
_MEASURES = (
    ("cd154_positive", "CD154", "percent_positive"),
    ("cd154_negative", "CD154", "negative_fraction"),
    ("cd40ig_positive", "CD40-Ig", "percent_positive"),
    ("cd40ig_negative", "CD40-Ig", "negative_fraction"),
)


def worst_first(result: Result) -> tuple[int, int, str, str]:
    """Return the sorting key of a result: call, QC, run, sample."""
    return CALL_ORDER.index(result["call"]), _QC_ORDER.index(result["qc"]), result["run"], result["sample"]


def _row(result: Result, href: str) -> dict[str, Any]:
    texts = load_texts()
    numbers = [_number("events", result["activated_events"]), _number("percent", result["cd69_percent"])]
    for _, reagent, measure in _MEASURES:
        value = (result["reagents"].get(reagent) or {}).get(measure)
        numbers.append({"sort": value, "text": format_measure(measure, value) if value is not None else "–"})
    reasons = [{"code": code, "name": reason_texts(code)["name"]} for code in result["reasons"]]
    call = texts["calls"][result["call"]]
    words = [result["sample"], result["run"], call["word"], result["call"], result["qc"]]
    return {
        "result": result,
        "href": href,
        "call_rank": CALL_ORDER.index(result["call"]),
        "qc_rank": _QC_ORDER.index(result["qc"]),
        "word": call["word"],
        "qc": texts["index"]["qc"][result["qc"]],
        "role": texts["index"]["roles"][result["role"]],
        "reasons": reasons,
        "numbers": numbers,
        "search": " ".join([*words, *(f"{reason['code']} {reason['name']}" for reason in reasons)]).lower(),
    }


def _number(kind: str, value: float | None) -> dict[str, Any]:
    return {"sort": value, "text": format_number(kind, value) if value is not None else "–"}


def render_index(results: Sequence[Result], hrefs: Sequence[str]) -> str:
    """Return the index page; ``hrefs`` are the reports, relative to it, one for each result."""
    from markupsafe import Markup

    pairs = sorted(zip(results, hrefs, strict=True), key=lambda pair: worst_first(pair[0]))
    ordered, links = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    counts = {call: sum(result["call"] == call for result in ordered) for call in CALL_ORDER}
    style, script = read_asset("style.css", "index.css"), read_asset("index.js")
    context = {
        "t": load_texts(),
        "style": Markup(style),
        "script": Markup(script),
        "policy": security_policy(style, script),
        "runs": ", ".join(dict.fromkeys(sorted(result["run"] for result in ordered))),
        "counts": [(call, count) for call, count in counts.items() if count],
        "rows": [_row(result, href) for result, href in zip(ordered, links, strict=True)],
        "number_columns": ["activated", "cd69", *(name for name, _, _ in _MEASURES)],
        "strips": draw_strips(ordered, links),
        "strip_size": (WIDTH, HEIGHT),
    }
    return environment().get_template("index.html.j2").render(context).lstrip()


def write_index(result_paths: Sequence[str | Path], report_hrefs: Sequence[str], out_path: str | Path) -> None:
    """Write ``index.html``; ``report_hrefs`` belong to ``result_paths`` one by one and are relative to ``out_path``."""
    page = render_index(read_results(result_paths), report_hrefs)
    Path(out_path).write_text(page, encoding="utf-8", newline="\n")
