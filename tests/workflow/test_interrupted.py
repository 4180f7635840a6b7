"""Runs that are killed and started again end as if nothing had happened."""

import os
import signal
import sys

import faults
import harness
import pytest
from small_corpora import TINY

TRAININGS = {
    "cnn_search": "results/tiny/grouped/cnn/tuned-augmented/search/.trials/trial-0001.json",
    "cnn": "results/tiny/grouped/cnn/residual/seed-0/.checkpoint.npz",
}
"""Rules, and what is there when one is killed, from which the next run goes on."""


@pytest.mark.long
@pytest.mark.slow
def test_killed_between_epochs_and_trials_ends_as_undisturbed(fresh, template):
    """Kills at any moment are those of test_faults.py."""
    options = ("--configfile", "tiny.yaml")
    for rule, pattern in TRAININGS.items():
        left = harness.kill_when(fresh, *options, "--until", rule, pattern=pattern)
        assert left, f"{rule} was not killed while it trained"
    end = harness.snakemake(fresh, *options)
    assert end.returncode == 0, end.stderr
    assert harness.parts_of(fresh) == []
    ended, undisturbed = harness.made_files(fresh), harness.made_files(template)
    assert ended.keys() == undisturbed.keys()
    assert [name for name in ended if ended[name] != undisturbed[name]] == []


AUDIT = ("--configfile", "tiny.yaml", "--until", "audit")
AUDITED = "results/tiny/corpus/audit"


@pytest.mark.slow
def test_killed_run_goes_on_without_a_word(fresh, template):
    """Nothing like --unlock has to be typed: the lock of a dead process is no lock."""
    assert harness.kill_when(fresh, *AUDIT, pattern=f"{AUDITED}/.part-*")
    again = harness.snakemake(fresh, *AUDIT)
    assert again.returncode == 0, again.stderr
    assert "unlock" not in again.stderr
    assert harness.parts_of(fresh) == []
    undisturbed = harness.made_files(template)
    ended = harness.made_files(fresh)
    assert {name: undisturbed[name] for name in ended} == ended


@pytest.mark.slow
def test_ctrl_c_leaves_the_end_of_make_run_to_snakemake(tmp_path):
    place = harness.copy_code(tmp_path / "place")
    call = [sys.executable, "envs/command.py", "run"]
    env = {"ARGS": "--until demo_clips", "CORES": "1", "CONFIG": "", "MUSIC": ""}
    with harness.started(place, call=call, env=env) as run:
        assert faults.wait_for_job(run, "demo_clips.py")
        os.killpg(run.pid, signal.SIGINT)
        ended = run.wait(timeout=600)
    shown = (place / "shown.txt").read_text()
    assert ended == 1, shown
    assert "user request" in shown
    assert "Traceback" not in shown
    assert not list(place.glob(".snakemake/locks/*"))


@pytest.mark.slow
def test_second_run_at_the_same_time_is_refused(fresh):
    with harness.held(fresh, *AUDIT, pattern=f"{AUDITED}/.part-*") as (first, release):
        second = harness.snakemake(fresh, *AUDIT)
        release()
        first.wait(timeout=600)
    assert second.returncode != 0
    assert "another" in second.stderr or "other Snakemake" in second.stderr, second.stderr
    assert first.returncode == 0
    assert len(list((fresh / AUDITED).glob("*.csv"))) == TINY["corpus"]["shards"]
