"""A results folder like that of a run, but small and with hostile names, for tests."""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import soundfile
from genreflow.evaluation import calibration, metrics, significance
from genreflow.features.matrices import write_matrix
from genreflow.features.spectrograms import Settings, write_shard
from genreflow.learners.predictions import Entry
from genreflow.report import figures
from genreflow.report.drawing import drawing
from genreflow.runtime.files import read_table, write_csv

GENRES = ["</script><script>alert(1)</script>", "Drum & \"Bass\" 'n' <b>Co</b>", "Folk"]
TITLE = "<img src=x onerror=\"document.title='hacked'\"> {{ 7 * 7 }} &amp;"
ARTIST = "</ScRiPt><script>document.title='hacked'</script>\u2028<!-- "
REASON = "<marquee>too short</marquee>"
LEARNERS = {"cnn/simple": (0, 1), "classify/vgg16/fc1/pca-0.90/svm-rbf": (None,), "ffnn/64": (0, 1)}
MARKS = {"vgg16": "random weights"}
ABOUT = {
    "cnn/simple": {"title": "CNN simple", "kind": "CNNs"},
    "classify/vgg16/fc1/pca-0.90/svm-rbf": {
        "title": "RBF SVM on VGG16 fc1, PCA 90 %",
        "kind": "Classifiers",
        "matrix": "vgg16/fc1",
        "features": "VGG16 fc1",
    },
    "ffnn/64": {"title": "Feed-forward network 64", "kind": "Networks"},
}
SECONDS = {"cnn/simple": 0.0123, "classify/vgg16/fc1/pca-0.90/svm-rbf": 0.2, "ffnn/64": 0.0001}
RATE = 8000
_PARTS = ["training", "training", "validation", "test", "test"]


def make(folder, tracks=60):
    """Write the results of a run with two seeds and return all files but the WAVs."""
    folder = Path(folder)
    manifest = pd.DataFrame(
        {
            "track_id": [f"{number:06d}" for number in range(tracks)],
            "path": [f"music/{number}.mp3" for number in range(tracks)],
            "genre": [GENRES[number % 3] for number in range(tracks)],
            "title": [TITLE if number == 3 else f"Title {number}" for number in range(tracks)],
            "artist": [ARTIST if number == 3 else f"Artist {number}" for number in range(tracks)],
            # Track 3 (test) and track 0 (training) are of one artist.
            "artist_id": ["0" if number == 3 else str(number) for number in range(tracks)],
            "album_id": "",
            "duplicate_of": "",
        }
    )
    parts = pd.Series([_PARTS[number % 5] for number in range(tracks)])
    excluded = [{"track_id": "999", "path": "a<b>.mp3", "genre": "Folk", "reason": REASON}]
    write_csv(manifest, folder / "corpus/tracks.csv")
    write_csv(pd.DataFrame(excluded), folder / "corpus/excluded.csv")
    write_csv(manifest[["track_id"]].assign(part=parts), folder / "corpus/splits/official.csv")
    _write_predictions(folder, manifest, parts)
    write_tables(folder)
    _write_features(folder, manifest)
    _write_figures(folder)
    _write_benchmarks(folder)
    _write_audio(folder, manifest)
    return files(folder)


def files(folder):
    return [path for path in Path(folder).rglob("*.*") if path.suffix != ".wav"]


def entries(folder):
    return [Entry.from_path(path, folder) for path in sorted(folder.rglob("predictions.csv"))]


def _write_predictions(folder, manifest, parts):
    rng = np.random.default_rng(0)
    true = np.arange(len(manifest)) % 3
    for learner, seeds in LEARNERS.items():
        for seed in seeds:
            p = rng.dirichlet([1, 1, 1], len(manifest))
            p[np.arange(len(p)), true] += rng.random(len(p))
            p /= p.sum(axis=1, keepdims=True)
            frame = manifest[["track_id", "genre"]].assign(
                part=parts, predicted=[GENRES[place] for place in p.argmax(axis=1)]
            )
            frame[[f"p_{genre}" for genre in GENRES]] = p
            place = "" if seed is None else f"seed-{seed}/"
            write_csv(frame, folder / f"official/{learner}/{place}predictions.csv")


def write_tables(folder):
    found = entries(folder)
    known = {"manifest": read_table(folder / "corpus/tracks.csv"), "marks": MARKS}
    about = {"about": ABOUT, "latency_seconds": SECONDS}
    comparison = metrics.comparison(
        found, fma_small=True, chosen=("official", "ffnn/64"), **known, **about
    )
    write_csv(comparison, folder / "tables/comparison.csv")
    write_csv(metrics.recall(found, marks=MARKS), folder / "tables/genres.csv")
    write_csv(significance.pairs(found, **known), folder / "tables/significance.csv")
    write_csv(calibration.reliability(found, marks=MARKS), folder / "tables/calibration.csv")
    further = pd.DataFrame({"learner": ["a", "b", "c"], "dimensions": [9, 100, 20]})
    write_csv(further, folder / "tables/classify.csv")


def _write_features(folder, manifest):
    """Write features by which genres can be told apart; track 7 has none."""
    rng = np.random.default_rng(0)
    kept = manifest[manifest["track_id"] != "000007"]
    x = rng.standard_normal((len(kept), 8)) + 2 * np.eye(3, 8)[kept.index % 3]
    columns = [f"feature {number}" for number in range(8)]
    path = folder / "features/vgg16/fc1.h5"
    write_matrix(path, x.astype(np.float32), list(kept["track_id"]), columns, {})


def _write_figures(folder):
    curves = pd.DataFrame({"epoch": [1, 2], "loss": [2.0, 1.0], "accuracy": [0.4, 0.6]})
    curves = curves.assign(val_loss=[2.0, 1.5], val_accuracy=[0.3, 0.5])
    counts = pd.DataFrame(np.eye(3, dtype=int), GENRES, GENRES)
    comparison = pd.read_csv(folder / "tables/comparison.csv")
    figures.accuracy_intervals(comparison, folder / "figures/accuracy.svg")
    of_learner = folder / "figures/official/cnn/simple"
    histories = {"cnn/simple": {"seed-0/history.csv": curves}}
    figures.learning_curves(histories, of_learner / "learning_curves.svg", title=TITLE)
    figures.confusion_matrix(counts, of_learner / "confusion_matrix.svg", title=TITLE)
    with drawing(folder / "figures/genres.svg", 9, 1, title="A wide gallery"):
        pass


def _write_benchmarks(folder):
    header = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
    for name, line in {
        "tables": "3.50\t0:00:03\t200.00",
        "wav/000001": "0.25\t0:00:00\tNA",
        "wav/000002": "0.75\t0:00:00\t6.50",
    }.items():
        path = folder / f"benchmarks/{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(header + line + "\t0" * 7 + "\n")


def _write_audio(folder, manifest):
    rng = np.random.default_rng(0)
    (folder / "wav").mkdir(exist_ok=True)
    tracks = []
    for row in manifest.itertuples():
        wav = folder / f"wav/{row.track_id}.wav"
        # Track 8 is half as long as the others.
        noise = 0.1 * rng.standard_normal(RATE // (2 if row.track_id == "000008" else 1))
        soundfile.write(wav, noise, RATE, subtype="PCM_16")
        tracks.append((row.track_id, row.genre, str(wav)))
    settings = Settings(
        sample_rate=RATE,
        duration=1.0,
        n_fft=512,
        hop_length=128,
        n_mels=32,
        f_min=0,
        f_max=4000,
        invert=True,
    )
    write_shard(folder / "spectrograms.h5", tracks, settings)


def image_of(folder, track_id):
    """Return the audible part of a track's image."""
    with h5py.File(folder / "spectrograms.h5") as file:
        row = file["track_id"].asstr()[:].tolist().index(track_id)
        return file["images"][row][:, : file["frames"][row]]
