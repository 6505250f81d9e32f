"""A run of the workflow as an RO-Crate: metadata in the form of Workflow Run Crate 0.5, made from the run's record.

Source: https://w3id.org/ro/wfrun/workflow/0.5, on RO-Crate 1.1 and Workflow RO-Crate 1.0. Outputs are files of the
crate. Inputs stay where they are and are identified by their digests, for their names may be those of people.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cd40l_flow.assay.citations import references
from cd40l_flow.base.disk import write_atomically
from cd40l_flow.base.errors import Cd40lFlowError
from cd40l_flow.base.resources import workflow_file
from cd40l_flow.fcs.probe import content_digest
from cd40l_flow.result.runs.record import RUN_FILE, read_run
from cd40l_flow.result.types.run import Run

METADATA = "ro-crate-metadata.json"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
# Terms beyond RO-Crate's own, such as sha256.
CONTEXT = "https://w3id.org/ro/terms/workflow-run/context"
BIOSCHEMAS = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
BSD = "https://spdx.org/licenses/BSD-3-Clause"
UNLICENSED = "No license: results of people's samples, only for those who may see them."
_KINDS = {
    **{
        ".json": "application/json",
        ".html": "text/html",
        ".tsv": "text/tab-separated-values",
        ".xml": "application/xml",
    },
    **{".wsp": "application/xml", ".npz": "application/zip", ".yml": "application/yaml"},
}


def write_crate(folder: Path, licence: str = UNLICENSED) -> int:
    """Write the metadata of a results folder, and a copy of the workflow's rules into it; return the number of files.

    ``licence`` is the URL of a licence, or words. Raises Cd40lFlowError where the library is missing, there is no
    record of a run, or a file is not the one in the record.
    """
    run = read_run(folder / RUN_FILE)
    changed = [one.path for one in run.outputs if content_digest(folder / one.path) != one.sha256]
    if changed:
        few = ", ".join(changed[:5]) + (", ..." if len(changed) > 5 else "")
        raise Cd40lFlowError(
            f"{folder / RUN_FILE}: {len(changed)} of its files are not there or are others now ({few}). "
            "Record the present ones: snakemake --cores 8 --forcerun summarize."
        )
    rules = _rules()
    for name, source in rules.items():
        write_atomically(folder / name, source.read_bytes())
    content = json.dumps(_metadata(run, folder, rules, licence), indent=1, sort_keys=True, ensure_ascii=False)
    write_atomically(folder / METADATA, content + "\n")
    return len(run.outputs)


def _rules() -> dict[str, Path]:
    """Return place in the crate -> file of the workflow: what the run was made by, to be read."""
    top = workflow_file("Snakefile")
    return {"workflow/Snakefile": top} | {
        f"workflow/rules/{path.name}": path for path in sorted((top.parent / "rules").glob("*.smk"))
    }


def _metadata(run: Run, folder: Path, rules: dict[str, Path], licence: str) -> dict[str, Any]:
    try:
        from rocrate.model.contextentity import ContextEntity
        from rocrate.rocrate import ROCrate
    except ImportError:
        raise Cd40lFlowError("a crate needs the library rocrate: pip install 'cd40l-flow[crate]'.") from None

    def entity(identifier: str, kind: str, **values: Any) -> Any:
        return crate.add(ContextEntity(crate, identifier, properties={"@type": kind, **values}))

    def file(path: str, **values: Any) -> Any:
        encoding = _KINDS.get(Path(path).suffix, "text/plain")
        return crate.add_file(folder / path, path, properties={"encodingFormat": encoding, **values})

    with warnings.catch_warnings():
        # Of files whose names the library warns about.
        warnings.simplefilter("ignore")
        crate = ROCrate(version="1.1")
        crate.metadata.extra_contexts.append(CONTEXT)
        crate.name = f"Run of cd40l-flow on {run.samples} samples"
        crate.description = (
            "Gates, measures and calls of flow-cytometry tests for hyper-IgM syndromes, from FCS files. Research use "
            "only. Samples have the ids of the laboratory's sheets; inputs are identified by their digests and are not "
            "part of the crate."
        )
        crate.datePublished = _ended(run)
        crate.license = _licence(licence, entity)
        crate.root_dataset["conformsTo"] = [
            entity(uri, "CreativeWork", name=name, version=version) for uri, (name, version) in PROFILES.items()
        ]
        workflow = crate.add_workflow(
            folder / "workflow/Snakefile", "workflow/Snakefile", main=True, lang="snakemake", properties=_workflow(run)
        )
        workflow["license"] = entity(BSD, "CreativeWork", name="BSD 3-Clause License")
        workflow["creator"] = entity("#developers", "Organization", name="The cd40l-flow developers")
        workflow["hasPart"] = [
            file(
                name,
                **{
                    "@type": ["File", "SoftwareSourceCode"],
                    "name": Path(name).name,
                    "version": run.versions.cd40l_flow,
                },
            )
            for name in rules
            if name != "workflow/Snakefile"
        ]
        workflow["citation"] = [
            entity(one.url, "ScholarlyArticle", name=one.text) for one in references().values() if one.url
        ]
        workflow["softwareRequirements"] = list(_software(run, entity))
        files = [
            file(one.path, name=one.path, contentSize=str(one.bytes), sha256=one.sha256, dateModified=_ended(run))
            for one in run.outputs
        ]
        inputs = _inputs(run, entity)
        for slot, examples in inputs.items():
            _slot(crate, workflow, "input", slot, "PropertyValue", examples)
        _slot(crate, workflow, "output", "results", "File", files)
        record = file(RUN_FILE, name="Record of the run", description="Versions, digests and counts.")
        action = crate.add_action(
            workflow,
            "#run",
            object=[value for examples in inputs.values() for value in examples],
            result=files,
            properties={
                "name": f"cd40l-flow on {run.samples} samples",
                "description": ", ".join(f"{number} {call}" for call, number in run.calls.items() if number),
                "startTime": _time(datetime.fromisoformat(run.started)),
                "endTime": _ended(run),
                "actionStatus": f"http://schema.org/{'Completed' if run.state == 'success' else 'Failed'}ActionStatus",
            },
        )
        if run.state == "failure":
            action["error"] = f"{len(run.failed)} samples failed, {len(run.unbegun)} were not begun."
        record["about"] = action
        crate.root_dataset["mentions"] = action
        metadata: dict[str, Any] = crate.metadata.generate()
    return metadata


def _workflow(run: Run) -> dict[str, Any]:
    return {
        "name": "cd40l-flow",
        "version": run.versions.cd40l_flow,
        "description": "From FCS files to gates, measures, calls and reports of tests for hyper-IgM syndromes.",
        "encodingFormat": "text/plain",
        "conformsTo": {"@id": BIOSCHEMAS},
    }


def _licence(licence: str, entity: Any) -> Any:
    place = licence if licence.startswith(("https://", "http://")) else "#license"
    return entity(place, "CreativeWork", name=licence, description="License of the results.")


def _software(run: Run, entity: Any) -> Iterable[Any]:
    """Yield the software that was used, with its versions."""
    versions = {"cd40l-flow": run.versions.cd40l_flow, "python": run.versions.python} | run.versions.distributions
    for name, version in versions.items():
        yield entity(f"#{name}", "SoftwareApplication", name=name, version=version)


def _inputs(run: Run, entity: Any) -> dict[str, list[Any]]:
    """Return slot -> values: configuration and sheets, and the tubes that were there, each by its digest."""
    slots = {
        what: [entity(f"#input-{what}", "PropertyValue", name=f"SHA-256 of {what}", value=digest)]
        for what, digest in run.configuration.items()
    }
    tubes = [
        entity(
            f"#input-{one.sample}-tube-{one.tube}",
            "PropertyValue",
            name=f"{one.sample}, tube {one.tube}: {one.stimulation} {one.reagent}",
            description="Digest of the FCS file as inputs.files of the sample's result.json has it.",
            value=one.content,
        )
        for one in run.inputs
        if one.content is not None
    ]
    return slots | ({"fcs": tubes} if tubes else {})


def _slot(crate: Any, workflow: Any, side: str, name: str, kind: str, examples: list[Any]) -> None:
    """Add an input or output of the workflow, with what it was in this run."""
    slot = crate.add_formal_parameter(name, kind, identifier=f"#slot-{name}", valueRequired=True)
    slot["workExample"] = examples if len(examples) > 1 else examples[0]
    for one in examples:
        one["exampleOfWork"] = slot
    workflow.append_to(side, slot)


def _ended(run: Run) -> str:
    """Return when a run had ended, UTC."""
    end = datetime.fromisoformat(run.started) + timedelta(seconds=run.seconds)
    return _time(end)


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
