"""What Snakemake does by itself, and with the patches: where it does right itself, one can go."""

import logging
import os
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest
import snakemake_executor_plugin_slurm as slurm
from genreflow.runtime import patches
from imports import SCRIPTS
from snakemake.io import IOFile, check
from snakemake.logging import logger
from snakemake.scheduling.job_scheduler import JobScheduler
from snakemake.workflow import DAG


@pytest.fixture(autouse=True)
def _restored(monkeypatch):
    """Put back what a test patches."""
    monkeypatch.setattr(logger, "filters", [])
    for place, name in (
        (DAG, "check_output_mtime"),
        (JobScheduler, "_schedule_reevalutation"),
        (slurm.common_settings, "pass_group_args"),
    ):
        monkeypatch.setattr(place, name, getattr(place, name))


def wake_ups(times):
    """Return how many timers are set when the scheduler asks so many times to be woken."""
    released = threading.Semaphore(0)
    scheduler = SimpleNamespace(_open_jobs=released)
    before = threading.active_count()
    for _ in range(times):
        JobScheduler._schedule_reevalutation(scheduler, 0.2)
    waiting = threading.active_count() - before
    for _ in range(waiting):
        assert released.acquire(timeout=60)
    return waiting


def test_a_timer_at_a_time_wakes_the_scheduler():
    assert wake_ups(5) == 5
    patches.apply()
    assert wake_ups(5) == 1
    assert wake_ups(1) == 1


def test_names_of_files_are_said_without_what_changes_the_terminal(monkeypatch, caplog):
    caplog.set_level(logging.WARNING, logger=logger.name)  # whatever a run before has set
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    monkeypatch.setattr(logger, "handlers", [handler])
    name = "a\x1b[2J\n\u202eb.wav"
    for patched in (False, True):
        if patched:
            patches.apply()
        check(IOFile(name))
        logger.error("failed", extra={"input": [name], "threads": 1})
        *_, warned, failed = records
        assert ("\x1b" in warned.getMessage() + failed.input[0]) is not patched
    assert r"a\x1b[2J" in warned.getMessage() and r"\u202eb" in warned.getMessage()
    assert failed.input == [r"a\x1b[2J\n\u202eb.wav"] and failed.threads == 1


def test_jobs_of_a_group_are_told_on_slurm():
    assert slurm.common_settings.pass_group_args is False
    patches.apply()
    assert slurm.common_settings.pass_group_args is True


@pytest.mark.parametrize("patched", [False, True])
def test_inputs_may_be_dated_in_the_future(tmp_path, patched):
    (tmp_path / "read").touch()
    os.utime(tmp_path / "read", (time.time() + 3600,) * 2)
    lines = ["from genreflow.runtime import patches", "patches.apply()"] if patched else []
    lines += [
        "rule made:",
        "    input: 'read'",
        "    output: 'made'",
        "    shell: 'touch {output}'",
    ]
    (tmp_path / "Snakefile").write_text("\n".join(lines))
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        capture_output=True,
        text=True,
    )
    assert ("older modification time" in done.stderr) != patched
    assert (tmp_path / "made").exists() == patched
