"""What the report and the index have in common: templates, style sheets, scripts, and what a page may do."""

from __future__ import annotations

import base64
import hashlib
import secrets
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATES = Path(__file__).parent / "templates"
# Every value is escaped, a name that is not there is an error.
OPTIONS: dict[str, Any] = {"autoescape": True, "trim_blocks": True, "lstrip_blocks": True, "auto_reload": False}


def template(name: str) -> Template:
    """Return a page's template, ready to be filled in.

    As Python does with modules, it is compiled once and kept in ``__pycache__`` beside the templates where that can be
    written: compiling takes longer than writing a report. What is kept is bound to the text of the template, to these
    options and to the versions of Python and Jinja2.
    """
    import jinja2

    class Compiled(jinja2.BytecodeCache):
        def load_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
            # What is no compiled template of this very text is left alone by the bucket, and compiled anew.
            with suppress(OSError, EOFError, ValueError, TypeError), self.place(bucket).open("rb") as file:
                bucket.load_bytecode(file)

        def dump_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
            if sys.dont_write_bytecode:
                return
            place = self.place(bucket)
            part = place.with_name(f"{place.name}.{secrets.token_hex(4)}")
            with suppress(OSError):
                place.parent.mkdir(exist_ok=True)
                part.write_bytes(bucket.bytecode_to_string())
                part.replace(place)

        def place(self, bucket: jinja2.bccache.Bucket) -> Path:
            made_by = repr((sys.implementation.cache_tag, jinja2.__version__, sorted(OPTIONS.items())))
            key = hashlib.sha256((bucket.key + made_by).encode()).hexdigest()[:16]
            return TEMPLATES / "__pycache__" / f"{key}.{sys.implementation.cache_tag}.j2c"

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        bytecode_cache=Compiled(),
        **OPTIONS,
    )
    return environment.get_template(name)


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
