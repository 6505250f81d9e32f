"""What a report says of how it was made; the only place where the time of day may stand."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version

from cd40l_flow import ENGINE_VERSION, __version__

PACKAGES = ("numpy", "scipy", "scikit-learn", "Jinja2")


def provenance() -> dict[str, str]:
    """Return label -> value: versions of the software and when the report was written (UTC)."""
    return {"Report written": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")} | software()


@cache
def software() -> dict[str, str]:
    """Return label -> version of the software; what is installed does not change while this process runs."""
    versions = {
        "cd40l-flow": f"{__version__} (engine {ENGINE_VERSION})",
        "Python": platform.python_version(),
    }
    return versions | {name: version(name) for name in PACKAGES}
