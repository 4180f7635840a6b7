"""Rock against Hip-Hop on FMA's own MFCC statistics: a number known from elsewhere."""

import pytest
from genreflow.config import complete
from genreflow.features import feature_tables, table_rows
from genreflow.learners import classifiers
from genreflow.runtime.files import read_table
from made.clips import DATA

TABLE = DATA / "fma_features_mfcc_2000tracks.csv"


@pytest.mark.slow
@pytest.mark.skipif(not TABLE.exists(), reason="needs the shared data")
def test_rbf_svm_on_the_official_split():
    labels = read_table(DATA / "fma_small_labels.csv").set_index("track_id")
    table = feature_tables.read(TABLE)
    rows = {track_id: row for row, track_id in enumerate(table.track_ids)}
    x, track_ids, left_out = table_rows.select(table, rows, [i for i in rows if i in labels.index])
    assert len(left_out) == 10
    rows = labels.loc[track_ids]
    result = classifiers.classify(
        x,
        rows["genre_top"],
        rows["split"],
        track_ids,
        classifier="svm-rbf",
        grid=complete({})["classify"]["grids"]["svm-rbf"],
        folds=10,
        threads=2,
    )
    test = result.predictions[result.predictions["part"] == "test"]
    assert len(test) > 150
    assert (test["predicted"] == test["genre"]).mean() >= 0.92
