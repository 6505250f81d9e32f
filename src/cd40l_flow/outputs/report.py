"""One report: a single HTML file that needs nothing but a browser."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cd40l_flow.outputs.figures import read_densities
from cd40l_flow.outputs.report_banner import banner, identity, key_numbers
from cd40l_flow.outputs.report_figures import Subject, activation_views, gating_views, target_views, why_absent
from cd40l_flow.outputs.report_tables import (
    gate_rows,
    guard_rows,
    measures_table,
    message_rows,
    method_rows,
    rule_rows,
    scale_rows,
    tube_rows,
)
from cd40l_flow.outputs.texts import load_texts

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
PathLike = str | Path


def environment() -> Environment:
    """Return the Jinja2 environment of all pages: every value is escaped, a name that is not there is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def security_policy(style: str, script: str = "") -> str:
    """Return a Content-Security-Policy that allows this very style and script, embedded images, and nothing else."""

    def digest(text: str) -> str:
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii") + "'"

    rules = ["default-src 'none'", "img-src data:", f"style-src {digest(style)}"]
    if script:
        rules.append(f"script-src {digest(script)}")
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'"])


def read_asset(*names: str) -> str:
    """Return style sheets or scripts of the templates folder, joined."""
    return "\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in names)


def _read_subject(result_path: PathLike, densities_path: PathLike) -> Subject:
    result = json.loads(Path(result_path).read_text(encoding="utf-8"))
    return Subject(result, read_densities(densities_path))


def render_report(subject: Subject, controls: Sequence[Subject], provenance: Mapping[str, str]) -> str:
    """Return the report of one sample beside the first of its controls; the others join the table of measures."""
    from markupsafe import Markup

    from cd40l_flow.outputs.figures_gating import AUTOMATIC, DASHED, DOTTED, GATE
    from cd40l_flow.outputs.figures_target import FILL, STYLES

    result, control = subject.result, controls[0] if controls else None
    control_results = [each.result for each in controls]
    style = read_asset("style.css", "report.css")
    context: dict[str, Any] = {
        "t": load_texts(),
        "style": Markup(style),
        "policy": security_policy(style),
        "result": result,
        "control": control.result if control is not None else None,
        "banner": banner(result),
        "identity": identity(result),
        "cards": key_numbers(result, control_results),
        "targets": target_views(subject, control),
        "activation": activation_views(subject, control),
        "gating": gating_views(subject, control),
        "measures": measures_table(result, control_results),
        "why_absent": why_absent(result),
        "guards": guard_rows(result),
        "rules": rule_rows(result),
        "messages": message_rows(result),
        "gates": gate_rows(result),
        "tubes": [rows for rows in map(tube_rows, [result, *control_results[:1]]) if rows is not None],
        "methods": method_rows(result),
        "scales": scale_rows(result),
        "provenance": list(provenance.items()),
        "line_styles": STYLES,
        "fill": FILL,
        "gate_styles": {
            "line": (GATE, 1.8, None),
            "hand": (GATE, 1.8, DASHED),
            "automatic": (AUTOMATIC, 1.5, DOTTED),
        },
    }
    return environment().get_template("report.html.j2").render(context).lstrip()


def write_report(
    result_path: PathLike,
    densities_path: PathLike,
    control_pairs: Sequence[tuple[PathLike, PathLike]],
    out_path: PathLike,
    provenance: Mapping[str, str],
) -> None:
    """Write the report of one sample.

    ``control_pairs`` are ``result.json`` and ``densities.npz`` of the controls it was judged against, in the order of
    the result; ``provenance`` is printed as it is, in its order.
    """
    subject = _read_subject(result_path, densities_path)
    controls = [_read_subject(*pair) for pair in control_pairs]
    page = render_report(subject, controls, provenance)
    Path(out_path).write_text(page, encoding="utf-8", newline="\n")
