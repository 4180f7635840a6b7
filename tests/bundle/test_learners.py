"""What a bundle says of a track of the corpus, for all families of learners."""

import numpy as np
import pandas as pd
import pytest
from genreflow.bundle import files
from made.trained_corpus import GENRES, LEARNERS


@pytest.mark.parametrize("name", LEARNERS)
def test_every_track_gets_what_stands_in_its_predictions(corpus, predictor, name):
    table = pd.read_csv(corpus.predictions(name), dtype={"track_id": str}).set_index("track_id")
    assert list(table.index) == corpus.ids
    assert len(set(table["predicted"])) > 1
    found = files.predict_files(predictor(name), corpus.files, report=lambda _: None)
    assert [one.reason for one in found] == [""] * len(corpus.ids)
    assert [one.predicted for one in found] == list(table["predicted"])
    assert {len(one.starts) for one in found} == {1}
    expected = table[[f"p_{genre}" for genre in GENRES]].to_numpy()
    np.testing.assert_allclose([one.probabilities for one in found], expected, rtol=0, atol=1e-6)
