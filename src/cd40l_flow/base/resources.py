"""Where the files lie that the package shares with the workflow: schemas, rules, report captions, profiles.

They are read from disk every time: a cached copy could be out of date.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).resolve().parents[1]

# What a working directory needs to be run by its own `snakemake`; the rules stay in the installed package.
_SNAKEFILE = """\
# The workflow of the installed cd40l-flow. Start it in the folder above: snakemake --cores 8
# Rules of your own may follow: they see results/ like any other file.
from cd40l_flow.snakefile import end_of_run, start_of_run, start_worker, workflow_file


# No worker on a cluster: there every submission starts its own processes.
onstart:
    start_of_run(workflow)
    if workflow.local_exec:
        start_worker()


onsuccess:
    end_of_run(workflow, complete=True)


onerror:
    end_of_run(workflow, complete=False)


module cd40l:
    snakefile:
        str(workflow_file("Snakefile"))


use rule * from cd40l
"""
_COPIED = (
    *(f"profiles/{name}/profile.yaml" for name in ("default", "slurm", "cluster-generic")),
    "profiles/cluster-generic/status.sh",
    "config/README.md",
)


def workflow_file(name: str) -> Path:
    """Return the path of a file of the workflow folder, as ``schemas/config.schema.yaml``.

    Raises FileNotFoundError.
    """
    return shared_file(f"workflow/{name}")


def shared_file(name: str) -> Path:
    """Return the path of a file as it lies in the project, as ``profiles/default/profile.yaml``.

    An installed wheel carries what is needed inside the package; a checkout has it at its root. Raises
    FileNotFoundError.
    """
    for folder in (_PACKAGE, _PACKAGE.parents[1]):
        path = folder / name
        if path.exists():
            return path
    raise FileNotFoundError(f"{name} is not in this installation of cd40l-flow. Install the package again.")


def read_yaml(text: str) -> Any:
    """Parse YAML with the compiled parser where there is one; raises ``yaml.YAMLError``."""
    import yaml

    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def shipped(path: Path) -> Any:
    """Return the content of a JSON or YAML file of the package."""
    text = path.read_text(encoding="utf-8")
    return json.loads(text) if path.suffix == ".json" else read_yaml(text)


def working_files() -> dict[str, str]:
    """Return path -> text of what a new working directory gets besides its sheets: Snakefile, profiles, the manual."""
    copied = {name: shared_file(name).read_text(encoding="utf-8") for name in _COPIED}
    # Links to what stays in the project lead nowhere from a working directory: their words remain.
    copied = {name: re.sub(r"\[([^\]]+)\]\(\.\./[^)]*\)", r"\1", text) for name, text in copied.items()}
    return {"workflow/Snakefile": _SNAKEFILE, **copied}
