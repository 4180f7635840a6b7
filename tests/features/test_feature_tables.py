"""Tables of features that others made: which columns are features, and what is refused."""

import sys

import numpy as np
import pandas as pd
import pytest
from genreflow.errors import GenreflowError
from genreflow.features import feature_tables

KAGGLE = """filename,length,chroma_stft_mean,rms_var,tempo,label
blues.00000.wav,661794,0.35,0.0028,123.04,blues
blues.00001.wav,661794,0.34,0.0024,67.99,blues
jazz.00000.wav,661000,0.36,,161.50,jazz
"""


@pytest.fixture
def table(tmp_path):
    def read(text, encoding="utf-8", name="features.csv"):
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return feature_tables.read(tmp_path / name)

    return read


def test_a_table_of_kaggle_is_read_as_it_is(table):
    found = table(KAGGLE)
    assert found.paths == ["blues.00000.wav", "blues.00001.wav", "jazz.00000.wav"]
    assert found.track_ids == []
    assert found.columns == ["length", "chroma_stft_mean", "rms_var", "tempo"]
    np.testing.assert_array_equal(found.x[0], [661794, 0.35, 0.0028, 123.04])
    assert np.isnan(found.x[2]).tolist() == [False, False, True, False]
    assert list(found.no_features) == ["filename", "label"]
    assert found.place(1) == "line 3"


@pytest.mark.parametrize(
    "name",
    [
        *("label", "Label", "genre", "genre_id", "label_encoded", "top genre", "class", "class_id"),
        *("target", "category", "y", "split", "fold", "set", "part", "subset", "index", "id"),
        *("Unnamed: 0", "", "artist_id", "artist", "album", "title"),
    ],
)
def test_labels_parts_and_ids_are_no_features_even_in_numbers(table, name):
    found = table(f"track_id,{name},tempo\n1,0,100\n2,1,120\n")
    assert found.columns == ["tempo"]
    assert (name or "column 2") in found.no_features


@pytest.mark.parametrize("name", ["tempo", "pitch_class_3", "class_entropy", "partials", "setting"])
def test_what_only_sounds_alike_is_a_feature(table, name):
    assert table(f"track_id,{name}\n1,0\n2,1\n").columns == [name]


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (["no", "yes", "no"], "such as 'no'"),
        (["True", "False", "True"], "such as 'True'"),
        (["", "", ""], "empty"),
        (["4A", "5B", "12"], "such as '4A'"),
    ],
)
def test_columns_that_are_no_numbers_are_left_out_with_the_reason(table, column, why):
    rows = "".join(f"{number},{cell},1.5\n" for number, cell in enumerate(column))
    found = table(f"track_id,x,tempo\n{rows}")
    assert found.columns == ["tempo"]
    assert why in found.no_features["x"]


def test_what_lacks_in_a_column_of_numbers_is_no_number_and_anything_else_is_refused(table):
    rows = [f"{number},{number / 2},1" for number in range(20)]
    rows[3], rows[5], rows[7] = "3,NaN,1", "5,,1", "7,inf,1"
    found = table("\n".join(["track_id,x,y1", *rows]))
    assert np.flatnonzero(~np.isfinite(found.x[:, 0])).tolist() == [3, 5, 7]
    rows[4] = "4,loud,1"
    with pytest.raises(GenreflowError, match=r"features\.csv, line 7, column 'x': 'loud' is not a"):
        table("\n".join(["track_id,x,y1", "", *rows]))


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "cp1252"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_tables_of_spreadsheets_are_read(table, encoding, separator):
    lines = [f"sep={separator}", "Track-ID, Größe ,label", ' "7",1.5,x', "", "008,2.5,y", ",,"]
    found = table("\r\n".join(line.replace(",", separator) for line in lines), encoding)
    assert found.track_ids == ["7", "008"]
    assert found.columns == ["Größe"]
    assert found.x.tolist() == [[1.5], [2.5]]
    assert found.place(1) == "line 5"


def test_decimals_may_have_commas(table):
    found = table("track_id;x;n\n1;0,5;3\n2;-1,25;4\n")
    assert found.x.tolist() == [[0.5, 3], [-1.25, 4]]
    assert table('track_id,x\n1,"0,5"\n').x.tolist() == [[0.5]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title,x\na,1\n", "line 1: no column 'path' or 'track_id' in its header row"),
        ("", "line 1: no column 'path' or 'track_id'"),
        ("track_id,x\n", "has a header but no track"),
        ("track_id,x\n1,2\n2,3,4\n", "line 3: 3 cells where the header has 2"),
        ("track_id,x\n1,2,\n2,3,\n", "line 2: 3 cells where the header has 2"),
        ("track_id,x,z\n1,2\n2,3\n", "line 2: 2 cells where the header has 3"),
        ("track_id,label\n1,Rock\n", r"none of its columns can be .*label \(by its name"),
        ("track_id,x,x\n1,2,3\n", "2 columns are called 'x'"),
        ("Track ID,track_id,x\n1,2,3\n", "2 columns are called 'track_id'"),
        (b"PK\3\4", "a spreadsheet"),
        # FMA's format, not whole: its own reader says what lacks.
        ("feature,mfcc\nstatistics,mean\ntrack_id,\n1,2\n", "three header rows"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(table, text, message):
    with pytest.raises(GenreflowError, match=rf"features\.csv.*{message}"):
        table(text)


def test_a_column_of_fmas_format_in_which_nothing_stands_is_left_out(table):
    text = "feature,zcr,zcr\nstatistics,max,min\nnumber,01,01\ntrack_id,,\n7,1,\n8,2,\n"
    found = table(text)
    assert (found.columns, found.no_features) == (["zcr max 01"], {"zcr min 01": "empty"})
    assert found.x.tolist() == [[1], [2]]
    assert found.place(1) == "row 6"


def test_parquet_needs_a_package_and_says_which(table, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "fastparquet", None)
    with pytest.raises(GenreflowError, match=r"a\.parquet: .*pip install pyarrow.*CSV"):
        table(b"PAR1", name="a.parquet")


def test_parquet_is_read_where_the_package_is(tmp_path):
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"x": [0.5, None], "tempo": [100, 120], "label": ["a", "b"]})
    frame.index = pd.Index([7, 8], name="track_id")
    frame.to_parquet(tmp_path / "a.parquet")
    found = feature_tables.read(tmp_path / "a.parquet")
    assert (found.track_ids, found.columns) == (["7", "8"], ["x", "tempo"])
    assert found.place(1) == "row 2"
    np.testing.assert_array_equal(found.x, [[0.5, 100], [np.nan, 120]])
    frame["embedding"] = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    frame.to_parquet(tmp_path / "a.parquet")
    found = feature_tables.read(tmp_path / "a.parquet")
    assert found.columns == ["x", "tempo", "embedding 0", "embedding 1", "embedding 2"]
    assert found.x[1, 2:].tolist() == [4, 5, 6]
    frame.iloc[:0].to_parquet(tmp_path / "a.parquet")
    with pytest.raises(GenreflowError, match=r"a\.parquet: there is no row"):
        feature_tables.read(tmp_path / "a.parquet")
    frame = frame.drop(columns="embedding")
    frame.reset_index(drop=True).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(GenreflowError, match="no column path or track_id among x, tempo, label"):
        feature_tables.read(tmp_path / "a.parquet")
