import pandas as pd
import pytest
from genreflow.corpus import groups, splits
from made.random_tracks import corpus, reachable


def same_partition(a, b):
    pairs = set(zip(a, b, strict=True))
    return len(pairs) == len(set(a)) == len(set(b))


@pytest.mark.parametrize("seed", range(10))
def test_components_are_what_can_be_reached(seed):
    tracks = corpus(seed)
    assert same_partition(groups.components(tracks), reachable(tracks, ["artist_id", "album_id"]))


def test_components_join_transitively_and_keep_the_unknown_apart():
    tracks = pd.DataFrame(
        {
            "track_id": list("abcdefgh"),
            "artist_id": ["1", "1", "2", "", "", "3", "", ""],
            "album_id": ["", "9", "9", "1", "", "", "", ""],
            "duplicate_of": ["", "", "", "", "", "", "f", "gone"],
        }
    )
    # a-b by artist, b-c by album; d's album "1" is not the artist "1"; g is a copy of f.
    assert same_partition(groups.components(tracks), [0, 0, 0, 1, 2, 3, 3, 4])


def test_recordings_are_joined_by_their_audio_alone():
    tracks = corpus(0)
    assert same_partition(groups.recordings(tracks), reachable(tracks, []))


def test_components_are_known_only_where_something_joins():
    tracks = pd.DataFrame(
        {"track_id": list("abc"), "artist_id": ["1", "2", ""], "album_id": "", "duplicate_of": ""}
    )
    assert groups.known_components(tracks) is None
    tracks.loc[2, "artist_id"] = "1"
    assert same_partition(groups.known_components(tracks), [0, 1, 0])


def test_what_is_shared_with_training_is_counted_directly():
    rows = [
        # id, artist, album, part
        ("1", "a", "x", "training"),
        ("2", "b", "", "validation"),
        ("3", "a", "", "test"),  # by its artist
        ("4", "c", "x", "test"),  # by its album
        ("5", "c", "", "test"),  # only by way of another test track
        ("6", "b", "", "test"),  # with validation alone
        ("7", "", "", "test"),
        ("8", "", "", "training"),
        ("9", "a", "x", "test"),  # by both: one track
    ]
    tracks = pd.DataFrame(rows, columns=["track_id", "artist_id", "album_id", "part"])
    tracks["duplicate_of"] = ""
    split = tracks[["track_id", "part"]]
    found = groups.shared_with_training(split, tracks)
    assert found == {"artist": 2, "album": 2, "either": 3}
    assert splits.summary(split, tracks).endswith(
        "3 of the test tracks share an artist or album with training"
    )
    alone = groups.shared_with_training(split, tracks.assign(album_id=""))
    assert alone == {"artist": 2, "either": 2}
    assert groups.shared_with_training(split, tracks.assign(album_id="", artist_id="")) == {}
