import functools

import numpy as np
import pytest
import soundfile
from genreflow.bundle import prediction
from made.trained_corpus import sound


@pytest.fixture(scope="package")
def bundled(corpus, tmp_path_factory):
    """Return what gives the folder of a learner's bundle."""
    folder = tmp_path_factory.mktemp("bundles")
    return functools.cache(lambda name: corpus.export(folder / name.replace("/", "+"), name).folder)


@pytest.fixture(scope="package")
def predictor(bundled):
    """Return what gives the predictor of a learner."""
    return functools.cache(lambda name: prediction.Predictor(bundled(name)))


@pytest.fixture(scope="package")
def long_file(tmp_path_factory):
    """Make 11.6 s of hiss, drone, silence and drone again: windows at 0, 3, (6) and 8.6 s."""
    rng = np.random.default_rng(5)
    pieces = [sound(genre, 3, 44100, 2, rng) for genre in ("Hiss", "Drone")]
    pieces += [np.zeros((3 * 44100, 2)), sound("Drone", 2.6, 44100, 2, rng)]
    path = tmp_path_factory.mktemp("long") / "long.flac"
    soundfile.write(path, np.concatenate(pieces), 44100)
    return path
