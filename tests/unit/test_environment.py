"""environment.yml, pyproject.toml and requirements.lock name the same packages in compatible versions."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from cd40l_flow import __version__

ROOT = Path(__file__).resolve().parents[2]
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
            found |= declared(entry["pip"])
        else:
            name, _, versions = entry.partition(" ")
            found[CONDA_NAMES.get(name, name)] = SpecifierSet(versions)
    return found


def locked() -> dict[str, list[Version]]:
    """Return name -> versions of the lock: one, or one for each range of Python versions."""
    found: dict[str, list[Version]] = {}
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text, re.MULTILINE):
        found.setdefault(canonicalize_name(name), []).append(Version(version))
    return found


def test_the_environment_has_what_the_package_needs() -> None:
    """Conda users get the same packages in the same ranges as pip users, on the same Python."""
    needed = declared(PROJECT["dependencies"])
    offered = environment()

    assert offered.pop("python") == SpecifierSet(PROJECT["requires-python"])
    offered.pop("pip")
    assert offered == needed


def test_the_lock_satisfies_every_requirement() -> None:
    """Each package asked for, by users or developers, is locked in versions that its range allows."""
    versions = locked()
    texts = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
    for name, specifier in declared(texts).items():
        assert versions.get(name), f"{name} is not in requirements.lock: run make lock"
        assert all(version in specifier for version in versions[name]), name
    for name, specifier in environment().items():
        if name not in ("python", "pip"):
            assert all(version in specifier for version in versions[name]), name


def test_the_lock_is_exact_and_names_no_host() -> None:
    """Every entry has one version and hashes; no address of a registry and no path of a machine is in it."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).strip())

    assert all(re.match(r"[a-z0-9._-]+==\S+ (; [^\\]+)?\\\n    --hash=sha256:", entry) for entry in entries)
    for forbidden in ("://", "--index", "--extra-index", "--find-links", "file:", " @ ", "/"):
        assert forbidden not in text, forbidden


def test_the_version_is_said_once() -> None:
    """The package holds the version; the citation repeats it because its format must."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))

    assert "version" not in PROJECT
    assert citation["version"] == __version__
    assert citation["license"] == PROJECT["license"]
