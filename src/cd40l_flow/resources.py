"""Where the files lie that the package shares with the workflow: schemas, rules, report captions."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def workflow_file(name: str) -> Path:
    """Return the path of a file of the workflow folder, as ``schemas/config.schema.yaml``.

    An installed wheel carries the folder inside the package; a checkout has it at its root. Raises FileNotFoundError.
    """
    for folder in (_PACKAGE / "workflow", _PACKAGE.parents[1] / "workflow"):
        path = folder / name
        if path.exists():
            return path
    raise FileNotFoundError(f"the installation lacks workflow/{name}")
