"""Feature tables in FMA's format, and the matrices that classifiers read."""

import os
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from genreflow.errors import GenreflowError
from genreflow.features import matrices

DATA = Path(os.environ.get("GENREFLOW_DATA", Path(__file__).parents[2] / "../shared/data"))
PUBLISHED = DATA / "fma_features_mfcc_2000tracks.csv"
EMPTY = ["2", "5", "182", "255", "256", "368", "459", "574", "676", "690"]
published = pytest.mark.skipif(not PUBLISHED.exists(), reason="the shared data aren't here")

COLUMNS = [("mfcc", "kurtosis", "01"), ("mfcc", "mean", "01"), ("zcr", "mean", "01")]
HEADER = "feature,mfcc,zcr\nstatistics,mean,max\nnumber,01,01\ntrack_id,,\n"


@pytest.fixture
def write_text(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "features.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refusal(path: Path) -> str:
    with pytest.raises(GenreflowError) as caught:
        matrices.read(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_what_is_written_is_what_pandas_and_we_read(tmp_path):
    path = tmp_path / "features.csv"
    values = np.array([[1 / 3, -2e-30, 3e20], [np.nan, 0, -1]])
    matrices.write(path, ["000002", "b.c-1"], COLUMNS, values)

    table = pd.read_csv(path, index_col=0, header=[0, 1, 2], dtype={0: str})
    assert table.columns.names == ["feature", "statistics", "number"]
    assert list(table.columns) == COLUMNS
    assert table.index.name == "track_id"
    np.testing.assert_allclose(table.to_numpy(), values, rtol=1e-10)
    assert "3.3333333333e-01" in path.read_text()

    track_ids, columns, read = matrices.read(path)
    assert (track_ids, columns) == (["000002", "b.c-1"], COLUMNS)
    assert read.dtype == np.float64
    np.testing.assert_allclose(read, values, rtol=1e-10)


@published
def test_the_published_table_is_read_as_it_is():
    track_ids, columns, values = matrices.read(PUBLISHED)
    table = pd.read_csv(PUBLISHED, index_col=0, header=[0, 1, 2])
    assert values.shape == (2000, 140)
    assert track_ids == [str(track_id) for track_id in table.index]
    assert columns == list(table.columns)
    np.testing.assert_array_equal(values, table.to_numpy())


@published
def test_the_empty_rows_of_the_published_table_are_reported():
    track_ids, columns, values = matrices.read(PUBLISHED)
    selection = matrices.select(track_ids, columns, values, track_ids)
    assert list(selection.left_out) == EMPTY
    assert "140 of 140 values" in selection.left_out["676"]
    assert selection.x.shape == (1990, 140)
    assert np.isfinite(selection.x).all()


def test_two_header_rows_are_refused(write_text):
    message = refusal(write_text("feature,mfcc,zcr\nstatistics,mean,max\ntrack_id,,\n1,2,3\n"))
    assert "three header" in message
    assert "2 header rows are there" in message


def test_a_table_of_tracks_is_refused(write_text):
    assert "three header rows" in refusal(write_text("id,title\n1,One\n2,Two\n3,Three\n4,Four\n"))


@pytest.mark.parametrize(
    "header",
    [
        "feature,mfcc,zcr\nstatistics,mean,average\nnumber,01,01\ntrack_id,,\n",
        "feature,mfcc,\nstatistics,mean,max\nnumber,01,01\ntrack_id,,\n",
        "feature,mfcc,zcr\nstatistics,mean,max\nnumber,01,one\ntrack_id,,\n",
    ],
)
def test_unknown_columns_are_named(write_text, header):
    message = refusal(write_text(header + "1,2,3\n"))
    assert "column 2" in message or "column 3" in message
    assert "kurtosis" in message  # what would be known


def test_a_column_that_is_there_twice_is_named(write_text):
    text = "feature,zcr,zcr\nstatistics,max,max\nnumber,01,01\ntrack_id,,\n1,2,3\n"
    assert "(zcr, max, 01) is there 2 times" in refusal(write_text(text))


@pytest.mark.parametrize("cell", ["n/a", "1.5.2", "NA", "Rock"])
def test_text_in_a_number_is_named_with_row_track_and_column(write_text, cell):
    message = refusal(write_text(HEADER + f"7,1,2\n8,,nan\n9,3,{cell}\n"))
    assert "row 7" in message
    assert "track 9" in message
    assert "(zcr, max, 01)" in message
    assert f"'{cell}'" in message


def test_a_row_that_is_too_long_is_named(write_text):
    message = refusal(write_text(HEADER + "7,1,2\n8,1,2,3\n"))
    assert "row 6, track 8, has 4 cells; expected 3" in message


def test_rows_that_do_not_fit_the_header_are_named(write_text):
    message = refusal(write_text(HEADER + "7,1\n8,1\n"))
    assert "row 5, track 7, has 2 cells; expected 3" in message


def test_a_track_that_is_there_twice_is_named(write_text):
    message = refusal(write_text(HEADER + "7,1,2\n8,1,2\n7,1,2\n"))
    assert "track 7 is there 2 times, in the rows [5, 7]" in message


def test_a_row_without_a_track_is_named(write_text):
    assert "row 6 has no track id" in refusal(write_text(HEADER + "7,1,2\n,1,2\n"))


def test_empty_files_are_refused(write_text, tmp_path):
    assert "empty" in refusal(write_text(""))
    assert "no track" in refusal(write_text(HEADER))
    assert "no such file" in refusal(tmp_path / "none.csv")


def test_a_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "features.csv"
    path.write_bytes(bytes(range(256)) * 10)
    assert "not a text file" in refusal(path)


def test_infinite_values_and_missing_rows_are_listed():
    values = np.array([[1.0, 2, 3], [4, np.inf, 6], [7, 8, 1e300]])
    selection = matrices.select(["a", "b", "c"], COLUMNS, values, ["z", "c", "b", "a"])
    assert selection.track_ids == ["a"]
    assert selection.x.dtype == np.float32
    np.testing.assert_array_equal(selection.x, [[1, 2, 3]])
    assert list(selection.left_out) == ["z", "c", "b"]
    assert selection.left_out["z"] == "no row in the table"
    assert "(mfcc, mean, 01)" in selection.left_out["b"]
    assert "(zcr, mean, 01)" in selection.left_out["c"]  # infinite at single precision


def test_rows_come_in_the_order_asked_for():
    values = np.arange(9.0).reshape(3, 3)
    selection = matrices.select(["a", "b", "c"], COLUMNS, values, ["c", "a"])
    assert selection.track_ids == ["c", "a"]
    np.testing.assert_array_equal(selection.x, values[[2, 0]])


def test_a_table_without_any_track_of_the_corpus_is_an_error():
    with pytest.raises(GenreflowError, match=r"000002.*corpus has 2"):
        matrices.select(["000002"], COLUMNS, np.ones((1, 3)), ["2"])
    with pytest.raises(GenreflowError, match="no row of finite values"):
        matrices.select(["2"], COLUMNS, np.full((1, 3), np.nan), ["2"])


def test_a_matrix_survives_the_disk(tmp_path):
    path = tmp_path / "features" / "handcrafted.h5"
    x = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    settings = {"rates": "native", "features": ["mfcc", "zcr"], "duration": 30.0}
    names = matrices.names(COLUMNS)
    matrices.write_matrix(path, x, ["a", "ü"], names, settings)
    matrix = matrices.read_matrix(path)
    np.testing.assert_array_equal(matrix.x, x)
    assert matrix.x.dtype == np.float32
    assert matrix.track_ids == ["a", "ü"]
    assert matrix.columns == ["mfcc kurtosis 01", "mfcc mean 01", "zcr mean 01"]
    assert matrix.attributes["rates"] == "native"
    assert list(matrix.attributes["features"]) == ["mfcc", "zcr"]
    assert matrix.attributes["duration"] == 30.0


def test_a_matrix_that_does_not_fit_is_not_written(tmp_path):
    path = tmp_path / "features.h5"
    with pytest.raises(ValueError, match="2 tracks"):
        matrices.write_matrix(path, np.ones((1, 3)), ["a", "b"], ["x", "y", "z"], {})
    with pytest.raises(ValueError, match="not finite"):
        matrices.write_matrix(path, np.full((1, 1), np.nan), ["a"], ["x"], {})
    with pytest.raises(TypeError):
        matrices.write_matrix(path, np.ones((1, 1)), ["a"], ["x"], {"bad": object()})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_matrix_written_in_blocks_is_read_as_one(tmp_path, dtype):
    path = tmp_path / "features.h5"
    blocks = [np.array([[0.5, 1]]), np.zeros((0, 2)), np.array([[2, 3], [4, 1 / 3]], np.float16)]
    matrices.write_blocks(
        path, iter(blocks), ["a", "b", "c"], ["x", "y"], {"cut": "fc1"}, dtype=dtype
    )
    matrix = matrices.read_matrix(path)
    assert matrix.x.dtype == np.float32
    np.testing.assert_array_equal(matrix.x, np.concatenate(blocks))
    assert (matrix.track_ids, matrix.columns) == (["a", "b", "c"], ["x", "y"])
    assert matrix.attributes["cut"] == "fc1"
    with h5py.File(path) as file:
        assert file["x"].dtype == dtype


@pytest.mark.parametrize("rows", [2, 4])
def test_blocks_of_too_few_or_too_many_rows_are_not_written(tmp_path, rows):
    blocks = iter([np.ones((1, 2)), np.ones((rows - 1, 2))])
    with pytest.raises(ValueError, match=f"{rows} rows for 3 tracks"):
        matrices.write_blocks(tmp_path / "x.h5", blocks, ["a", "b", "c"], ["x", "y"], {})
    assert list(tmp_path.iterdir()) == []


def test_damaged_and_foreign_matrices_are_refused(tmp_path):
    path = tmp_path / "features.h5"
    path.write_bytes(b"not HDF5")
    with pytest.raises(GenreflowError, match=r"features\.h5: not a whole HDF5 file"):
        matrices.read_matrix(path)
    with h5py.File(path, "w") as file:
        file["x"] = [1]
    with pytest.raises(GenreflowError, match="track_id"):
        matrices.read_matrix(path)
