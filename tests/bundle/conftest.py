import functools

import pytest
from genreflow.bundle import prediction


@pytest.fixture(scope="package")
def bundled(corpus, tmp_path_factory):
    """Return what gives the folder of a learner's bundle."""
    folder = tmp_path_factory.mktemp("bundles")
    return functools.cache(lambda name: corpus.export(folder / name.replace("/", "+"), name).folder)


@pytest.fixture(scope="package")
def predictor(bundled):
    """Return what gives the predictor of a learner."""
    return functools.cache(lambda name: prediction.Predictor(bundled(name)))
