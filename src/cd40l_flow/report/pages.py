"""What the report and the index have in common: templates, style sheets, scripts, and what a page may do."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from jinja2 import Environment, Template

TEMPLATES = Path(__file__).parent / "templates"


class Options(TypedDict):
    """What every environment of templates is made with."""

    autoescape: bool
    trim_blocks: bool
    lstrip_blocks: bool
    auto_reload: bool


# Every value is escaped, a name that is not there is an error.
OPTIONS: Options = {"autoescape": True, "trim_blocks": True, "lstrip_blocks": True, "auto_reload": False}


def template(name: str) -> Template:
    """Return a page's template, ready to be filled in.

    Each process compiles it anew, a tenth of a second for the report; the worker does so before it forks.
    """
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    import jinja2

    return jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), undefined=jinja2.StrictUndefined, **OPTIONS)


def security_policy(style: str, script: str = "") -> str:
    """Return a Content-Security-Policy that allows exactly this style and script, embedded images, and nothing else."""

    def digest(text: str) -> str:
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii") + "'"

    rules = ["default-src 'none'", "img-src data:", f"style-src {digest(style)}"]
    if script:
        rules += [f"script-src {digest(script)}", "require-trusted-types-for 'script'", "trusted-types 'none'"]
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'"])


def running_header(text: str) -> str:
    """Return the rule of a style sheet that prints a text above every page, and below it which page of how many."""
    from cd40l_flow.assay.texts import load_texts

    words = load_texts()["page"]
    # Letters are written as their numbers, so that no text of a sheet can end the string around it.
    written = "".join(sign if sign.isalnum() and sign.isascii() else f"\\{ord(sign):x} " for sign in text)
    font = 'font: 7.5pt "DejaVu Sans", Arial, sans-serif; color: #3f4a54'
    pages = f'"{words["page"]} " counter(page) " {words["of"]} " counter(pages)'
    return (
        "@page { size: A4; margin: 13mm 12mm 12mm; "
        f'@top-left {{ content: "{written}"; {font}; white-space: nowrap; }} '
        f'@bottom-left {{ content: "{words["limited_use"]}"; {font}; white-space: nowrap; }} '
        f"@bottom-right {{ content: {pages}; {font}; }} }}"
    )


def read_asset(*names: str) -> str:
    """Return style sheets or scripts of the templates folder, joined."""
    return "\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in names)
