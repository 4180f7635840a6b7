"""What a run says: a line per stage and learner, what failed, and how long it takes."""

import io
import logging

import pytest
from genreflow.runtime import logs, progress, terminal
from genreflow.runtime.progress import Job, Progress, duration


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(progress, "time", made)
    monkeypatch.setattr(terminal, "time", made)
    return made


class Tty(io.StringIO):
    def isatty(self):
        return True


class Run:
    """A run that Snakemake tells a terminal of."""

    def __init__(self, jobs, *, manner=terminal.OWN, stream=None):
        self.stream, self.plain = stream or io.StringIO(), io.StringIO()
        handler = logging.StreamHandler(self.plain)
        handler.name = "DefaultStreamHandler"
        self.logger = logging.Logger("run")
        self.logger.addHandler(handler)
        handler.setStream = lambda _: None
        self.terminal = terminal.take_over(self.logger, lambda: manner)
        self.terminal._stream, self.terminal._live = self.stream, self.stream.isatty()
        self.terminal.expect(jobs, lambda paths: f"validation 50.0 %, test {len(paths)} %")

    def say(self, text, level=logging.INFO, **extra):
        self.logger.log(level, text, extra=extra)

    def start(self, number, rule, log=(), **wildcards):
        extra = {"jobid": number, "rule_name": rule, "wildcards": wildcards, "log": log}
        self.say("a job", event="job_info", **extra)

    def finish(self, number):
        self.say("finished", event="job_finished", job_id=number)

    def fail(self, number, rule, log):
        self.say("oh", logging.ERROR, event="job_error", jobid=number, rule_name=rule, log=[log])

    @property
    def lines(self):
        return self.stream.getvalue().splitlines()


def of_learner(number, learner="cnn/simple"):
    return Job("cnn", ("cnn", "simple"), is_quick=False, learner=learner, predictions=str(number))


def test_a_stage_is_said_once_it_is_done(clock):
    run = Run({number: Job("wav", ("wav",)) for number in range(3)})
    run.say("Job stats: a table", event="run_info", stats={"wav": 3, "total": 3})
    for number in range(3):
        run.start(number, "wav", track=number)
        clock.now += 30
        run.finish(number)
    ended = ["resampling clips: 3 of 3", "All 3 jobs are done, in 2 min."]
    assert run.lines == ["3 jobs to do.", *ended]


def test_a_learner_is_said_once_all_its_folds_are_there(clock):
    jobs = {number: of_learner(number) for number in range(2)} | {2: of_learner(2, "ffnn/4")}
    run = Run(jobs)
    for number in range(2):
        run.start(number, "cnn")
        clock.now += 60
        run.finish(number)
    assert run.lines == [
        "cnn/simple: validation 50.0 %, test 2 % (1 of 2 learners; about 1 min left)"
    ]


def test_failures_name_the_log_and_the_cause_is_kept_for_the_end(clock, tmp_path):
    log = tmp_path / "a.log"
    log.write_text("Traceback:\nValueError: no \x1b[2J weights\n")
    run = Run({0: of_learner(0), 1: Job("wav", ("wav",))})
    run.start(0, "cnn", [str(log)])
    run.start(1, "wav", track="7")
    run.fail(0, "cnn", str(log))
    run.fail(1, "wav", str(tmp_path / "none.log"))
    first, second = run.lines
    assert first.startswith(f"FAILED: cnn/simple ({log})")
    assert second.startswith(f"FAILED: wav 7 ({tmp_path}/none.log)")
    assert run.terminal.causes == {
        str(log): r"ValueError: no \x1b[2J weights",
        str(tmp_path / "none.log"): terminal.SILENT,
    }


def test_a_job_that_the_system_ended_is_told_from_one_with_a_bug(clock, tmp_path):
    log = tmp_path / "a.log"
    log.write_text("epoch 3 of 9\n")
    run = Run({0: of_learner(0)})
    run.start(0, "cnn", [str(log)])
    said = "RuleException:\nCalledProcessError in file x, line 1:\nCommand 'a' died with <Signals."
    run.say(f"{said}SIGKILL: 9>.", logging.ERROR, event="error")
    run.fail(0, "cnn", str(log))
    assert run.terminal.causes == {str(log): terminal.KILLED}
    assert len(run.lines) == 1


def test_jobs_that_end_by_an_interrupt_have_not_failed(clock, tmp_path):
    run = Run({0: of_learner(0)})
    run.start(0, "cnn")
    run.say(f"{terminal.INTERRUPTED}, this might take some time.", logging.WARNING)
    run.fail(0, "cnn", str(tmp_path / "a.log"))
    assert len(run.lines) == 1 and run.terminal.causes == {}


def test_a_job_that_is_started_again_counts_once(clock, tmp_path):
    run = Run({0: Job("wav", ("wav",)), 1: Job("wav", ("wav",))})
    for _ in range(2):
        run.start(0, "wav")
        run.fail(0, "wav", str(tmp_path / "a.log"))
    for number in (0, 1):
        run.start(number, "wav")
        run.finish(number)
    assert run.lines[2] == "resampling clips: 2 of 2"


def test_chatter_is_dropped_and_what_nobody_knows_is_said(clock):
    run = Run({})
    run.say("Config file /tmp/x/config.yaml is extended by additional config")
    run.say("Select jobs to execute...")
    run.say("Using shell: /usr/bin/bash")
    run.say("1 of 3 steps", event="progress", done=1, total=3)
    run.say("Something of a later version of Snakemake")
    run.say("Config file is odd", logging.WARNING)
    assert run.lines == ["Something of a later version of Snakemake", "Config file is odd"]


def test_snakemake_speaks_where_it_is_asked_to(clock):
    run = Run({0: Job("wav")}, manner=terminal.PLAIN)
    run.say("a table", event="run_info", stats={"total": 3})
    run.start(0, "wav")
    assert run.lines == [] and run.plain.getvalue() == "a table\na job\n"


def test_jobs_that_would_run_are_counted_once(clock):
    run = Run({}, manner=terminal.COUNTS)
    run.say("Command: snakemake", event="workflow_started")
    run.say("Building DAG of jobs...")
    run.say("a table", event="run_info", stats={"total": 3})
    run.start(0, "wav")
    run.say("a table", event="run_info", stats={"total": 3})
    run.say("This was a dry-run")
    assert run.lines == [] and run.plain.getvalue() == "a table\nThis was a dry-run\n"


def test_another_handler_of_a_users_choice_is_left_alone():
    logger = logging.Logger("run")
    logger.addHandler(logging.StreamHandler(io.StringIO()))
    before = list(logger.handlers)
    assert terminal.take_over(logger, lambda: terminal.OWN) is None
    assert logger.handlers == before


def test_the_line_of_status_is_cleared_before_others(clock):
    run = Run({0: Job("wav"), 1: Job("wav")}, stream=Tty())
    run.start(0, "wav")
    run.finish(0)
    run.start(1, "wav")
    run.finish(1)
    assert run.stream.getvalue().startswith(f"{logs.CLEARED}resampling clips: 2 of 2\n")


def test_the_status_tells_what_runs_and_how_far_it_is(clock, tmp_path):
    log = tmp_path / "cnn.log"
    log.write_text("cnn: epoch 15 of at most 60: loss 2.8\nsome words\n")
    jobs = {0: of_learner(0), **{number: Job("wav", ("wav",)) for number in (1, 2)}}
    run = Run(jobs)
    run.start(0, "cnn", [str(log)])
    run.start(1, "wav")
    clock.now += 60
    assert run.terminal.status() == (
        "0 of 3 jobs, 1:00; about 2 min left: training CNNs cnn/simple 25%, resampling clips 0/2"
    )


def test_the_time_left_is_that_of_jobs_of_the_kind(clock):
    kinds = [("shard", "vgg16"), ("shard", "ear"), ("shard", "ear"), ("shard", "vgg16")]
    jobs = {number: Job("shard", kind, is_quick=False) for number, kind in enumerate(kinds)}
    made = Progress(jobs | {4: Job("report", ("report",))})
    assert made.left() == (progress.QUICK, False)
    for number, seconds in ((0, 100), (1, 10)):
        made.start(number, jobs[number])
        clock.now += seconds
        made.finish(number)
    assert made.left() == (110 + progress.QUICK, True)
    made.start(3, jobs[3])
    made.start(2, jobs[2])
    clock.now += 4
    assert made.left() == ((96 + 6 + progress.QUICK) / 2, True)


def test_a_clock_goes_on():
    assert [progress.clock(one) for one in (9.9, 61, 3725)] == ["0:09", "1:01", "1:02:05"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "1 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3500, "58 min"),
        (3600, "1 h"),
        (8000, "2 h 13 min"),
    ],
)
def test_times_are_said_as_exactly_as_they_are_worth(seconds, said):
    assert duration(seconds) == said
