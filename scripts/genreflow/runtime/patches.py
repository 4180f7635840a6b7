"""Faults of Snakemake that make a run fail or burn a core or a cluster, until it mends them.

The only module of the library that imports Snakemake. Each patch has a test that fails once
Snakemake no longer has the fault.
"""

import logging
import sys
import threading

import snakemake.api  # noqa: F401 (first, for its modules import each other)
from snakemake.dag import DAG
from snakemake.logging import logger
from snakemake.scheduling.job_scheduler import JobScheduler

from genreflow.errors import printable


def apply() -> None:
    """Mend what is known of Snakemake 9.27 and its plugin for SLURM 2.8; twice is harmless."""
    JobScheduler._schedule_reevalutation = _wake_once
    DAG.check_output_mtime = _accept_any_date
    logger.addFilter(_with_plain_names)
    if "snakemake_executor_plugin_slurm" in sys.modules:
        # The jobs of a group aren't told that they are one: each clip would start a Snakemake.
        sys.modules["snakemake_executor_plugin_slurm"].common_settings.pass_group_args = True


def _with_plain_names(record: logging.LogRecord) -> bool:
    """Escape what isn't printed in names of files, which may be anybody's.

    By itself Snakemake says them as they are, and what they hold changes the terminal.
    """
    said = vars(record)
    for key, value in said.items():
        if isinstance(value, str):
            said[key] = printable(value, keep="\n\t")
        elif isinstance(value, list | tuple) and not all(str(one).isprintable() for one in value):
            said[key] = [printable(str(one)) for one in value]
    return True


async def _accept_any_date(*_: object) -> None:
    """Let a job end well whose input is dated in the future; the run has warned of it.

    By itself Snakemake fails the job and removes its output. A corpus on a share that is mounted
    read-only can't be given other dates.
    """


def _wake_once(scheduler: JobScheduler, delay: float) -> None:
    """Let one timer at a time wake the scheduler.

    By itself it starts a timer at each wake-up, so that every finished job adds a wake-up a second
    for as long as jobs wait for their turn.
    """
    waiting = getattr(scheduler, "reevaluation", None)
    if waiting is None or not waiting.is_alive():
        scheduler.reevaluation = threading.Timer(delay, scheduler._open_jobs.release)
        scheduler.reevaluation.daemon = True
        scheduler.reevaluation.start()
