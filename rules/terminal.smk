# What a run says. Before all else, for Snakemake tells of every file of settings where it keeps a copy.

import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from snakemake.logging import logger

from genreflow.runtime import progress, terminal


def speaks_plainly():
    """Tell whether a run on this machine is to be shown, and nobody asked for Snakemake's words."""
    asked = workflow.output_settings
    plain = asked.verbose or asked.quiet or asked.printshellcmds or asked.debug_dag
    return not (plain or asked.dryrun or workflow.non_local_exec)


TERMINAL = (
    terminal.take_over(logger, speaks_plainly) if workflow.is_main_process else None
)
