"""Packs: what is in them, and that what was damaged is refused."""

import hashlib
import json
import os
import shutil

import h5py
import numpy as np
import pandas as pd
import pytest
from genreflow.bundle import bundles
from genreflow.errors import GenreflowError, NotPossible
from genreflow.features import matrices
from genreflow.learners import classifiers
from genreflow.runtime import outcomes
from made.predictions import GENRES, drawn_predictions
from sklearn.metrics import log_loss
from statsmodels.stats.proportion import proportion_confint

AUDIT = {"min_duration": 2.0, "silence_level": -60, "min_sounding": 0.01}
MFCC = {"features": ["mfcc"], "rates": "native", "duration": 30.0}
LEARNER = "classify/handcrafted/all/lda"
NOTE = "Synthetic demo corpus: these numbers say nothing about real music."


def matrix(path, **attributes):
    x = np.zeros((1, 1), np.float32)
    matrices.write_matrix(path, x, ["1"], ["column"], attributes)
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Make the files of a finished run: a model, predictions, a matrix, a manifest."""
    folder = tmp_path_factory.mktemp("run")
    rng = np.random.default_rng(0)
    genres = np.repeat(GENRES, 12)
    x = rng.normal(size=(36, 4)) + np.repeat(3 * np.eye(3, 4), 12, axis=0)
    ids = [str(n) for n in range(36)]
    result = classifiers.classify(
        x.astype(np.float32),
        genres,
        ["training"] * 36,
        ids,
        classifier="lda",
        grid={"shrinkage": ["auto"]},
        folds=2,
    )
    classifiers.save(result.model, folder / "model.skops")
    table = drawn_predictions(3)
    table.to_csv(folder / "predictions.csv", index=False)
    licences = np.where(np.arange(len(table)) % 3 == 0, "CC BY", "CC0 1.0")
    manifest = pd.DataFrame({"track_id": table["track_id"], "license": licences})
    manifest.to_csv(folder / "tracks.csv", index=False)
    matrix(folder / "handcrafted.h5", **MFCC)
    return folder


def export(target, finished, *, features=None, **changes):
    features = features or bundles.Features(finished / "handcrafted.h5")
    settings = {
        "predictions": finished / "predictions.csv",
        "learner": LEARNER,
        "split": "official",
        "audit": AUDIT,
        "corpus": "demo",
        "tracks": finished / "tracks.csv",
    }
    return bundles.export(
        target, [bundles.Run(finished, LEARNER, [features])], **settings | changes
    )


@pytest.fixture(scope="module")
def exported(tmp_path_factory, finished):
    folder = tmp_path_factory.mktemp("exported") / "pack"
    export(folder, finished)
    return folder


@pytest.fixture
def pack(tmp_path, exported):
    return shutil.copytree(exported, tmp_path / "pack")


def described(pack):
    return json.loads((pack / "pack.json").read_text())


def describe(pack, **changes):
    (pack / "pack.json").write_text(json.dumps(described(pack) | changes))


def network(folder, *, engine="openvino"):
    folder.mkdir(parents=True)
    for name in ("network.json", "network.xml", "network.bin", ".snakemake_timestamp"):
        (folder / name).write_text(f"{name} of {engine}")
    return folder


def test_a_pack_is_read_as_it_was_written(tmp_path, finished):
    written = export(tmp_path / "pack", finished, split="grouped", seed=4)
    read = bundles.read(tmp_path / "pack")
    assert read == written
    assert read.genres == tuple(GENRES)
    assert (read.learner, read.split, read.seed, read.clip) == (LEARNER, "grouped", 4, 30.0)
    assert read.audit == bundles.Audit(**AUDIT)
    assert read.images is None and read.combiner is None and not read.uses_keras
    (model,) = read.models
    assert model.features == (bundles.Source("handcrafted", MFCC),)
    assert read.members == {
        model.file: hashlib.sha256((finished / "model.skops").read_bytes()).hexdigest()
    }


def test_a_pack_holds_nothing_but_what_prediction_needs(pack):
    files = {path.relative_to(pack).as_posix() for path in pack.rglob("*") if path.is_file()}
    assert files == {"pack.json", "README.md", "models/1/model.skops"}
    assert str(pack.parent) not in (pack / "pack.json").read_text()


def test_the_same_run_gives_the_same_bytes(tmp_path, finished):
    for name in ("a", "b"):
        export(tmp_path / name / "pack", finished)
    for file in ("pack.json", "README.md", "models/1/model.skops"):
        a, b = (tmp_path / name / "pack" / file for name in ("a", "b"))
        assert a.read_bytes() == b.read_bytes()


def test_joined_cuts_of_a_network_share_its_files(tmp_path, finished):
    folder = network(tmp_path / "transfer" / "vgg16" / "network")
    about = {"network": "VGG16", "engine": "openvino", "dtype": "float16"}
    features = [
        bundles.Features(matrix(tmp_path / f"{cut}.h5", cut=cut, **about), folder)
        for cut in ("fc1", "fc2")
    ]
    with h5py.File(tmp_path / "images.h5", "w") as file:
        for name in ("images", "track_id", "genre", "frames"):
            file[name] = []
        file.attrs.update(IMAGES)
    pack = bundles.export(
        tmp_path / "pack",
        [bundles.Run(finished, LEARNER, features)],
        predictions=finished / "predictions.csv",
        learner=LEARNER,
        split="official",
        images=tmp_path / "images.h5",
        audit=AUDIT,
        corpus="demo",
    )
    assert bundles.read(tmp_path / "pack") == pack
    assert set(pack.members) == {
        "models/1/model.skops",
        *(f"networks/vgg16/network.{end}" for end in ("json", "xml", "bin")),
    }
    cuts = [source.settings["cut"] for source in pack.models[0].features]
    assert cuts == ["fc1", "fc2"]
    assert pack.images == IMAGES and pack.clip == 29.7 and not pack.uses_keras


IMAGES = {
    "sample_rate": 22050,
    "duration": 29.7,
    "n_fft": 2048,
    "hop_length": 512,
    "n_mels": 128,
    "f_min": 0.0,
    "f_max": 8000.0,
    "invert": True,
}


def test_a_network_run_by_keras_needs_keras(pack):
    settings = {"folder": "networks/n", "cut": "fc1", "dtype": "float16", "engine": "keras"}
    source = bundles.Source("network", settings)
    model = bundles.Model(LEARNER, "models/1/model.skops", (source,))
    read = bundles.read(pack)
    assert bundles.Pack(**{**vars(read), "models": (model,)}).uses_keras


@pytest.mark.parametrize(
    ("attributes", "of_network", "said"),
    [
        ({"source": "features.csv"}, False, "handcrafted.source"),
        ({"engine": "onnxruntime", "cut": "last", "dtype": "float16"}, True, "ONNX"),
    ],
)
def test_features_that_audio_cant_be_turned_into_are_refused(
    tmp_path, finished, attributes, of_network, said
):
    source = matrix(tmp_path / "features.h5", **attributes)
    features = bundles.Features(source, tmp_path if of_network else None)
    with pytest.raises(GenreflowError, match=said):
        export(tmp_path / "pack", finished, features=features)
    assert not (tmp_path / "pack").exists()


@pytest.mark.parametrize("lost", ["model.skops", "handcrafted.h5"])
def test_a_run_that_is_not_finished_is_refused(tmp_path, finished, lost):
    copy = shutil.copytree(finished, tmp_path / "run")
    (copy / lost).unlink()
    with pytest.raises(GenreflowError, match=rf"run.*{lost.split('.')[1]}"):
        export(tmp_path / "pack", copy)


@pytest.mark.parametrize("place", [10, -10])
def test_a_model_that_is_not_whole_is_not_packed(tmp_path, finished, place):
    copy = shutil.copytree(finished, tmp_path / "run")
    content = (copy / "model.skops").read_bytes()
    (copy / "model.skops").write_bytes(content[:place])
    with pytest.raises(GenreflowError, match=r"model\.skops: not a whole model file .* delete it"):
        export(tmp_path / "pack", copy)
    assert not (tmp_path / "pack").exists()


def test_an_export_that_fails_leaves_the_pack_that_was_there(pack, finished, tmp_path):
    before = bundles.read(pack)
    broken = matrix(tmp_path / "published.h5", source="features.csv")
    with pytest.raises(GenreflowError):
        export(pack, finished, features=bundles.Features(broken))
    assert bundles.read(pack) == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_pack_is_replaced_and_other_folders_are_not(pack, finished, tmp_path):
    (pack / "models" / "old").write_text("left over")
    export(pack, finished, split="grouped")
    assert bundles.read(pack).split == "grouped"
    assert not (pack / "models" / "old").exists()
    other = tmp_path / "music"
    other.mkdir()
    (other / "song.mp3").write_text("mine")
    with pytest.raises(GenreflowError, match="something else"):
        export(other, finished)
    assert (other / "song.mp3").read_text() == "mine"


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path):
    os.truncate(path, path.stat().st_size - 1)


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [flip, truncate, empty, os.unlink])
def test_a_damaged_member_is_refused_by_name(pack, damage):
    damage(pack / "models" / "1" / "model.skops")
    with pytest.raises(GenreflowError, match=r"models/1/model\.skops"):
        bundles.read(pack)


def test_a_file_that_is_not_listed_is_refused(pack):
    (pack / "models" / "1" / "network.bin").write_text("weights of somebody else")
    with pytest.raises(GenreflowError, match=r"models/1/network\.bin is not among"):
        bundles.read(pack)


def test_what_the_system_leaves_in_folders_does_no_harm(pack):
    (pack / "models" / ".DS_Store").write_text("")
    assert bundles.read(pack).learner == LEARNER


@pytest.mark.parametrize("kind", ["link", "folder's link", "pipe"])
def test_what_is_not_a_plain_file_is_refused_before_anything_is_read(pack, kind):
    model = pack / "models" / "1" / "model.skops"
    if kind == "link":
        model.rename(pack.parent / "elsewhere")
        model.symlink_to(pack.parent / "elsewhere")
    elif kind == "pipe":
        model.unlink()
        os.mkfifo(model)
    else:
        (pack / "models").rename(pack.parent / "elsewhere")
        (pack / "models").symlink_to(pack.parent / "elsewhere")
    with pytest.raises(GenreflowError, match="not a plain file"):
        bundles.read(pack)


def test_what_could_not_be_read_is_not_exported(tmp_path, finished):
    with pytest.raises(GenreflowError, match="split: expected no control characters"):
        export(tmp_path / "pack", finished, split="a\nb")
    assert not (tmp_path / "pack").exists()


@pytest.mark.parametrize("place", ["../outside.skops", "{folder}/outside.skops"])
def test_a_member_outside_of_the_pack_is_refused(pack, place):
    outside = pack.parent / "outside.skops"
    shutil.copy(pack / "models" / "1" / "model.skops", outside)
    place = place.format(folder=pack.parent)
    content = described(pack)
    content["models"][0]["file"] = place
    content["members"][place] = bundles.sha256(outside)
    describe(pack, **content)
    with pytest.raises(GenreflowError, match="outside"):
        bundles.read(pack)


@pytest.mark.parametrize(
    "changes",
    [
        {"models": []},
        {"models": [{"file": "models/1/model.skops"}]},
        {"genres": []},
        {"genres": None},
        {"clip": 0},
        {"clip": "long"},
        {"audit": {}},
        {"members": ["models/1/model.skops"]},
        {"more": 1},
        {"format": 2},
    ],
)
def test_a_description_that_makes_no_sense_is_refused(pack, changes):
    describe(pack, **changes)
    with pytest.raises(GenreflowError, match=r"pack\.json"):
        bundles.read(pack)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff\xfe", b'"text"'])
def test_a_description_that_is_damaged_is_refused(pack, text):
    (pack / "pack.json").write_bytes(text)
    with pytest.raises(GenreflowError, match=r"pack\.json"):
        bundles.read(pack)


def test_a_folder_that_is_no_pack_is_refused(tmp_path):
    with pytest.raises(GenreflowError, match="no pack"):
        bundles.read(tmp_path)


def test_other_versions_are_named(pack):
    assert bundles.read(pack).other_versions() == []
    versions = described(pack)["versions"]
    describe(pack, versions=versions | {"skops": "0.1", "genreflow": "0.0.1"})
    assert [text.split()[0] for text in bundles.read(pack).other_versions()] == [
        "genreflow",
        "skops",
    ]


def test_the_model_card_has_the_numbers(pack, finished):
    card = (pack / "README.md").read_text()
    table = pd.read_csv(finished / "predictions.csv", dtype={"track_id": str})
    test = table[table["part"] == "test"]
    hits = int((test["genre"] == test["predicted"]).sum())
    low, high = proportion_confint(hits, len(test), method="wilson")
    accuracy = f"{100 * hits / len(test):.1f} ({100 * low:.1f}-{100 * high:.1f})"
    assert f"{len(test)} tracks" in card and accuracy in card
    loss = log_loss(test["genre"], test[[f"p_{g}" for g in GENRES]], labels=GENRES)
    assert f"| {loss:.3f}" in card
    assert "demo" in card and "official" in card and "mfcc" not in card
    assert "| CC BY" in card and f"| {len(table) // 3} " in card
    assert "random" not in card and NOTE not in card


def test_the_model_card_says_what_the_numbers_are_worth(tmp_path, finished):
    export(tmp_path / "pack", finished, note=NOTE, marks={"handcrafted": "random weights"})
    card = (tmp_path / "pack" / "README.md").read_text()
    assert card.startswith(f"# {LEARNER} (random weights)")
    assert f"**{NOTE}**" in card and "has learned nothing" in card


def test_a_fold_of_a_cross_validation_can_be_exported(tmp_path, finished):
    assert export(tmp_path / "pack", finished, split="cv-1x5-r1-f02").split == "cv-1x5-r1-f02"


def write(folder, learner, table, *, split="official", seed=None):
    place = folder / split / learner / (f"seed-{seed}" if seed is not None else "")
    place.mkdir(parents=True)
    table.to_csv(place / "predictions.csv", index=False)
    return place / "predictions.csv"


def with_validation(hits, sure=0.6):
    """Make predictions of ten validation tracks, the first so many of them right."""
    genres = [GENRES[n % 3] for n in range(10)]
    predicted = [g if n < hits else GENRES[(n + 1) % 3] for n, g in enumerate(genres)]
    table = pd.DataFrame(
        {
            "track_id": [str(n) for n in range(10)],
            "part": "validation",
            "genre": genres,
            "predicted": predicted,
        }
    )
    for genre in GENRES:
        table[f"p_{genre}"] = [sure if genre == p else (1 - sure) / 2 for p in predicted]
    # All of the test part right for whoever is worst on validation: it must not count.
    test = table.assign(part="test", genre=predicted if hits < 5 else genres)
    return pd.concat([table, test.assign(track_id=[f"t{n}" for n in range(10)])])


def test_the_best_on_validation_is_chosen(tmp_path):
    paths = [
        write(tmp_path, "classify/a", with_validation(4)),
        write(tmp_path, "classify/b", with_validation(8)),
        write(tmp_path, "classify/c", with_validation(7)),
    ]
    assert bundles.choose(paths, folder=tmp_path) == paths[1]
    assert bundles.choose(paths, folder=tmp_path, seen=["classify/b"]) == paths[2]
    assert bundles.choose(paths, folder=tmp_path, name="classify/a") == paths[0]
    assert (
        bundles.choose(paths, folder=tmp_path, name="classify/b", seen=["classify/b"]) == paths[1]
    )


def test_of_equals_the_one_with_the_lower_log_loss_is_chosen(tmp_path):
    paths = [
        write(tmp_path, "classify/a", with_validation(8, sure=0.4)),
        write(tmp_path, "classify/b", with_validation(8, sure=0.7)),
        write(tmp_path, "classify/c", with_validation(8, sure=0.99)),
    ]
    assert bundles.choose(paths, folder=tmp_path) == paths[1]


def test_seeds_are_averaged_and_then_the_best_is_taken(tmp_path):
    paths = [
        *(write(tmp_path, "cnn/a", with_validation(h), seed=s) for s, h in enumerate((9, 3))),
        *(write(tmp_path, "cnn/b", with_validation(h), seed=s) for s, h in enumerate((6, 8, 7))),
    ]
    assert bundles.choose(paths, folder=tmp_path) == paths[3]
    assert bundles.choose(paths, folder=tmp_path, name="cnn/a") == paths[0]


def test_what_cant_be_chosen_from_is_refused(tmp_path):
    first = write(tmp_path, "classify/a", with_validation(5))
    other = write(tmp_path, "classify/a", with_validation(6), split="grouped")
    with pytest.raises(GenreflowError, match="grouped, official"):
        bundles.choose([first, other], folder=tmp_path)
    with pytest.raises(GenreflowError, match=r"'classify/z'.*classify/a"):
        bundles.choose([first], folder=tmp_path, name="classify/z")
    with pytest.raises(GenreflowError, match="name the one"):
        bundles.choose([first], folder=tmp_path, seen=["classify/a"])


def test_a_learner_that_is_not_possible_is_never_chosen(tmp_path):
    paths = [
        write(tmp_path, "cnn/a", with_validation(9), seed=0),
        write(tmp_path, "cnn/a", with_validation(9), seed=1),
        write(tmp_path, "cnn/b", with_validation(2), seed=0),
    ]
    outcomes.write_reason(paths[1], "it diverged")
    assert bundles.choose(paths, folder=tmp_path) == paths[2]
    with pytest.raises(NotPossible, match=r"^cnn/a can't be made .*: seed 1: it diverged$"):
        bundles.choose(paths, folder=tmp_path, name="cnn/a")


def test_without_validation_a_learner_has_to_be_named(tmp_path):
    table = with_validation(5)
    path = write(tmp_path, "classify/a", table[table["part"] == "test"])
    with pytest.raises(GenreflowError, match="validation part"):
        bundles.choose([path], folder=tmp_path)
    assert bundles.choose([path], folder=tmp_path, name="classify/a") == path


def runs(folder, learner, **settings):
    return bundles.runs_of(
        folder / "official" / learner / "predictions.csv", folder=folder, **settings
    )


def test_what_is_packed_follows_from_the_place_of_the_predictions(tmp_path):
    results, run = tmp_path, "official/ffnn/64-32/seed-1"
    by_hand = bundles.Features(results / "features/handcrafted.h5")
    vgg16, resnet50 = (results / "transfer" / name / "network" for name in ("vgg16", "resnet50"))
    fc1 = bundles.Features(results / "features/vgg16/fc1.h5", vgg16)
    pool = bundles.Features(results / "features/resnet50/avg_pool.h5", resnet50)
    assert runs(results, "ffnn/64-32/seed-1") == [
        bundles.Run(results / run, "ffnn/64-32", [by_hand])
    ]
    for learner, features in {
        "classify/handcrafted/all/lda": [by_hand],
        "classify/vgg16/fc1/pca-0.90/mlp": [fc1],
        "classify/joined/both/pca-0.90/mlp": [fc1, pool],
    }.items():
        found = runs(results, learner, joined={"both": ["vgg16/fc1", "resnet50/avg_pool"]})
        assert found == [bundles.Run(results / "official" / learner, learner, features)]


def test_crops_are_those_of_the_variant_or_of_its_search(tmp_path):
    variants = {"wide": {"crop_frames": 640, "crops": 5, "width": 8}}
    (whole,) = runs(tmp_path, "cnn/simple/seed-0", variants=variants)
    assert whole == bundles.Run(tmp_path / "official/cnn/simple/seed-0", "cnn/simple")
    (wide,) = runs(tmp_path, "cnn/wide/seed-0", variants=variants)
    assert (wide.crop_frames, wide.crops) == (640, 5)
    search = tmp_path / "official/cnn/wide/search"
    search.mkdir(parents=True)
    (search / "winner.yaml").write_text("{crop_frames: 320, width: 16}")
    (searched,) = runs(tmp_path, "cnn/wide/seed-0", variants=variants)
    assert (searched.crop_frames, searched.crops) == (320, 5)


def test_an_ensemble_is_packed_with_all_seeds_of_its_members(tmp_path):
    members = [tmp_path / f"official/cnn/simple/seed-{seed}/predictions.csv" for seed in (0, 1)]
    found = runs(tmp_path, "ensemble/mean", members=members)
    assert [run.folder.name for run in found] == ["seed-0", "seed-1"]
    assert {run.learner for run in found} == {"cnn/simple"}


def test_predictions_at_another_place_are_refused(tmp_path):
    with pytest.raises(GenreflowError, match="SPLIT/LEARNER"):
        bundles.runs_of(tmp_path / "predictions.csv", folder=tmp_path)
