import numpy as np
import pandas as pd
import pytest
import soundfile
from genreflow.errors import GenreflowError, NotPossible
from genreflow.features import handcrafted, handcrafted_shards, matrices

SETTINGS = {"features": ["mfcc", "zcr"], "rates": "native", "duration": 2.0}


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Write two clips that can be used, one that is too short and one that is no audio."""
    folder = tmp_path_factory.mktemp("clips")
    rng = np.random.default_rng(0)
    for name, seconds in (("1", 3), ("2", 1), ("short", 0.1)):
        noise = 0.1 * rng.normal(size=int(22050 * seconds))
        soundfile.write(folder / f"{name}.wav", noise, 22050)
    (folder / "text.wav").write_text("no audio")
    return {name: folder / f"{name}.wav" for name in ("1", "2", "short", "text")}


def shard(path, clips, names):
    handcrafted_shards.extract_shard(path, [(name, clips[name]) for name in names], **SETTINGS)
    return path


def gathered(tmp_path, shards):
    outputs = {
        "matrix": tmp_path / "features.h5",
        "table": tmp_path / "features.csv",
        "left_out": tmp_path / "left_out.csv",
    }
    return handcrafted_shards.gather(shards, **outputs), outputs


def test_shards_join_to_matrix_and_table(tmp_path, clips):
    shards = [
        shard(tmp_path / "0.h5", clips, ["1", "text"]),
        shard(tmp_path / "1.h5", clips, ["short", "2"]),
    ]
    found, outputs = gathered(tmp_path, shards)
    assert found == 2
    matrix = matrices.read_matrix(outputs["matrix"])
    assert matrix.track_ids == ["1", "2"]
    samples, rate = soundfile.read(clips["1"], dtype="float32", frames=2 * 22050)
    expected = handcrafted.extract(samples, rate, features=SETTINGS["features"])
    np.testing.assert_allclose(matrix.x[0], expected, rtol=1e-5, atol=1e-6)
    table = pd.read_csv(outputs["table"], index_col=0, header=[0, 1, 2])
    np.testing.assert_allclose(table.to_numpy(), matrix.x, rtol=1e-6)
    assert table.index.tolist() == [1, 2]
    left_out = pd.read_csv(outputs["left_out"]).set_index("track_id")["reason"]
    assert sorted(left_out.index) == ["short", "text"]
    assert "unreadable" in left_out["text"]


def test_a_shard_without_features_is_whole(tmp_path, clips):
    shards = [shard(tmp_path / "0.h5", clips, ["text"]), shard(tmp_path / "1.h5", clips, ["1"])]
    found, _ = gathered(tmp_path, shards)
    assert found == 1


def test_a_clip_that_is_gone_is_no_clip_without_features(tmp_path, clips):
    gone = clips | {"2": tmp_path / "gone.wav"}
    with pytest.raises(GenreflowError, match=r"gone\.wav was there .* put it back"):
        shard(tmp_path / "0.h5", gone, ["1", "2"])
    assert not (tmp_path / "0.h5").exists()


def test_a_clip_that_changes_while_it_is_read_stops_the_job(tmp_path, clips):
    changing = tmp_path / "changing.wav"
    changing.write_bytes(clips["1"].read_bytes())

    def tracks():
        yield "1", changing
        changing.write_bytes(clips["2"].read_bytes())
        yield "2", clips["2"]

    with pytest.raises(GenreflowError, match=r"changing\.wav changed .* run again"):
        handcrafted_shards.extract_shard(tmp_path / "0.h5", tracks(), **SETTINGS)
    assert not (tmp_path / "0.h5").exists()


def test_published_table_gives_the_corpus_tracks(tmp_path):
    columns = [("mfcc", "mean", "01"), ("zcr", "mean", "01")]
    values = np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 6.0]])
    matrices.write(tmp_path / "published.csv", ["7", "8", "9"], columns, values)
    outputs = {name: tmp_path / name for name in ("matrix", "table", "left_out")}
    ids = ["9", "8", "10", "7"]
    found, missing = handcrafted_shards.published(
        tmp_path / "published.csv", ids, max_missing=0.5, **outputs
    )
    assert found == 2
    assert missing == ["8", "10"]
    matrix = matrices.read_matrix(outputs["matrix"])
    assert matrix.track_ids == ["9", "7"]
    np.testing.assert_array_equal(matrix.x, [[5, 6], [1, 2]])
    assert pd.read_csv(outputs["left_out"], dtype=str)["track_id"].tolist() == ["10", "8"]


def test_published_table_that_lacks_too_many_tracks_is_refused(tmp_path):
    matrices.write(tmp_path / "published.csv", ["7"], [("zcr", "mean", "01")], np.array([[1.0]]))
    outputs = {name: tmp_path / name for name in ("matrix", "table", "left_out")}
    with pytest.raises(GenreflowError, match=r"(?s)published.csv: 1 of .* 2 tracks.*track 8: no"):
        handcrafted_shards.published(
            tmp_path / "published.csv", ["7", "8"], max_missing=0.1, **outputs
        )
    assert not outputs["matrix"].exists()


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
    pd.DataFrame({"track_id": ["2", "01"], "part": ["test", "training"]}).to_csv(
        tmp_path / "split.csv", index=False
    )
    tracks = pd.DataFrame({"track_id": ["01", "2", "3"], "genre": ["Jazz", "Polka", "Jazz"]})
    found = matrices.labelled(tmp_path / "split.csv", tracks)
    assert found.to_dict("list") == {
        "track_id": ["2", "01"],
        "part": ["test", "training"],
        "genre": ["Polka", "Jazz"],
    }
