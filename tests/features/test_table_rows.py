"""Which row of a table is of which track, and what a corpus takes of it."""

import numpy as np
import pandas as pd
import pytest
from genreflow.corpus.tracks import Track
from genreflow.errors import GenreflowError
from genreflow.features import fma_tables, matrices, shards, table_rows
from genreflow.features.feature_set import Part
from genreflow.features.feature_tables import FeatureTable


def of(*, track_ids=(), paths=(), x=None):
    x = np.ones((len(track_ids or paths), 2)) if x is None else np.array(x, dtype=float)
    columns = ["a", "b", "c"][: x.shape[1]]
    return FeatureTable("t.csv", track_ids, paths, columns, x, {}, lambda n: f"line {n + 2}")


def tracks(*paths, ids=None):
    return [
        Track(track_id, path, ("Rock", "Folk")[n % 2])
        for n, (track_id, path) in enumerate(zip(ids or map(str, range(9)), paths, strict=False))
    ]


def match(table, listed):
    return table_rows.match(table, listed)


def test_rows_are_found_by_their_ids():
    listed = tracks("", "", "", ids=["2", "10", "b-1"])
    assert match(of(track_ids=["b-1", "x", "2"]), listed) == {"b-1": 0, "2": 2}
    assert match(of(track_ids=["2.0", "10.0"]), listed) == {"2": 0, "10": 1}


@pytest.mark.parametrize(
    ("written", "file"),
    [
        ("Rock/a.mp3", "my/music/Rock/a.mp3"),
        ("/home/x/music/Rock/a.mp3", "Rock/a.mp3"),
        ("rock\\A.MP3", "my/music/Rock/a.mp3"),
        ("Mu\u0308sik/Bjo\u0308rk.wav", "M\u00fcsik/bj\u00f6rk.wav"),
        ("./a.mp3", "my/music/Rock/a.mp3"),
        ("a.wav", "my/music/Rock/a.mp3"),
        ("blues.00000", "blues/blues.00000.au"),
        ("blues.00000.wav", "blues.00000"),
        ("000002.mp3", "fma_small/000/000002.mp3"),
    ],
)
def test_rows_are_found_by_their_files(written, file):
    listed = [*tracks(file, "other/b.mp3")]
    assert match(of(paths=["nobody.mp3", written]), listed)["0"] == 1


def test_ids_that_are_names_of_files_are_found_as_such():
    assert match(of(track_ids=["blues.1", "blues.0"]), tracks("x/blues.0.wav")) == {"0": 1}


def test_a_corpus_without_paths_is_found_by_names_that_are_its_ids():
    listed = tracks("", "", ids=["blues.00000", "blues.00001"])
    assert match(of(paths=["b/blues.00001.wav"]), listed) == {"blues.00001": 0}


def test_names_of_several_files_are_found_by_their_folders_only():
    listed = tracks("m/Rock/1.mp3", "m/Folk/1.mp3", "m/Folk/2.mp3")
    found = match(of(paths=["./Folk/1.mp3", "../m/Rock/1.mp3", "2.mp3"]), listed)
    assert found == {"1": 0, "0": 1, "2": 2}
    assert match(of(paths=["1.mp3", "2.mp3"]), listed) == {"2": 1}
    # Of two rows nobody knows which is of the only file that is called so.
    assert match(of(paths=["a/2.mp3", "b/2.mp3", "Rock/1.mp3"]), listed) == {"0": 2}


@pytest.mark.parametrize(
    ("table", "listed"),
    [
        (of(track_ids=["x", "0", "y", "0"]), tracks("a.mp3")),
        (of(paths=["x", "a.mp3", "y", "M/a.mp3"]), tracks("m/a.mp3")),
    ],
)
def test_two_rows_of_one_track_are_refused_with_both_lines(table, listed):
    with pytest.raises(GenreflowError, match=r"t\.csv: two rows are of track 0, line 3 and line 5"):
        match(table, listed)


def test_a_table_of_another_corpus_is_refused_with_examples_of_both():
    with pytest.raises(GenreflowError, match=r"none of its 2 rows .*has x, y; .*m/a\.mp3.* ids 0"):
        match(of(track_ids=["x", "y"]), tracks("m/a.mp3"))
    with pytest.raises(GenreflowError, match=r"none of its 5 rows .*has 5, 6, 7, \.\.\.; .*m/a"):
        match(of(paths=list("56789")), tracks("m/a.mp3"))


def test_rows_come_as_asked_for_and_those_that_lack_are_listed():
    values = [[1, 2, 3], [4, np.inf, 6], [7, 8, 1e300], [10, 11, 12]]
    table = of(track_ids=list("abcd"), x=values)
    row_of = {name: row for row, name in enumerate("abcd")}
    x, track_ids, left_out = table_rows.select(table, row_of, ["d", "z", "c", "b", "a"])
    assert (track_ids, x.dtype) == (["d", "a"], np.float32)
    np.testing.assert_array_equal(x, [[10, 11, 12], [1, 2, 3]])
    assert left_out == {
        "z": "no row in the table",
        "c": "1 of 3 values are empty or not finite, first (c)",  # infinite at single precision
        "b": "1 of 3 values are empty or not finite, first (b)",
    }
    with pytest.raises(GenreflowError, match="no row of finite values for any of the 2 tracks"):
        table_rows.select(table, row_of, ["b", "c"])


def test_a_label_in_numbers_is_known_by_its_values():
    genres = ["Rock", "Folk", "Rock", "Folk", "Jazz", "Jazz"]
    code, tempo, rate = [2, 1, 2, 1, 3, 3], [9, 8, 7, 6, 5, 5], [44100] * 6
    x = np.array([code, tempo, rate]).T
    assert table_rows.labels(x, genres).tolist() == [True, False, False]
    assert not table_rows.labels(x[[0, 1, 4]], ["Rock", "Folk", "Jazz"]).any()


@pytest.fixture
def write(tmp_path):
    """Write a corpus's features from a table, as the rule does."""

    def write(text, listed, **settings):
        (tmp_path / "t.csv").write_text(text)
        made = {name: tmp_path / name for name in ("matrix", "left_out")}
        part = Part("table", "table/own", "", {"source": "t.csv"})
        settings = {"max_excluded": 0.5} | settings
        said = table_rows.write_matrix(tmp_path / "t.csv", listed, part=part, **made, **settings)
        lost = pd.read_csv(made["left_out"], dtype=str, keep_default_na=False)
        return said, matrices.read_matrix(made["matrix"]), dict(lost.to_numpy()), made["matrix"]

    return write


def test_a_corpus_takes_its_features_from_a_table(write):
    text = (
        "filename,x,mood,code\n3.wav,1,calm,7\n0.wav,2,,7\n1.wav,3,wild,8\n2.wav,,,7\n9.wav,5,,8\n"
    )
    said, matrix, lost, path = write(text, tracks("0.wav", "1.wav", "2.wav", "3.wav", "4.wav"))
    assert matrix.track_ids == ["0", "1", "3"]
    np.testing.assert_array_equal(matrix.x, [[2, 7], [3, 8], [1, 7]])
    assert matrix.columns == ["x", "code"]  # of genres with so few tracks each value may be chance
    assert said[0] == "table/own: 2 features of 3 of 5 tracks; 1 of 5 rows are of no track"
    assert "filename (names the tracks); mood (no numbers, but such as 'calm')" in said[1]
    assert "2 tracks have none" in said[2]
    assert list(lost) == ["", "2", "4"]
    assert "mood" in lost[""]
    [part] = shards.parts_of(path)
    with pytest.raises(GenreflowError, match=r"table/own .*from a table \(t\.csv\)"):
        part.feature_set().require_audio()


def test_a_hidden_label_is_left_out_and_named(write):
    rows = "".join(f"{n},{n * n},{n % 2}\n" for n in range(8))
    listed = tracks(*[""] * 8)
    _, matrix, lost, _ = write(f"track_id,x,number\n{rows}", listed)
    assert matrix.columns == ["x"]
    assert "number (the same for all tracks of a genre" in lost[""]
    with pytest.raises(GenreflowError, match="none of its columns can be features"):
        write(f"track_id,number\n{''.join(f'{n},{n % 2}' + chr(10) for n in range(8))}", listed)


def test_more_tracks_without_features_than_may_be_stop_the_run(write, tmp_path):
    listed = tracks("", "", "", "", ids=["9", "8", "10", "7"])
    columns = [("mfcc", "mean", "01"), ("zcr", "mean", "01")]
    fma_tables.write(
        tmp_path / "fma", ["7", "8", "9"], columns, np.array([[1.0, 2], [3, np.nan], [5, 6]])
    )
    text = (tmp_path / "fma").read_text()
    with pytest.raises(GenreflowError, match=r"(?s)2 of 4 tracks .*t\.csv.* 40%.*track 8: 1 of 2"):
        write(text, listed, max_excluded=0.4)
    assert not (tmp_path / "matrix").exists()
    _, matrix, lost, _ = write(text, listed, max_excluded=0.5)
    assert (matrix.track_ids, matrix.columns) == (["9", "7"], ["mfcc mean 01", "zcr mean 01"])
    assert lost == {
        "10": "no row in the table",
        "8": "1 of 2 values are empty or not finite, first (zcr mean 01)",
    }
