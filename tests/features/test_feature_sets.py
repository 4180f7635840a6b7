"""A clip has the same features in the corpus, in the prediction of its file and in timing.

They are the same bit by bit, of all kinds.
"""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from genreflow.bundle import bundles, latency, prediction
from genreflow.bundle.description import FORMAT, Audit, BundledModel
from genreflow.errors import Unusable
from genreflow.features import (
    matrices,
    musicnn,
    packages,
    preparation,
    recipes,
    shards,
    spectrograms,
)
from genreflow.features.feature_set import IMAGE, SOURCE, WAV, Part, Sound, known_kinds
from genreflow.features.kinds.handcrafted import Handcrafted
from genreflow.features.kinds.image_network import ImageNetwork
from genreflow.features.kinds.onnx_network import Mel, OnnxBackbone, OnnxNetwork
from made import clips, networks
from made.networks import sha256, write_filters, write_keras, write_patches, write_product
from made.trained_corpus import AUDIT, CLIP, IMAGES, RATE

MEL = Mel(n_fft=256, hop_length=128, n_mels=16, patch_frames=20).model_dump(exclude_none=True)
FILES = {"a": ("a.flac", 44100, 3.3), "b": ("b.mp3", 48000, 1.2), "c": ("c.ogg", 22050, 9.0)}
"""Longer than a clip, shorter, and by far longer."""


def handcrafted(folder):
    settings = {"features": ["mfcc", "spectral_centroid"], "rates": "native", "duration": CLIP}
    return [Part("handcrafted", "handcrafted", "", settings)]


def keras_network(engine):
    def make(folder):
        network = write_keras(folder / "own.keras", IMAGES.shape)
        pictures, cuts = preparation.trial_images(IMAGES), ["conv", "pool"]
        networks.prepare(folder / "net", network, cuts, pictures, engine=engine)
        return [Part("keras", "net", cut, {"dtype": "float16"}, "net") for cut in cuts]

    return make


def onnx_network(taken):
    def make(folder):
        rng = np.random.default_rng(0)
        path, settings = folder / "net.onnx", {"input": taken, "dtype": "float16"}
        if taken == "mel":
            write_patches(path, [20, 16])
            settings |= {
                "cuts": {"out": "first", "more": "second"},
                "sample_rate": 8000,
                "mel": MEL,
            }
        elif taken == "image":
            weights = rng.standard_normal((np.prod(IMAGES.shape), 4)) / 1000
            write_product(path, weights.astype(np.float32), ["b", *IMAGES.shape])
            settings["cuts"] = {"out": "embedding"}
        else:
            write_filters(path, rng.standard_normal((3, 1, 100)).astype(np.float32))
            settings |= {"cuts": {"out": "frames"}, "sample_rate": 8000, "duration": 1.5}
        settings["sha256"] = sha256(path)
        return [Part("onnx", "net", cut, settings, "net.onnx") for cut in settings["cuts"]]

    return make


def musicnn_network(folder):
    package, known = recipes.known()["musicnn"].package, recipes.known()["musicnn"].backbone
    if packages.installed(package.name, package.version, package.data) is None:
        pytest.skip("needs the package musicnn")
    musicnn.make(folder / "net", {"recipe": "musicnn", "sha256": known["sha256"]})
    backbone = OnnxBackbone(network="musicnn", cuts=["penultimate", "pool"])
    config = {"transfer": {"folder": "", "dtype": "float32"}}
    planned = OnnxNetwork.planned("net", backbone.model_dump(exclude_none=True), config)
    settings = dict(planned.feature_set.settings)
    return [Part("onnx", "net", cut, settings, "net") for cut in planned.outputs]


EXAMPLES = {
    "handcrafted": {"": handcrafted},
    "keras": {engine: keras_network(engine) for engine in ("openvino", "keras")},
    "onnx": {
        **{taken: onnx_network(taken) for taken in ("waveform", "mel", "image")},
        "musicnn": musicnn_network,
    },
}
"""What makes the parts of a matrix in a folder, for each kind."""


def examples():
    """Yield an example of each kind that is known, whether or not this file knows it."""
    for name, kind in known_kinds().items():
        if kind.from_audio:
            made = EXAMPLES.get(name, {"none": lambda folder: pytest.fail("give it an example")})
            yield from (pytest.param(make, id=f"{name} {key}") for key, make in made.items())


@pytest.fixture(scope="module")
def audio(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audio")
    for name, rate, seconds in FILES.values():
        music = clips.music(rate, seconds)
        soundfile.write(folder / name, np.stack([music, 0.7 * music], axis=1), rate)
    return [str(folder / name) for name, *_ in FILES.values()]


@pytest.fixture(scope="module")
def corpus(audio, tmp_path_factory):
    """Return what shards of features are made of, by what feature sets need."""
    folder = tmp_path_factory.mktemp("corpus")
    wavs = [
        clips.write_wav(path, folder / f"{name}.wav", rate=RATE, seconds=CLIP)
        for name, path in zip(FILES, audio, strict=True)
    ]
    tracks = [(name, "Rock", path) for name, path in zip(FILES, wavs, strict=True)]
    spectrograms.write_shard(folder / "images.h5", tracks, IMAGES)
    return {SOURCE: audio, WAV: wavs, IMAGE: [str(folder / "images.h5")]}


class Mirror:
    """In the place of a model: what it is given is what it predicts."""

    parameters, devices, genres = 0, ("cpu",), None

    def on(self, device):
        return nullcontext()

    def predict_proba(self, x):
        self.seen = x
        return x


def of_corpus(folder, parts, corpus):
    """Return the features that learners learn from."""
    found = []
    for part in parts:
        features = part.feature_set(folder=str(folder))
        taken = features.clips(list(FILES), corpus[features.needs], sample_rate=RATE)
        assert shards.write(folder / "shard.h5", features, taken) == len(FILES)
        matrix = folder / f"matrix-{part.output}.h5"
        shards.gather([folder / "shard.h5"], part.output, matrix=matrix, left_out=folder / "out")
        found.append(matrices.read_matrix(matrix).x)
        assert shards.parts_of(matrix) == [replace(part, network="")]
    return np.concatenate(found, axis=1)


@pytest.mark.parametrize("make", examples())
def test_a_clip_has_the_same_features_everywhere(tmp_path, monkeypatch, audio, corpus, make):
    parts = make(tmp_path)
    expected = of_corpus(tmp_path, parts, corpus)
    assert np.ptp(expected, axis=0).any()
    mirror = Mirror()
    monkeypatch.setattr(prediction, "load_model", lambda *_: mirror)
    # What the mirror gives are no probabilities.
    monkeypatch.setattr(prediction.Predictor, "_require_probabilities", lambda *_: None)
    monkeypatch.setattr(latency, "load_model", lambda *_: mirror)

    bundle = bundles.Bundle(
        folder=tmp_path,
        format=FORMAT,
        learner="mirror",
        split="official",
        seed=None,
        genres=tuple(map(str, range(expected.shape[1]))),
        clip=CLIP,
        audit=Audit(**AUDIT),
        images=vars(IMAGES),
        models=(BundledModel("mirror", "", tuple(parts)),),
        combiner=None,
        versions={},
        members={},
    )
    predictor = prediction.Predictor(bundle)
    predicted = [predictor.predict(path, whole=False).by_window for path in audio]
    np.testing.assert_array_equal(np.concatenate(predicted), expected)
    assert len(predictor.predict(audio[-1]).by_window) > 1

    here = [replace(one, network=one.network and str(tmp_path / one.network)) for one in parts]
    timed = [BundledModel("mirror", "", tuple(here))]
    (images,) = corpus[IMAGE]
    latency.measure(timed, audio, images=images, threads=1, report=lambda _: None)
    np.testing.assert_array_equal(mirror.seen, expected)


@pytest.mark.parametrize(
    ("network", "weights", "is_random"),
    [("VGG16", "random", True), ("VGG16", "imagenet", False), ("own.keras", "random", False)],
)
def test_a_network_that_has_learned_nothing_is_marked(network, weights, is_random):
    backbone = {"network": network, "weights": weights, "cuts": {"x": "x"}, "preprocessing": "none"}
    transfer = {"folder": "resources", "dtype": "float16", "engine": "auto"}
    planned = ImageNetwork.planned("net", backbone, {"transfer": transfer, "seed": 0})
    assert planned.is_random == is_random
    assert planned.matrices == ["net/x"]


def test_at_one_rate_for_all_clips_of_any_rate_have_comparable_features():
    settings = {"features": ["mfcc", "spectral_centroid"], "duration": 30.0}
    known = {rate: Sound(clips.music(rate, 3), rate) for rate in (8000, 22050, 44100)}

    def features(rates, rate):
        return Handcrafted("handcrafted", settings | {"rates": rates}).extract([known[rate]])[""]

    with pytest.raises(Unusable, match=r"8000 Hz.*handcrafted\.rates"):
        features("native", 8000)
    assert np.isfinite(features(22050, 8000)).all()
    np.testing.assert_array_equal(features(22050, 22050), features("native", 22050))
    reference = features("native", 22050)

    def distance(rates):
        return np.abs(features(rates, 44100) - reference).mean()

    assert distance(22050) < distance("native") / 2
