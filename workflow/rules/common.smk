# The plan: sheets and configuration, read once. A mistake in them stops here, with every problem told at once.
import os
from math import ceil
from pathlib import Path

from snakemake.common.configfile import load_configfile
from snakemake.exceptions import WorkflowError

from cd40l_flow import ENGINE_VERSION
from cd40l_flow.errors import InputsError
from cd40l_flow.inputs.job import job_to_json
from cd40l_flow.inputs.plan import load_plan
from cd40l_flow.outputs.problems import write_problems
from cd40l_flow.outputs.reviews import files_by_sample, fingerprints, review_files
from cd40l_flow.worker import start as start_worker
from cd40l_flow.scheduler import lift_rate_limit

# One file says what is analysed, and cd40l-flow reads the same one: values from elsewhere would be silently left out.
AS_MODULE = workflow.modifier.namespace is not None
if AS_MODULE:
    if workflow.modifier.path_modifier.prefix or workflow.modifier.path_modifier.modifies_prefixes:
        raise WorkflowError(
            "cd40l-flow as a module: prefix: and replace_prefix: are not supported, for its commands know where their "
            "results lie. Take them out; the results are written to results/ of the working directory."
        )
    CONFIG_FILE = Path(config.get("configfile", (config and workflow.configfiles or ["config/config.yaml"])[-1]))
    if set(config) - {"configfile"} and (not CONFIG_FILE.is_file() or config != load_configfile(CONFIG_FILE)):
        raise WorkflowError(
            f"cd40l-flow as a module: what config: gives it is not what stands in {CONFIG_FILE}, the file it reads. "
            'Name its own configuration file, as config: {"configfile": "config/cd40l.yaml"}.'
        )
elif workflow.config_settings.config or len(workflow.configfiles) > 1:
    raise WorkflowError(
        "--config, or more than one --configfile: cd40l-flow reads one configuration file, and these values would be "
        "left out. Write every key into that file."
    )
else:
    CONFIG_FILE = Path(workflow.configfiles[-1] if workflow.configfiles else "config/config.yaml")

# Told as it lies in the working directory, so that a folder that is moved stays up to date.
CONFIG_FILE = str(CONFIG_FILE.relative_to(Path.cwd()) if CONFIG_FILE.is_relative_to(Path.cwd()) else CONFIG_FILE)

try:
    PLAN = load_plan(CONFIG_FILE)
except InputsError as error:
    write_problems(error.problems, Path("results/check.json"))
    raise WorkflowError(str(error)) from None

SAMPLES = list(PLAN.samples)
CONTROLS = [name for name, sample in PLAN.samples.items() if sample.role == "control"]
REVIEWS = {sample: [str(path) for path in files] for sample, files in files_by_sample(PLAN.config.reviews).items()}


wildcard_constraints:
    sample="[A-Za-z0-9][A-Za-z0-9._-]*",


def fcs_files(wildcards):
    """The files that a sample's analysis reads, those that exist: a missing one must not stop the others."""
    return PLAN.files(wildcards.sample)


def sizes(paths):
    """The sizes of files, bytes: a truncated file that is replaced by a whole but older one must be read again too."""
    return [os.path.getsize(path) for path in sorted(set(paths))]


def sample_reviews(wildcards):
    """The reviews of a sample; only its report, the summary and the index depend on them."""
    return REVIEWS.get(wildcards.sample, [])


def all_reviews():
    """The reviews of all samples, also those that do not tell which."""
    return sorted(path for files in REVIEWS.values() for path in files)


def file_sizes(wildcards):
    """The sizes of the files that a sample's analysis reads."""
    return sizes(PLAN.files(wildcards.sample))


def batch(wildcards):
    """The group of a sample's jobs where an executor submits several of them as one; controls go before the others."""
    return "controls" if PLAN.samples[wildcards.sample].role == "control" else "samples"


def analysis_memory(wildcards, attempt):
    """What Slurm must grant an analysis, MB: measured 60 and 2.6 for each MB of its files; the rest is to spare.

    Two nested Snakemakes in the same submission take 250 more. What has run out of memory gets more at each attempt.
    """
    return round((500 + 12 * sum(file_sizes(wildcards)) / 1e6) * attempt)


def analysis_minutes(wildcards, attempt):
    """The time limit of an analysis: measured 0.9 s and 0.07 s for each MB of its files; tenfold."""
    return (1 + ceil(sum(file_sizes(wildcards)) / 60e6)) * attempt


def export_memory(wildcards, attempt):
    """What Slurm must grant an export, MB: measured 190 and 20 for each MB of its largest file, with half as much to spare."""
    return round((500 + 30 * max(file_sizes(wildcards), default=0) / 1e6) * attempt)


def job(wildcards):
    """Everything else that a sample's result depends on; a change of it reruns this sample."""
    return job_to_json(PLAN.job(wildcards.sample))


def shown_controls(wildcards):
    """The results of the controls that a sample's report shows beside it."""
    return expand("results/samples/{control}/result.json", control=sorted(PLAN.controls[wildcards.sample]))


def control_results(wildcards):
    """The results that a test sample is judged against; a control is measured together with the others of its run."""
    return [] if PLAN.samples[wildcards.sample].role == "control" else shown_controls(wildcards)


def run_of(wildcards):
    """The run of a sample, under which Snakemake's report lists it."""
    return PLAN.samples[wildcards.sample].run


def labels_of(wildcards):
    """What Snakemake's report lists of a sample."""
    sample = PLAN.samples[wildcards.sample]
    return {"sample": sample.sample, "role": sample.role}


def shown_densities(wildcards):
    """What the figures of those controls are drawn from."""
    return expand("results/samples/{control}/densities.npz", control=sorted(PLAN.controls[wildcards.sample]))
