"""Where the files lie that the package shares with the workflow: schemas, rules, report captions, profiles.

Files that take long to read are read once and kept, as Python keeps modules: in ``__pycache__`` beside them, where that
can be written.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).resolve().parent

# What a working directory needs to be run by its own `snakemake`; the rules stay in the installed package.
_SNAKEFILE = """\
# The workflow of the installed cd40l-flow. Start it in the folder above: snakemake --cores 8
# Rules of your own may follow: they see results/ like any other file.
from cd40l_flow.ready import start as start_ready
from cd40l_flow.resources import workflow_file
from cd40l_flow.scheduler import lift_rate_limit


# Not on a cluster: there every submission starts its own processes.
onstart:
    if workflow.local_exec:
        start_ready()
        lift_rate_limit(workflow)


module cd40l:
    snakefile:
        str(workflow_file("Snakefile"))


use rule * from cd40l
"""
_COPIED = ("profiles/default/profile.yaml", "profiles/slurm/profile.yaml", "config/README.md")


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


def kept(folder: Path, *bound_to: str) -> Path:
    """Return where something made of files of a folder is kept; ``bound_to`` is everything that it was made of and by.

    Whoever changes any of that looks for it elsewhere, and makes it anew.
    """
    tag = str(sys.implementation.cache_tag)
    key = hashlib.sha256("\0".join((tag, *bound_to)).encode()).hexdigest()[:20]
    return folder / "__pycache__" / f"{key}.{tag}.kept"


def keep(place: Path, content: bytes) -> None:
    """Keep something in its place, whole or not at all; where the folder cannot be written, or should not, nothing."""
    if sys.dont_write_bytecode:
        return
    part = place.with_name(f"{place.name}.{secrets.token_hex(4)}")
    with suppress(OSError):
        place.parent.mkdir(exist_ok=True)
        part.write_bytes(content)
        part.replace(place)


def read_yaml(text: str) -> Any:
    """Parse YAML with the compiled parser where there is one; raises ``yaml.YAMLError``."""
    import yaml

    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def shipped_yaml(path: Path) -> Any:
    """Return the content of a YAML file of the package, which holds nothing that JSON cannot."""
    text = path.read_text(encoding="utf-8")
    place = kept(path.parent, path.name, text)
    with suppress(OSError, ValueError):
        return json.loads(place.read_bytes())
    content = read_yaml(text)
    keep(place, json.dumps(content).encode())
    return content


def working_files() -> dict[str, str]:
    """Return path -> text of what a new working directory gets beside its sheets: Snakefile, profiles, the manual."""
    copied = {name: shared_file(name).read_text(encoding="utf-8") for name in _COPIED}
    # Links to what stays in the project lead nowhere from a working directory: their words remain.
    copied = {name: re.sub(r"\[([^\]]+)\]\(\.\./[^)]*\)", r"\1", text) for name, text in copied.items()}
    return {"workflow/Snakefile": _SNAKEFILE, **copied}
