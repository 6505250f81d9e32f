"""How soon Snakemake sees on a Slurm cluster that a submission has ended.

The executor plugin (2.8) waits ten seconds longer after each look at which none has ended: a submission of a minute is
seen up to half a minute late, and what depends on it begins that much later.
"""

from __future__ import annotations

import time
from threading import Thread
from types import SimpleNamespace
from typing import Any

# Waiting costs at most this share of what a submission has taken.
SHARE = 1 / 8
MOST = 180.0  # s, as the plugin
ADDED = 10.0  # s that the plugin adds to the next wait by itself
NOT_LOCAL = SimpleNamespace(is_local=False)


def wait_in_proportion(workflow: Any) -> None:
    """Have Snakemake's executor for Slurm wait in proportion to the time since the last submission began or ended.

    ``--slurm-init-seconds-before-status-checks`` remains the shortest wait. Other executors are left as they are.
    """
    least = getattr(workflow.executor_settings, "init_seconds_before_status_checks", None)
    if least:
        Thread(target=_set_the_next_wait, args=(workflow, float(least)), daemon=True).start()


def next_wait(elapsed: float, least: float) -> float:
    """Return the seconds to wait when nothing has begun or ended for ``elapsed`` seconds."""
    return min(max(least, SHARE * elapsed), max(least, MOST))


def _set_the_next_wait(workflow: Any, least: float) -> None:
    seen, since = None, time.monotonic()
    while True:
        time.sleep(1)
        scheduler = workflow.scheduler
        if scheduler is None:
            continue
        now = (scheduler.finished_jobs, len(scheduler.running))
        if now != seen:
            seen, since = now, time.monotonic()
        # A setting that executors offer; the plugin adds to it and then waits.
        executor = scheduler.get_executor(NOT_LOCAL)
        executor.next_seconds_between_status_checks = next_wait(time.monotonic() - since, least) - ADDED
