"""musicnn, against the graph that its package brings along, fed with float32."""

import ast
import contextlib
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from genreflow.audio.decode import native
from genreflow.errors import GenreflowError
from genreflow.features import front_ends, musicnn, packages, recipes
from genreflow.features.engines import openvino
from genreflow.features.feature_set import Part, Sound
from genreflow.features.kinds.onnx_network import OnnxBackbone, OnnxNetwork
from made import clips
from made.clips import DATA

ROOT = Path(__file__).parents[2]
PACKAGE = recipes.known()["musicnn"].package
WHEEL = ROOT / "resources/packages" / PACKAGE.wheel
SETTINGS = {
    "recipe": "musicnn",
    "sha256": recipes.known()["musicnn"].backbone["sha256"],
}
OUTPUTS = {
    "tags": "model/Sigmoid:0",
    "penultimate": "model/batch_normalization_10/batchnorm/add_1:0",
    "maxima": "model/Max:0",
    "means": "model/moments/Squeeze:0",
}
"""Of the package's graph."""


def of_package(*members):
    with contextlib.suppress(GenreflowError):
        return packages.read(PACKAGE.name, PACKAGE.version, members, wheel=WHEEL)


pytestmark = pytest.mark.skipif(not of_package(PACKAGE.data), reason="needs the package musicnn")


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    folder = tmp_path_factory.mktemp("musicnn")
    assert musicnn.make(folder, SETTINGS, network=str(WHEEL)) == (
        "made of the weights in musicnn 0.1.0"
    )
    return folder


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """Return what runs the package's own graph."""
    import tensorflow as tf

    v1, folder = tf.compat.v1, tmp_path_factory.mktemp("checkpoint")
    graph = PACKAGE.index.replace("index", "meta")
    data, index, meta = of_package(PACKAGE.data, PACKAGE.index, graph)
    (folder / "x.data-00000-of-00001").write_bytes(data)
    (folder / "x.index").write_bytes(index)
    described = v1.MetaGraphDef.FromString(meta).graph_def
    for node in described.node:
        # Of its time: newer versions of TensorFlow refuse those of gradients.
        node.attr.pop("_output_shapes", None)
        if "seed" in node.attr:  # dropout's, which is off: without one it can't be deterministic
            node.attr["seed"].i = 1
    with tf.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(described, name="")
        session.run("save/restore_all", {"save/Const:0": str(folder / "x")})

        def run(patches):
            feed = {"model/Placeholder:0": patches, "model/Placeholder_2:0": False}
            found = session.run(OUTPUTS, feed)
            pools = [found.pop("maxima"), found.pop("means")]
            return found | {"pool": np.concatenate(pools, axis=1)[..., 0]}

        yield run


def feature_set(network, *cuts):
    planned = OnnxNetwork.planned(
        "musicnn",
        OnnxBackbone(network="musicnn", cuts=list(cuts)).model_dump(exclude_none=True),
        {"transfer": {"folder": str(ROOT / "resources"), "dtype": "float32"}},
    )
    known = dict(planned.feature_set.settings)
    return Part("onnx", "musicnn", "", known, str(network)).feature_set(threads=2)


def sounds():
    """Yield music that the tests make, one of it shorter than a patch, and real clips if there."""
    yield clips.music(22050, 7.5), 22050
    yield clips.music(16000, 1.2), 16000
    for path in [*DATA.glob("fma_clips/*5.mp3"), *DATA.glob("gtzan100/*z.00003.wav")]:
        yield native(path, duration=29.7)


def as_int16(samples, rate):
    return Sound(np.clip(np.round(samples * 32768), -32768, 32767).astype(np.int16), rate)


def test_it_computes_what_the_packages_own_graph_does(network, reference):
    features = feature_set(network, "tags", "penultimate", "pool")
    taken = features.settings
    patches = front_ends.MelPatches(taken["mel"], taken["sample_rate"])
    for clip in sounds():
        sound = as_int16(*clip)
        found = features.features([sound])
        expected = reference(patches(front_ends.waveform(*sound, sample_rate=16000)))
        for cut, atol in (("tags", 1e-5), ("penultimate", 1e-4), ("pool", 1e-3)):
            mean = expected[cut].mean(axis=0)
            np.testing.assert_allclose(found[cut][0], mean, atol=atol)
        assert {cut: x.shape[1] for cut, x in found.items()} == {
            "tags": 50,
            "penultimate": 200,
            "pool": 1506,
        }


def test_filters_that_were_switched_off_are_constant_and_cost_nothing(network):
    model = openvino.Core().compile_model(
        network / "network.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    patches = np.random.default_rng(0).random((3, 187, 96), np.float32) * 4
    pool = model(patches)["pool"]
    # In the checkpoint they differ by rounding, which a scaler would blow up to a unit.
    assert (np.ptp(pool, axis=0) == 0).sum() > 800
    assert (network / "network.onnx").stat().st_size < 3e6 < len(of_package(PACKAGE.data)[0])


@pytest.mark.skipif(not DATA.exists(), reason="needs the shared data")
def test_it_agrees_with_a_second_reference(network):
    table = pd.read_csv(DATA / "musicnn_msd_reference.csv", index_col="clip")
    table = table[table.index.str.contains("gtzan")]  # MP3s begin elsewhere for each decoder
    features = feature_set(network, "tags", "penultimate")
    found = [
        features.features([as_int16(*native(DATA / name, duration=29.7))]) for name in table.index
    ]
    for cut, column, atol in (("tags", "tag_", 1e-4), ("penultimate", "penultimate_", 2e-3)):
        expected = table.filter(like=column)
        np.testing.assert_allclose([one[cut][0] for one in found], expected, atol=atol)


@pytest.mark.skipif(not DATA.exists(), reason="needs the shared data")
def test_its_first_tag_of_real_clips_is_hip_hop_where_the_genre_is(network):
    (configuration,) = of_package("musicnn/configuration.py")
    tree = ast.parse(configuration)
    labels = {one.targets[0].id: one.value for one in tree.body if isinstance(one, ast.Assign)}
    tags = ast.literal_eval(labels["MSD_LABELS"])
    features, first = feature_set(network, "tags"), {}
    for path in sorted(DATA.glob("fma_clips/*.mp3")):
        sound = as_int16(*native(path, duration=29.7))
        first[int(path.stem)] = tags[features.features([sound])["tags"][0].argmax()]
    assert {track for track, tag in first.items() if tag == "Hip-Hop"} == {2, 5, 676}
    assert len(first) == 10


def test_it_knows_how_many_parameters_lie_before_each_output(network, reference):
    features = feature_set(network, "penultimate", "tags")
    # Fewer than the 0.8 million of the package: what was switched off is left out.
    before, all_of_them = features.parameters("penultimate"), features.parameters("tags")
    assert all_of_them - before == 200 * 50 + 50
    assert 301_200 + 200 < before < 800_000


def test_weights_that_are_not_the_ones_or_not_there_are_refused(tmp_path, monkeypatch):
    with pytest.raises(GenreflowError, match=r"has the sha256 .*expected 0+: install"):
        musicnn.make(tmp_path, {**SETTINGS, "sha256": "0" * 64}, network=str(WHEEL))
    monkeypatch.setattr(packages, "installed", lambda *_: None)
    with pytest.raises(GenreflowError, match=r"musicnn 0.1.0 is not installed.*snakemake fetch"):
        musicnn.make(tmp_path, SETTINGS, network=str(tmp_path / "none.whl"))
    assert list(tmp_path.iterdir()) == []


def test_the_network_works_where_it_is_copied_to(network, tmp_path):
    shutil.copytree(network, tmp_path / "copied")
    sound = as_int16(clips.music(22050, 4), 22050)
    here, there = (
        feature_set(one, "pool").features([sound]) for one in (network, tmp_path / "copied")
    )
    np.testing.assert_array_equal(here["pool"], there["pool"])
    assert feature_set(network, "pool").about["network"] == "musicnn"
