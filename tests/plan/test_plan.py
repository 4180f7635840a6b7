"""What a run makes, leaves out or refuses is known from the settings and the list of tracks."""

from pathlib import Path

import pytest
from genreflow.config import complete
from genreflow.corpus.tracks import Track
from genreflow.errors import GenreflowError
from genreflow.learners import classifiers
from genreflow.limits import MAX_TRACKS
from genreflow.plan.plan import Plan, audio_for, downloads
from genreflow.plan.stages import Stages

ROOT = Path(__file__).parents[2]

FEATURES = "classify/handcrafted/all"


def config(**changes):
    """Return a complete configuration of a folder with three learners, an average and a stack."""
    given = {
        "corpus": {"kind": "folder", "audio": "music"},
        "splits": ["auto"],
        "ffnn": {"units": [[8]]},
        "cnn": {"run": []},
        "classify": {"features": {"handcrafted": ["all"]}, "run": ["svm-rbf", "lda"]},
        "ensembles": {
            "members": {
                "average": {"of": ["ffnn/8", f"{FEATURES}/lda"]},
                "stack": {"how": "stack", "of": ["ffnn/8", f"{FEATURES}/lda"]},
            }
        },
    }
    for key, value in changes.items():
        given[key] = given.get(key, {}) | value if isinstance(value, dict) else value
    return complete(given)


def tracks(*counts, artists=None, parts=("",)):
    """Return so many tracks of each genre, in turn by so many artists and in the given parts."""
    return [
        Track(
            f"{genre}-{number}",
            f"music/genre-{genre}/{number}.wav",
            f"genre-{genre}",
            parts[number % len(parts)],
            artist_id=f"{genre}/{number % artists}" if artists else "",
        )
        for genre, count in enumerate(counts)
        for number in range(count)
    ]


def refusal(given, listed):
    with pytest.raises(GenreflowError) as error:
        Plan.of(given, listed)
    return [line for line in str(error.value).splitlines() if line.startswith("  - ")]


def names(made, family):
    return [learner.name for learner in made.of_family(family)]


# which split `auto` stands for


@pytest.mark.parametrize(
    ("listed", "family", "said"),
    [
        (tracks(8, 8), "cv-1x5", "only 1 of the 16 tracks"),
        (tracks(4, 90), "cv-1x4", "only 9 of the 94 tracks"),
        (tracks(30, 30, artists=4), "cv-1x4", "only 6 of the 60 tracks"),
        (tracks(499, 500), "cv-1x5", "only 99 of the 999 tracks"),
        (tracks(500, 500), "grouped", "100 of the 1,000 tracks"),
    ],
)
def test_auto_is_cross_validation_until_a_test_part_has_100_tracks(listed, family, said):
    made = Plan.of(config(), listed)
    folds = int(family[-1]) if family != "grouped" else 1
    assert len(made.splits) == folds
    assert all(name.startswith(family) for name in made.splits)
    assert f"means {family} here" in made.choice
    assert said in made.choice


def test_auto_follows_the_share_of_the_test_part():
    assert Plan.of(config(split={"test": 0.2}), tracks(250, 250)).splits == ["grouped"]


def test_auto_stands_beside_others_and_counts_once():
    given = config(splits=["lowest-ids", "auto", "grouped"])
    assert Plan.of(given, tracks(500, 500)).splits == ["lowest-ids", "grouped"]


def test_without_auto_nothing_is_chosen():
    made = Plan.of(config(splits=["grouped"]), tracks(8, 8))
    assert (made.splits, made.choice) == (["grouped"], "")


# what is refused


def test_all_genres_with_too_few_tracks_are_named_with_the_way_out():
    lines = refusal(config(), tracks(8, 3, 1))
    assert len(lines) == 2
    assert "genre 'genre-1' has 3 tracks (music/genre-1)" in lines[0]
    assert "at least 4 are needed" in lines[0]
    assert "add tracks, merge it with another genre, or take the folder out" in lines[0]
    assert "genre 'genre-2' has 1 track (music/genre-2)" in lines[1]


def test_tracks_of_an_artist_count_as_one():
    (line,) = refusal(config(), [*tracks(9, artists=3), *tracks(0, 9)])
    assert "9 tracks (music/genre-0), in 3 groups by artist and album" in line
    assert "at least 4 that share no artist or album are needed" in line


NETWORKS_ONLY = {"classify": {"features": {}}}


@pytest.mark.parametrize(
    ("split", "least", "changes"),
    [
        ("grouped", 4, {}),
        ("grouped", 3, NETWORKS_ONLY),
        ("cv-1x2", 5, {}),
        ("cv-1x2", 4, NETWORKS_ONLY),
        ("cv-1x3", 4, {}),
        ("cv-2x5", 5, {}),
        ("cv-1x10", 10, {}),
        ("lowest-ids", 10, {}),
    ],
)
def test_each_split_has_a_least_number(split, least, changes):
    given = config(splits=[split], **changes)
    assert Plan.of(given, tracks(least, 20)).splits[0].startswith(split)
    (line,) = refusal(given, tracks(least - 1, 20))
    assert f"for the split {split} at least {least} are needed" in line


def test_what_auto_could_split_is_told_of_it():
    (line,) = refusal(config(splits=["cv-1x10"]), tracks(9, 20))
    assert "ask for `splits: [auto]`" in line
    (line,) = refusal(config(splits=["cv-1x10"]), tracks(3, 20))
    assert "auto" not in line


PARTS = ("training", "training", "training", "validation", "test")


def test_the_parts_of_an_official_split_decide():
    given = config(splits=["official"])
    assert Plan.of(given, tracks(5, 5, parts=PARTS)).splits == ["official"]
    listed = [one for one in tracks(5, 5, parts=PARTS) if one.track_id != "1-4"]
    (line,) = refusal(given, listed)
    assert "'genre-1'" in line
    assert "none of them is in the test part" in line


def test_an_official_split_without_validation_gives_some_of_training():
    given = config(splits=["official"])
    parts = ("training", "training", "training", "test")
    assert Plan.of(given, tracks(4, 4, parts=parts)).splits == ["official"]
    (line,) = refusal(given, tracks(2, 4, parts=("training", "test")))
    assert "at least 2 independent ones are needed in the training part" in line


def test_an_official_split_that_is_not_there_is_refused_unless_an_audit_could_drop_the_rest():
    given = config(splits=["official"])
    (line,) = refusal(given, tracks(8, 8))
    assert "16 of the 16 tracks have no part" in line
    assert "`splits: [auto]`" in line
    listed = [*tracks(10, 10, parts=PARTS), Track("x", "music/x.wav", "genre-0")]
    assert Plan.of(given, listed).splits == ["official"]


def test_before_a_download_nothing_is_refused():
    made = Plan.of(config(splits=["official"]), [])
    assert made.splits == ["official"]
    assert made.left_out == {}


# what is left out


def test_a_stack_needs_two_validation_tracks_of_each_genre():
    made = Plan.of(config(), tracks(8, 30))
    assert names(made, "ensemble") == ["ensemble/average"]
    assert list(made.left_out) == ["ensemble/stack"]
    assert "of 'genre-0' there would be about 1" in made.left_out["ensemble/stack"]
    assert names(Plan.of(config(), tracks(20, 30)), "ensemble") == [
        "ensemble/average",
        "ensemble/stack",
    ]


def test_a_stack_that_one_of_the_splits_allows_is_made():
    given = config(splits=["official", "grouped"])
    parts = (*["training"] * 2, *["validation"] * 2, *["test"] * 2)
    assert "ensemble/stack" in names(Plan.of(given, tracks(6, 6, parts=parts)), "ensemble")


def test_a_stack_of_classifiers_that_learned_from_validation_is_left_out():
    given = config(
        classify={
            "features": {"handcrafted": ["all"]},
            "run": ["lda"],
            "fit_on": ["training", "validation"],
        }
    )
    made = Plan.of(given, tracks(90, 90))
    assert names(made, "ensemble") == ["ensemble/average"]
    assert "classify.fit_on" in made.left_out["ensemble/stack"]


def test_an_ensemble_with_a_member_that_is_not_asked_for_is_not_named():
    given = config(ensembles={"members": {"average": {"of": ["ffnn/8", "ffnn/9"]}}})
    made = Plan.of(given, tracks(90, 90))
    assert names(made, "ensemble") == []
    assert made.left_out == {}


def test_an_rbf_svm_is_left_out_where_its_matrix_is_too_large():
    """As many tracks learn as the classifier itself allows, and an audit may drop a tenth."""
    given = config(splits=["grouped"])
    assert classifiers.MAX_TRACKS == MAX_TRACKS == 25_000
    made = Plan.of(given, tracks(20_000, 20_000))
    assert names(made, "classify") == [f"{FEATURES}/lda"]
    assert "32,000 tracks (8 GB)" in made.left_out[f"{FEATURES}/svm-rbf"]
    assert f"{FEATURES}/svm-rbf" in names(Plan.of(given, tracks(17_000, 17_000)), "classify")
    given = config(splits=["official"])
    listed = tracks(30_000, 30_000, parts=("training", "validation", "test"))
    assert f"{FEATURES}/svm-rbf" in names(Plan.of(given, listed), "classify")


TRANSFER = {
    "cnn": {
        "run": ["tuned"],
        "variants": {
            "tuned": {
                "architecture": "finetuned",
                "network": "MobileNetV2",
                "cut": "out_relu",
                "trainable_from": "block_14_expand",
                "weights": "imagenet",
            }
        },
    },
    "transfer": {
        "backbones": {
            "VGG16": ["fc1", "fc2"],
            "ResNet50": ["avg_pool"],
            "audio": {
                "kind": "onnx",
                "network": "https://example.org/audio.onnx",
                "sha256": "AB" * 32,
                "cuts": ["embedding"],
                "input": "image",
            },
        },
        "weights": "imagenet",
        "joined": {"both": ["vgg16/fc1", "resnet50/avg_pool"]},
        "run": ["lda"],
    },
    "classify": {
        "features": {
            "handcrafted": ["all"],
            "vgg16/fc2": [0.9],
            "audio/embedding": ["all"],
            "joined/both": ["all"],
        },
        "run": ["lda"],
    },
}
ONNX = f"resources/onnx/{'ab' * 32}.onnx"


def test_what_learners_rest_on_is_downloaded():
    found = downloads(config(**TRANSFER))
    assert {one["path"]: one for one in found} == {
        one["path"]: one
        for one in (
            {"path": "resources/weights/MobileNetV2.h5", "network": "MobileNetV2"},
            {"path": "resources/weights/VGG16.h5", "network": "VGG16"},
            {"path": ONNX, "url": "https://example.org/audio.onnx", "sha256": "ab" * 32},
            {"path": "resources/weights/ResNet50.h5", "network": "ResNet50"},
        )
    }
    assert len(found) == 4
    without = TRANSFER["transfer"] | {"run": []}
    assert downloads(config(**TRANSFER | {"transfer": without})) == found[:1]
    assert downloads(config()) == []


def test_learners_on_networks_that_are_not_there_are_left_out():
    absent = ["resources/weights/VGG16.h5", ONNX]
    made = Plan.of(config(**TRANSFER), tracks(90, 90), lacking=absent)
    assert list(made.variants) == ["tuned"]
    assert names(made, "classify") == [f"{FEATURES}/lda"]
    assert set(made.left_out) == {
        "classify/vgg16/fc2/pca-0.90/lda",
        "classify/audio/embedding/all/lda",
        "classify/joined/both/all/lda",
    }
    for reason in made.left_out.values():
        assert "not there: `snakemake fetch`" in reason
    assert ONNX in made.left_out["classify/audio/embedding/all/lda"]


def test_an_ensemble_goes_with_its_member():
    members = {"of": ["ffnn/8", "classify/vgg16/fc2/pca-0.90/lda"]}
    given = config(**TRANSFER, ensembles={"members": {"average": members}})
    listed = tracks(90, 90)
    assert names(Plan.of(given, listed), "ensemble") == ["ensemble/average"]
    made = Plan.of(given, listed, lacking=["resources/weights/VGG16.h5"])
    assert names(made, "ensemble") == []
    reason = made.left_out["ensemble/average"]
    assert reason.startswith("its member classify/vgg16/fc2/pca-0.90/lda is left out: resources/")


# features from tables, and what needs audio


TABLE = {
    "feature_tables": {"own": "own.csv", "more": "more.csv"},
    "ffnn": {"units": [[8]], "features": ["table/own"]},
    "classify": {"features": {"table/own": ["all"]}, "run": ["lda"]},
    "ensembles": {
        "members": {"average": {"of": ["ffnn/table/own/8", "classify/table/own/all/lda"]}}
    },
}
"""Learners on a table alone."""


def test_a_table_is_a_feature_set_for_all_learners():
    joined = {"both": ["table/more", "table/own"], "heard": ["table/own", "handcrafted"]}
    features = {name: ["all", 0.9] for name in ("table/own", "joined/both", "handcrafted")}
    given = config(
        **TABLE
        | {
            "transfer": {"joined": joined, "run": ["mlp"]},
            "ffnn": {"units": [[8]], "features": ["handcrafted", "table/own", "joined/heard"]},
            "classify": {"features": features, "run": ["lda"]},
        }
    )
    made = Plan.of(given, tracks(90, 90))
    assert names(made, "ffnn") == ["ffnn/8", "ffnn/table/own/8", "ffnn/joined/heard/8"]
    shares = ("all", "pca-0.90")
    assert names(made, "classify") == [
        f"classify/{name}/{share}/lda" for name in sorted(features) for share in shares
    ]
    assert names(made, "ensemble") == ["ensemble/average"]
    assert list(made.learners["classify/joined/both/all/lda"].sets) == ["table/more", "table/own"]
    assert made.learners["ffnn/table/own/8"].matrix == "table/own"
    timed = {one.name for one in made.timed}
    assert "ffnn/8" in timed
    assert not {name for name in timed if "table" in name or "joined" in name}


@pytest.mark.parametrize(
    ("changes", "learner"),
    [
        (TABLE, ""),
        (TABLE | {"cnn": {"run": ["simple"], "variants": {"simple": {}}}}, "cnn/simple"),
        (TABLE | {"ffnn": {"units": [[8]], "features": ["handcrafted"]}}, "ffnn/8"),
        (
            TABLE
            | {
                "transfer": {"joined": {"both": ["table/own", "handcrafted"]}},
                "classify": {"features": {"joined/both": ["all"]}, "run": ["lda"]},
            },
            "classify/joined/both/all/lda",
        ),
        (
            {
                "handcrafted": {"source": "published", "table": "features.csv"},
                "ensembles": {"members": {}},
            },
            "",
        ),
        ({"ffnn": {"units": []}, "classify": {"run": []}}, "a run without learners"),
    ],
)
def test_audio_is_read_where_a_learner_that_is_asked_for_needs_it(changes, learner):
    given = config(**changes)
    assert audio_for(given) == learner
    assert Plan.of(given, tracks(90, 90)).reads_audio == bool(learner)


def test_a_learner_that_is_left_out_needs_audio_all_the_same():
    """What is downloaded later must not change what the corpus holds."""
    given = config(
        **TABLE
        | {"classify": {"features": {"table/own": [], "vgg16/fc2": ["all"]}}}
        | {"transfer": TRANSFER["transfer"]}
    )
    made = Plan.of(given, tracks(90, 90), lacking=["resources/weights/VGG16.h5"])
    assert "classify/vgg16/fc2/all/lda" in made.left_out
    assert made.reads_audio


# what results are set among, and who is chosen for predictions


@pytest.mark.parametrize(
    ("corpus", "splits", "there"),
    [
        ({"kind": "fma", "subset": "small"}, ["official", "grouped"], True),
        ({"kind": "fma", "subset": "small"}, ["grouped", "lowest-ids"], False),
        ({"kind": "fma", "subset": "small", "genre_level": "leaf"}, ["official"], False),
        ({"kind": "fma", "subset": "medium"}, ["official"], False),
        ({"kind": "demo"}, ["official"], False),
    ],
)
def test_published_results_are_shown_on_their_corpus_and_split_alone(corpus, splits, there):
    made = Plan.of(config(corpus={"audio": "music"} | corpus, splits=splits), [])
    shown = {made.layout.table("standing"), made.layout.table("standing", "md")}
    assert shown <= set(made.tables) if there else not shown & set(made.tables)
    assert (made.layout.figure("standing") in made.figures) == there


def test_what_learned_from_validation_is_not_chosen_by_it():
    both = ["training", "validation"]
    made = Plan.of(config(classify={"fit_on": both}, predict={"learner": "ffnn/8"}), tracks(8, 8))
    stages = Stages(made, lambda: None)
    seen = [f"{FEATURES}/svm-rbf", f"{FEATURES}/lda", "ensemble/average"]
    assert stages.choice == {"split": "cv-1x5-r1-f1", "name": "ffnn/8", "seen": seen}
    assert Stages(Plan.of(config(), tracks(8, 8)), lambda: None).choice["seen"] == []
