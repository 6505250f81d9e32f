"""What a Snakefile that includes the workflow needs, under stable names."""

from cd40l_flow.base.resources import workflow_file
from cd40l_flow.runtime.run_end import end_of_run, start_of_run
from cd40l_flow.runtime.worker import start as start_worker

__all__ = ["end_of_run", "start_of_run", "start_worker", "workflow_file"]
