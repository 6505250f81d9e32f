"""The pages of this room: their own templates in addition to those of the report, whose style sheet they share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cd40l_flow.report.pages import OPTIONS
from cd40l_flow.report.pages import TEMPLATES as SHARED

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATES = Path(__file__).parent / "templates"


def page_template(name: str) -> Template:
    """Return a template of this room; it may use the macros of the report."""
    import jinja2

    loader = jinja2.FileSystemLoader([TEMPLATES, SHARED])
    return jinja2.Environment(loader=loader, undefined=jinja2.StrictUndefined, **OPTIONS).get_template(name)


def page_assets(*names: str) -> str:
    """Return style sheets or scripts, of this room or shared with the report, joined."""
    places = (TEMPLATES / name if (TEMPLATES / name).is_file() else SHARED / name for name in names)
    return "\n".join(place.read_text(encoding="utf-8") for place in places)
