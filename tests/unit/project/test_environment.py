"""environment.yml, pyproject.toml and requirements.lock name the same packages in compatible versions."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import requires
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from cd40l_flow import __version__

ROOT = Path(__file__).resolve().parents[3]
# Packages that conda knows by another name; those are smaller builds of the same project.
CONDA_NAMES = {"snakemake-minimal": "snakemake"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def declared(texts: list[str]) -> dict[str, SpecifierSet]:
    """Return name -> versions of requirements as pip writes them."""
    requirements = [Requirement(text) for text in texts]
    return {canonicalize_name(one.name): one.specifier for one in requirements}


def environment() -> dict[str, SpecifierSet]:
    """Return PyPI name -> versions of environment.yml, from conda and pip alike."""
    found: dict[str, SpecifierSet] = {}
    for entry in yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]:
        if isinstance(entry, dict):
            found |= declared([text for text in entry["pip"] if text != "."])
        else:
            name, _, versions = entry.partition(" ")
            found[CONDA_NAMES.get(name, name)] = SpecifierSet(versions)
    return found


def locked(name: str = "requirements.lock") -> dict[str, list[Version]]:
    """Return name -> versions of a lock: one, or one for each range of Python versions."""
    found: dict[str, list[Version]] = {}
    text = (ROOT / name).read_text(encoding="utf-8")
    for package, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text, re.MULTILINE):
        found.setdefault(canonicalize_name(package), []).append(Version(version))
    return found


def test_the_environment_has_what_the_package_needs() -> None:
    """Conda users get the package itself and the same libraries in the same ranges as pip users, on the same Python."""
    needed = declared(PROJECT["dependencies"])
    offered = environment()
    *_, by_pip = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]

    assert by_pip["pip"][-1] == "."  # this folder, when its libraries are there
    assert offered.pop("python") == SpecifierSet(PROJECT["requires-python"])
    offered.pop("pip")
    # The others are FlowKit's, in the ranges it asks for, so that pip does not bring its own builds of them.
    theirs = declared(requires("flowkit") or [])
    assert {name: offered.pop(name) for name in theirs if name not in needed and name in offered} == {
        name: versions for name, versions in theirs.items() if name not in needed
    }
    assert offered == needed


def test_the_extras_are_those_of_use() -> None:
    """`pip install cd40l-flow[all]` has every extra that a user may name, and none of the tools of development."""
    extras = dict(PROJECT["optional-dependencies"])
    (everything,) = (Requirement(text) for text in extras.pop("all"))
    extras.pop("dev")

    assert everything.name == PROJECT["name"]
    assert everything.extras == set(extras)
    page = (ROOT / "docs/administrator.md").read_text(encoding="utf-8")
    assert [name for name in ("all", *extras) if f"| `{name}` |" not in page] == []


def test_the_locks_satisfy_every_requirement() -> None:
    """What users, developers and the container ask for is locked in versions that its range allows."""
    for lock, extras in (
        ("requirements.lock", [*PROJECT["optional-dependencies"]]),
        ("container/requirements.lock", []),
    ):
        versions = locked(lock)
        texts = [
            *PROJECT["dependencies"],
            *(text for name in extras for text in PROJECT["optional-dependencies"][name]),
        ]
        wanted = declared(texts) | {name: SpecifierSet() for name in environment() if name not in ("python", "pip")}
        wanted.pop(PROJECT["name"], None)
        for name, specifier in wanted.items():
            assert versions.get(name), f"{name} is not in {lock}: run make lock"
            assert all(version in specifier for version in versions[name]), name
    for name, specifier in environment().items():
        if name not in ("python", "pip"):
            assert all(version in specifier for version in locked()[name]), name


def test_the_container_has_the_locked_versions_and_no_tools() -> None:
    """It is a part of the whole lock, without tools of development, and is built by what builds any wheel."""
    whole, container = locked(), locked("container/requirements.lock")

    assert {name: versions for name, versions in container.items() if whole.get(name) != versions} == {}
    tools = {"mypy", "ruff", "pytest", "hypothesis", "playwright", "snakefmt", "uv", "anndata"}
    assert not tools & container.keys()
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    asked = (ROOT / "container/build.in").read_text(encoding="utf-8").splitlines()
    assert [line for line in asked if not line.startswith("#")] == build
    assert locked("container/build.lock")["hatchling"] == whole["hatchling"]


def test_every_recipe_of_the_container_runs_the_same_steps() -> None:
    """Dockerfile, Apptainer definition and the trial in a chroot take the same files and call the same script."""
    folder = ROOT / "container"
    texts = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir() if path.suffix != ".lock"}
    allowed = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    copied = re.findall(r"^    (\S+) /usr/src/cd40l-flow/\1$", texts["cd40l-flow.def"], re.MULTILINE)

    assert sorted(allowed) == sorted(copied)
    assert all((ROOT / name).exists() for name in allowed)
    for name in ("Dockerfile", "cd40l-flow.def", "try_in_chroot.sh"):
        assert "/usr/src/cd40l-flow/container/install.sh" in texts[name], name
    bases = [
        re.search(pattern, texts[name], re.MULTILINE)
        for name, pattern in (("Dockerfile", r"^FROM (\S+)$"), ("cd40l-flow.def", r"^From: (\S+)$"))
    ]
    assert {found[1] for found in bases if found} == {"debian:bookworm-slim"}


def test_the_lock_is_exact_and_names_no_host() -> None:
    """Every entry has one version and hashes; no address of a registry and no path of a machine is in it."""
    text = "".join(
        (ROOT / name).read_text(encoding="utf-8")
        for name in ("requirements.lock", "container/requirements.lock", "container/build.lock")
    )
    entries = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).strip())

    assert all(re.match(r"[a-z0-9._-]+==\S+ (; [^\\]+)?\\\n    --hash=sha256:", entry) for entry in entries)
    for forbidden in ("://", "--index", "--extra-index", "--find-links", "file:", " @ ", "/"):
        assert forbidden not in text, forbidden


def test_the_version_is_stated_once() -> None:
    """The package holds the version; the citation repeats it because its format must."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))

    assert "version" not in PROJECT
    assert citation["version"] == __version__
    assert citation["license"] == PROJECT["license"]
