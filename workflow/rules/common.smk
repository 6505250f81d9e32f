# The plan: sheets and configuration, read once. A mistake in them stops here, with every problem told at once.
import os
from pathlib import Path

from snakemake.exceptions import WorkflowError

from cd40l_flow import ENGINE_VERSION
from cd40l_flow.errors import InputsError
from cd40l_flow.inputs.plan import job_to_json, load_plan
from cd40l_flow.outputs.problems import write_problems

# One file says what is analysed, and cd40l-flow reads the same one: values from elsewhere would be silently left out.
if workflow.config_settings.config or len(workflow.configfiles) > 1:
    raise WorkflowError(
        "--config and several --configfile are not supported: write every key into one configuration file."
    )

# Told as it lies in the working directory, so that a folder that is moved stays up to date.
CONFIG_FILE = Path(workflow.configfiles[-1] if workflow.configfiles else "config/config.yaml")
CONFIG_FILE = str(CONFIG_FILE.relative_to(Path.cwd()) if CONFIG_FILE.is_relative_to(Path.cwd()) else CONFIG_FILE)

try:
    PLAN = load_plan(CONFIG_FILE)
except InputsError as error:
    write_problems(error.problems, Path("results/check.json"))
    raise WorkflowError(str(error)) from None

SAMPLES = list(PLAN.samples)


wildcard_constraints:
    sample="[A-Za-z0-9][A-Za-z0-9._-]*",


def fcs_files(wildcards):
    """The files that a sample's analysis reads, those that exist: a missing one must not stop the others."""
    return PLAN.files(wildcards.sample)


def sizes(paths):
    """The sizes of files, bytes: a truncated file that is replaced by a whole but older one must be read again too."""
    return [os.path.getsize(path) for path in sorted(set(paths))]


def file_sizes(wildcards):
    """The sizes of the files that a sample's analysis reads."""
    return sizes(PLAN.files(wildcards.sample))


def job(wildcards):
    """Everything else that a sample's result depends on; a change of it reruns this sample."""
    return job_to_json(PLAN.job(wildcards.sample))


def shown_controls(wildcards):
    """The results of the controls that a sample's report shows beside it."""
    return expand("results/samples/{control}/result.json", control=sorted(PLAN.controls[wildcards.sample]))


def control_results(wildcards):
    """The results that a test sample is judged against; a control is measured together with the others of its run."""
    return [] if PLAN.samples[wildcards.sample].role == "control" else shown_controls(wildcards)


def shown_densities(wildcards):
    """What the figures of those controls are drawn from."""
    return expand("results/samples/{control}/densities.npz", control=sorted(PLAN.controls[wildcards.sample]))
