"""What Snakemake does by itself, and with the patches: where it does right itself, one can go."""

import threading
from types import SimpleNamespace

import pytest
import snakemake_executor_plugin_slurm as slurm
from genreflow.runtime import patches
from snakemake.scheduling.job_scheduler import JobScheduler


@pytest.fixture(autouse=True)
def _restored(monkeypatch):
    """Put back what a test patches."""
    for place, name in (
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


def test_jobs_of_a_group_are_told_on_slurm():
    assert slurm.common_settings.pass_group_args is False
    patches.apply()
    assert slurm.common_settings.pass_group_args is True
