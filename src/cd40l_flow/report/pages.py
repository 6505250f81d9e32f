"""What the report and the index have in common: templates, style sheets, scripts, and what a page may do."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment, Template

TEMPLATES = Path(__file__).parent / "templates"
# Every value is escaped, a name that is not there is an error.
OPTIONS: dict[str, Any] = {"autoescape": True, "trim_blocks": True, "lstrip_blocks": True, "auto_reload": False}


def template(name: str) -> Template:
    """Return a page's template, ready to be filled in.

    Each process compiles it anew, a tenth of a second for the report; a process that is ready has done so before it is
    asked.
    """
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    import jinja2

    return jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), undefined=jinja2.StrictUndefined, **OPTIONS)


def security_policy(style: str, script: str = "") -> str:
    """Return a Content-Security-Policy that allows this very style and script, embedded images, and nothing else."""

    def digest(text: str) -> str:
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii") + "'"

    rules = ["default-src 'none'", "img-src data:", f"style-src {digest(style)}"]
    if script:
        rules += [f"script-src {digest(script)}", "require-trusted-types-for 'script'", "trusted-types 'none'"]
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'"])


def read_asset(*names: str) -> str:
    """Return style sheets or scripts of the templates folder, joined."""
    return "\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in names)
