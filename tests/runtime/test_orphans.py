import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"

JOB = """
import ctypes, signal, time
from genreflow.runtime import orphans
orphans.INTERVAL, orphans.GRACE = 0.05, {grace}
orphans.end_with_run()
runs = lambda: print("runs", flush=True)
{block}
"""

RUN = """
import os, signal, subprocess, sys
signal.signal(signal.SIGINT, lambda *_: None)
os.environ["GENREFLOW_RUN"] = str(os.getpid())
print(subprocess.run([sys.executable, "-c", sys.argv[1]]).returncode)
"""

SLEEP = "runs(); time.sleep(600)"

DEAF = """
signal.signal(signal.SIGINT, lambda *_: None)
runs()
mutex = ctypes.create_string_buffer(64)
for _ in range(2):
    ctypes.CDLL(None).pthread_mutex_lock(mutex)
"""
"""A library in C that does not return when a signal comes."""

TIDY = """
try:
    runs()
    time.sleep(600)
except KeyboardInterrupt:
    print("cleaned", flush=True)
"""


@pytest.fixture
def run():
    """Start a run with one job; both end with the test."""
    begun = []

    def start(block, *, grace=0.1):
        process = subprocess.Popen(
            [sys.executable, "-c", RUN, JOB.format(block=block, grace=grace)],
            env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        begun.append(process)
        assert process.stdout.readline() == "runs\n"
        return process

    yield start
    for process in begun:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("block", [SLEEP, DEAF])
def test_a_job_ends_with_its_run(run, block):
    process = run(block)
    process.kill()
    process.communicate(timeout=30)  # until the job, which writes to the same pipe, has ended


def test_an_interrupt_ends_a_job_that_does_not_hear_it(run):
    process = run(DEAF)
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=30)[0] == f"{-signal.SIGKILL}\n"


def test_an_interrupted_job_may_clean_up(run):
    process = run(TIDY, grace=600)
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=30)[0] == "cleaned\n0\n"


def test_a_job_goes_on_while_its_run_lives(run):
    process = run("runs(); time.sleep(0.3)")
    assert process.communicate(timeout=30)[0] == "0\n"
