"""A tiny corpus of audio and all kinds of learners, trained on it as the workflow does."""

import os
import subprocess
from pathlib import Path

import imageio_ffmpeg
import keras
import numpy as np
import pandas as pd
import soundfile
from genreflow.audio import formats
from genreflow.bundle import bundles
from genreflow.config import complete
from genreflow.features import backend, handcrafted_shards, matrices, network_shards, spectrograms
from genreflow.learners import classifiers, cnn, ensembles, ffnn, training
from genreflow.learners.predictions import Entry
from made.images import SETTINGS, VARIANT

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
RATE, CLIP = 16000, 3.0
GENRES = ("Drone", "Hiss", "Pulse")
IMAGES = spectrograms.Settings(
    sample_rate=RATE,
    duration=CLIP,
    n_fft=512,
    hop_length=256,
    n_mels=16,
    f_min=0.0,
    f_max=8000.0,
    invert=True,
)
HANDCRAFTED = {"features": ["mfcc", "spectral_centroid"], "rates": "native", "duration": 3.1}
AUDIT = {"min_duration": 0.5, "silence_level": -60, "min_sounding": 0.05}
CROPS = {"crop_frames": 100, "crops": 3}
WIDE = {"architecture": "residual", "width": 4, "stages": 1, "depth": 1, **CROPS}
NETWORKS = {"tiny": "auto", "slow": "keras"}
JOINED = [("tiny", "pool"), ("slow", "conv")]
LEARNERS = [
    "cnn/whole",
    "cnn/crops",
    "ffnn/8",
    "classify/handcrafted/all/logistic-regression",
    "classify/tiny/pool/all/svm-linear",
    "classify/joined/both/all/svm-rbf",
    "ensemble/mean",
]


def sound(genre, seconds, rate, channels, rng):
    """Make a chord, noise or beats, with noise enough that no learner is sure."""
    time = np.arange(round(seconds * rate)) / rate
    tone = sum(np.sin(2 * np.pi * pitch * time) for pitch in rng.uniform(100, 900, 3))
    noise = rng.standard_normal(len(time))
    beat = noise * np.exp(-20 * (time % rng.uniform(0.2, 0.5)))
    mixed = {"Drone": tone, "Hiss": noise, "Pulse": 3 * beat}[genre] + 0.5 * (tone + noise + beat)
    level = rng.uniform(0.05, 0.2)
    return level * np.stack([mixed * share for share in (1, 0.7)[:channels]], axis=1)


def write_corpus(folder):
    """Write clips of several rates, channels, formats and lengths; return id, genre and file."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    tracks = []
    for number in range(30):
        rate, channels = ((44100, 2), (48000, 1), (22050, 2))[number // 3 % 3]
        seconds = (3.3, 4.9, 1.7)[number % 7 % 3]
        ending = ("mp3", "flac", "ogg")[number % 4 % 3]
        genre, path = GENRES[number % 3], folder / f"{number:03d}.{ending}"
        soundfile.write(path, sound(genre, seconds, rate, channels, rng), rate)
        tracks.append((f"{number:03d}", genre, path))
    return tracks


def wav(source, target):
    """Decode as the rule `wav` does."""
    length = [str(RATE), str(round(CLIP * RATE)), str(CLIP + 2)]
    subprocess.run(
        ["bash", SCRIPTS / "wav.sh", source, target, *length, *formats.SAFE],
        env={**os.environ, "FFMPEG": FFMPEG},
        check=True,
    )
    return target


def write_network(path, seed):
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    keras.Sequential(
        [
            keras.Input((*IMAGES.shape, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(3, 5, strides=4, activation="relu", name="conv"),
            layers.GlobalAveragePooling2D(name="pool"),
        ]
    ).save(path)
    return str(path)


class Corpus:
    """What a run of the workflow on the tiny corpus would leave."""

    def __init__(self, folder):
        self.folder, self.results = folder, folder / "results"
        self.tracks = write_corpus(folder / "audio")
        (folder / "wav").mkdir()
        self.ids, self.genres, self.files = map(list, zip(*self.tracks, strict=True))
        parts = [("training", "training", "validation", "test")[n // 3 % 4] for n in range(30)]
        self.split = pd.DataFrame({"track_id": self.ids, "part": parts, "genre": self.genres})
        self.runs = {}
        self._images()
        self._handcrafted()
        self._networks()
        for name in LEARNERS:
            self._train(name)

    def _images(self):
        wavs = [
            (one, genre, wav(path, self.folder / f"wav/{one}.wav"))
            for one, genre, path in self.tracks
        ]
        shard = self.folder / "spectrograms" / "0.h5"
        spectrograms.write_shard(shard, wavs, IMAGES)
        self.images = self.folder / "spectrograms.h5"
        spectrograms.join(self.images, [shard])
        self.shard = shard

    def _matrix(self, name):
        return self.folder / "features" / f"{name}.h5"

    def _handcrafted(self):
        shard = self.folder / "handcrafted.h5"
        handcrafted_shards.extract_shard(
            shard, zip(self.ids, self.files, strict=True), **HANDCRAFTED
        )
        made = {name: self.folder / f"{name}.csv" for name in ("table", "left_out")}
        handcrafted_shards.gather([shard], matrix=self._matrix("handcrafted"), **made)

    def _networks(self):
        with spectrograms.open_images(self.images) as file:
            some = file["images"][:8]
        for seed, (name, engine) in enumerate(NETWORKS.items()):
            network = write_network(self.folder / f"{name}.keras", seed)
            prepared, shard = (
                self.folder / "transfer" / name / "network",
                self.folder / f"{name}.h5",
            )
            quiet = {"weights": "own", "report": lambda _: None}
            network_shards.prepare(
                prepared, some, network, ["conv", "pool"], engine=engine, **quiet
            )
            network_shards.extract_shard(shard, self.shard, prepared)
            cuts = {cut: self._matrix(f"{name}/{cut}") for cut in ("conv", "pool")}
            network_shards.gather([shard], cuts)
        joined = [self._matrix("/".join(one)) for one in JOINED]
        network_shards.join_cuts(joined, self._matrix("joined/both"))

    def _train(self, name):
        stage, rest = name.split("/", 1)
        folder = self.results / "official" / name
        folder.mkdir(parents=True)
        table = getattr(self, f"_{stage}")(folder, name, rest)
        table.to_csv(folder / "predictions.csv", index=False)

    def _cnn(self, folder, name, rest):
        variant = VARIANT | (WIDE if rest == "crops" else {})
        backend.configure(threads=1, seed=0)
        model, _, table = cnn.fit(
            self.images,
            self.split,
            variant=variant,
            memory_mb=10,
            report=lambda _: None,
            seed=0,
            **SETTINGS,
        )
        training.save(model, folder / "model.keras")
        crops = CROPS if rest == "crops" else {}
        self.runs[name] = bundles.Run(folder, name, (), **crops)
        return table

    def _ffnn(self, folder, name, rest):
        x, split, _ = matrices.of_split(self._matrix("handcrafted"), self.split)
        backend.configure(threads=1, seed=0)
        model, _, table, _ = ffnn.fit(
            x,
            split,
            units=[8],
            l2=0,
            learning_rate=0.01,
            batch_size=4,
            seed=0,
            epochs=4,
            monitor="val_loss",
            patience=4,
            report=lambda _: None,
        )
        training.save(model, folder / "model.keras")
        self.runs[name] = bundles.Run(folder, name, [bundles.Features(self._matrix("handcrafted"))])
        return table

    def _classify(self, folder, name, rest):
        matrix, _, classifier = rest.rsplit("/", 2)
        x, split, _ = matrices.of_split(self._matrix(matrix), self.split)
        columns = (split["genre"], split["part"], split["track_id"])
        grid = complete({})["classify"]["grids"][classifier]
        result = classifiers.classify(x, *columns, classifier=classifier, grid=grid, folds=2)
        classifiers.save(result.model, folder / "model.skops")
        parts = JOINED if matrix.startswith("joined") else [tuple(matrix.split("/"))]
        made = [
            bundles.Features(self._matrix("handcrafted"))
            if part == ("handcrafted",)
            else bundles.Features(
                self._matrix("/".join(part)), self.folder / "transfer" / part[0] / "network"
            )
            for part in parts
        ]
        self.runs[name] = bundles.Run(folder, name, made)
        return result.predictions

    def _ensemble(self, folder, name, rest):
        members = LEARNERS[:4]
        made = [self.results / "official" / one / "predictions.csv" for one in members]
        result = ensembles.average([Entry.from_path(path, self.results) for path in made])
        ensembles.save(result.combiner, folder / "combiner.skops")
        return result.predictions

    def predictions(self, name):
        return self.results / "official" / name / "predictions.csv"

    def export(self, target, name, **changes):
        ensemble = name.startswith("ensemble/")
        return bundles.export(
            target,
            [self.runs[one] for one in LEARNERS[:4]] if ensemble else [self.runs[name]],
            predictions=self.predictions(name),
            learner=name,
            split="official",
            images=self.images,
            combiner=self.results / "official" / name / "combiner.skops" if ensemble else None,
            audit=AUDIT,
            corpus="tiny",
            **changes,
        )
