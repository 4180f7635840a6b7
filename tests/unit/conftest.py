"""What the tests of several modules need, made once."""

import pytest
from genreflow import backend
from unit.trained_corpus import Corpus


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    backend.configure(threads=1, seed=0)
    return Corpus(tmp_path_factory.mktemp("corpus"))
