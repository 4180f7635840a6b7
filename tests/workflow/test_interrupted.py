"""Runs that are killed and started again end as if nothing had happened."""

import harness
import pytest
from conftest import DEMO_TARGETS, TINY

# In the order of a run: what is being written when the run is killed.
STAGES = {
    "audit": "results/tiny/corpus/audit/.part-*",
    "spectrogram_shard": "results/tiny/spectrograms/.part-*",
    "spectrograms": "results/tiny/.part-spectrograms.h5",
    "augmented_shard": "results/tiny/grouped/augmented/.part-*",
    "cnn_search": "results/tiny/grouped/cnn/tuned-augmented/search/.trials/trial-0001.json",
    "cnn": "results/tiny/grouped/cnn/residual/seed-0/.checkpoint.npz",
    "predictions": "results/tiny/grouped/cnn/residual/seed-0/.part-predictions.csv",
    "network": "results/tiny/networks/tiny/.part-network.json",
    "feature_shard": "results/tiny/feature_shards/*/.part-*",
    "pca": "results/tiny/grouped/classify/tiny/pool/.part-pca.h5",
    "tables": "results/tiny/tables/.part-genres.csv",
}

TARGETS = {
    "audit": ["--until", "audit"],
    "spectrogram_shard": ["--until", "spectrogram_shard"],
    "spectrograms": ["--until", "spectrograms"],
    "augmented_shard": ["--until", "augmented_shard"],
    "cnn_search": ["--until", "cnn_search"],
    "cnn": ["--until", "cnn"],
    "predictions": ["--until", "cnn"],
    "network": ["--until", "network"],
    "feature_shard": ["--until", "feature_shard"],
    "pca": ["--until", "pca"],
}
"""Stages that could be overtaken by another while they are waited for are run alone."""


@pytest.mark.long
@pytest.mark.slow
def test_killed_in_each_stage_ends_as_undisturbed(fresh, template):
    options = ("--configfile", "tiny.yaml")
    for stage, pattern in STAGES.items():
        left = harness.kill_when(fresh, *options, *TARGETS.get(stage, []), pattern=pattern)
        assert left, f"{stage} was not killed while it wrote"
    end = harness.snakemake(fresh, *options)
    assert end.returncode == 0, end.stderr
    assert harness.parts_of(fresh) == []
    ended, undisturbed = harness.made_files(fresh), harness.made_files(template)
    assert ended.keys() == undisturbed.keys()
    assert [name for name in ended if ended[name] != undisturbed[name]] == []


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize(
    "pattern",
    [
        "results/demo/source/fma_demo/**/.part-*",
        "results/demo/source/fma_metadata/.part-tracks.csv",
    ],
)
def test_killed_while_the_demo_corpus_is_made(fresh, demo_template, pattern):
    options = (*DEMO_TARGETS, "--configfile", "demo.yaml")
    left = harness.kill_when(fresh, *options, pattern=pattern)
    assert left, "it was not killed while it wrote"
    end = harness.snakemake(fresh, *options)
    assert end.returncode == 0, end.stderr
    assert harness.parts_of(fresh) == []
    assert harness.made_files(fresh) == harness.made_files(demo_template)


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
def test_second_run_at_the_same_time_is_refused(fresh):
    with harness.held(fresh, *AUDIT, pattern=f"{AUDITED}/.part-*") as (first, release):
        second = harness.snakemake(fresh, *AUDIT)
        release()
        first.wait(timeout=600)
    assert second.returncode != 0
    assert "another" in second.stderr or "other Snakemake" in second.stderr, second.stderr
    assert first.returncode == 0
    assert len(list((fresh / AUDITED).glob("*.csv"))) == TINY["corpus"]["shards"]
