import sys

import pytest


def pytest_collection_finish(session):
    """Set up Keras before any test uses it: TensorFlow takes its threads once a process."""
    if "keras" in sys.modules:
        from genreflow import backend

        backend.configure(threads=1, seed=0)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """Train all kinds of learners, once; the tests of the workflow have another corpus."""
    from unit.trained_corpus import Corpus

    return Corpus(tmp_path_factory.mktemp("corpus"))
