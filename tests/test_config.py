import re
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from genreflow.config import complete, reference
from genreflow.errors import GenreflowError
from snakemake.utils import update_config

SECONDS = "auto, or 0.1 to 3600 seconds"
ROOT = Path(__file__).parents[1]
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text())
OVERLAYS = sorted((ROOT / "config").glob("*.yaml"))
CHAPTERS = list(reference.chapters())
NAMED = {"backbones": {"net": ["pool"]}}
MEL = {"n_fft": 512, "hop_length": 256, "n_mels": 40, "patch_frames": 10}
ONNX = {"kind": "onnx", "network": "net.onnx", "sha256": "0" * 64, "cuts": {"x": "out"}}
SOUNDS = {**ONNX, "input": "mel", "sample_rate": 8000}


def at(place, value):
    """Put a value below keys that dots join."""
    for key in reversed(place.split(".")):
        value = {key: value}
    return value


def problems(config):
    with pytest.raises(GenreflowError) as error:
        complete(config)
    lines = str(error.value).splitlines()
    found = [line.removeprefix("  - ") for line in lines if line.startswith("  - ")]
    assert lines[0] == f"the configuration has {len(found)} problem(s):"
    return found


def problem(config):
    (found,) = problems(config)
    return found


# defaults, config.yaml and the overlays


def without_names(config):
    """Leave out what has names of the user's choice, which config.yaml alone gives."""
    config = deepcopy(config)
    del config["cnn"]["run"], config["cnn"]["variants"], config["cnn"]["search"]["spaces"]
    del config["transfer"]["backbones"], config["transfer"]["joined"]
    del config["classify"]["features"]
    del config["ensembles"]["members"]
    return config


def test_config_yaml_states_just_the_defaults():
    assert without_names(complete({})) == without_names(DEFAULT)
    assert without_names(complete(DEFAULT)) == without_names(DEFAULT)


def commented_keys():
    """Yield each key of config.yaml that is not below a user's own name, and the comment above."""
    path, comment = [], []
    for line in (ROOT / "config.yaml").read_text().splitlines():
        if line.strip().startswith("#"):
            comment.append(line.strip().removeprefix("#").strip())
            continue
        if found := re.match(r"( *)([a-z0-9_]+):", line):
            path = [*path[: len(found[1]) // 2], found[2]]
            yield ".".join(path), " ".join(comment)
        comment = []


def test_config_yaml_explains_every_key_in_the_words_of_its_meaning():
    """It may go on, with an example; keys of the user's choice have one comment for them all."""
    comments = dict(commented_keys())
    meanings = {chapter.name: chapter.meaning for chapter in CHAPTERS}
    for chapter in CHAPTERS:
        place = f"{chapter.name}." if chapter.name else ""
        meanings |= {place + key.name: key.meaning for key in chapter.keys}
    own = ("NAME", "classify.grids.")
    meanings = {name: text for name, text in meanings.items() if not any(o in name for o in own)}
    del meanings[""]
    assert len(meanings) > 80
    differ = {n: t for n, t in meanings.items() if not comments.get(n, "").startswith(t)}
    assert differ == {}


def test_every_key_has_a_meaning_in_a_sentence():
    texts = [chapter.meaning for chapter in CHAPTERS]
    texts += [key.meaning for chapter in CHAPTERS for key in chapter.keys]
    assert len(texts) > 130
    assert [text for text in texts if not re.fullmatch(r".{3,320}[.)]\.?", text)] == []


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.stem)
def test_every_overlay_makes_a_valid_configuration(overlay):
    text = overlay.read_text()
    assert text.startswith("#")
    needed = {
        "own_audio": {"corpus": {"audio": "my/music"}},
        "own_features": {"corpus": {"table": "my.csv"}, "feature_tables": {"own": "my.csv"}},
    }
    whole = deepcopy(DEFAULT)
    for given in (yaml.safe_load(text), needed.get(overlay.stem, {})):
        update_config(whole, given)
    completed = complete(whole)
    assert without_names(completed) == without_names(whole) != without_names(DEFAULT)
    assert complete(completed) == completed


def test_overlays_are_there():
    expected = {"fma_small", "fma_medium", "fma_large", "fma_metadata", "study"}
    expected |= {"own_audio", "own_features"}
    assert expected <= {path.stem for path in OVERLAYS}


def test_defaults_fill_what_is_not_given():
    config = {"corpus": {"genres": 3}, "cnn": {"variants": {"mine": {"kernel_size": 3}}, "run": []}}
    filled = complete(config)
    assert filled["corpus"] == {**DEFAULT["corpus"], "genres": 3}
    simple = complete(DEFAULT)["cnn"]["variants"]["simple"]
    assert filled["cnn"]["variants"] == {"mine": {**simple, "kernel_size": 3}}
    assert simple["filters"] == [64, 64, 128, 128]
    assert "epochs" not in simple
    assert config["corpus"] == {"genres": 3}


def test_filled_defaults_are_not_shared():
    complete({})["corpus"]["levels"].append("artist")
    assert complete({})["corpus"]["levels"] == ["genre"]


def test_the_same_settings_come_in_the_same_order():
    """Snakemake compares params as text."""
    one = {"cnn": {"variants": {"b": {"crops": 1, "epochs": 2}, "a": {}}}}
    other = {"cnn": {"variants": {"a": {}, "b": {"epochs": 2, "crops": 1}}}}
    assert str(complete(one)) == str(complete(other))
    assert str(complete(at("audio.duration", 20))) == str(complete(at("audio.duration", 20.0)))


def test_backbones_are_completed():
    found = complete(
        {
            "transfer": {
                "weights": "imagenet",
                "backbones": {
                    "VGG16": ["fc1", "fc2"],
                    "Mine": {"network": "my/net.keras", "cuts": ["pool"], "preprocessing": "tf"},
                    "sound": {**ONNX, "input": "waveform", "sample_rate": 16000},
                },
            }
        }
    )["transfer"]["backbones"]
    cuts = {"fc1": "fc1", "fc2": "fc2"}
    keras = {"kind": "keras", "weights": "imagenet", "preprocessing": "none"}
    assert found["vgg16"] == {**keras, "network": "VGG16", "cuts": cuts}
    mine = {"network": "my/net.keras", "cuts": {"pool": "pool"}, "preprocessing": "tf"}
    assert found["mine"] == keras | mine
    assert found["sound"] == {**ONNX, "input": "waveform", "sample_rate": 16000}


def test_reading_the_configuration_needs_no_library_that_computes():
    """Every job of a run reads it."""
    code = "import sys, genreflow.config as c; c.complete({}); print(*sys.modules)"
    command = [sys.executable, "-c", code]
    path = {"PYTHONPATH": str(ROOT / "scripts")}
    shown = subprocess.run(command, env=path, check=True, capture_output=True, text=True).stdout
    heavy = {"numpy", "pandas", "scipy", "sklearn", "keras", "tensorflow", "librosa", "snakemake"}
    assert "pydantic" in shown.split()
    assert heavy & set(shown.split()) == set()


# errors


UNKNOWN = [
    ("corpus.nam", "name"),
    ("split.tests", "test"),
    ("audio.sample_rates", "sample_rate"),
    ("spectrogram.n_mel", "n_mels"),
    ("augment.mod", "mode"),
    ("cnn.epoch", "epochs"),
    ("cnn.search.space", "spaces"),
    ("cnn.variants.mine.kernelsize", "kernel_size"),
    ("handcrafted.rate", "rates"),
    ("ffnn.unit", "units"),
    ("transfer.weight", "weights"),
    ("transfer.backbones.VGG16.cutz", "cuts"),
    ("classify.fold", "folds"),
    ("classify.grids.svm_rbf", "svm-rbf"),
    ("latency.clip", "clips"),
    ("ensembles.member", "members"),
    ("ensembles.members.mine.off", "of"),
    ("predict.paths", "path"),
    ("spectrogramm", "spectrogram"),
]


@pytest.mark.parametrize(("place", "near"), UNKNOWN)
def test_an_unknown_key_is_named_with_the_nearest_at_every_depth(place, near):
    found = [line for line in problems(at(place, 1)) if line.startswith(f"{place}: no such key")]
    assert len(found) == 1
    assert found[0].endswith(f"; did you mean {near}?")


def test_a_key_of_an_earlier_version_is_refused_with_its_name_of_now():
    assert "inference: is called latency now" in problems(at("inference.clips", 1))


def test_unknown_keys_are_tried_in_every_section():
    tops = {chapter.name.split(".NAME")[0] for chapter in CHAPTERS if chapter.name}
    tried = [place for place, _ in UNKNOWN]
    assert [top for top in tops if not any(place.startswith(f"{top}.") for place in tried)] == []


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (at("audio.xyz", 1), "audio.xyz: no such key; known here: sample_rate, duration"),
        (
            at("cnn.variants.mine", {"architecture": "residual", "filters": [4]}),
            "cnn.variants.mine.filters: no such key where architecture is residual; known here: "
            "architecture, width, depth, stages, dropout, momentum",
        ),
        (
            at("transfer.backbones.net", {"cuts": ["pool"], "sample_rate": 16000}),
            "transfer.backbones.net.sample_rate: no such key where kind is keras; known here: "
            "kind, network, cuts, weights, preprocessing",
        ),
        (
            at("cnn.variants.mine.architecture", "rezidual"),
            "cnn.variants.mine.architecture: expected one of simple, residual, finetuned; "
            "found 'rezidual'; did you mean residual?",
        ),
        (
            at("corpus", {"kind": "folders", "audio": "x"}),
            "corpus.kind: expected one of demo, fma, folder, tags, table; found 'folders'; "
            "did you mean folder?",
        ),
        (
            at("spectrogram.n_mels", "64.5"),
            "spectrogram.n_mels: expected a whole number, found '64.5'",
        ),
        (at("cnn.batch_size", 2.5), "cnn.batch_size: expected a whole number, found 2.5"),
        (at("audio.duration", "long"), f"audio.duration: expected {SECONDS}, found 'long'"),
        (at("spectrogram.f_min", "nan"), "spectrogram.f_min: expected a number, found nan"),
        (at("audio.duration", True), f"audio.duration: expected {SECONDS}, found True"),
        (at("seeds", [True]), "seeds.0: expected a whole number, found True"),
        (at("corpus.audio", 7), "corpus.audio: expected text, found 7"),
        (
            at("spectrogram.invert", "dark"),
            "spectrogram.invert: expected true or false, found 'dark'",
        ),
        (at("seeds", "one"), "seeds: expected a list, such as [a, b], found 'one'"),
        (at("corpus", None), "corpus: expected keys and values below it, found None"),
        (
            at("cnn.variants.mine", 3),
            "cnn.variants.mine: expected keys and values below it, found 3",
        ),
        (at("corpus.shards", 0), "corpus.shards: expected at least 1, found 0"),
        (at("corpus.max_excluded", 1.5), "corpus.max_excluded: expected at most 1, found 1.5"),
        (at("split.test", 0.5), "split.test: expected less than 0.5, found 0.5"),
        (at("audio.duration", 0), f"audio.duration: expected {SECONDS}, found 0"),
        (at("splits", []), "splits: expected at least 1 of them, found []"),
        (at("seeds", [1, 1]), "seeds: 1 stands there twice"),
        (
            at("corpus.name", "../up"),
            "corpus.name: expected a name of letters, digits, _ . -, found '../up'",
        ),
        (
            at("corpus.url", "file:///etc"),
            "corpus.url: expected an address that starts with http:// or https://, found "
            "'file:///etc'",
        ),
        (
            at("cnn.variants", {"a/b": {}}),
            "cnn.variants.a/b: expected a name of small letters, digits and -, found 'a/b'",
        ),
        (
            at("classify.features", {"handcrafted": ["al"]}),
            "classify.features.handcrafted.0: expected all, or a share between 0 and 1, found 'al'",
        ),
        (at("ensembles.members.mine", {}), "ensembles.members.mine.of: missing"),
        (
            at("transfer.backbones.net", {"network": "net.keras"}),
            "transfer.backbones.net.cuts: missing where kind is keras",
        ),
        (
            at("cnn.search.spaces", {"mine": {"width": []}}),
            "cnn.search.spaces.mine.width: expected at least 1 of them, found []",
        ),
    ],
)
def test_a_wrong_key_or_value_is_told_in_plain_words(config, message):
    assert problem(config) == message


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (at("splits", ["cv-1x1"]), "splits: .*cv-1x1"),
        (at("splits", ["offical"]), "splits: .*did you mean 'official'"),
        (at("cnn", {"run": ["simpel"], "variants": {"simple": {}}}), "cnn.run: .*mean simple"),
        (
            at("cnn.variants.mine.search", "tiny"),
            "cnn.variants.mine.search: no 'tiny' in cnn.search.spaces",
        ),
        (
            at(
                "cnn",
                {
                    "variants": {"mine": {"search": "mine"}},
                    "search": {"spaces": {"mine": {"filtres": [1]}}},
                },
            ),
            "cnn.search.spaces.mine.filtres: cnn/mine has no such setting; did you mean filters",
        ),
        (at("audio.sample_rate", 8000), "spectrogram.f_max: 8000 Hz lies above half of"),
        (at("spectrogram.f_min", 9000), "spectrogram.f_min: must be below"),
        (at("spectrogram.hop_length", 4096), "spectrogram.hop_length: longer than"),
        (at("corpus.levels", ["artist"]), "corpus.levels: genre must be one"),
        (at("corpus.kind", "folder"), "corpus.audio: corpus.kind is folder"),
        (at("corpus.kind", "fma"), "corpus.audio: corpus.kind is fma"),
        (at("corpus.kind", "table"), "corpus.table: corpus.kind is table"),
        (at("handcrafted.source", "published"), "handcrafted.table: .*must name the table"),
        (
            {"transfer": NAMED, "classify": {"features": {"net/pol": []}}},
            "classify.features: no features 'net/pol'; did you mean net/pool",
        ),
        (
            {"feature_tables": {"own": "x.csv"}, "classify": {"features": {"table/on": []}}},
            "classify.features: no features 'table/on'; did you mean table/own",
        ),
        (
            {"feature_tables": {"own": "x.csv"}, "ffnn": {"features": ["own"]}},
            "ffnn.features: no features 'own'; did you mean table/own",
        ),
        (at("feature_tables", {"my own": "x.csv"}), "feature_tables.my own: expected a name of"),
        (at("transfer.backbones.Table", ["pool"]), "transfer.backbones.Table: other features are"),
        (
            at("transfer", NAMED | {"joined": {"both": ["handcrafted", "net/pol"]}}),
            "transfer.joined.both: no features 'net/pol'; did you mean net/pool",
        ),
        (
            at("transfer.backbones.net", {**ONNX, "input": "waveform"}),
            "transfer.backbones.net.sample_rate: input is waveform",
        ),
        (
            at("transfer.backbones.net", {**ONNX, "input": "mel", "sample_rate": 16000}),
            "transfer.backbones.net.mel: expected the settings of the spectrogram",
        ),
        (
            at("transfer.backbones.net", {**ONNX, "input": "image", "mel": MEL}),
            "transfer.backbones.net.mel: expected the settings of the spectrogram",
        ),
        (
            at("transfer.backbones.net", {**SOUNDS, "mel": {**MEL, "f_max": 4001}}),
            "transfer.backbones.net.mel.f_max: expected .* at most half of sample_rate",
        ),
        (
            at("transfer.backbones.net", {**SOUNDS, "mel": {**MEL, "f_min": 4000}}),
            "transfer.backbones.net.mel.f_max: expected more than f_min",
        ),
        (
            at("transfer.backbones.musicnn", ["penultimte"]),
            "transfer.backbones.musicnn.cuts.penultimte: .*; did you mean penultimate",
        ),
        (
            at("transfer.backbones.mine", {"network": "discogs_effnet", "cuts": ["embeddings"]}),
            r"transfer.backbones.mine: its licence \(CC-BY-NC-SA-4.0\) forbids commercial use",
        ),
        (at("transfer.backbones.net", {"cuts": {"a": "b"}}), "transfer.backbones.net.cuts.a: .*b"),
        (at("transfer.backbones.net", ["a", "a"]), "transfer.backbones.net.cuts: .*twice"),
    ],
)
def test_keys_that_do_not_fit_each_other_are_named(config, message):
    assert re.match(message, problem(config))


def test_backbones_of_the_same_name_in_paths_are_refused():
    config = at("transfer.backbones", {"net": ["a"], "Net": ["b"]})
    places = [line.split(":")[0] for line in problems(config)]
    assert places == ["transfer.backbones.net", "transfer.backbones.Net"]


def test_all_problems_are_told_at_once():
    """Those between keys too, as far as the keys themselves are right."""
    config = {
        "sed": 1,
        "corpus": {"shards": "many", "nam": "x"},
        "audio": {"sample_rate": 8000},
        "cnn": {"run": ["none"]},
        "transfer": {"backbones": {"a": {"cutz": 1}, "b": {"cuts": {"x-y": "x-y"}}}},
    }
    assert [text.split(":")[0] for text in problems(config)] == [
        "corpus.shards",
        "corpus.nam",
        "spectrogram.f_max",
        "cnn.run",
        "transfer.backbones.a.cuts",
        "transfer.backbones.a.cutz",
        "transfer.backbones.b.cuts.x-y",
        "sed",
    ]


# values from the command line


@pytest.mark.parametrize(
    ("place", "given", "read"),
    [
        ("spectrogram.n_mels", "64", 64),
        ("spectrogram.invert", "no", False),
        ("audio.duration", "12.5", 12.5),
        ("audio.duration", 20, 20.0),
        ("seeds", ["1", "2"], [1, 2]),
        ("corpus.name", "2024", "2024"),
        ("ffnn.learning_rate", "1e-3", 0.001),
        ("cnn.variants.mine.augment", "true", True),
        ("predict", "my/music", {"path": "my/music", "learner": "", "hop": 0}),
        ("splits", "auto", ["auto"]),
        ("splits", ["auto"], ["auto"]),
    ],
)
def test_values_of_the_command_line_are_read_as_what_they_are_meant_for(place, given, read):
    found = complete(at(place, given))
    for key in place.split("."):
        found = found[key]
    assert (found, type(found)) == (read, type(read))


def test_keys_that_are_unset_count_as_not_given():
    variant = complete(at("cnn.variants.mine.epochs", None))["cnn"]["variants"]["mine"]
    assert "epochs" not in variant


def test_the_home_folder_stands_in_the_place_of_a_tilde(monkeypatch):
    monkeypatch.setenv("HOME", "/home/anna")
    given = {
        "corpus": {"kind": "folder", "audio": "~/My Music"},
        "transfer": {
            "folder": "~/resources",
            "backbones": {"mine": {"network": "~/net.keras", "cuts": ["pool"]}},
        },
        "predict": "~/a.mp3",
    }
    found = complete(given)
    assert found["corpus"]["audio"] == "/home/anna/My Music"
    assert found["transfer"]["folder"] == "/home/anna/resources"
    assert found["transfer"]["backbones"]["mine"]["network"] == "/home/anna/net.keras"
    assert found["predict"]["path"] == "/home/anna/a.mp3"


def test_cuts_are_named_like_their_layers_without_signs():
    config = {"transfer": {"backbones": {"b": ["block1/conv", "pool"]}}}
    cuts = complete(config)["transfer"]["backbones"]["b"]["cuts"]
    assert cuts == {"block1_conv": "block1/conv", "pool": "pool"}
    assert "twice" in problem({"transfer": {"backbones": {"b": ["a/b", "a_b"]}}})


@pytest.mark.parametrize("read", [20200101, True, ["Live"]])
def test_a_path_that_snakemake_takes_for_something_else_is_named(read):
    assert "put ./ before it" in problem({"predict": read})
