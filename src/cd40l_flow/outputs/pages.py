"""What the report and the index have in common: templates, style sheets, scripts, and what a page may do."""

from __future__ import annotations

import base64
import hashlib
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cd40l_flow.resources import keep, kept

if TYPE_CHECKING:
    from jinja2 import Environment, Template

TEMPLATES = Path(__file__).parent / "templates"
# Every value is escaped, a name that is not there is an error.
OPTIONS: dict[str, Any] = {"autoescape": True, "trim_blocks": True, "lstrip_blocks": True, "auto_reload": False}


def template(name: str) -> Template:
    """Return a page's template, ready to be filled in.

    It is compiled once and kept: compiling takes longer than writing a report.
    """
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    import jinja2

    made_by = repr((jinja2.__version__, sorted(OPTIONS.items())))

    class Compiled(jinja2.BytecodeCache):
        def load_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
            # What is no compiled template of this very text is left alone by the bucket, and compiled anew.
            with (
                suppress(OSError, EOFError, ValueError, TypeError),
                kept(TEMPLATES, bucket.key, bucket.checksum, made_by).open("rb") as file,
            ):
                bucket.load_bytecode(file)

        def dump_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
            keep(kept(TEMPLATES, bucket.key, bucket.checksum, made_by), bucket.bytecode_to_string())

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        bytecode_cache=Compiled(),
        **OPTIONS,
    )


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
