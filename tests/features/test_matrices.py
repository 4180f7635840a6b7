"""Feature matrices: what classifiers read."""

import h5py
import numpy as np
import pandas as pd
import pytest
from genreflow.errors import GenreflowError, NotPossible
from genreflow.features import matrices


def test_a_matrix_survives_the_disk(tmp_path):
    path = tmp_path / "features" / "handcrafted.h5"
    x = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    matrices.write_matrix(path, x, ["a", "ü"], ["p", "q", "r s"], {"parts": "[]", "duration": 30.0})
    matrix = matrices.read_matrix(path)
    np.testing.assert_array_equal(matrix.x, x)
    assert matrix.x.dtype == np.float32
    assert matrix.track_ids == matrices.read_track_ids(path) == ["a", "ü"]
    assert matrix.columns == ["p", "q", "r s"]
    assert matrix.attributes == matrices.read_attributes(path) == {"parts": "[]", "duration": 30.0}


def test_a_matrix_that_does_not_fit_is_not_written(tmp_path):
    path = tmp_path / "features.h5"
    with pytest.raises(ValueError, match="2 tracks"):
        matrices.write_matrix(path, np.ones((1, 3)), ["a", "b"], ["x", "y", "z"], {})
    with pytest.raises(ValueError, match="not finite"):
        matrices.write_matrix(path, np.full((1, 1), np.nan), ["a"], ["x"], {})
    with pytest.raises(TypeError):
        matrices.write_matrix(path, np.ones((1, 1)), ["a"], ["x"], {"bad": object()})
    for rows in (2, 4):
        blocks = iter([np.ones((1, 2)), np.ones((rows - 1, 2))])
        with pytest.raises(ValueError, match=f"{rows} rows for 3 tracks"):
            matrices.write_blocks(path, blocks, ["a", "b", "c"], ["x", "y"], {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_matrix_written_in_blocks_is_read_as_one(tmp_path, dtype):
    path = tmp_path / "features.h5"
    blocks = [np.array([[0.5, 1]]), np.zeros((0, 2)), np.array([[2, 3], [4, 1 / 3]], np.float16)]
    names = ["a", "b", "c"], ["x", "y"]
    matrices.write_blocks(path, iter(blocks), *names, {"cut": "fc1"}, dtype=dtype)
    matrix = matrices.read_matrix(path)
    assert matrix.x.dtype == np.float32
    np.testing.assert_array_equal(matrix.x, np.concatenate(blocks))
    assert (matrix.track_ids, matrix.columns) == names
    assert matrix.attributes["cut"] == "fc1"
    with h5py.File(path) as file:
        assert file["x"].dtype == dtype


def test_the_rows_of_some_tracks_can_be_read_alone(tmp_path):
    x = np.arange(8, dtype=np.float32).reshape(4, 2)
    matrices.write_matrix(tmp_path / "x.h5", x, list("dbca"), ["one", "two"], {})
    found, tracks = matrices.read_rows(tmp_path / "x.h5", ["a", "b", "lost"])
    assert tracks == ["b", "a"]
    np.testing.assert_array_equal(found, x[[1, 3]])
    found, tracks = matrices.read_rows(tmp_path / "x.h5", [])
    assert (found.shape, tracks) == ((0, 2), [])


def test_damaged_and_foreign_matrices_are_refused(tmp_path):
    path = tmp_path / "features.h5"
    path.write_bytes(b"not HDF5")
    with pytest.raises(GenreflowError, match=r"features\.h5: not a whole HDF5 file"):
        matrices.read_matrix(path)
    with h5py.File(path, "w") as file:
        file["x"] = [1]
    with pytest.raises(GenreflowError, match="track_id"):
        matrices.read_matrix(path)


def test_features_of_a_split_come_in_its_order(tmp_path):
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    matrices.write_matrix(tmp_path / "x.h5", x, ["a", "b", "c"], ["p", "q"], {})
    split = pd.DataFrame({"track_id": ["c", "x", "a"], "part": ["test", "test", "training"]})
    found, rows, missing = matrices.of_split(tmp_path / "x.h5", split)
    np.testing.assert_array_equal(found, [[4, 5], [0, 1]])
    assert rows["track_id"].tolist() == ["c", "a"]
    assert missing == ["x"]
    assert "1 have none: x" in matrices.said(rows, missing)
    with pytest.raises(NotPossible, match="no features of any track of the split"):
        matrices.of_split(tmp_path / "x.h5", split.iloc[[1]])
    with pytest.raises(NotPossible, match="no features of any track of the test part"):
        matrices.of_split(tmp_path / "x.h5", split.iloc[1:])
    learnt, *_ = matrices.of_split(tmp_path / "x.h5", split.iloc[2:])
    np.testing.assert_array_equal(learnt, [[0, 1]])


def test_split_gets_the_genres_of_the_manifest(tmp_path):
    split = {"track_id": ["2", "01"], "part": ["test", "training"]}
    pd.DataFrame(split).to_csv(tmp_path / "split.csv", index=False)
    tracks = pd.DataFrame({"track_id": ["01", "2", "3"], "genre": ["Jazz", "Polka", "Jazz"]})
    found = matrices.labelled(tmp_path / "split.csv", tracks)
    assert found.to_dict("list") == split | {"genre": ["Polka", "Jazz"]}


def test_a_file_that_the_system_cant_open_is_not_called_damaged(tmp_path):
    """Nobody is told to delete a good file."""
    (tmp_path / "cut.h5").write_bytes(b"")
    with pytest.raises(GenreflowError, match=r"not a whole HDF5 file.*delete it"):
        matrices.read_matrix(tmp_path / "cut.h5")
    for path in (tmp_path / "gone.h5", tmp_path):
        with pytest.raises(GenreflowError, match="can't be opened") as error:
            matrices.read_matrix(path)
        assert "delete" not in str(error.value)
