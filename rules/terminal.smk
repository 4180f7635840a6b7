# What a run says. Before all else, for Snakemake tells of every file of settings where it keeps a copy.

import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from snakemake.logging import logger

from genreflow.runtime import progress, terminal


def manner_of_speaking():
    """Return how the terminal is told of a run: in Snakemake's words where somebody asks for them.

    On clusters too, for these name the logs of the batch system.
    """
    asked = workflow.output_settings
    if asked.verbose or asked.quiet or asked.printshellcmds or asked.debug_dag:
        return terminal.PLAIN
    if asked.dryrun:
        return terminal.COUNTS
    return terminal.PLAIN if workflow.non_local_exec else terminal.OWN


TERMINAL = (
    terminal.take_over(logger, manner_of_speaking) if workflow.is_main_process else None
)
