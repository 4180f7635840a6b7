import hashlib

import numpy as np
import pandas as pd
import pytest
from genreflow import split_names
from genreflow.corpus import splits
from genreflow.corpus.tracks import PARTS
from genreflow.errors import GenreflowError
from made.clips import DATA
from made.random_tracks import corpus, reachable

LABELS = DATA / "fma_small_labels.csv"
UNREADABLE = ["99134", "108925", "133297", "98565", "98567", "98569"]


def plain(sizes, **columns):
    """Make a corpus of given genre sizes in which nothing is known of artists."""
    genre = [g for g, size in sizes.items() for _ in range(size)]
    table = pd.DataFrame({"track_id": [str(i + 1) for i in range(len(genre))], "genre": genre})
    for column in ("split", "artist_id", "album_id", "duplicate_of"):
        table[column] = columns.get(column, "")
    return table


def split(name, tracks, validation=0.1, test=0.2, **settings):
    return splits.make(name, tracks, validation=validation, test=test, **{"seed": 0, **settings})


def parts(made):
    return dict(zip(made["track_id"], made["part"], strict=True))


def counted(made, tracks):
    """Count the tracks of each genre in each part."""
    part = tracks["track_id"].map(parts(made))
    return pd.crosstab(tracks["genre"], part).reindex(columns=list(PARTS), fill_value=0)


def sides(tracks, made, label):
    """Count the parts that each group of tracks is in."""
    part = tracks["track_id"].map(parts(made))
    return part.groupby(label).nunique()


# --- what holds for all splits ---


ALL = ["official", "grouped", "lowest-ids", "cv-2x4-r1-f1", "cv-2x4-r2-f4"]
DIGESTS = ["227a6ae7", "638de267", "b5ad5488", "de158958", "7cd829c2"]
"""Of the parts that the first version gave to the tracks of a test below."""


@pytest.mark.parametrize("name", ALL)
def test_a_split_has_every_genre_in_every_part_and_no_duplicate_in_two(name):
    for seed in range(12):
        tracks = corpus(seed)
        made = split(name, tracks, seed=seed)
        assert list(made.columns) == ["track_id", "part"]
        assert all(isinstance(value, str) for value in made.to_numpy().ravel())
        assert set(made["part"]) == set(PARTS)
        order = tracks["track_id"][tracks["track_id"].isin(made["track_id"])]
        assert list(made["track_id"]) == list(order)
        assert counted(made, tracks).to_numpy().min() > 0
        assert sides(tracks, made, reachable(tracks, [])).max() == 1


@pytest.mark.parametrize("name", ALL)
def test_the_seed_alone_decides_not_the_order_of_the_tracks(name):
    tracks = corpus(3)
    first = parts(split(name, tracks, seed=7))
    for shuffle in range(5):
        shuffled = tracks.sample(frac=1, random_state=shuffle)
        assert parts(split(name, shuffled, seed=7)) == first


@pytest.mark.parametrize(("name", "digest"), zip(ALL, DIGESTS, strict=True))
def test_splits_stay_what_they_were_in_earlier_versions(name, digest):
    tracks = plain({"a": 37, "b": 101, "c": 58}, split=[*PARTS, "training"] * 49)
    tracks["artist_id"] = [f"{genre}{n % 17}" for n, genre in enumerate(tracks["genre"])]
    made = split(name, tracks, seed=5)
    assert hashlib.sha256("".join(made["part"]).encode()).hexdigest()[:8] == digest


@pytest.mark.parametrize("name", ["grouped", "lowest-ids", "cv-2x4-r1-f1"])
def test_another_seed_gives_another_split(name):
    tracks = corpus(3)
    made = [tuple(split(name, tracks, seed=seed)["part"]) for seed in range(5)]
    assert len(set(made)) == 5


@pytest.mark.parametrize("name", ["grouped", "cv-2x4-r1-f2", "cv-2x4-r2-f3"])
def test_no_component_is_in_two_parts(name):
    for seed in range(12):
        tracks = corpus(seed)
        made = split(name, tracks, seed=seed)
        assert len(made) == len(tracks)
        assert sides(tracks, made, reachable(tracks, ["artist_id", "album_id"])).max() == 1
        assert "; 0 of the test tracks share" in splits.summary(made, tracks)


# --- official ---


def test_official_keeps_the_split_of_the_corpus():
    tracks = corpus(1, duplicates=0)
    assert list(split("official", tracks)["part"]) == list(tracks["split"])


def test_a_crossing_duplicate_stays_in_the_most_protected_part_only():
    tracks = plain({"a": 12, "b": 12}, split=["training", "training", "validation", "test"] * 6)
    tracks.loc[[1, 2, 7, 11], "duplicate_of"] = ["1", "1", "3", "5"]
    # 1, 2, 3 and 8 are one recording, 8 is tested; so are 5 and 12, of which 12 is tested.
    made = parts(split("official", tracks))
    assert set(tracks["track_id"]) - set(made) == {"1", "2", "3", "5"}
    assert made["8"] == made["12"] == "test"


def test_official_takes_validation_out_of_training_if_the_corpus_has_none():
    for seed in range(8):
        tracks = corpus(seed)
        tracks["split"] = tracks["split"].replace("validation", "training")
        made = split("official", tracks, validation=0.25, seed=seed)
        part = tracks["track_id"].map(parts(made))
        assert (part[tracks["split"] == "test"] == "test").all()
        trained = tracks[part.isin(["training", "validation"])]
        label = pd.Series(reachable(tracks, ["artist_id", "album_id"]), index=tracks.index)
        assert part[trained.index].groupby(label[trained.index]).nunique().max() == 1
        share = (part == "validation").sum() / len(trained)
        assert share == pytest.approx(0.25, abs=0.02)


def test_official_names_the_track_that_lacks_a_part():
    tracks = corpus(0)
    tracks.loc[5, "split"] = ""
    with pytest.raises(GenreflowError, match=f"1 of 240 tracks.*'{tracks.track_id[5]}'") as error:
        split("official", tracks)
    for other in ("grouped", "lowest-ids", "cv-"):
        assert other in str(error.value)
    tracks.loc[5, "split"] = "train"
    with pytest.raises(GenreflowError, match="split is 'train', must be one of training, valid"):
        split("official", tracks)


@pytest.mark.parametrize(("missing", "other"), [("training", "test"), ("test", "training")])
def test_official_names_the_empty_part(missing, other):
    tracks = corpus(0)
    tracks["split"] = tracks["split"].replace(missing, other)
    with pytest.raises(GenreflowError, match=f"the {missing} part has 0 tracks"):
        split("official", tracks)


def test_official_names_the_genre_that_a_part_lacks():
    tracks = plain({"a": 9, "b": 9}, split=list(PARTS) * 6)
    tracks.loc[tracks["genre"] == "b", "split"] = ["training", "test", "test"] * 3
    with pytest.raises(GenreflowError, match="validation part has 3 tracks and none of genre 'b'"):
        split("official", tracks)


# --- grouped ---


def test_grouped_shares_are_exact_where_the_artists_allow_it():
    # As FMA small: eight genres of 1000, artists of skewed sizes, a tenth for each small part.
    tracks = corpus(0, tracks=8000, genres=8, artists=2000)
    made = split("grouped", tracks, test=0.1)
    counts = counted(made, tracks)
    assert (counts["test"] - 100).abs().max() <= 1
    assert (counts["validation"] - 100).abs().max() <= 1


def test_grouped_shares_are_near_in_small_corpora():
    for seed in range(12):
        tracks = corpus(seed)
        counts = counted(split("grouped", tracks, seed=seed), tracks)
        # 60 tracks a genre: 12 tested, 6 watched
        assert (counts["test"] - 12).abs().max() <= 3
        assert (counts["validation"] - 6).abs().max() <= 3
        assert abs(counts["test"].sum() - 48) <= 4


def test_grouped_without_artists_is_stratified_to_the_track():
    tracks = plain({"a": 37, "b": 101, "c": 58})
    for seed in range(8):
        counts = counted(split("grouped", tracks, seed=seed), tracks)
        for part, share in {"training": 0.7, "validation": 0.1, "test": 0.2}.items():
            assert (counts[part] - share * counts.sum(axis=1)).abs().max() <= 1
            assert abs(counts[part].sum() - share * 196) <= 1


def test_a_large_artist_is_tested_about_as_often_as_the_share_says():
    # Placing the large ones first would give each of them the same part with every seed.
    sizes = [*range(5, 15)] + [1] * 65
    artists = np.repeat(np.arange(len(sizes)), sizes).astype(str)
    tracks = plain({"a": 80, "b": 80}, artist_id=np.roll(artists, 33))
    tested = np.zeros(10)
    for seed in range(60):
        part = split("grouped", tracks, seed=seed)["part"]
        tested += [(part[tracks["artist_id"] == str(a)] == "test").all() for a in range(10)]
    # Each is expected in 12 of 60 test parts, with a standard deviation of 3.1.
    assert tested.min() >= 3
    assert tested.max() <= 24
    assert tested.mean() == pytest.approx(12, abs=3)


def test_a_genre_with_as_many_artists_as_parts_is_in_each():
    artists = ["w1"] * 4 + ["w2"] * 3 + ["w3"] * 3 + [f"a{i // 2}" for i in range(60)]
    tracks = plain({"waltz": 10, "rock": 60}, artist_id=artists)
    for seed in range(10):
        counts = counted(split("grouped", tracks, seed=seed), tracks)
        assert counts.loc["waltz"].min() > 0


# --- lowest-ids ---


def test_lowest_ids_tests_the_lowest_of_each_genre():
    tracks = plain({"a": 24, "b": 33})
    made = parts(split("lowest-ids", tracks, test=0.2))
    assert {i for i, part in made.items() if part == "test"} == {
        *map(str, range(1, 5)),  # floor(0.2 * 24) = 4; 2 comes before 10
        *map(str, range(25, 31)),
    }
    counts = counted(split("lowest-ids", tracks, validation=0.25), tracks)
    assert list(counts["validation"]) == [5, 7]  # a quarter of 20 and of 27


def test_lowest_ids_orders_names_as_people_do():
    tracks = plain({"a": 10, "b": 10})
    tracks["track_id"] = [f"{g}-clip{n}.v2" for g in "ab" for n in (12, 9, 3, 100, *range(20, 26))]
    made = parts(split("lowest-ids", tracks, test=0.3))
    assert {i for i, part in made.items() if part == "test" and i.startswith("a")} == {
        "a-clip3.v2",
        "a-clip9.v2",
        "a-clip12.v2",
    }


def test_lowest_ids_is_not_misled_by_floating_point():
    made = split("lowest-ids", plain({"a": 100, "b": 100}), test=0.29)
    assert (made["part"] == "test").sum() == 58  # 100 * 0.29 is 28.999999999999996


def test_lowest_ids_leaves_copies_of_tested_tracks_out():
    tracks = plain({"a": 20, "b": 20})
    tracks.loc[19, "duplicate_of"] = "2"
    made = split("lowest-ids", tracks)
    assert set(tracks["track_id"]) - set(made["track_id"]) == {"20"}
    assert parts(made)["2"] == "test"


def test_lowest_ids_is_the_split_of_the_study():
    if not LABELS.is_file():
        pytest.skip("the labels of FMA small are not there")
    labels = pd.read_csv(LABELS, dtype=str)
    labels = labels[~labels["track_id"].isin(UNREADABLE)]
    tracks = plain({})
    tracks = labels.rename(columns={"genre_top": "genre"}).reindex(columns=tracks.columns)
    tracks = tracks.fillna("").reset_index(drop=True)
    made = split("lowest-ids", tracks, test=0.2)
    assert (made["part"] == "test").sum() == 1596
    assert len(made) == 7994
    number = made["track_id"].astype(int)
    for _, places in tracks.groupby("genre").indices.items():
        tested = made["part"][places] == "test"
        assert number[places][tested].max() < number[places][~tested].min()
    counts = counted(split("official", tracks), tracks)
    assert counts.sum().to_dict() == {"training": 6394, "validation": 800, "test": 800}


# --- cross-validation ---


def test_in_a_repeat_each_track_is_tested_once():
    tracks = corpus(5)
    tested = {}
    for name in split_names.expand(["cv-2x5"]):
        made = split(name, tracks)
        repeat = name.split("-")[2]
        tested.setdefault(repeat, []).append(set(made["track_id"][made["part"] == "test"]))
    for folds in tested.values():
        assert sum(map(len, folds)) == len(set().union(*folds)) == len(tracks)
    assert {frozenset(fold) for fold in tested["r1"]}.isdisjoint(map(frozenset, tested["r2"]))


def test_folds_without_artists_are_stratified_to_the_track():
    tracks = plain({"a": 37, "b": 101, "c": 58})
    for name in split_names.expand(["cv-1x10"]):
        counts = counted(split(name, tracks), tracks)
        assert (counts["test"] - np.array([3.7, 10.1, 5.8])).abs().max() < 1
        assert abs(counts["test"].sum() - 19.6) < 1
        rest = counts[["training", "validation"]].sum(axis=1)
        assert (counts["validation"] - 0.1 * rest).abs().max() < 1


def test_folds_with_artists_are_near_in_size():
    tracks = corpus(2, tracks=2000, artists=700)
    for name in split_names.expand(["cv-1x10"]):
        counts = counted(split(name, tracks), tracks)
        assert (counts["test"] - 50).abs().max() <= 5


# --- what is wrong with a corpus ---


def test_a_genre_with_fewer_tracks_than_folds_is_named():
    tracks = plain({"Rock": 20, "Waltz": 3})
    with pytest.raises(
        GenreflowError, match=r"genre 'Waltz' has 3 tracks; 5 folds need at least 5: .*fewer folds"
    ):
        split("cv-1x5-r1-f1", tracks)
    tracks = plain({"Rock": 20, "Waltz": 2})
    with pytest.raises(
        GenreflowError, match="'Waltz' has 2 tracks; training, validation, test need at least 3"
    ):
        split("grouped", tracks)


def test_a_genre_by_too_few_artists_is_named():
    tracks = plain({"Rock": 20, "Waltz": 7}, artist_id=[""] * 20 + ["x"] * 5 + ["y"] * 2)
    for name, need in (("cv-1x5-r1-f1", 5), ("grouped", 3)):
        with pytest.raises(
            GenreflowError,
            match=f"'Waltz' has 7 tracks, of which only 2 independent; .* need at least {need}",
        ):
            split(name, tracks)
    # Any number is enough for the study's split.
    assert set(split("lowest-ids", tracks)["part"]) == set(PARTS)


def test_a_genre_with_nothing_left_for_validation_is_named():
    tracks = plain({"Rock": 20, "Waltz": 2})
    with pytest.raises(
        GenreflowError, match="'Waltz' has 1 track outside the test part; training and validation"
    ):
        split("cv-1x2-r1-f1", tracks)


def test_a_genre_with_nothing_to_test_is_named():
    with pytest.raises(
        GenreflowError, match="test part has 4 tracks and none of genre 'Waltz', which has 4 tracks"
    ):
        split("lowest-ids", plain({"Rock": 20, "Waltz": 4}))


@pytest.mark.parametrize("name", ALL)
def test_one_genre_is_not_enough(name):
    with pytest.raises(GenreflowError, match="there is 'Rock' with 20 tracks"):
        split(name, plain({"Rock": 20}, split="training"))
    with pytest.raises(GenreflowError, match="there is none"):
        split(name, plain({}))


def test_a_fold_that_there_is_not_is_refused():
    with pytest.raises(GenreflowError, match="'cv-2x10-r1-f01' to 'cv-2x10-r2-f10'"):
        split("cv-2x10-r3-f01", corpus(0))


# --- counts ---


@pytest.mark.parametrize("name", ALL)
def test_fewer_training_tracks_are_some_of_those_of_a_larger_number(name):
    tracks = corpus(5)
    whole, four, two = (split(name, tracks, training=number) for number in (0, 4, 2))
    for number, few, more in ((2, two, four), (4, four, whole)):
        assert (
            counted(few, tracks)["training"]
            == counted(whole, tracks)["training"].clip(upper=number)
        ).all()
        assert parts(few).items() <= parts(more).items()
        tested = [
            {one: part for one, part in parts(made).items() if part != "training"}
            for made in (few, whole)
        ]
        assert tested[0] == tested[1]


def test_summary_says_sizes_and_what_crosses():
    tracks = pd.DataFrame(
        {
            "track_id": list("abcd"),
            "genre": ["x", "y", "x", "y"],
            "artist_id": ["1", "2", "1", ""],
            "album_id": "",
            "duplicate_of": "",
        }
    )
    split = pd.DataFrame({"track_id": list("abc"), "part": ["training", "validation", "test"]})
    said = splits.summary(split, tracks)
    assert said.startswith("1 training, 1 validation, 1 test; 1 of the test tracks share")
    assert said.endswith("1 left out, as duplicates or beyond split.training")
    assert "not known" in splits.summary(split, tracks.assign(artist_id=""))
