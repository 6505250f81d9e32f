"""What a stranger meets first: the reference, the page for programmers, the checks of pull requests, how to report."""

from __future__ import annotations

import importlib
import inspect
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import cd40l_flow.api as cd

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("[!c]*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def found(name: str) -> object:
    """Return a module, or what is in one, by its dotted name."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        module, _, last = name.rpartition(".")
        return getattr(importlib.import_module(module), last)


def test_the_reference_names_what_there_is() -> None:
    names = re.findall(r"^::: (\S+)$", (ROOT / "docs/api.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert "cd40l_flow.api" in names
    assert all(inspect.getdoc(found(name)) for name in names)


@pytest.mark.parametrize("name", [name for name in cd.__all__ if callable(getattr(cd, name))])
def test_every_function_has_a_row_with_its_arguments(name: str) -> None:
    """The table of docs/python.md: names and order of the arguments are those of the signature."""
    function = getattr(cd, name)
    if inspect.isclass(function):
        assert inspect.getdoc(function)
        return
    text = (ROOT / "docs/python.md").read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| `{name}\(([^)]*)\)` \|", text, re.MULTILINE)
    told = [argument.strip() for argument in row.split(",") if argument.strip()]
    optional = {
        one.name: one.default is not inspect.Parameter.empty for one in inspect.signature(function).parameters.values()
    }
    assert told == [f"{argument}=" if default else argument for argument, default in optional.items()]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_use_nothing_that_can_change_under_them(path: Path) -> None:
    """Actions by the hash of a commit; no right but to read; nothing is published."""
    workflow = read_yaml(path)
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 120
        assert "permissions" not in job
        for step in job["steps"]:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"]) if "uses" in step else step["run"]
            assert not re.search(r"twine|publish|gh release|secrets\.", str(step))


def test_every_python_that_the_package_allows_is_tested() -> None:
    """The newest three, from the least that it asks for."""
    matrix = read_yaml(ROOT / ".github/workflows/ci.yml")["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert matrix == ["3.11", "3.12", "3.13"]
    assert all(version in SpecifierSet(PROJECT["requires-python"]) for version in matrix)
    assert "3.10" not in SpecifierSet(PROJECT["requires-python"])


def test_scripts_that_workflows_run_are_there_and_may_run() -> None:
    for path in WORKFLOWS:
        for script in re.findall(r"run: (\.ci/\S+)", path.read_text(encoding="utf-8")):
            assert (ROOT / script).stat().st_mode & 0o111, script


def test_hooks_are_programs_of_the_locked_environment() -> None:
    """Nothing is fetched: a hook is the program that `make check` runs, in the locked version."""
    programs = {Requirement(text).name for text in PROJECT["optional-dependencies"]["dev"]}
    for repository in read_yaml(ROOT / ".pre-commit-config.yaml")["repos"]:
        assert repository["repo"] == "local"
        for hook in repository["hooks"]:
            assert hook["language"] == "system"
            program = hook["entry"].split()[0].removeprefix(".venv/bin/")
            assert {"lint-imports": "import-linter"}.get(program, program) in programs


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_forms_for_issues_ask_for_the_version(path: Path) -> None:
    form = read_yaml(path)
    assert {"name", "description", "body"} <= set(form)
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields)
    (version,) = (field for field in fields if field["id"] == "version")
    assert version["validations"] == {"required": True}


def test_the_way_to_report_in_private_is_named_where_calls_are_reported() -> None:
    assert "SECURITY.md" in (ROOT / ".github/ISSUE_TEMPLATE/wrong-call.yml").read_text(encoding="utf-8")
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    for test in re.findall(r"`(tests/[^`]+)`", text):
        assert (ROOT / test).exists(), test
