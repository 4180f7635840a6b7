import os
import subprocess
import sys
from pathlib import Path

import pytest
from genreflow.runtime import logs

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def job(tmp_path):
    """Run a block within `logged`, as a script does; give its end, its log and the terminal."""

    def run(block, options=""):
        log = tmp_path / "logs" / "job.log"
        program = "from genreflow.runtime.logs import logged\n"
        program += f"with logged({str(log)!r}{options}) as say:\n"
        program += "".join(f"    {line}\n" for line in block.splitlines())
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
            capture_output=True,
            text=True,
        )
        return done.returncode, log.read_text(), done.stdout + done.stderr

    return run


def test_everything_printed_goes_to_the_log(job):
    code, log, terminal = job(
        "import ctypes, os, subprocess, sys\n"
        "print('from Python')\n"
        "print('to stderr', file=sys.stderr)\n"
        "libc = ctypes.CDLL(None)\n"
        "libc.puts(b'from C')\n"
        "libc.fflush(None)\n"
        "os.write(2, b'to descriptor 2\\n')\n"
        "subprocess.run(['echo', 'from a child'])\n"
    )
    assert code == 0
    assert terminal == ""
    expected = {"from Python", "to stderr", "from C", "to descriptor 2", "from a child"}
    assert set(log.splitlines()) == expected


def test_what_is_said_goes_to_the_terminal_too(job):
    code, log, terminal = job("say('epoch 1 of 9')")
    assert (code, log, terminal) == (0, "epoch 1 of 9\n", "epoch 1 of 9\n")


def test_a_visible_job_leaves_its_bars_on_the_terminal(job):
    block = "print('bar')\nfrom genreflow.errors import GenreflowError\nsay('half')\n"
    code, log, terminal = job(block + "raise GenreflowError('no network')", ", visible=True")
    assert (code, log) == (1, "half\nError: no network\n")
    assert sorted(terminal.splitlines()) == ["bar", "half"]


@pytest.mark.parametrize(
    ("raised", "code", "content"),
    [
        ("NotPossible('too few')", 0, "reason\ntoo few\n"),
        ("GenreflowError('no network')", 1, None),
        ("ValueError('a bug')", 1, None),
        ("OSError(28, 'No space left on device')", 1, None),
        ("MemoryError()", 1, None),
    ],
)
def test_only_what_the_data_dont_allow_ends_well(job, tmp_path, raised, code, content):
    outputs = [tmp_path / "seed-0" / name for name in ("model.keras", "predictions.csv")]
    ended, log, terminal = job(
        f"from genreflow.errors import GenreflowError, NotPossible\nraise {raised}",
        f", outputs={list(map(str, outputs))}",
    )
    assert ended == code
    assert [path.read_text() if path.exists() else None for path in outputs] == [content] * 2
    if content:
        assert log == terminal == f"{tmp_path}/seed-0 can't be made of these data: too few\n"


def test_a_job_that_makes_no_learner_fails_for_what_the_data_dont_allow(job):
    block = "from genreflow.errors import NotPossible\nraise NotPossible('too few')"
    code, log, terminal = job(block)
    assert (code, log, terminal) == (1, "Error: too few\n", "")


def test_an_error_for_the_user_has_no_traceback(job):
    code, log, _ = job(
        "from genreflow.errors import GenreflowError\nraise GenreflowError('tracks.csv: no column')"
    )
    assert (code, log) == (1, "Error: tracks.csv: no column\n")


def test_any_other_error_has_its_traceback_in_the_log(job):
    code, log, _ = job("{}['lost key']")
    assert code == 1
    assert "Traceback" in log
    assert "KeyError: 'lost key'" in log


def test_an_earlier_log_is_replaced(job):
    job("print('first')")
    assert job("print('second')")[1] == "second\n"


def test_a_link_in_the_place_of_a_log_is_replaced_not_followed(job, tmp_path):
    (tmp_path / "other").write_text("of somebody else")
    job("print('first')")
    [log] = tmp_path.rglob("*.log")
    log.unlink()
    log.symlink_to(tmp_path / "other")
    assert job("print('second')")[1] == "second\n"
    assert (tmp_path / "other").read_text() == "of somebody else"


@pytest.mark.parametrize(
    ("interval", "lines"), [(-1, ["1 of 3 clips made", "2 of 3 clips made"]), (3600, [])]
)
def test_progress_is_said_when_it_takes_long(monkeypatch, interval, lines):
    monkeypatch.setattr(logs, "PROGRESS_SECONDS", interval)
    said = []
    progress = logs.paced(said.append, "clips made")
    for done in (1, 2):
        progress(done, 3)
    assert said == lines


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        ("1 of 3 clips\nError: no weights\nGet them\n\n", "no weights Get them"),
        ("Error: no\nTraceback:\nValueError: odd", "no Traceback: ValueError: odd"),
        ("Traceback (most recent call last):\n  File\nValueError: odd\n", "ValueError: odd"),
        ("\n", ""),
    ],
)
def test_the_cause_of_a_failure_is_what_its_log_says_last(tmp_path, log, cause):
    (tmp_path / "log").write_text(log)
    assert logs.last_words(tmp_path / "log") == cause


def test_a_log_that_isnt_there_has_no_last_words(tmp_path):
    assert logs.last_words(tmp_path / "log") == "" and logs.share_done(tmp_path / "log") == 0


@pytest.mark.parametrize(
    ("log", "share"),
    [
        ("17 of 27 fits\n", 17 / 27),
        ("cnn/a, seed 0: epoch 3 of at most 24: loss 2\nodd\n", 1 / 8),
        ("features of 12 of 18 tracks\nError: 1 of 18 tracks can't be used\n", 0),
        ("9 of 3 fits\n0 of 0 fits\n", 0),
    ],
)
def test_how_far_a_job_is_stands_in_its_log(tmp_path, log, share):
    (tmp_path / "log").write_text(log)
    assert logs.share_done(tmp_path / "log") == pytest.approx(share)


def test_what_libraries_say_at_their_start_is_shown_only_if_they_fail(tmp_path):
    program = """if True:
        import os, sys
        from genreflow.runtime.logs import held_back
        with held_back():
            os.write(2, b"noise\\n")
        print("after", file=sys.stderr, flush=True)
        with held_back():
            os.write(2, b"cause\\n")
            raise ImportError("gone")
    """
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert "noise" not in done.stderr
    assert done.stderr.startswith("after\ncause\n") and "ImportError: gone" in done.stderr
