"""A corpus that is but a table of features: everything is made without audio."""

import csv
import json

import harness
import numpy as np
import pytest
import yaml
from genreflow.corpus.tracks import UNHEARD
from made.server import serving
from small_corpora import merged

OVERLAYS = {
    name: yaml.safe_load((harness.ROOT / f"config/{name}.yaml").read_text())
    for name in ("own_features", "fma_metadata")
}

OWN = merged(
    OVERLAYS["own_features"],
    {
        "corpus": {"table": "features_30_sec.csv"},
        "splits": ["grouped"],
        "split": {"validation": 0.2, "test": 0.2},
        "feature_tables": {"own": "features_30_sec.csv"},
        "ffnn": {"units": [[4]], "epochs": 2},
        "classify": {"run": ["lda"], "features": {"table/own": ["all", 0.9]}, "folds": 2},
        "ensembles": {
            "members": {
                "average": {"of": ["ffnn/table/own/4", "classify/table/own/all/lda"]},
                "stack": {"of": ["ffnn/table/own/4", "classify/table/own/all/lda"]},
            }
        },
    },
)

AUDIO = {"wav", "audit", "clip_length", "spectrogram_shard", "spectrograms", "latency"}


def write_table(path, per_genre=20):
    """Write features as Kaggle has those of GTZAN; the last row lacks a value."""
    rng = np.random.default_rng(0)
    rows = []
    for place, genre in enumerate(("blues", "jazz", "metal")):
        for number in range(per_genre):
            values = rng.normal(3 * place, 1, 3).round(4)
            rows.append([f"{genre}.{number:05d}.wav", 661794, *values, genre])
    rows[-1][3] = ""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["filename", "length", "rms_mean", "rms_var", "x", "label"]])
        csv.writer(file).writerows(rows)


@pytest.fixture
def own(tmp_path):
    write_table(tmp_path / "features_30_sec.csv")
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(OWN))
    return tmp_path


@pytest.mark.slow
def test_a_table_is_enough_for_a_whole_run(own, plan):
    done = harness.snakemake(own, "--configfile", "own.yaml")
    assert done.returncode == 0, done.stderr
    results = own / "results/own_features"
    with (results / "tables/comparison.csv").open() as file:
        accuracies = {row["learner"]: float(row["test_accuracy"]) for row in csv.DictReader(file)}
    assert set(accuracies) == {
        *("ensemble/average", "ensemble/stack", "ffnn/table/own/4"),
        *("classify/table/own/all/lda", "classify/table/own/pca-0.90/lda"),
    }
    assert accuracies["classify/table/own/all/lda"] > 0.9
    assert json.loads((results / "corpus/summary.json").read_text())["notes"] == [UNHEARD]
    page = (results / "report.html").read_text()
    columns = "filename (names the tracks); label (by its name a label, a part or an id)"
    lost = "Without features table/own: 1 track"
    for shown in (page, done.stdout + done.stderr):
        assert [text for text in (UNHEARD, columns, lost) if text not in shown] == []
    assert "<audio" not in page and '"wav":""' in page and "log-mel images of" not in page
    assert not list(results.glob("wav*")) + list(results.glob("spectrograms*"))
    assert (results / "figures/grouped/classify/table/own/all/lda/confusion_matrix.svg").exists()
    assert (results / "figures/grouped/ffnn/table/own/4/learning_curves.svg").exists()
    assert plan(own, base=OWN) == set()
    refused = harness.snakemake(own, "export", "--configfile", "own.yaml")
    assert refused.returncode != 0
    said = " ".join(refused.stderr.split())
    assert "features table/own were not computed from audio" in said


def test_a_learner_that_needs_audio_is_named_where_the_table_has_no_paths(own):
    (own / "tracks.csv").write_text(
        "track_id,genre\n" + "".join(f"{n},{n % 2}\n" for n in range(9))
    )
    (own / "heard.yaml").write_text(
        yaml.safe_dump(merged(OWN, {"corpus": {"table": "tracks.csv"}, "cnn": {"run": ["simple"]}}))
    )
    shown = harness.snakemake(own, "--dry-run", "--configfile", "heard.yaml")
    assert shown.returncode != 0
    said = " ".join(shown.stderr.split())
    assert "tracks.csv, line 1: no column 'path'" in said and "cnn/simple needs audio" in said


def test_the_metadata_of_fma_are_enough_for_the_studys_networks(plan, tmp_path):
    from genreflow.corpus import demo

    folder = tmp_path / "data/fma/fma_metadata"
    demo.write_metadata(
        demo.tracks(genres=2, clips_per_genre=12, seed=0, source="nowhere"), folder / "tracks.csv"
    )
    (folder / "features.csv").touch()
    jobs = plan(tmp_path, base=OVERLAYS["fma_metadata"])
    assert not harness.rules_of(jobs) & AUDIO
    assert ("table_features", "handcrafted") in jobs
    assert len([job for job in jobs if job[0] == "ffnn"]) == 9
    assert {job[4] for job in jobs if job[0] == "classify"} == {
        *("gradient-boosting", "lda", "logistic-regression", "mlp", "svm-linear", "svm-rbf")
    }
    assert {"ffnn_table", "classify_table", "report"} <= harness.rules_of(jobs)


@pytest.mark.slow
def test_fetch_asks_for_the_metadata_of_fma_alone(tmp_path):
    metadata = tmp_path / "data/fma/fma_metadata"
    with serving(tmp_path / "site") as server:
        corpus = {"corpus": {"url": f"{server.url}/"}}
        (tmp_path / "fma.yaml").write_text(yaml.safe_dump(merged(OVERLAYS["fma_metadata"], corpus)))
        lacking = harness.snakemake(tmp_path, "fetch", "--configfile", "fma.yaml")
        assert lacking.returncode != 0 and set(server.paths) == {"/fma_metadata.zip"}
        server.paths.clear()
        metadata.mkdir(parents=True)
        (metadata / "checksums").touch()
        there = harness.snakemake(tmp_path, "fetch", "--configfile", "fma.yaml")
    assert there.returncode == 0, there.stderr
    assert server.paths == []
