"""bundle.json may come from a stranger: no value passes that isn't of its type, range and form."""

import copy
import dataclasses
import functools
import json
import operator
import os
import tracemalloc
from collections.abc import Hashable

import pytest
from genreflow.bundle.description import MAX_BYTES, parse
from genreflow.errors import GenreflowError
from genreflow.features import spectrograms
from genreflow.features.feature_set import Part

HANDCRAFTED = {
    "kind": "handcrafted",
    "name": "handcrafted",
    "output": "",
    "settings": {"features": ["mfcc"], "rates": "native", "duration": 30.0},
    "network": "",
}
IMAGE_NETWORK = {
    "kind": "keras",
    "name": "vgg16",
    "output": "fc1",
    "settings": {"dtype": "float16"},
    "network": "networks/vgg16",
}
AUDIO = {"cuts": {"last": "model/dense"}, "sha256": "b" * 64, "input": "waveform"}
AUDIO |= {"sample_rate": 16000, "duration": 3, "pooling": "mean", "dtype": "float32"}
AUDIO_NETWORK = {
    "kind": "onnx",
    "name": "musicnn",
    "output": "last",
    "settings": AUDIO,
    "network": "networks/musicnn.onnx",
}
IMAGES = {"sample_rate": 22050, "duration": 29.7, "n_fft": 2048, "hop_length": 512, "n_mels": 128}
IMAGES |= {"f_min": 0, "f_max": 8000.0, "invert": True}
HUGE = IMAGES | {"duration": 3600, "sample_rate": 192_000, "hop_length": 2048}
CNN = {
    "learner": "cnn/simple",
    "file": "models/1/model.keras",
    "features": [],
    "crop_frames": 640,
    "crops": 3,
}
CLASSIFIER = {
    "learner": "classify/joined/all/all/lda",
    "file": "models/2/model.skops",
    "features": [HANDCRAFTED, IMAGE_NETWORK, AUDIO_NETWORK],
    "crop_frames": 0,
    "crops": 1,
}
GOOD = {
    "format": 2,
    "learner": "ensemble/stacked",
    "split": "grouped",
    "seed": 3,
    "genres": ["Música", "کلاسیک\u200cنو", "R&B"],
    "clip": 29.7,
    "audit": {"min_duration": 2, "silence_level": -60, "min_sounding": 0.01},
    "images": IMAGES,
    "models": [CNN, CLASSIFIER],
    "combiner": "combiner.skops",
    "versions": {"numpy": "2.4.0", "openvino": ""},
    "members": {"models/1/model.keras": "0" * 64, "models/2/model.skops": "a" * 64},
    "unsure": 0.43,
    "corpus": "demo",
    "note": "Synthetic.",
}


@pytest.fixture
def check(tmp_path):
    """Write a bundle.json and read it."""

    def check(content):
        text = content if isinstance(content, bytes) else json.dumps(content).encode()
        (tmp_path / "bundle.json").write_bytes(text)
        return parse(tmp_path / "bundle.json")

    return check


def places(value=GOOD, place=()):
    """Yield every key of the description, those within others too, with its value."""
    if place:
        yield place, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*place, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from places(inner, (*place, number))


def changed(place, value):
    content = copy.deepcopy(GOOD)
    inner = functools.reduce(operator.getitem, place[:-1], content)
    if value is LOST:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return content


LOST, LONG = object(), "x" * 10_000
WRONG = {
    bool: ["true", 1, None, []],
    int: [-1e30, -(10**30), 10**30, 1.5, "1", True, [], {}],
    float: [-1e30, 1e30, float("nan"), float("inf"), "1", True, [], {}],
    str: ["", LONG, "a\x1b[2J", "a\0", "a\nb", "\u2028", "\u2029", "\u202egpj", 1, True, [], {}],
    list: [None, 1, "text", {}, {"0": "a"}],
    dict: [None, 1, "text", []],
}
WHOLE = {"format", "seed", "sample_rate", "n_fft", "hop_length", "n_mels", "crop_frames", "crops"}
FEATURES = ("models", 1, "features")
MAY_BE = {
    None: {("seed",), ("combiner",), ("images",)},
    "": {
        ("corpus",),
        ("note",),
        ("versions", "openvino"),
        ("versions", "numpy"),
        (*FEATURES, 0, "network"),
    }
    | {(*FEATURES, number, "output") for number in range(3)},
    LOST: {("models", n, key) for n in range(2) for key in ("features", "crop_frames", "crops")}
    | {(*FEATURES, 2, "settings", key) for key in ("sample_rate", "duration", "pooling", "sha256")}
    | {("unsure",), ("corpus",), ("note",), ("versions", "openvino"), ("versions", "numpy")}
    | {(*FEATURES, 0, "network")},
}


def wrong_values():
    for place, value in places():
        kind = float if type(value) is int and place[-1] not in WHOLE else type(value)
        lost = [LOST] if isinstance(place[-1], str) and place[0] != "members" else []
        for wrong in [*WRONG[kind], *lost]:
            fine = place in MAY_BE.get(wrong, ()) if isinstance(wrong, Hashable) else False
            if not fine and not (wrong == [] and place == ("models", 0, "features")):
                yield place, wrong


def test_a_good_description_is_read(check):
    read = check(GOOD)
    assert read.genres == tuple(GOOD["genres"])
    assert read.images == IMAGES and type(read.images["sample_rate"]) is int
    assert read.models[1].features == tuple(Part(**part) for part in CLASSIFIER["features"])
    assert read.members == GOOD["members"]
    assert check(GOOD | {"models": [CNN], "seed": None, "combiner": None}).seed is None


@pytest.mark.parametrize(("place", "wrong"), wrong_values())
def test_a_value_of_another_type_or_out_of_range_is_refused_by_its_key(check, place, wrong):
    with pytest.raises(GenreflowError) as caught:
        check(changed(place, wrong))
    said = str(caught.value)
    names = [key.split("/")[0] for key in place if isinstance(key, str) and len(key) < 20]
    assert "bundle.json: " in said and (names[-1] in said or ("cuts" in names and "cuts" in said))
    assert said.isprintable() and len(said) < 600


@pytest.mark.parametrize("place", [place for place, value in places() if isinstance(value, dict)])
def test_a_key_more_is_refused(check, place):
    if place not in (("versions",), ("members",)):
        with pytest.raises(GenreflowError, match=r"more\\x1b"):
            check(changed((*place, "more\x1b"), 1))
        with pytest.raises(GenreflowError) as caught:
            check(changed((*place, LONG), 1))
        assert len(str(caught.value)) < 600


def test_no_setting_of_images_is_unknown_here():
    assert {field.name for field in dataclasses.fields(spectrograms.Settings)} == set(IMAGES)


@pytest.mark.parametrize(
    "text", ["22050,ametadata=mode=print:file=PWN,aresample=22050", "22050", "$(id)", 22050.5]
)
def test_a_rate_that_is_no_whole_number_is_refused(check, text):
    with pytest.raises(
        GenreflowError, match=r"bundle\.json: images\.sample_rate: expected .*integer"
    ):
        check(changed(("images", "sample_rate"), text))


@pytest.mark.parametrize(
    "path",
    [
        *("/etc/passwd", "../a.skops", "models/../../a.skops", "models//a.skops", "a.skops/"),
        *("models/./a.skops", "a\\b.skops", "C:a.skops", ".a.skops"),
    ],
)
@pytest.mark.parametrize(
    "place",
    [("models", 1, "file"), ("combiner",), (*FEATURES, 1, "network"), (*FEATURES, 2, "network")],
)
def test_a_path_that_leads_out_of_the_bundle_is_refused(check, path, place):
    with pytest.raises(GenreflowError, match="outside"):
        check(changed(place, path))
    with pytest.raises(GenreflowError, match="outside"):
        check(changed(("members",), {path: "0" * 64}))


@pytest.mark.parametrize("digest", ["0" * 63, "0" * 65, "g" * 64, "A" * 64, "0" * 64 + "\n"])
def test_a_hash_is_64_hexadecimal_digits(check, digest):
    with pytest.raises(GenreflowError, match="members"):
        check(changed(("members", "models/1/model.keras"), digest))
    with pytest.raises(GenreflowError, match="sha256"):
        check(changed((*FEATURES, 2, "settings", "sha256"), digest))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"genres": ["Rock", "Rock"]}, "genres: expected no value twice"),
        ({"genres": ["Rock"]}, "genres: "),
        ({"models": []}, "models: "),
        ({"combiner": None}, "no combiner"),
        ({"images": None}, "no settings of images"),
        ({"clip": 3.0}, "duration of the images"),
        ({"images": IMAGES | {"f_min": 8000}}, "f_min below f_max"),
        ({"images": IMAGES | {"f_max": 11026}}, "half of sample_rate"),
        ({"images": IMAGES | {"n_fft": 64}}, "hop_length of at most n_fft"),
        ({"images": IMAGES | {"duration": 3600, "hop_length": 16}}, "pixels"),
        ({"images": HUGE}, "at most .* samples"),
        ({"images": IMAGES | {"duration": 3601}, "clip": 3601}, "less than or equal to 3600"),
        ({"images": IMAGES | {"duration": 0.09}, "clip": 0.09}, "greater than or equal to 0.1"),
        ({"images": IMAGES | {"sample_rate": 3999, "f_max": 999}}, "equal to 4000"),
        ({"images": IMAGES | {"n_fft": 63, "hop_length": 16}}, "equal to 64"),
        ({"models": [CNN] * 1001}, "at most 1000"),
        ({"models": [CLASSIFIER | {"features": [HANDCRAFTED] * 101}]}, "at most 100"),
        ({"genres": [str(number) for number in range(10_001)]}, "at most 10000"),
        ({"versions": {str(number): "" for number in range(101)}}, "at most 100"),
        ({"members": {str(number): "0" * 64 for number in range(10_001)}}, "at most 10000"),
        ({"models": [CNN | {"file": "models/1/model.keras.py"}]}, "file: "),
        ({"format": 1, "more": 1}, r"format: expected 2; found 1; use the version"),
        ({"models": [CNN | {"file": "models/1/model.pkl"}]}, "file: "),
    ],
)
def test_what_does_not_fit_together_is_refused(check, changes, said):
    with pytest.raises(GenreflowError, match=said):
        check(GOOD | changes)


MEL = {"n_fft": 512, "hop_length": 160, "n_mels": 96, "patch_frames": 187}


@pytest.mark.parametrize(
    ("number", "changes", "said"),
    [
        (0, {"kind": "torch"}, "expected one of "),
        (0, {"kind": "table", "settings": {"source": "a"}}, "expected one of "),
        (0, {"network": "networks/vgg16"}, "none without need"),
        (1, {"network": ""}, "expected a file or folder"),
        *((0, {"features": wrong}, "features") for wrong in ([], ["mfcc"] * 101, ["m\u2028"])),
        *((0, {"rates": wrong}, "rates") for wrong in (12_800, 192_001, "all")),
        *((2, {"cuts": {key: "a"}}, "cuts") for key in ("../a", "a/b", "a b", "", "x" * 201)),
        *((2, {"cuts": {"last": output}}, "cuts") for output in ("", "x" * 201, "a\x1b")),
        *((2, {"cuts": cuts}, "cuts") for cuts in ({}, {str(n): "a" for n in range(101)})),
        *((2, {"sample_rate": wrong}, "sample_rate") for wrong in (0, 192_001, None)),
        *((2, {"duration": wrong}, "duration") for wrong in (-1, 3601)),
        (2, {"mel": MEL}, "only there"),
        (2, {"input": "mel"}, "expected the settings of the spectrogram"),
        (2, {"input": "mel", "mel": MEL | {"f_max": 8001.0}}, "at most half of sample_rate"),
        *(
            (2, {"input": "mel", "mel": MEL | {key: most + 1}}, key)
            for most, keys in {65536: ["n_fft", "hop_length"], 1024: ["n_mels"]}.items()
            for key in keys
        ),
        *(
            (2, {"input": "mel", "mel": MEL | {key: 100_001}}, key)
            for key in ("patch_frames", "patch_hop")
        ),
    ],
)
def test_features_of_other_kinds_or_out_of_their_ranges_are_refused(check, number, changes, said):
    part = copy.deepcopy(CLASSIFIER["features"][number])
    (part if changes.keys() <= part.keys() else part["settings"]).update(changes)
    with pytest.raises(GenreflowError, match=said):
        check(changed((*FEATURES, number), part))


def test_a_mel_spectrogram_in_its_ranges_is_read(check):
    settings = AUDIO | {"input": "mel", "mel": MEL}
    read = check(changed((*FEATURES, 2, "settings"), settings)).models[1].features[2]
    assert read.settings["mel"].items() >= MEL.items()


def test_a_large_description_is_refused_without_being_read(tmp_path):
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps(GOOD) + MAX_BYTES * " ")
    os.truncate(path, 10 * MAX_BYTES)
    tracemalloc.start()
    with pytest.raises(GenreflowError, match="more than"):
        parse(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 4 * MAX_BYTES


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 10**6,
        b'{"a":' * 10**5,
        b'{"seed": ' + b"1" * 10**6 + b"}",
        b'{"learner": "\\ud800"}',
        *(b"\xff", b"", b"{", b"[]", b'"text"'),
    ],
    ids=lambda text: text[:15],
)
def test_deep_large_and_broken_json_is_refused(check, text):
    with pytest.raises(GenreflowError, match=r"bundle\.json: "):
        check(text)


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "missing"])
def test_what_is_not_a_plain_file_is_refused_and_nobody_waits(tmp_path, kind):
    path = tmp_path / "bundle.json"
    (tmp_path / "other.json").write_text(json.dumps(GOOD))
    if kind == "link":
        path.symlink_to(tmp_path / "other.json")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    with pytest.raises(GenreflowError, match=r"bundle\.json: no bundle"):
        parse(path)
