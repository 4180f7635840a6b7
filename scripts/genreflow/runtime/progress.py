"""How far the jobs of a run are, and how long the others will take."""

import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from genreflow.runtime.logs import share_done

QUICK = 5.0
"""What a job is taken to last that may not take long, before one has ended [s]."""

MANY = 100
"""So many jobs of a kind tell how long others last: those that ended last."""


@dataclass(slots=True)
class Job:
    """A job: which others last as long, and what it makes.

    Attributes
    ----------
    rule
        Its rule.
    kind
        Its rule and what else it depends on how long it lasts.
    is_quick
        Whether it is one of seconds, as far as its rule tells.
    learner
        What it makes, or one fold or seed of it; "" for other jobs.
    predictions
        The file of the learner's predictions.
    name, log, started
        Its wildcards, its log, and when it was started [s]; known once it is.
    """

    rule: str
    kind: tuple[str, ...] = ()
    is_quick: bool = True
    learner: str = ""
    predictions: str = ""
    name: str = ""
    log: str = ""
    started: float = 0.0


class Progress:
    """How far the jobs of a run are, by Snakemake's numbers of them.

    Parameters
    ----------
    jobs
        Those that are to run. Each step takes the same time however many there are.
    """

    def __init__(self, jobs: Mapping[int, Job] | None = None):
        self.jobs = dict(jobs or {})
        self.running: dict[int, Job] = {}
        self.failed: set[int] = set()
        self.began = time.monotonic()
        self._side_by_side = 1
        self._lasted: dict[tuple[str, ...], list[float]] = defaultdict(list)
        self._waiting = Counter((one.kind, one.is_quick) for one in self.jobs.values())
        self._total = Counter(one for job in self.jobs.values() for one in _counted(job))
        self._done: Counter[tuple[str, str]] = Counter()

    def start(self, number: int, job: Job) -> None:
        """Note that a job starts, for the first time or again."""
        if number not in self.failed:
            self._waiting[job.kind, job.is_quick] -= 1
        self.failed.discard(number)
        job.started = time.monotonic()
        self.running[number] = job
        self._side_by_side = len(self.running)

    def finish(self, number: int) -> Job | None:
        """Note that a job has ended well, and return it; None if it wasn't running."""
        if job := self.running.pop(number, None):
            self._done.update(_counted(job))
            self._lasted[job.kind].append(time.monotonic() - job.started)
        return job

    def fail(self, number: int) -> Job | None:
        """Note that a job has failed, and return it; None if it wasn't running."""
        self.failed.add(number)
        return self.running.pop(number, None)

    def count(self, what: str, name: str = "") -> tuple[int, int]:
        """Return how many are done of how many: jobs ("all"), of a "rule", or of a "learner"."""
        return self._done[what, name], self._total[what, name]

    @property
    def learners(self) -> tuple[int, int]:
        """How many learners are whole, of how many."""
        names = [name for what, name in self._total if what == "learner"]
        return sum(len({*self.count("learner", name)}) == 1 for name in names), len(names)

    def left(self) -> tuple[float, bool]:
        """Return the seconds that are left, and whether they are all: some jobs may last longer."""
        now = time.monotonic()
        work: list[float | None] = []
        for job in self.running.values():
            elapsed = now - job.started
            share = share_done(job.log)
            expected = elapsed / share if share else self._expected(job.kind, job.is_quick)
            work.append(None if expected is None else max(expected - elapsed, 0.0))
        for (kind, is_quick), count in self._waiting.items():
            if count > 0:
                expected = self._expected(kind, is_quick)
                work.append(None if expected is None else count * expected)
        return sum(filter(None, work)) / self._side_by_side, None not in work

    def _expected(self, kind: tuple[str, ...], is_quick: bool) -> float | None:
        """Return what jobs of a kind have lasted, or else those of their rule [s]."""
        rule = kind[:1]
        of_rule = (one for other, own in self._lasted.items() if other[:1] == rule for one in own)
        lasted = self._lasted.get(kind) or list(of_rule)
        return statistics.fmean(lasted[-MANY:]) if lasted else QUICK if is_quick else None


def _counted(job: Job) -> list[tuple[str, str]]:
    """Return what a job counts for."""
    learner = [("learner", job.learner)] if job.learner else []
    return [("all", ""), ("rule", job.rule), *learner]


def clock(seconds: float) -> str:
    """Return a time as a clock shows it, which tells that it goes on."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def duration(seconds: float) -> str:
    """Return a time in words, no more exact than it is worth."""
    if seconds < 60:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {rest} min" if rest else f"{hours} h"
