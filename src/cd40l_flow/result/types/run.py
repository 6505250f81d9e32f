"""The record of one run of the workflow, ``run.json``: the one definition of its writer and its JSON Schema."""

from typing import Annotated

from msgspec import Meta

from cd40l_flow.base.records import Count, Digest, NotNegative, Record, doc, one_of
from cd40l_flow.result.types.fields import Call, Stimulation

RUN_SCHEMA_VERSION = "1.0"


class Versions(Record, frozen=True):
    """The software in use."""

    cd40l_flow: Annotated[str, doc("Version of the package.")]
    engine: Annotated[str, doc("Version of the analysis, as in result.json.")]
    python: Annotated[str, doc("Version of Python.")]
    system: Annotated[str, doc("Kind of system and processor; no name of a machine.")]
    distributions: Annotated[
        dict[str, str], doc("Every Python distribution that the package uses, directly or through another.")
    ]


class InputFile(Record, frozen=True):
    """One FCS file, named by its place in the sheets, for the name of a file may hold that of a person."""

    sample: Annotated[str, doc("Sample of the sheet.")]
    tube: Annotated[int, Meta(ge=1), doc("Place of the tube among `tubes` of the sample's result.json, from 1.")]
    stimulation: Annotated[Stimulation, doc("As the sheet says.")]
    reagent: Annotated[str, doc("As the sheet says.")]
    content: Annotated[
        Digest | None,
        doc(
            "What the result was made of: the digest of `inputs.files` in result.json, over every byte (SHA-256 of the "
            "bytes outside DATA and of DATA's own SHA-256, of the whole file where it has none); null where it is "
            "missing or the sample has no present result."
        ),
    ]


class OutputFile(Record, frozen=True):
    """One file that the run made, or found up to date."""

    path: Annotated[str, doc("Path within results/.")]
    bytes: Annotated[Count, doc("Size.")]
    sha256: Annotated[Digest, doc("SHA-256 of the file.")]


class Run(Record, frozen=True):
    """One run of the workflow on a whole cohort: versions, digests and counts; no name, machine or absolute path."""

    schema_version: Annotated[Annotated[str, Meta(pattern="^1\\.[0-9]+$")], doc("Version of this schema.")]
    state: Annotated[
        Annotated[str, one_of("success", "failure")],
        doc("failure where a sample or a step failed, or an analysis was not begun."),
    ]
    started: Annotated[
        Annotated[str, Meta(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$(?!\n)")],
        doc("When its first step could begin, UTC."),
    ]
    seconds: Annotated[NotNegative, doc("How long it took until its last step had ended.")]
    steps: Annotated[
        dict[str, Count], doc("Steps that this run did, by stage; what was up to date already is not done again.")
    ]
    samples: Annotated[Count, doc("Samples of the sheet.")]
    calls: Annotated[dict[Call, Count], doc("Number of samples with each automatic call.")]
    failed: Annotated[list[str], doc("Samples of which a step failed.")]
    unbegun: Annotated[list[str], doc("Samples whose analysis was not begun.")]
    versions: Annotated[Versions, doc("The software in use.")]
    configuration: Annotated[
        dict[str, Digest],
        doc(
            "SHA-256 of the configuration file and of what it names, as they were when the run was planned: "
            "configuration, samples, tubes, overrides, reference, spillover, panels.NAME.spillover, ledger; a file "
            "that is not there is left out."
        ),
    ]
    inputs: Annotated[list[InputFile], doc("Every tube of the sheet, by sample.")]
    outputs: Annotated[list[OutputFile], doc("Every file that the rules make and that is there, by path.")]
