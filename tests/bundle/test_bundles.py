"""Bundles: what is in them, and that what was damaged is refused."""

import json
import os
import re
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from genreflow.bundle import bundles
from genreflow.errors import GenreflowError, NotPossible
from genreflow.features import matrices
from genreflow.features.feature_set import Part
from genreflow.layout import Layout
from genreflow.learners import classifiers
from genreflow.runtime import outcomes
from genreflow.runtime.files import read_table
from made.networks import write_ear
from made.predictions import GENRES, drawn_predictions
from sklearn.metrics import log_loss
from statsmodels.stats.proportion import proportion_confint

AUDIT = {"min_duration": 2.0, "silence_level": -60, "min_sounding": 0.01}
MFCC = {"features": ["mfcc"], "rates": "native", "duration": 30.0}
HANDCRAFTED = Part("handcrafted", "handcrafted", "", MFCC)
NAME = "classify/handcrafted/all/lda"
LEARNER = {"name": NAME, "model": "model.skops", "matrix": "handcrafted", "prediction": {}}
MODEL = "models/1/model.skops"
NOTE = "Synthetic demo corpus: these numbers say nothing about real music."
IMAGES = {"sample_rate": 22050, "duration": 29.7, "n_fft": 2048, "hop_length": 512, "n_mels": 128}
IMAGES |= {"f_min": 0.0, "f_max": 8000.0, "invert": True}


def placed(path):
    """Return a path whose folder is there."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    return Path(path)


def write_matrix(layout, name, *parts):
    known = {"parts": json.dumps([asdict(part) for part in parts])}
    path = placed(layout.features(name))
    matrices.write_matrix(path, np.zeros((1, 1), np.float32), ["1"], ["column"], known)


@pytest.fixture(scope="module")
def once_finished(tmp_path_factory):
    """Make the files of a finished run: a model, predictions, features, images, a manifest."""
    layout = Layout(tmp_path_factory.mktemp("run"))
    rng, genres = np.random.default_rng(0), np.repeat(GENRES, 12)
    x = (rng.normal(size=(36, 4)) + np.repeat(3 * np.eye(3, 4), 12, axis=0)).astype(np.float32)
    columns = (genres, ["training"] * 36, [str(n) for n in range(36)])
    grid = {"classifier": "lda", "grid": {"shrinkage": ["auto"]}, "folds": 2}
    fitted = layout.fitted("official", NAME)
    made = classifiers.classify(x, *columns, **grid).model
    classifiers.save(made, placed(fitted.model("model.skops")))
    table = drawn_predictions(3)
    table.to_csv(fitted.predictions, index=False)
    licences = np.where(np.arange(len(table)) % 3 == 0, "CC BY", "CC0 1.0")
    manifest = pd.DataFrame({"track_id": table["track_id"], "license": licences})
    manifest[["artist_id", "album_id", "duplicate_of"]] = ""
    manifest.to_csv(placed(layout.tracks), index=False)
    write_matrix(layout, "handcrafted", HANDCRAFTED)
    with h5py.File(layout.spectrograms, "w") as file:
        for name in ("images", "track_id", "genre", "frames"):
            file[name] = []
        file.attrs.update(IMAGES)
    return layout


@pytest.fixture
def finished(tmp_path, once_finished):
    return Layout(shutil.copytree(once_finished.root, tmp_path / "results"))


def model(layout, networks=None, **changes):
    fitted = layout.fitted("official", NAME)
    return bundles.model_of(fitted, LEARNER | changes, layout, networks or {})


def export(target, layout, models=None, *, chosen=(), **settings):
    return bundles.export(
        target,
        replace(layout.fitted("official", NAME), **dict(chosen)),
        models or [model(layout)],
        images=layout.spectrograms,
        tracks=layout.tracks,
        **{"audit": AUDIT, "corpus": "demo", **settings},
    )


@pytest.fixture(scope="module")
def exported(tmp_path_factory, once_finished):
    folder = tmp_path_factory.mktemp("exported") / "bundle"
    export(folder, once_finished)
    return folder


@pytest.fixture
def bundle(tmp_path, exported):
    return shutil.copytree(exported, tmp_path / "bundle")


def described(bundle):
    return json.loads((bundle / "bundle.json").read_text())


def describe(bundle, **changes):
    (bundle / "bundle.json").write_text(json.dumps(described(bundle) | changes))


def test_a_bundle_is_read_as_it_was_written(tmp_path, finished):
    grouped = finished.fitted("grouped", NAME, 4)
    shutil.copytree(finished.fitted("official", NAME).folder, grouped.folder)
    written = export(tmp_path / "bundle", finished, chosen={"split": "grouped", "seed": 4})
    read = bundles.read(tmp_path / "bundle")
    assert read == written
    assert read.genres == tuple(GENRES)
    assert (read.learner, read.split, read.seed, read.clip) == (NAME, "grouped", 4, 30.0)
    assert read.audit == bundles.Audit(**AUDIT)
    assert read.images is None and read.combiner is None and not read.uses_keras
    assert [one.features for one in read.models] == [(HANDCRAFTED,)]
    assert read.members == {MODEL: bundles.sha256(grouped.model("model.skops"))}


def test_the_same_run_gives_the_same_bytes(tmp_path, finished, exported):
    export(tmp_path / "bundle", finished)
    for file in ("bundle.json", "README.md", MODEL):
        assert (tmp_path / "bundle" / file).read_bytes() == (exported / file).read_bytes()


def audio_network(path, **settings):
    digest = bundles.sha256(write_ear(path, **settings))
    settings = {"cuts": {"bands": "frames"}, "input": "waveform", "sample_rate": 8000}
    return Part("onnx", "ear", "bands", settings | {"sha256": digest, "dtype": "float32"})


@pytest.mark.parametrize("engine", ["openvino", "keras"])
def test_networks_of_joined_features_are_carried_once(tmp_path, finished, engine):
    folder, onnx = tmp_path / "networks" / "vgg16", tmp_path / "a b.onnx"
    prepared = {"engine": engine, "precision": "float32", "cuts": {}, "image_shape": [1, 1]}
    prepared |= {"agreement": {}, "settings": {"network": "VGG16"}}
    placed(folder / "network.json").write_text(json.dumps(prepared))
    for name in ("network.xml", "network.bin", ".snakemake_timestamp"):
        (folder / name).write_text(name)
    parts = [Part("keras", "vgg16", cut, {"dtype": "float16"}) for cut in ("fc1", "fc2")]
    write_matrix(finished, "joined", *parts, audio_network(onnx))
    networks = {"vgg16": str(folder), "ear": str(onnx), "other": "not needed"}
    made = export(tmp_path / "bundle", finished, [model(finished, networks, matrix="joined")])
    assert bundles.read(tmp_path / "bundle") == made
    files = [f"networks/vgg16/network.{end}" for end in ("json", "xml", "bin")]
    assert set(made.members) == {MODEL, *files, "networks/ear.onnx"}
    found = [(one.output, one.network) for one in made.parts]
    places = ["networks/vgg16", "networks/vgg16", "networks/ear.onnx"]
    assert found == list(zip(["fc1", "fc2", "bands"], places, strict=True))
    assert made.images == IMAGES and made.clip == 29.7
    assert made.uses_keras is (engine == "keras")
    card = (tmp_path / "bundle" / "README.md").read_text()
    assert "VGG16, ear.onnx: the networks of its features have the licences of those who" in card


def test_a_network_with_weights_in_another_file_is_refused(tmp_path, finished):
    apart = {"save_as_external_data": True, "location": "weights", "size_threshold": 0}
    write_matrix(finished, "ear/bands", audio_network(tmp_path / "ear.onnx", **apart))
    found = model(finished, {"ear": str(tmp_path / "ear.onnx")}, matrix="ear/bands")
    with pytest.raises(GenreflowError, match=r"features ear doesn't work alone.*one file"):
        export(tmp_path / "bundle", finished, [found])


def test_features_that_audio_cant_be_turned_into_are_refused(finished):
    write_matrix(finished, "table", Part("table", "handcrafted", "", {"source": "f.csv"}))
    with pytest.raises(GenreflowError, match=r"f\.csv.*handcrafted\.source"):
        model(finished, matrix="table")


@pytest.mark.parametrize("lost", ["model.skops", "handcrafted.h5"])
def test_a_run_that_is_not_finished_is_refused(tmp_path, finished, lost):
    places = {"model.skops": finished.fitted("official", NAME).model(lost)}
    Path(places.get(lost, finished.features("handcrafted"))).unlink()
    with pytest.raises(GenreflowError, match=lost):
        export(tmp_path / "bundle", finished)


@pytest.mark.parametrize("place", [10, -10])
def test_a_model_that_is_not_whole_is_not_bundled(tmp_path, finished, place):
    path = finished.fitted("official", NAME).model("model.skops")
    os.truncate(path, place % Path(path).stat().st_size)
    with pytest.raises(GenreflowError, match=r"model\.skops: not a whole model file .* delete it"):
        export(tmp_path / "bundle", finished)
    assert not (tmp_path / "bundle").exists()


def test_an_export_that_fails_leaves_the_bundle_that_was_there(bundle, finished, tmp_path):
    before = bundles.read(bundle)
    with pytest.raises(GenreflowError):
        export(bundle, finished, audit=AUDIT | {"min_duration": -1})
    assert bundles.read(bundle) == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_bundle_is_replaced_and_other_folders_are_not(bundle, finished, tmp_path):
    (bundle / "models" / "old").write_text("left over")
    export(bundle, finished)
    assert bundles.read(bundle).learner == NAME
    assert not (bundle / "models" / "old").exists()
    other = tmp_path / "music"
    other.mkdir()
    (other / "song.mp3").write_text("mine")
    with pytest.raises(GenreflowError, match="something else"):
        export(other, finished)
    assert (other / "song.mp3").read_text() == "mine"


@pytest.mark.parametrize("name", ["bundle", ".part-bundle"])
@pytest.mark.parametrize("kind", ["link", "dangling", "file"])
def test_what_others_put_in_the_place_of_a_bundle_is_itself_replaced(
    tmp_path, finished, kind, name
):
    theirs = tmp_path / "theirs"
    if kind == "file" and name == "bundle":
        pytest.skip("it is refused as something else than a bundle")
    if kind == "link":
        theirs.mkdir()
        (theirs / "bundle.json").write_text("theirs")
    if kind == "file":
        (tmp_path / name).write_text("left over")
    else:
        (tmp_path / name).symlink_to(theirs)
    export(tmp_path / "bundle", finished)
    assert bundles.read(tmp_path / "bundle").learner == NAME
    assert not (tmp_path / "bundle").is_symlink() and not (tmp_path / ".part-bundle").exists()
    assert [path.read_text() for path in theirs.glob("*")] == ["theirs"] * (kind == "link")


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path):
    os.truncate(path, path.stat().st_size - 1)


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [flip, truncate, empty, os.unlink])
def test_a_damaged_member_is_refused_by_name(bundle, damage):
    damage(bundle / MODEL)
    with pytest.raises(GenreflowError, match=r"models/1/model\.skops"):
        bundles.read(bundle)


def test_a_file_that_is_not_listed_is_refused(bundle):
    (bundle / "models" / "1" / "network.bin").write_text("weights of somebody else")
    with pytest.raises(GenreflowError, match=r"models/1/network\.bin is not among"):
        bundles.read(bundle)


ONNX = {"cuts": {"bands": "frames"}, "input": "waveform", "sample_rate": 8000, "dtype": "float32"}


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"file": "models/2/model.skops"}, "models/2/model.skops"),
        ({"features": [asdict(Part("onnx", "a", "bands", ONNX, "networks/a.onnx"))]}, "networks/a"),
        ({}, "combiner.skops"),
    ],
)
def test_what_a_bundle_needs_is_among_its_members(bundle, changes, place):
    model = described(bundle)["models"][0] | changes
    combiner = None if changes else place
    describe(bundle, models=[model], combiner=combiner, images=IMAGES, clip=IMAGES["duration"])
    with pytest.raises(GenreflowError, match=f"{place}.* is not among the members"):
        bundles.read(bundle)


def test_what_the_system_leaves_in_folders_does_no_harm(bundle):
    (bundle / "models" / ".DS_Store").write_text("")
    assert bundles.read(bundle).learner == NAME


@pytest.mark.parametrize("kind", ["link", "folder's link", "pipe"])
def test_what_is_not_a_plain_file_is_refused_before_anything_is_read(bundle, kind):
    model = bundle / MODEL
    if kind == "link":
        model.rename(bundle.parent / "elsewhere")
        model.symlink_to(bundle.parent / "elsewhere")
    elif kind == "pipe":
        model.unlink()
        os.mkfifo(model)
    else:
        (bundle / "models").rename(bundle.parent / "elsewhere")
        (bundle / "models").symlink_to(bundle.parent / "elsewhere")
    with pytest.raises(GenreflowError, match="not a plain file"):
        bundles.read(bundle)


@pytest.mark.parametrize("place", ["../outside.skops", "{folder}/outside.skops"])
def test_a_member_outside_of_the_bundle_is_refused(bundle, place):
    outside = bundle.parent / "outside.skops"
    shutil.copy(bundle / MODEL, outside)
    place = place.format(folder=bundle.parent)
    content = described(bundle)
    content["models"][0]["file"] = place
    content["members"][place] = bundles.sha256(outside)
    describe(bundle, **content)
    with pytest.raises(GenreflowError, match="outside"):
        bundles.read(bundle)


def test_other_versions_are_named(bundle):
    assert bundles.read(bundle).other_versions() == []
    assert {"openvino", "tensorflow"} < set(described(bundle)["versions"])
    versions = described(bundle)["versions"]
    describe(bundle, versions=versions | {"skops": "0.1", "genreflow": "0.0.1"})
    other = bundles.read(bundle).other_versions()
    assert [text.split()[0] for text in other] == ["genreflow", "skops"]


def test_the_model_card_has_the_numbers(bundle):
    card = (bundle / "README.md").read_text()
    table = drawn_predictions(3)
    test = table[table["part"] == "test"]
    hits = int((test["genre"] == test["predicted"]).sum())
    low, high = proportion_confint(hits, len(test), method="wilson")
    accuracy = f"{100 * hits / len(test):.1f} ({100 * low:.1f}-{100 * high:.1f})"
    assert f"{len(test)} tracks" in card and accuracy in card
    loss = log_loss(test["genre"], test[[f"p_{g}" for g in GENRES]], labels=GENRES)
    assert f"| {loss:.3f}" in card
    assert "demo" in card and "official" in card and "mfcc" not in card
    assert "| CC BY" in card and f"| {len(table) // 3} " in card
    assert "random" not in card and NOTE not in card and "networks of its" not in card


def test_the_model_card_says_what_the_numbers_are_worth(tmp_path, finished):
    export(tmp_path / "bundle", finished, note=NOTE, marks={"handcrafted": "random weights"})
    card = (tmp_path / "bundle" / "README.md").read_text()
    assert card.startswith(f"# {NAME} (random weights)")
    assert f"**{NOTE} The network" in card and "has learned nothing.**" in card
    read = bundles.read(tmp_path / "bundle")
    assert read.corpus == "demo" and f"**{read.note}**" in card
    assert f"below {100 * read.unsure:.0f} % are called unsure" in card


def test_the_model_card_shows_texts_as_text(tmp_path, finished):
    hostile = "<script>x</script> | **b** [c](http://d) `e`"
    fitted = finished.fitted("official", NAME)
    table = drawn_predictions(3).rename(columns={f"p_{GENRES[0]}": f"p_{hostile}"})
    table.replace({GENRES[0]: hostile}).to_csv(fitted.predictions, index=False)
    manifest = read_table(finished.tracks).assign(license=f"{hostile}\x1b")
    manifest.to_csv(finished.tracks, index=False)
    onnx = tmp_path / "a.onnx"
    write_matrix(finished, "ear/bands", audio_network(onnx))
    made = model(finished, {"ear": str(onnx)}, matrix="ear/bands")
    texts = {"corpus": hostile, "note": hostile, "credits": {"ear": hostile}}
    export(tmp_path / "bundle", finished, [made], marks={"handcrafted": hostile}, **texts)
    card = (tmp_path / "bundle" / "README.md").read_text()
    assert card.count("&lt;script&gt;x") == 8
    assert [one for one in ("<script", "\x1b", "**b", "[c]", " `e`") if one in card] == []
    assert not re.search(r"[^\\]\| \\\*\\\*b", card)


def test_a_fold_of_a_cross_validation_can_be_exported(tmp_path, finished):
    fold = finished.fitted("cv-1x5-r1-f02", NAME)
    shutil.copytree(finished.fitted("official", NAME).folder, fold.folder)
    assert export(tmp_path / "bundle", finished, chosen={"split": fold.split}).split == fold.split


def test_crops_are_those_of_the_learner_or_of_its_search(finished):
    crops = {"name": "cnn/wide", "prediction": {"crop_frames": 640, "crops": 5}}
    wide = finished.fitted("official", "cnn/wide", 0)
    settings = (LEARNER | crops, finished, {})
    assert (model(finished).crop_frames, model(finished).crops) == (0, 1)
    found = bundles.model_of(wide, *settings)
    assert (found.file, found.crop_frames, found.crops) == (wide.model("model.skops"), 640, 5)
    winner = placed(finished.winner("official", "cnn/wide"))
    winner.write_text("{crop_frames: 320, width: 16}")
    searched = bundles.model_of(wide, *settings)
    assert (searched.crop_frames, searched.crops) == (320, 5)


@pytest.mark.parametrize("lost", ["model.skops", "search/winner.yaml"])
def test_a_learner_that_is_not_possible_is_not_bundled(finished, lost):
    outcomes.write_reason(f"{finished.root}/official/cnn/wide/{lost}", "it diverged")
    with pytest.raises(NotPossible, match="it diverged"):
        bundles.model_of(finished.fitted("official", "cnn/wide"), LEARNER, finished, {})
