# What a run says. Before all else, for Snakemake tells of every file of settings where it keeps a copy.

import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from snakemake.logging import logger

from genreflow import split_names
from genreflow.report import ending
from genreflow.runtime import files, progress, terminal


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


QUICK = 60
"""Jobs that may take no more take seconds in most corpora [min]."""

LASTING = ("feature_set", "classifier", "variant", "units")
"""Wildcards by which jobs of a rule last longer or shorter."""


def expect_jobs():
    """Tell what speaks on the terminal which jobs there are."""
    if TERMINAL is None:
        return
    dag, learned = workflow.dag, set(PLAN.predictions(PLAN.learners.values()))
    jobs = {dag.jobid(job): described(job, learned) for job in dag.needrun_jobs()}
    TERMINAL.expect(jobs, said_of_learner)


def said_of_learner(paths):
    """Say how well a learner does on what it didn't learn from, by its predictions."""
    learner = PLAN.learners[layout.parse(paths[0]).learner]
    parts = ["test"] if learner.learns_from_validation else ["validation", "test"]
    return ending.accuracies(paths, parts)


def described(job, learned):
    """Return what is to be known of a job while it runs; `learned` are all learners' predictions."""
    wildcards = job.wildcards
    made = [str(path) for path in job.output if str(path) in learned]
    learner = ""
    for path in made:
        fitted = layout.parse(path)
        family = split_names.family(fitted.split)
        learner = (
            f"{fitted.learner} on {family}" if PLAN.families[1:] else fitted.learner
        )
    most = getattr(job.rule.resources.get("runtime"), "raw", 0)
    return progress.Job(
        job.name,
        (job.name, *(wildcards[name] for name in LASTING if name in wildcards.keys())),
        is_quick=not (isinstance(most, int) and most > QUICK),
        learner=learner,
        predictions="".join(made),
    )


def say_how_to_go_on():
    """Say what failed and what to do after a run that was interrupted, or in which a job failed."""
    # A job may not be able to say it: HDF5 crashes when it can't write.
    if os.path.exists(layout.root) and shutil.disk_usage(layout.root).free < files.ROOM:
        logger.error(f"No space left on device: the disk of {layout.root} is full")
    failed = getattr(workflow.scheduler, "failed", ())
    single = [job for one in failed for job in (one.jobs if one.is_group() else [one])]
    jobs = sorted((job.name, ", ".join(map(str, job.log))) for job in single)
    known = TERMINAL.causes if TERMINAL else {}
    command = ending.command(sys.argv, os.environ)
    logger.info(f"\n{ending.failures(jobs, command, known)}")
