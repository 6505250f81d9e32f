"""How a report was made; the only place where the time of day may appear."""

from __future__ import annotations

from datetime import UTC, datetime

from cd40l_flow import ENGINE_VERSION, __version__
from cd40l_flow.base.software import distribution_version, python_version

PACKAGES = (
    *("numpy", "scipy", "scikit-learn", "FlowIO", "FlowUtils", "FlowKit", "matplotlib", "msgspec"),
    *("Jinja2", "lxml", "snakemake"),
)


def provenance() -> dict[str, str]:
    """Return label -> value: versions of the software and when the report was written (UTC)."""
    return {"Report written": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")} | software()


def software() -> dict[str, str]:
    """Return label -> version of the software that makes results and reports."""
    versions = {"cd40l-flow": f"{__version__} (engine {ENGINE_VERSION})", "Python": python_version()}
    return versions | {name: distribution_version(name) for name in PACKAGES}
