"""Feature tables in FMA's format."""

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from genreflow.errors import GenreflowError
from genreflow.features import fma_tables, matrices

DATA = Path(os.environ.get("GENREFLOW_DATA", Path(__file__).parents[2] / "../shared/data"))
PUBLISHED = DATA / "fma_features_mfcc_2000tracks.csv"
EMPTY = ["2", "5", "182", "255", "256", "368", "459", "574", "676", "690"]

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

    track_ids, columns, read = fma_tables.read(path)
    assert (track_ids, columns) == (["000002", "b.c-1"], COLUMNS)
    assert read.dtype == np.float64
    np.testing.assert_allclose(read, values, rtol=1e-10)


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the shared data aren't here")
def test_the_published_table_is_read_as_it_is_and_its_empty_rows_are_reported():
    track_ids, columns, values = fma_tables.read(PUBLISHED)
    table = pd.read_csv(PUBLISHED, index_col=0, header=[0, 1, 2])
    assert values.shape == (2000, 140)
    assert track_ids == [str(track_id) for track_id in table.index]
    assert columns == list(table.columns)
    np.testing.assert_array_equal(values, table.to_numpy())
    empty = np.isnan(values).any(axis=1)
    assert [track_id for track_id, none in zip(track_ids, empty, strict=True) if none] == EMPTY


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "feature,mfcc,zcr\nstatistics,mean,max\ntrack_id,,\n1,2,3\n",
            "three header rows; 2 header rows are there",
        ),
        ("id,title\n1,One\n2,Two\n3,Three\n4,Four\n", "three header rows"),
        (HEADER.replace("max", "average") + "1,2,3\n", "column 3 .*kurtosis"),
        (HEADER.replace("mfcc,zcr", "mfcc,") + "1,2,3\n", "column 3 .*kurtosis"),
        (HEADER.replace("01,01", "one,01") + "1,2,3\n", "column 2 .*kurtosis"),
        (
            "feature,zcr,zcr\nstatistics,max,max\nnumber,01,01\ntrack_id,,\n1,2,3\n",
            r"\(zcr, max, 01\) is there 2 times",
        ),
        *(
            (
                HEADER + f"7,1,2\n8,,nan\n9,3,{cell}\n",
                rf"row 7, track 9, column \(zcr, max, 01\): '{cell}' is not a number",
            )
            for cell in ("n/a", "1.5.2", "NA", "Rock")
        ),
        (HEADER + "7,1,2\n8,1,2,3\n", "row 6, track 8, has 4 cells; expected 3"),
        (HEADER + "7,1\n8,1\n", "row 5, track 7, has 2 cells; expected 3"),
        (HEADER + "7,1,2\n8,1,2\n7,1,2\n", r"track 7 is there 2 times, in the rows \[5, 7\]"),
        (HEADER + "7,1,2\n,1,2\n", "row 6 has no track id"),
        ("", "the file is empty"),
        (HEADER, "no track"),
        (None, "no such file"),
        (bytes(range(256)) * 10, "not a text file"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(tmp_path, text, words):
    path = tmp_path / "features.csv"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(GenreflowError, match=f"{re.escape(str(path))}.*{words}"):
        fma_tables.read(path)


def test_a_matrix_is_written_in_the_format(tmp_path):
    x = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.float32)
    matrices.write_matrix(tmp_path / "x.h5", x, ["9", "7"], fma_tables.names(COLUMNS), {})
    assert fma_tables.write_table(tmp_path / "x.h5", tmp_path / "own.csv") == 2
    track_ids, columns, values = fma_tables.read(tmp_path / "own.csv")
    assert (track_ids, columns) == (["9", "7"], COLUMNS)
    np.testing.assert_array_equal(values, x)
