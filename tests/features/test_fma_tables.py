"""Feature tables in FMA's format."""

import numpy as np
import pandas as pd
import pytest
from genreflow.errors import GenreflowError
from genreflow.features import feature_tables, fma_tables, matrices
from made.clips import DATA

PUBLISHED = DATA / "fma_features_mfcc_2000tracks.csv"

COLUMNS = [("mfcc", "kurtosis", "01"), ("mfcc", "mean", "01"), ("zcr", "mean", "01")]
HEADER = "feature,mfcc,zcr\nstatistics,mean,max\nnumber,01,01\ntrack_id,,\n"


def test_what_is_written_is_what_pandas_and_we_read(tmp_path):
    path = tmp_path / "features.csv"
    values = np.array([[1 / 3, -2e-30, 3e20], [np.nan, 0, -1]])
    fma_tables.write(path, ["000002", "b.c-1"], COLUMNS, values)

    table = pd.read_csv(path, index_col=0, header=[0, 1, 2], dtype={0: str})
    assert table.columns.names == ["feature", "statistics", "number"]
    assert list(table.columns) == COLUMNS
    assert table.index.name == "track_id"
    np.testing.assert_allclose(table.to_numpy(), values, rtol=1e-10)
    assert "3.3333333333e-01" in path.read_text()

    found = feature_tables.read(path)
    assert found.track_ids == ["000002", "b.c-1"]
    assert found.columns == fma_tables.names(COLUMNS)
    np.testing.assert_allclose(found.x, values, rtol=1e-10)


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the shared data aren't here")
def test_the_published_table_is_read_as_it_is():
    found = feature_tables.read(PUBLISHED)
    table = pd.read_csv(PUBLISHED, index_col=0, header=[0, 1, 2])
    assert found.x.shape == (2000, 140)
    assert found.track_ids == [str(track_id) for track_id in table.index]
    assert found.columns == [" ".join(column) for column in table.columns]
    assert (found.paths, found.no_features) == ([], {})
    np.testing.assert_array_equal(found.x, table.to_numpy())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("feature,mfcc,zcr\nstatistics,mean,max\ntrack_id,,\n1,2,3\n", "three header rows"),
        (HEADER.replace("mfcc,zcr", "mfcc") + "1,2,3\n", "three header rows of its length"),
        (HEADER.replace("mfcc,zcr", "zcr,zcr").replace("mean", "max") + "1,2,3\n", "2 columns"),
        (HEADER + 50 * "7,1,2\n" + "9,3,Rock\n", "row 55, column 'zcr max 01': 'Rock' is not a"),
        (HEADER + "7,1,2\n8,1,2,3\n", "Expected 3 fields in line 6, saw 4"),
        (HEADER + "7,1\n8,1\n", "rows have 2 cells, its header 3"),
        (HEADER, "no track"),
        (None, "no file"),
        (HEADER.encode() + bytes(range(128, 256)), "UTF-8"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(tmp_path, text, words):
    path = tmp_path / "features.csv"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(GenreflowError, match=words) as caught:
        feature_tables.read(path)
    assert str(path) in str(caught.value)


def test_a_matrix_is_written_in_the_format(tmp_path):
    x = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.float32)
    matrices.write_matrix(tmp_path / "x.h5", x, ["9", "7"], fma_tables.names(COLUMNS), {})
    assert fma_tables.write_table(tmp_path / "x.h5", tmp_path / "own.csv") == 2
    found = feature_tables.read(tmp_path / "own.csv")
    assert (found.track_ids, found.columns) == (["9", "7"], fma_tables.names(COLUMNS))
    np.testing.assert_array_equal(found.x, x)
