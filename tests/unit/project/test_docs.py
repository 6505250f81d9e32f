"""The documentation: links lead somewhere, the site builds without a warning, the notebook shows what comes out."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from docs.notebook import NOTEBOOK, SCRIPT, executed

from cd40l_flow.base.resources import working_files
from cd40l_flow.cli.arguments import parser
from cd40l_flow.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[3]
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


# Where commands stand, and what they need; every one of them is run as it is written.
COMMAND = re.compile(r"^\s*(?:cd mylab && )?(cd40l-flow|snakemake) (?!.*\.\.\.)\S")
INLINE = re.compile(r"`((?:cd40l-flow|snakemake) [^`]+)`")
GUIDES = ("docs/first-hour.md", "docs/faq.md", "config/README.md", "README.md")
# What stands for something else: the words of a usage line.
PLACEHOLDERS = ("DIR", "FOLDER", "FILE", "REVIEW")


def commands(page: str) -> list[str]:
    """Return the commands of a page, those in boxes and those in the text, without comments."""
    text = (ROOT / page).read_text(encoding="utf-8")
    boxes = re.findall(r"^```(?:sh)?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line for box in boxes for line in box.splitlines()]
    lines += [line for line in text.splitlines() if line.startswith("    cd40l-flow")]
    plain = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    lines += [" ".join(found.split()) for found in INLINE.findall(plain)]
    return [line.split(" #")[0].strip() for line in lines if COMMAND.match(line)]


@pytest.mark.parametrize("page", GUIDES)
def test_every_command_is_one_that_the_program_takes(page: str) -> None:
    """Commands and options of the guides are those of the command line, with whatever stands for names in them."""
    found = [command for command in commands(page) if command.startswith("cd40l-flow ")]
    assert found
    for command in found:
        words = [{"N": "1"}.get(word, word.strip("[]")) for word in shlex.split(command)[1:]]
        if words in (["--version"], ["COMMAND", "--help"]) or (len(words) == 1 and words[0] in COMMANDS):
            continue
        parser().parse_args(words)


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the first hour was gone through, as it stands, from the simulation to the reports."""
    folder = tmp_path_factory.mktemp("hour")
    boxes = [command for command in commands("docs/first-hour.md") if not set(shlex.split(command)) & set(PLACEHOLDERS)]
    said = [each for each in boxes if "/where/the/fcs/files/are" not in each and "--version" not in each]
    assert said[:2] == ["cd40l-flow simulate mylab --seed 1", "cd40l-flow init mylab --workflow"]
    assert said[2:4] == ["cd40l-flow check --directory mylab", "snakemake --cores 8"]
    for command in said[:3]:
        run(command, folder)
    run(said[3], folder / "mylab")
    return folder


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command as somebody types it, with the programs of this environment; it must succeed."""
    environment = {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    process = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, f"{command}\n{process.stdout}\n{process.stderr}"
    return process


@pytest.mark.slow
@pytest.mark.xdist_group("hour")
def test_the_first_hour_can_be_gone_through(laboratory: Path) -> None:
    """Simulated files to reports, every command as it stands; a draft of the same files shows the table it reports."""
    assert (laboratory / "mylab/results/index.html").stat().st_size > 10_000
    assert (laboratory / "mylab/reviews").is_dir()
    (drafting,) = (each for each in commands("docs/first-hour.md") if "/where/the/fcs/files/are" in each)
    drafted = run(
        drafting.replace("/where/the/fcs/files/are", "mylab/fcs").replace("init mylab", "init other"), laboratory
    )
    heads = next(line for line in drafted.stdout.splitlines() if line.startswith("sample "))
    assert heads.split() in [line.split() for line in (ROOT / "docs/first-hour.md").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.xdist_group("hour")
def test_the_answers_to_questions_can_be_typed(laboratory: Path) -> None:
    """Every command of the questions works in the working directory of the first hour, `--report` among them."""
    said = [each for each in commands("docs/faq.md") if not set(shlex.split(each)) & set(PLACEHOLDERS)]
    assert any("--report" in command for command in said)
    for command in dict.fromkeys(said):
        run(command, laboratory / "mylab")
    assert (laboratory / "mylab/report.html").stat().st_size > 100_000


@pytest.mark.slow
@pytest.mark.xdist_group("hour")
def test_the_manual_can_be_typed(laboratory: Path) -> None:
    """The command that takes gates in, with the workspace where somebody saved it."""
    (command,) = (each for each in commands("config/README.md") if each.startswith("cd40l-flow override"))
    folder = laboratory / "mylab"
    shutil.copy(folder / "results/samples/P01/gates.wsp", folder)
    assert "no boundary was moved" in run(command, folder).stderr


@pytest.mark.slow
@pytest.mark.xdist_group("hour")
def test_the_python_page_can_be_typed(laboratory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands there, run beside the working directory of the first hour."""
    (code,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/python.md").read_text(), re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(laboratory)
    names: dict[str, Any] = {}

    exec(compile(code, "python.md", "exec"), names)

    assert names["called"].result.sample == "P05"
    assert (laboratory / "P05.html").exists()


def test_the_drafted_manual_has_no_link_that_leads_nowhere() -> None:
    """What `init` copies beside the sheets is read there: its links are to places within it or afar."""
    for name, text in working_files().items():
        for link in LINK.findall(text) if name.endswith(".md") else ():
            assert link.startswith(("#", "https://")), link
