"""What a run says on the terminal: stages and learners that are done, what failed, the time left.

Snakemake says each job's start, its end and a dozen settings. `Terminal` stands in the place of the
handler of its logger that does so, and says in a line a stage and a learner what came out. On a
terminal a last line shows what is going on; in a file there is a line a minute. What nobody here
knows of is said as Snakemake says it, and all that Snakemake says is in ``.snakemake/log``.
"""

import logging
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TextIO

from genreflow.errors import printable
from genreflow.runtime.logs import CLEARED, last_words, share_done
from genreflow.runtime.progress import Job, Progress, clock, duration

OWN, COUNTS, PLAIN = "own", "counts", "plain"
"""Manners of speaking: stages and learners; how many jobs there would be; Snakemake's own."""

STAGES = {
    "wav": "resampling clips",
    "audit": "checking clips",
    "spectrogram_shard": "making images",
    "augmented_shard": "masking images",
    "feature_shard": "computing features",
    "feature_matrix": "gathering features",
    "pca": "finding principal components",
    "network": "preparing networks",
    "cnn_search": "searching hyper-parameters",
    "demo_clips": "making the demo corpus",
    "classify": "fitting classifiers",
    "ffnn": "training feed-forward networks",
    "cnn": "training CNNs",
    "ensemble": "combining learners",
    "latency": "timing the learners",
}
"""What jobs of a rule do; of other rules the name is said."""

OWN_WORDS = ("fetch",)
"""Rules whose jobs draw bars of their own, which no other line may disturb."""

CHATTER = (
    "Assuming unrestricted shared filesystem",
    "Building DAG of jobs",
    "Complete log(s)",
    "Conda environments: ignored",
    "Config file ",
    "Elapsed time",
    "Execute ",
    "Group jobs: inactive",
    "Removing output files of failed job",
    "Select jobs to execute",
    "Shutting down, this might take some time",
    "Singularity containers: ignored",
    "Using shell",
)
"""How what Snakemake says begins that tells users of this workflow nothing."""

SAID_OTHERWISE = (
    "Exiting because a job execution failed",
    "RuleException:\nCalledProcessError in file",
    "WorkflowError:\nAt least one job did not complete successfully",
)
"""How errors of Snakemake begin that `Terminal` and the end of a run say in other words."""

INTERRUPTED = "Terminating processes on user request"
"""What Snakemake says after Ctrl-C, before its jobs fail of it."""

_KILLED = re.compile(r"died with <Signals\.SIGKILL|exit status 137\b")

KILLED = "the system ended it, most likely for want of memory"
SILENT = "it ended without a word"

HEARTBEAT = 60.0
"""Where nobody looks on, a line says this often how far it is [s]."""

PATIENCE = 10.0
"""Nothing is said about the time left before this [s]."""


class Terminal(logging.Handler):
    """Says what happens in a run.

    Parameters
    ----------
    plain
        Snakemake's own handler, in whose place this is.
    manner
        Returns `OWN`, `COUNTS` or `PLAIN`; asked at every record, for Snakemake learns some
        settings late.
    stream
        Where to speak.

    Attributes
    ----------
    causes
        Why jobs failed, by their logs.
    """

    def __init__(
        self,
        plain: logging.Handler,
        *,
        manner: Callable[[], str],
        stream: TextIO | None = None,
    ):
        super().__init__(plain.level)
        self.progress = Progress()
        self._plain, self._manner = plain, manner
        self.causes: dict[str, str] = {}
        self._interrupted = self._killed = self._counted = False
        self._read: Callable[[Sequence[str]], str] = lambda _: ""
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._spoke = time.monotonic()
        self._ended = threading.Event()
        self._ticking: threading.Thread | None = None

    def expect(self, jobs: Mapping[int, Job], accuracies: Callable[[Sequence[str]], str]) -> None:
        """Learn which jobs the run has, before it starts.

        Parameters
        ----------
        jobs
            By Snakemake's numbers of them.
        accuracies
            Says how well a learner does, by the files of its predictions; "" if it couldn't be
            made.
        """
        with self.lock:
            self.progress, self._read = Progress(jobs), accuracies
            if self._ticking is None and self._manner() == OWN:
                self._ticking = threading.Thread(target=self._tick, daemon=True)
                self._ticking.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Say what a record tells, if it tells users something."""
        event = str(getattr(record, "event", None) or "")
        manner = self._manner()
        if manner == OWN:
            said = getattr(self, f"_{event}", None) if event else self._message
            if said is not None and (text := said(record)):
                self._say(text)
        elif manner == PLAIN or self._is_worth_counting(event, record):
            self._plain.handle(record)

    def _is_worth_counting(self, event: str, record: logging.LogRecord) -> bool:
        """Tell whether to say something where jobs are counted only, and that once."""
        again, self._counted = self._counted, self._counted or event == "run_info"
        if event in ("workflow_started", "job_info") or (event == "run_info" and again):
            return False
        return not _is_chatter(record)

    def _message(self, record: logging.LogRecord) -> str:
        said = record.getMessage() if record.msg is not None else ""
        self._interrupted = self._interrupted or said.startswith(INTERRUPTED)
        return "" if _is_chatter(record) else said

    def _error(self, record: logging.LogRecord) -> str:
        self._killed = bool(_KILLED.search(record.getMessage()))
        return self._message(record)

    def _run_info(self, record: logging.LogRecord) -> str:
        count = record.stats.get("total", 0)
        return f"{count:,} job{'s' * (count != 1)} to do."

    def _job_info(self, record: logging.LogRecord) -> str:
        rule = record.rule_name
        job = self.progress.jobs.setdefault(record.jobid, Job(rule, (rule,)))
        job.name = ", ".join(map(str, (record.wildcards or {}).values()))
        job.log = next(iter(record.log or ()), "")
        self.progress.start(record.jobid, job)
        return ""

    def _job_finished(self, record: logging.LogRecord) -> str:
        job = self.progress.finish(record.job_id)
        if job is None:
            return ""
        lines = [self._learner(job) if job.learner else self._stage(job)]
        done, total = self.progress.count("all")
        if done == total > 1:
            took = duration(time.monotonic() - self.progress.began)
            lines.append(f"All {total:,} jobs are done, in {took}.")
        return "\n".join(filter(None, lines))

    def _learner(self, job: Job) -> str:
        """Say how well a learner does, once all its folds and seeds are there."""
        done, total = self.progress.count("learner", job.learner)
        if done < total:
            return ""
        own = [one.predictions for one in self.progress.jobs.values() if one.learner == job.learner]
        accuracies = self._read(own)
        whole, learners = self.progress.learners
        counted = f"({whole} of {learners} learners{self._time_left()})"
        return f"{job.learner}: {accuracies} {counted}" if accuracies else ""

    def _stage(self, job: Job) -> str:
        done, total = self.progress.count("rule", job.rule)
        if done < total or total == 1 or job.rule not in STAGES:
            return ""
        return f"{STAGES[job.rule]}: {total:,} of {total:,}{self._time_left()}"

    def _job_error(self, record: logging.LogRecord) -> str:
        job = self.progress.fail(record.jobid)
        name = (job and job.learner) or f"{record.rule_name} {job.name if job else ''}".rstrip()
        log = next(iter(record.log or ()), "")
        words = KILLED if self._killed else last_words(log) or SILENT
        self._killed = False
        if self._interrupted:
            return ""
        self.causes[log] = words
        return f"FAILED: {name} ({log}); the end says why, and the others go on"

    def _group_error(self, record: logging.LogRecord) -> str:
        return record.getMessage()

    def _time_left(self) -> str:
        if time.monotonic() - self.progress.began < PATIENCE:
            return ""
        seconds, known = self.progress.left()
        if seconds < 1:
            return ""
        return f"; {'about' if known else 'more than'} {duration(seconds)} left"

    def status(self) -> str:
        """Say in a line what is going on."""
        running = list(self.progress.running.values())
        done, total = self.progress.count("all")
        elapsed = clock(time.monotonic() - self.progress.began)
        named = [
            self._of_rule(rule, running) for rule in dict.fromkeys(one.rule for one in running)
        ]
        counted = f"{done:,} of {total:,} jobs, {elapsed}{self._time_left()}"
        return f"{counted}: {', '.join(named)}" if named else counted

    def _of_rule(self, rule: str, running: Iterable[Job]) -> str:
        """Say what the jobs of a rule do, and how far they are or the one that runs is."""
        own = [one for one in running if one.rule == rule]
        said = STAGES.get(rule, rule.replace("_", " "))
        done, total = self.progress.count("rule", rule)
        if len(own) > 1 or (total > 1 and not own[0].learner):
            return f"{said} {done:,}/{total:,}"
        share = share_done(own[0].log)
        return f"{said} {own[0].learner}".rstrip() + (f" {share:.0%}" if share else "")

    def _say(self, text: str) -> None:
        if self._live:
            text = f"{CLEARED}{text}"
        print(text, file=self._stream, flush=True)
        self._spoke = time.monotonic()

    def _tick(self) -> None:
        """Show the line of status, until the handler is closed."""
        while not self._ended.wait(1.0):
            with self.lock:
                if self._ended.is_set() or not self.progress.running:
                    continue
                if any(one.rule in OWN_WORDS for one in self.progress.running.values()):
                    continue
                if self._live:
                    width = shutil.get_terminal_size().columns - 1
                    self._stream.write(f"{CLEARED}{printable(self.status())[:width]}")
                    self._stream.flush()
                elif time.monotonic() - self._spoke > HEARTBEAT:
                    self._say(printable(self.status()))

    def close(self) -> None:
        """Clear the line of status; nothing is said from now on."""
        with self.lock:
            if self._live and self._ticking and not self._ended.is_set():
                self._stream.write(CLEARED)
                self._stream.flush()
            self._ended.set()
        self._plain.close()
        super().close()


def _is_chatter(record: logging.LogRecord) -> bool:
    known = CHATTER if record.levelno < logging.WARNING else SAID_OTHERWISE
    return str(record.msg).startswith(known)


def take_over(logger: logging.Logger, manner: Callable[[], str]) -> Terminal | None:
    """Put a `Terminal` in the place of the handler by which Snakemake speaks, and return it.

    None where a user chose another handler (--logger), which then is left alone.
    """
    for handler in logger.handlers:
        if handler.name == "DefaultStreamHandler":
            # In a dry run it is the other one, which is kept for what is asked for: graphs, tags.
            handler.setStream(sys.stderr)
            terminal = Terminal(handler, manner=manner)
            logger.removeHandler(handler)
            logger.addHandler(terminal)
            return terminal
    return None
