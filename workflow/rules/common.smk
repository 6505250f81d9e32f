# The plan: sheets and configuration, read once. A mistake in them stops here, with a list of all problems.
import hmac
import json
import os
import sys
import time
from functools import cache
from math import ceil
from pathlib import Path

from snakemake.common.configfile import load_configfile
from snakemake.exceptions import WorkflowError

from cd40l_flow import ENGINE_VERSION
from cd40l_flow.base.errors import InputsError
from cd40l_flow.cohort.job import JOBS, PART_NAMES, directory_key, job_path, part_digests, planned, read_job, write_job
from cd40l_flow.cohort.plan import load_plan
from cd40l_flow.fcs.probe import content_digest, probe
from cd40l_flow.result.making.failed import failures
from cd40l_flow.result.problems import write_problems
from cd40l_flow.result.reviews.files import LEDGER, files_by_sample, fingerprints, review_files
from cd40l_flow.result.reviews.ledger import ledger_of, read_ledger, take_up
from cd40l_flow.runtime.course import note_plan
from cd40l_flow.runtime.run_end import RETRIES, end_of_run, start_of_run
from cd40l_flow.runtime.scheduler import CORES, export_cores, group_names, settle
from cd40l_flow.runtime.worker import start as start_worker

# One file defines the analysis, and cd40l-flow reads the same one: values from elsewhere would be silently ignored.
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
            f"cd40l-flow as a module: what config: gives it differs from {CONFIG_FILE}, the file it reads. "
            'Name its own configuration file, as config: {"configfile": "config/cd40l.yaml"}.'
        )
elif workflow.config_settings.config or len(workflow.configfiles) > 1:
    raise WorkflowError(
        "--config, or more than one --configfile: cd40l-flow reads one configuration file, and these values would be "
        "left out. Write every key into that file."
    )
else:
    CONFIG_FILE = Path(workflow.configfiles[-1] if workflow.configfiles else "config/config.yaml")

# Relative to the working directory, so that a moved folder stays up to date.
CONFIG_FILE = str(CONFIG_FILE.relative_to(Path.cwd()) if CONFIG_FILE.is_relative_to(Path.cwd()) else CONFIG_FILE)

try:
    PLAN = load_plan(CONFIG_FILE)
except InputsError as error:
    write_problems(error.problems, Path("results/check.json"))
    raise WorkflowError(str(error)) from None

SAMPLES = list(PLAN.samples)
CONTROLS = [name for name, sample in PLAN.samples.items() if sample.role == "control"]
SUBJECTS = sorted({sample.subject for sample in PLAN.samples.values() if sample.subject})
# The process that plans takes up what was signed since the last run; whoever reads a review finds it in the ledger.
if workflow.is_main_process and not workflow.output_settings.dryrun:
    note_plan(PLAN)
    for problem in take_up(PLAN.config.reviews, PLAN.samples, time.time()):
        print(f"warning: {problem}", file=sys.stderr)
TAKEN_UP = read_ledger(ledger_of(PLAN.config.reviews))
REVIEWS = {sample: [str(path) for path in files] for sample, files in files_by_sample(PLAN.config.reviews).items()}


# Processes of a submission do not know the number of retries, which the start of a run exports, nor that of cores.
os.environ.setdefault(RETRIES, "0")
export_cores(workflow)


envvars:
    RETRIES,
    CORES,


# Limited within a submission, but not on one machine and not on the whole cluster.
resource_scopes:
    at_once="local",


wildcard_constraints:
    sample="[A-Za-z0-9][A-Za-z0-9._-]*",


# Files of users are no `input:` of any rule: Snakemake would judge them by their dates, which are independent of their
# content, and a date ahead of the clock fails the job. Digests of the content are in `params:`.
look = cache(probe)
WRITES = workflow.is_main_process and not workflow.output_settings.dryrun
KEY = directory_key(create=WRITES)


@cache
def plan_of(sample):
    """The job of a sample with the probes of its files, written for the steps.

    Only the process that plans looks at the files: those that it starts on a cluster take what it saw.
    """
    if not workflow.is_main_process and job_path(sample).exists():
        return read_job(job_path(sample))
    job = planned(PLAN.job(sample), look)
    if WRITES:
        write_job(job)
    return job


@cache
def tried(sample, step):
    """The number of failures of a sample's step in earlier runs: a new failure makes it run again."""
    return sum(name == step for name, _ in failures(Path("results/samples") / sample))


@cache
def parts_of(sample):
    """A digest for each part of what a sample's result depends on."""
    theirs = [plan_of(name).digest for name in sorted(PLAN.controls[sample])] if not is_control(sample) else []
    failed = [tried(name, "analyse") for name in (sample, *sorted(PLAN.controls[sample]))]
    digests = part_digests(plan_of(sample), KEY)
    digests["files_of_controls"] = f"files_of_controls {hashed(theirs)}"
    digests["failures"] = f"failures {failed}"
    return digests


def part(name):
    """The digest of one part, with its name: Snakemake shows which part has changed, but no value."""
    return lambda wildcards: parts_of(wildcards.sample)[name]


PARTS = {name: part(name) for name in (*PART_NAMES, "files_of_controls", "failures")}


def hashed(value):
    """A short digest of plain values, for this working directory."""
    return hmac.new(KEY, repr(value).encode(), "sha256").hexdigest()[:16]


def literally(value):
    """A literal parameter: Snakemake would read {x} in the name of a folder as a wildcard."""
    return lambda wildcards: value


@cache
def settled():
    """Settings of Snakemake for this process, made while input is looked for: after it is known what runs where."""
    settle(workflow)


def is_control(sample):
    """Whether a sample is a control."""
    return PLAN.samples[sample].role == "control"


def job_file(wildcards):
    """The path of a sample's job; its content is in no command, log or metadata of Snakemake."""
    plan_of(wildcards.sample)
    return str(job_path(wildcards.sample))


def sample_reviews(wildcards):
    """The reviews of a sample and of its controls; only its report, the summary and the index depend on them."""
    return [path for name in signed_with(wildcards.sample) for path in REVIEWS.get(name, [])]


def signed_with(sample):
    """A sample and the controls whose reviews count for its own."""
    return [sample, *([] if is_control(sample) else sorted(PLAN.controls[sample]))]


def sample_reviews_seen(wildcards):
    """Digests of the reviews of a sample and its controls, and of what the ledger holds of them."""
    taken = [line.review for line in TAKEN_UP.of(signed_with(wildcards.sample))]
    return [*fingerprints(sample_reviews(wildcards)), f"ledger {hashed(taken)}"]


def ledger():
    """Where the ledger of the reviews lies; nothing where there is no folder of reviews."""
    return str(Path(PLAN.config.reviews) / LEDGER) if PLAN.config.reviews else []


def reviewers():
    """Who may sign, as the commands take it."""
    return json.dumps([dict(person) for person in PLAN.config.reviewers], sort_keys=True, ensure_ascii=False)


def all_reviews():
    """The reviews of all samples, also those without a known sample."""
    return sorted(path for files in REVIEWS.values() for path in files)


def reviews_seen():
    """A digest of all reviews, their names and their ledger."""
    return hashed([all_reviews(), fingerprints(all_reviews()), TAKEN_UP])


def sheets_seen():
    """A digest of the sheets, and of files among the reviews that are none."""
    paths = [path for path in (PLAN.config.samples, PLAN.config.tubes, PLAN.config.overrides) if path]
    strange = [str(problem) for problem in review_files(PLAN.config.reviews)[1]]
    return hashed([[content_digest(path) for path in paths], strange])


def files_seen():
    """A digest of all FCS files."""
    return hashed([(tube.path, look(tube.path)) for sample in PLAN.samples.values() for tube in sample.tubes])


def size_of(path):
    """The size of a file, bytes; 0 for a missing one."""
    return Path(path).stat().st_size if Path(path).exists() else 0


def file_sizes(wildcards):
    """The sizes of the files that a sample's analysis reads."""
    return [size_of(path) for path in PLAN.files(wildcards.sample)]


def tries_left(wildcards, attempt):
    """The number of retries of a killed job; only the last failure becomes its output."""
    return max(0, int(os.environ[RETRIES]) + 1 - attempt)


@cache
def groups():
    """The group of each sample that has something to be done; known once Snakemake knows what that is."""
    return group_names(workflow, SAMPLES, lambda sample: [] if is_control(sample) else PLAN.controls[sample])


def batch(wildcards):
    """The group of a sample's jobs for executors that submit several as one; controls come first."""
    return groups().get(wildcards.sample, "samples")


# Memory of what a step shares its submission with, MB: measured 430 for two nested Snakemakes and the worker. Slurm may count
# pages that the worker and a step share twice, which is reckoned with.
SUBMISSION_MEMORY = 650


def analysis_memory(wildcards, attempt):
    """Memory of an analysis, MB: measured 205 plus 2.6 for each MB of its files; the rest is reserve.

    What has run out of memory gets more at each attempt.
    """
    return round((SUBMISSION_MEMORY + 250 + 12 * sum(file_sizes(wildcards)) / 1e6) * attempt)


def analysis_minutes(wildcards, attempt):
    """The time limit of an analysis: measured 0.9 s and 0.07 s for each MB of its files; tenfold."""
    return (1 + ceil(sum(file_sizes(wildcards)) / 60e6)) * attempt


def export_memory(wildcards, attempt):
    """Memory of an export, MB: measured 190 plus 20 for each MB of its largest file, and half as much in reserve."""
    return round((SUBMISSION_MEMORY + 250 + 30 * max(file_sizes(wildcards), default=0) / 1e6) * attempt)


def report_memory(wildcards, attempt):
    """Memory of a report, MB: measured 170."""
    return (SUBMISSION_MEMORY + 250) * attempt


def own_result(wildcards):
    """The result of a sample, for the steps after its analysis."""
    settled()
    return f"results/samples/{wildcards.sample}/result.json"


def shown_controls(wildcards):
    """The results of the controls shown on a sample's report."""
    return expand("results/samples/{control}/result.json", control=sorted(PLAN.controls[wildcards.sample]))


def control_results(wildcards):
    """The results of a test sample's controls; a control is measured together with the others of its run."""
    settled()
    return [] if is_control(wildcards.sample) else shown_controls(wildcards)


def run_of(wildcards):
    """The run of a sample, under which Snakemake's report lists it."""
    return PLAN.samples[wildcards.sample].run


def labels_of(wildcards):
    """The label of a sample in Snakemake's report."""
    sample = PLAN.samples[wildcards.sample]
    return {"sample": sample.sample, "role": sample.role}


def shown_densities(wildcards):
    """The arrays for the figures of those controls."""
    return expand("results/samples/{control}/densities.npz", control=sorted(PLAN.controls[wildcards.sample]))
