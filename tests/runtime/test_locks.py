import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from genreflow.runtime import locks

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def other_run(tmp_path):
    """Start a process that runs in the folder, as another Snakemake would."""
    program = f"print(locks.drop_stale({str(tmp_path)!r}), flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", f"from genreflow.runtime import locks; {program}"],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "True\n"
    yield process
    process.kill()
    process.wait()


def snakemakes_lock(folder):
    lock = folder / "locks/0.input.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    return lock


def test_locks_of_a_living_run_stay(tmp_path, other_run):
    lock = snakemakes_lock(tmp_path)
    assert locks.drop_stale(tmp_path) is False
    assert lock.exists()


def test_locks_of_a_killed_run_go(tmp_path, other_run):
    lock = snakemakes_lock(tmp_path)
    other_run.send_signal(signal.SIGKILL)
    other_run.wait()
    assert locks.drop_stale(tmp_path) is True
    assert not lock.exists()


def test_asking_twice_is_harmless(tmp_path):
    assert locks.drop_stale(tmp_path / "new") is True
    lock = snakemakes_lock(tmp_path / "new")
    assert locks.drop_stale(tmp_path / "new") is True
    assert lock.exists(), "they are this run's own"
