"""The documentation: links lead somewhere, the site builds without a warning, the notebook shows what comes out."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from docs.notebook import NOTEBOOK, SCRIPT, executed

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("*/*.md"), *ROOT.glob("docs/*/*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as forges and MkDocs make them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_links_between_files_lead_somewhere(page: Path) -> None:
    """Read in the repository itself, where no site is built: files and the headings in them are there."""
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), link


def test_every_page_is_reached_from_the_first() -> None:
    """Nobody finds a page that no other page names."""
    named = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in PAGES
        for link in LINK.findall(page.read_text(encoding="utf-8"))
        if "://" not in link
    }
    alone = [page for page in PAGES if page.is_relative_to(ROOT / "docs") and page not in named]
    assert not alone


def test_the_site_is_built_without_a_warning(tmp_path: Path, require: Callable[[str], str]) -> None:
    """MkDocs, strict: bad links, anchors and pages left out of the navigation are errors; nothing comes from afar."""
    mkdocs = require("mkdocs")

    process = subprocess.run(
        [mkdocs, "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert process.returncode == 0, process.stderr
    assert "WARNING" not in process.stderr
    assert (tmp_path / "site/configuration.html").stat().st_size > 10_000
    for page in (tmp_path / "site").rglob("*.html"):
        loaded = re.findall(
            r"<(?:script|link|img)[^>]+(?:src|href)=\"(https?:[^\"]+)", page.read_text(encoding="utf-8")
        )
        assert not loaded, page


def told(notebook: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Return the cells of a notebook with the text that came out; pictures differ with the fonts of a machine."""
    return [
        (
            cell["source"],
            [
                output.get("text") or output["data"]["text/plain"]
                for output in cell.get("outputs", [])
                if output["output_type"] != "display_data"
            ],
        )
        for cell in notebook["cells"]
    ]


def test_the_notebook_is_what_comes_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stored notebook has the cells of its script, and what they give today."""
    (tmp_path / "test_data").symlink_to(ROOT / "test_data")
    (tmp_path / "build").mkdir()
    monkeypatch.chdir(tmp_path)

    now = executed(SCRIPT.read_text(encoding="utf-8"))

    stored = nbformat.read(NOTEBOOK, as_version=4)
    assert told(stored) == told(now), "run: python -m docs.notebook"
    pictures = [output for cell in stored["cells"] for output in cell.get("outputs", []) if "image/png" in str(output)]
    assert len(pictures) == 1
