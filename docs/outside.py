"""Pages of the built documentation that lie elsewhere in the repository: MkDocs calls these functions."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# Where a page lies in the repository -> what it is called in the built documentation.
PAGES = {"config/README.md": "configuration.md"}


def on_files(files: Any, config: Any) -> Any:
    """Add the pages."""
    from mkdocs.structure.files import File

    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point links to where those pages are in the built documentation, and those of such a page back into it."""
    origin = {name: source for source, name in PAGES.items()}.get(page.file.src_uri)
    place = posixpath.dirname(origin) if origin else posixpath.dirname(f"docs/{page.file.src_uri}")

    def moved(match: re.Match[str]) -> str:
        path, anchor = match[1], match[2] or ""
        target = posixpath.normpath(posixpath.join(place, path))
        built = PAGES.get(target) or (target.removeprefix("docs/") if origin and target.startswith("docs/") else "")
        if not built:
            return match[0]
        return f"]({posixpath.relpath(built, posixpath.dirname(page.file.src_uri) or '.')}{anchor})"

    return re.sub(r"\]\(([^)#:\s]+)(#[^)\s]*)?\)", moved, markdown)
