"""The versions of the software in use."""

from __future__ import annotations

import platform
import re
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, requires, version

PACKAGE = "cd40l-flow"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_EXTRA = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")


@cache
def distributions() -> dict[str, str]:
    """Return name -> version of every distribution that the package uses, directly or through another, by name.

    Optional ones, such as the plugin of a cluster, are among them where they are installed; tools of development are
    not. Raises PackageNotFoundError where the package itself is not installed.
    """
    found: dict[str, str] = {}
    waiting = [_named(line) for line in requires(PACKAGE) or () if _EXTRA.findall(line) != ["dev"]]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            metadata = distribution(name).metadata
        except PackageNotFoundError:
            continue  # of other systems or versions of Python, or an optional one
        found[name] = metadata["Version"]
        waiting += [_named(line) for line in metadata.get_all("Requires-Dist") or () if not _EXTRA.search(line)]
    return dict(sorted(found.items()))


@cache
def distribution_version(name: str) -> str:
    """Return the version of one distribution; what is installed does not change while a process runs."""
    return version(name)


def python_version() -> str:
    """Return the version of Python."""
    return platform.python_version()


def system() -> str:
    """Return kind of system and processor, as ``Linux x86_64``; neither names a machine."""
    return f"{platform.system()} {platform.machine()}"


def _named(requirement: str) -> str:
    """Return the name of a requirement, normalised as package indexes do it."""
    name = _NAME.match(requirement)
    return re.sub(r"[-_.]+", "-", name[0]).lower() if name else requirement
