"""A tiny corpus of audio and all kinds of learners, trained on it as the workflow does."""

import hashlib
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import soundfile
from genreflow.bundle import bundles
from genreflow.config import complete
from genreflow.features import backend, matrices, shards, spectrograms
from genreflow.features.feature_set import IMAGE, WAV, Planned
from genreflow.features.kinds.handcrafted import Handcrafted
from genreflow.features.kinds.image_network import ImageNetwork
from genreflow.features.kinds.onnx_network import OnnxNetwork
from genreflow.layout import CLASSIFIER, COMBINER, NETWORK, Layout
from genreflow.learners import classifiers, cnn, ensembles, ffnn, training
from genreflow.learners.learner import Learner
from genreflow.learners.predictions import Entry
from made import clips, networks
from made.images import SETTINGS, VARIANT

SCRIPTS = clips.ROOT / "scripts"
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
# Longer than an image, as by default: an ensemble must not take the features of less.
HANDCRAFTED = {"features": ["mfcc", "spectral_centroid"], "rates": "native", "duration": 3.1}
AUDIT = {"min_duration": 0.5, "silence_level": -60, "min_sounding": 0.05}
CROPS = {"crop_frames": 100, "crops": 3}
WIDE = {"architecture": "residual", "width": 4, "stages": 1, "depth": 1, **CROPS}
JOINED = ["tiny/pool", "handcrafted", "slow/conv", "ear/bands"]
LOGISTIC = "classify/handcrafted/all/logistic-regression"
SINGLE = [
    Learner("cnn/whole", NETWORK, is_seeded=True),
    Learner("cnn/crops", NETWORK, prediction=CROPS),
    Learner("ffnn/8", NETWORK, "handcrafted"),
    Learner(LOGISTIC, CLASSIFIER, "handcrafted"),
    Learner("classify/tiny/pool/all/svm-linear", CLASSIFIER, "tiny/pool"),
    Learner("classify/ear/bands/all/lda", CLASSIFIER, "ear/bands"),
    Learner("classify/joined/all/all/svm-rbf", CLASSIFIER, "joined/all"),
]
MEMBERS = [one.name for one in SINGLE[:4]]
LEARNERS = {one.name: one for one in [*SINGLE, Learner("ensemble/mean", COMBINER, members=MEMBERS)]}


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
        self.folder, self.layout = folder, Layout(folder / "results")
        self.tracks = write_corpus(folder / "audio")
        self.ids, self.genres, self.files = map(list, zip(*self.tracks, strict=True))
        parts = [("training", "training", "validation", "test")[n // 3 % 4] for n in range(30)]
        self.split = pd.DataFrame({"track_id": self.ids, "part": parts, "genre": self.genres})
        self.images = self.layout.spectrograms
        self._write_images()
        backend.configure(threads=1, seed=0)
        sets = self._feature_sets()
        self.networks = {one.feature_set.name: one.feature_set.network for one in sets}
        for one in sets:
            self._extract(one)
        joined = self.layout.features("joined/all")
        Path(joined).parent.mkdir(parents=True)
        shards.join([self.layout.features(name) for name in JOINED], joined)
        for learner in LEARNERS.values():
            for fitted in self.fitted(learner):
                Path(fitted.folder).mkdir(parents=True)
                made = getattr(self, f"_{learner.family}")(learner, fitted)
                made.to_csv(fitted.predictions, index=False)

    def _write_images(self):
        Path(self.layout.wavs).mkdir(parents=True)
        self.wavs = [
            clips.write_wav(path, self.layout.wav(one), rate=RATE, seconds=CLIP)
            for one, _, path in self.tracks
        ]
        self.shard = self.layout.spectrogram_shard("0")
        named = list(zip(self.ids, self.genres, self.wavs, strict=True))
        spectrograms.write_shard(self.shard, named, IMAGES)
        spectrograms.join(self.images, [self.shard])

    def _feature_sets(self):
        ear = networks.write_ear(self.folder / "ear.onnx")
        # Of another rate than the WAVs, and longer than some tracks.
        settings = {"cuts": {"bands": "frames"}, "input": "waveform", "sample_rate": 8000}
        settings |= {"duration": 2.5, "pooling": "mean", "dtype": "float32"}
        settings["sha256"] = hashlib.sha256(Path(ear).read_bytes()).hexdigest()
        return [
            Planned(Handcrafted("handcrafted", HANDCRAFTED)),
            self._image_network("tiny", engine="auto", seed=0),
            self._image_network("slow", engine="keras", seed=1),
            Planned(OnnxNetwork("ear", settings, ear), ["bands"]),
        ]

    def _image_network(self, name, *, engine, seed):
        network, cuts = write_network(self.folder / f"{name}.keras", seed), ["conv", "pool"]
        with spectrograms.open_images(self.images) as file:
            some = file["images"][:8]
        place = self.layout.network(name)
        networks.prepare(place, network, cuts, some, engine=engine)
        return Planned(ImageNetwork(name, {"dtype": "float16"}, place), cuts)

    def _extract(self, planned):
        one = planned.feature_set
        files = {IMAGE: [self.shard], WAV: self.wavs}.get(one.needs, self.files)
        shard = self.layout.feature_shard(one.name, "0")
        shards.write(shard, one, one.clips(self.ids, files, sample_rate=RATE))
        for output, name in zip(planned.outputs, planned.matrices, strict=True):
            left_out = self.layout.without_features(name)
            shards.gather([shard], output, matrix=self.layout.features(name), left_out=left_out)

    def _cnn(self, learner, fitted):
        settings = {"memory_mb": 10, "report": lambda _: None, "seed": fitted.seed or 0, **SETTINGS}
        variant = VARIANT | (WIDE if learner.prediction else {})
        model, _, table = cnn.fit(self.images, self.split, variant=variant, **settings)
        training.save(model, fitted.model(learner.model))
        return table

    def _ffnn(self, learner, fitted):
        x, split, _ = matrices.of_split(self.layout.features(learner.matrix), self.split)
        settings = {"batch_size": 4, "epochs": 4, "monitor": "val_loss", "patience": 4, "seed": 0}
        settings |= {"units": [8], "l2": 0, "learning_rate": 0.01, "report": lambda _: None}
        model, _, table, _ = ffnn.fit(x, split, **settings)
        training.save(model, fitted.model(learner.model))
        return table

    def _classify(self, learner, fitted):
        x, split, _ = matrices.of_split(self.layout.features(learner.matrix), self.split)
        columns = (split["genre"], split["part"], split["track_id"])
        kind = learner.name.rpartition("/")[2]
        grid = complete({})["classify"]["grids"][kind]
        result = classifiers.classify(x, *columns, classifier=kind, grid=grid, folds=2)
        classifiers.save(result.model, fitted.model(learner.model))
        return result.predictions

    def _ensemble(self, learner, fitted):
        members = [one for name in learner.members for one in self.fitted(LEARNERS[name])]
        root = self.layout.root
        result = ensembles.average([Entry.from_path(one.predictions, root) for one in members])
        ensembles.save(result.combiner, fitted.model(learner.model))
        return result.predictions

    def fitted(self, learner):
        """Return the files of a learner, of two seeds if it has seeds."""
        seeds = (0, 1) if learner.is_seeded else (None,)
        return [self.layout.fitted("official", learner.name, seed) for seed in seeds]

    def predictions(self, name):
        return self.fitted(LEARNERS[name])[0].predictions

    def models(self, name):
        """Describe the models of a learner, of all seeds."""
        learner = asdict(LEARNERS[name])
        return [
            bundles.model_of(one, learner, self.layout, self.networks)
            for one in self.fitted(LEARNERS[name])
        ]

    def export(self, target, name, **changes):
        learner, chosen = LEARNERS[name], self.fitted(LEARNERS[name])[0]
        members = [model for one in learner.members for model in self.models(one)]
        return bundles.export(
            target,
            chosen,
            members or self.models(name)[:1],
            combiner=chosen.model(learner.model) if learner.members else None,
            images=self.images,
            audit=AUDIT,
            corpus="tiny",
            **changes,
        )
