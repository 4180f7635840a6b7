import re
from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from genreflow.config import complete
from genreflow.errors import GenreflowError

ROOT = Path(__file__).parents[2]
SCHEMA = yaml.safe_load((ROOT / "config" / "schema.yaml").read_text())
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text())
OVERLAYS = sorted(path for path in (ROOT / "config").glob("*.yaml") if path.name != "schema.yaml")


def merged(base, *others):
    """Merge mappings as Snakemake merges configuration files."""
    base = deepcopy(base)
    for other in others:
        for key, value in other.items():
            nested = isinstance(value, dict) and isinstance(base.get(key), dict)
            base[key] = merged(base[key], value) if nested else value
    return base


def problems(config):
    with pytest.raises(GenreflowError) as error:
        complete(config, SCHEMA)
    lines = str(error.value).splitlines()
    found = [line.removeprefix("  - ") for line in lines if line.startswith("  - ")]
    assert lines[0] == f"the configuration has {len(found)} problem(s):"
    return found


def problem(config):
    (found,) = problems(config)
    return found


CHOSEN = ("variants", "grids", "features", "spaces", "backbones", "members")
"""Keys below which names are the user's to choose."""


def without_names(config):
    """Leave out what has names of the user's choice, which config.yaml alone gives."""
    config = deepcopy(config)
    del config["cnn"]["run"], config["cnn"]["variants"], config["cnn"]["search"]["spaces"]
    del config["transfer"]["backbones"], config["classify"]["features"]
    del config["ensembles"]["members"]
    return config


def test_config_yaml_states_just_the_defaults():
    assert without_names(complete({}, SCHEMA)) == without_names(DEFAULT)
    assert without_names(complete(DEFAULT, SCHEMA)) == without_names(DEFAULT)


def test_every_key_of_config_yaml_has_a_comment_above_it():
    """One comment serves for keys that are the user's to choose, such as names of variants."""
    lines = (ROOT / "config.yaml").read_text().splitlines()
    keys = [
        (number, len(match[1]), match[2])
        for number, line in enumerate(lines)
        if (match := re.match(r"( *)([A-Za-z_][\w-]*):", line))
    ]
    assert len(keys) > 40
    chosen_by_user = None
    uncommented = []
    for number, indent, name in keys:
        if chosen_by_user is None or indent <= chosen_by_user:
            chosen_by_user = indent if name in CHOSEN else None
            if not lines[number - 1].lstrip().startswith("#"):
                uncommented.append(name)
    assert uncommented == []


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.stem)
def test_every_overlay_makes_a_valid_configuration(overlay):
    text = overlay.read_text()
    assert text.startswith("#")
    needed = {"corpus": {"audio": "my/music"}} if overlay.stem == "own_audio" else {}
    whole = merged(DEFAULT, yaml.safe_load(text), needed)
    completed = complete(whole, SCHEMA)
    assert without_names(completed) == without_names(whole) != without_names(DEFAULT)
    assert complete(completed, SCHEMA) == completed


def test_overlays_are_there():
    expected = {"fma_small", "fma_medium", "fma_large", "own_audio", "study"}
    assert expected <= {path.stem for path in OVERLAYS}


def test_defaults_fill_what_is_not_given():
    config = {"corpus": {"genres": 3}, "cnn": {"variants": {"mine": {"kernel_size": 3}}, "run": []}}
    filled = complete(config, SCHEMA)
    assert filled["corpus"] == {**DEFAULT["corpus"], "genres": 3}
    simple = complete(DEFAULT, SCHEMA)["cnn"]["variants"]["simple"]
    assert filled["cnn"]["variants"] == {"mine": {**simple, "kernel_size": 3}}
    assert simple["filters"] == [64, 64, 128, 128]
    assert config["corpus"] == {"genres": 3}


def test_filled_defaults_are_not_shared():
    complete({}, SCHEMA)["corpus"]["levels"].append("artist")
    assert complete({}, SCHEMA)["corpus"]["levels"] == ["genre"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"spectrogramm": {}}, "spectrogramm: no such key; did you mean spectrogram?"),
        (
            {"spectrogram": {"n_mel": 64}},
            "spectrogram.n_mel: no such key; did you mean spectrogram.n_mels?",
        ),
        (
            {"cnn": {"variants": {"mine": {"kernelsize": 3}}}},
            "cnn.variants.mine.kernelsize: architecture simple has no such setting; did you mean "
            "kernel_size?",
        ),
        (
            {"cnn": {"variants": {"mine": {"architecture": "residual", "filters": [4]}}}},
            "cnn.variants.mine.filters: architecture residual has no such setting; it has width, "
            "depth, stages, dropout, momentum",
        ),
        (
            {
                "transfer": {"backbones": {"VGG16": ["fc1"]}},
                "classify": {"features": {"vgg16/fc2": [0.9]}},
            },
            "classify.features: no feature matrix 'vgg16/fc2'; did you mean vgg16/fc1?",
        ),
        (
            {"transfer": {"joined": {"both": ["handcrafted", "vgg16/fc9"]}}},
            "transfer.joined.both: no features 'vgg16/fc9'",
        ),
        (
            {
                "transfer": {
                    "backbones": {"a": {"kind": "onnx", "cuts": {"x": "y"}, "input": "image"}}
                }
            },
            "transfer.backbones: a is in ONNX, so it needs the key sha256",
        ),
        (
            {"cnn": {"variants": {"mine": {"search": "tiny"}}}},
            "cnn.variants.mine.search: no 'tiny' in cnn.search.spaces",
        ),
        (
            {
                "cnn": {
                    "variants": {"mine": {"search": "mine"}},
                    "search": {"spaces": {"mine": {"widht": [1]}}},
                }
            },
            "cnn.search.spaces.mine.widht: cnn/mine has no such setting",
        ),
        ({"audio": {"xyz": 1}}, "audio.xyz: no such key; known here: sample_rate, duration"),
        (
            {"spectrogram": {"n_mels": "64.5"}},
            "spectrogram.n_mels: expected a whole number, found 64.5",
        ),
        ({"audio": {"duration": "long"}}, "audio.duration: expected a number, found 'long'"),
        ({"corpus": {"name": 7}}, "corpus.name: expected text, found 7"),
        (
            {"spectrogram": {"invert": "dark"}},
            "spectrogram.invert: expected true or false, found 'dark'",
        ),
        ({"seeds": "one"}, "seeds: expected a list, such as [a, b], found 'one'"),
        ({"corpus": None}, "corpus: expected keys and values below it, found None"),
        (
            {"corpus": {"kind": "folders", "audio": "x"}},
            "corpus.kind: expected one of demo, fma, folder, table; found 'folders'; "
            "did you mean folder?",
        ),
    ],
)
def test_a_wrong_key_or_value_is_named(config, message):
    assert problem(config) == message


@pytest.mark.parametrize(
    ("config", "place"),
    [
        ({"corpus": {"shards": 0}}, "corpus.shards"),
        ({"corpus": {"max_excluded": 1.5}}, "corpus.max_excluded"),
        ({"corpus": {"name": "../up"}}, "corpus.name"),
        ({"corpus": {"name": "a b"}}, "corpus.name"),
        ({"corpus": {"url": "file:///etc"}}, "corpus.url"),
        ({"corpus": {"levels": ["artist"]}}, "corpus.levels"),
        ({"splits": []}, "splits"),
        ({"splits": ["official", "official"]}, "splits"),
        ({"seeds": [-1]}, "seeds.0"),
        ({"seeds": [True]}, "seeds.0"),
        ({"split": {"test": 0.5}}, "split.test"),
        ({"cnn": {"variants": {"a/b": {}}}}, "cnn.variants"),
        ({"cnn": {"variants": {"simple": {"dropout": 1}}}}, "cnn.variants.simple.dropout"),
        ({"cnn": {"batch_size": 2.5}}, "cnn.batch_size"),
        # what fits each alone but not together
        ({"splits": ["cv-1x1"]}, "splits"),
        ({"splits": ["offical"]}, "splits"),
        ({"cnn": {"run": ["simpel"]}}, "cnn.run"),
        ({"audio": {"sample_rate": 8000}}, "spectrogram.f_max"),
        ({"spectrogram": {"f_min": 9000}}, "spectrogram.f_min"),
        ({"spectrogram": {"hop_length": 4096}}, "spectrogram.hop_length"),
        ({"corpus": {"kind": "folder"}}, "corpus.audio"),
        ({"corpus": {"kind": "fma"}}, "corpus.audio"),
        ({"corpus": {"kind": "table"}}, "corpus.table"),
    ],
    ids=str,
)
def test_a_value_out_of_its_range_is_named(config, place):
    assert problem(config).startswith(f"{place}: ")


def test_the_nearest_variant_is_named():
    cnn = {"run": ["simpel"], "variants": {"simple": {}}}
    assert problem({"cnn": cnn}).endswith("did you mean simple?")


def test_all_problems_are_told_at_once():
    config = {"sed": 1, "corpus": {"shards": "many"}, "audio": {"rate": 1}}
    assert sorted(text.split(":")[0] for text in problems(config)) == [
        "audio.rate",
        "corpus.shards",
        "sed",
    ]


def test_a_whole_number_is_a_number():
    assert complete({"audio": {"duration": 20}}, SCHEMA)["audio"]["duration"] == 20


def test_text_of_the_command_line_is_read_where_no_text_is_wanted():
    config = {
        "spectrogram": {"n_mels": "64", "invert": "no"},
        "audio": {"duration": "12.5"},
        "seeds": ["1", "2"],
        "corpus": {"name": "2024"},
    }
    filled = complete(config, SCHEMA)
    assert filled["spectrogram"]["n_mels"] == 64
    assert filled["spectrogram"]["invert"] is False
    assert filled["audio"]["duration"] == 12.5
    assert filled["seeds"] == [1, 2]
    assert filled["corpus"]["name"] == "2024"


@pytest.mark.parametrize("given", ["auto", ["auto"]])
def test_splits_may_be_chosen_by_the_tracks(given):
    assert complete({"splits": given}, SCHEMA)["splits"] == ["auto"]


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
    found = complete(given, SCHEMA)
    assert found["corpus"]["audio"] == "/home/anna/My Music"
    assert found["transfer"]["folder"] == "/home/anna/resources"
    mine = {"network": "/home/anna/net.keras", "cuts": ["pool"]}
    assert found["transfer"]["backbones"]["mine"] == mine
    assert found["predict"]["path"] == "/home/anna/a.mp3"
