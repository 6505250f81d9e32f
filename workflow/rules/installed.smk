# What to install where Snakemake has not found the Python package, which plans the workflow and whose commands the rules
# call. Nothing of the package can be used here.
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod


def installation():
    """The command that installs what this workflow needs in addition to the Snakemake that runs it."""
    # Where the rules come from a web address there is no folder to install from.
    above = Path(str(workflow.current_basedir)).parent.parent
    clone = above if (above / "pyproject.toml").is_file() else "FOLDER"
    where = (
        ""
        if clone != "FOLDER"
        else "\n(FOLDER: a clone of cd40l-flow, or its wheel, of the same version as these rules)"
    )
    return f"    {sys.executable} -m pip install '{clone}'{where}"


def not_installed(error):
    """What an import that failed means for a user, and what to do."""
    missing = (error.name or "").partition(".")[0]
    try:
        found = version("cd40l-flow")
    except PackageNotFoundError:
        found = ""
    if missing == "cd40l_flow" and not found:
        what = "The Python package cd40l-flow is not installed where Snakemake runs; this workflow needs it together with Snakemake."
    elif missing == "cd40l_flow":
        what = f"The installed Python package cd40l-flow {found} does not belong to these rules: it lacks {error.name}."
    else:
        what = f"The Python package cd40l-flow {found} is installed without a library that it needs: {missing}."
    return f"{what} Install it and give the same command again:\n\n{installation()}\n"


def not_on_the_path():
    """What to do where the package is there but the shell would not find its commands."""
    folder = Path(sys.executable).parent
    return (
        "The command cd40l-flow, which the rules call, is not on the PATH. Activate the environment of this Snakemake, or "
        f"give the same command again after\n\n    export PATH={folder}:$PATH\n"
    )


def wrong_image(image):
    """What is wrong with the image of --sdm apptainer, and what to do; nothing for the right one.

    Snakemake plans with its own cd40l-flow, so the one in the image must be the same.
    """
    build = f"apptainer build {image} container/cd40l-flow.def"
    if not Path(image).exists():
        return (
            f"--sdm apptainer: {image} is not in the working directory. Build it in a clone of cd40l-flow, and put it or a "
            f"link to it there:\n\n    {build}\n"
        )
    program = shutil.which("apptainer") or shutil.which("singularity")
    if program is None:  # Snakemake reports it
        return ""
    asked = subprocess.run([program, "exec", image, "cd40l-flow", "--version"], capture_output=True, text=True)
    found, expected = asked.stdout.strip() or asked.stderr.strip()[-200:], f"cd40l-flow {version('cd40l-flow')}"
    if found == expected:
        return ""
    return (
        f"--sdm apptainer: {image} has {found!r}, and Snakemake plans with {expected!r}. Build it again in a clone of that "
        f"version:\n\n    {build}\n"
    )


def check_commands(image):
    """Stop before anything runs where the steps would not find their commands. Raises WorkflowError."""
    # workflow.dryrun is not settled yet while rules are read.
    if not workflow.is_main_process or workflow.output_settings.dryrun:
        return
    methods = workflow.deployment_settings.deployment_method
    if DeploymentMethod.APPTAINER in methods and (wrong := wrong_image(image)):
        raise WorkflowError(wrong)
    if not methods and not shutil.which("cd40l-flow"):
        raise WorkflowError(not_on_the_path())
