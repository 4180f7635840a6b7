"""Engines: what OpenVINO computes is what Keras computes, and is refused where it isn't."""

import errno
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from genreflow.errors import GenreflowError
from genreflow.features import engines, image_networks
from made.networks import write_product
from sklearn.preprocessing import StandardScaler

SHAPE = (16, 40)
IMAGES = np.random.default_rng(0).integers(0, 256, (21, *SHAPE), dtype=np.uint8)
CUTS = ["conv", "pool", "genre"]


def convolutional(seed=1):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((24, 24, 3)),
            keras.layers.Conv2D(16, 3, padding="same", activation="relu", name="conv"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.GlobalAveragePooling2D(name="pool"),
            keras.layers.Dense(5, activation="softmax", name="genre"),
        ]
    )


def built(tmp_path, model, cuts, **settings):
    model.save(tmp_path / "own.keras")
    return image_networks.build(str(tmp_path / "own.keras"), cuts, **settings)


@pytest.fixture
def backbone(tmp_path):
    return built(tmp_path, convolutional(), CUTS, preprocessing="caffe")


@pytest.fixture
def cancelling(tmp_path):
    """Return a network of small differences between large numbers: bfloat16 loses them."""
    inputs = keras.Input((*SHAPE, 1))
    x = keras.layers.Conv2D(1, 1, activation="relu", name="large")(inputs)
    model = keras.Model(inputs, keras.layers.Conv2D(1, (1, 2), name="out")(x))
    model.get_layer("large").set_weights([np.ones((1, 1, 1, 1)), np.array([1e5])])
    model.get_layer("out").set_weights([np.array([1, -1]).reshape(1, 2, 1, 1), np.zeros(1)])
    return built(tmp_path, model, ["out"])


@pytest.fixture
def close(tmp_path):
    """Return a network whose features differ little beside their length.

    Those of bfloat16 are nearly parallel to them, and have lost how they differ.
    """
    keras.utils.set_random_seed(3)
    layers = [
        keras.Input((*SHAPE, 1)),
        keras.layers.Conv2D(8, 5, activation="relu", name="conv"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(16, bias_initializer=keras.initializers.Constant(1e4)),
        keras.layers.Dense(16, name="out"),
    ]
    return built(tmp_path, keras.Sequential(layers), ["out"])


def prepare(folder, backbone, engine="auto"):
    return engines.prepare(folder, backbone, IMAGES, engine=engine, threads=1, settings={"a": 1})


def lines(capsys):
    """Return what was said of the engines that were tried."""
    said = capsys.readouterr().out.splitlines()
    return [line for line in said if line.startswith("OpenVINO in")]


def run(folder, images):
    network = engines.load(folder, threads=1)
    batches = [images[start : start + 8] for start in range(0, len(images), 8)]
    return [np.concatenate(cut) for cut in zip(*map(network, batches), strict=True)]


def plain(backbone, images):
    """Return Keras's own prediction, one model a cut."""
    whole = backbone.on_images(images.shape[1:])
    return [
        keras.Model(whole.inputs, output).predict(images, verbose=0) for output in whole.outputs
    ]


def least_cosine(one, other):
    one, other = one.astype(float), other.astype(float)
    return min(a @ b / np.sqrt((a @ a) * (b @ b)) for a, b in zip(one, other, strict=True))


def test_openvino_in_float32_computes_what_keras_computes(backbone):
    whole = backbone.on_images(SHAPE)
    network = engines.by_openvino(engines.convert(whole, CUTS), precision="float32", threads=1)
    for start in (0, 8, 16):
        batch = IMAGES[start : start + 8]
        for found, expected in zip(network(batch), plain(backbone, batch), strict=True):
            assert found.shape == expected.shape
            assert found.dtype == np.float32
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * expected.max())


@pytest.mark.parametrize("engine", ["auto", "openvino", "keras"])
def test_whatever_runs_it_agrees_with_keras_after_the_disk(tmp_path, backbone, engine):
    prepared = prepare(tmp_path / "net", backbone, engine)
    assert engines.describe(tmp_path / "net") == prepared
    assert prepared.engine == ("openvino" if engine == "auto" else engine)
    assert list(prepared.cuts) == CUTS
    assert prepared.cuts["conv"] == {"size": 24 * 24 * 16, "parameters": 448}
    assert (prepared.image_shape, prepared.settings) == (SHAPE, {"a": 1})
    found = run(tmp_path / "net", IMAGES)
    for cut, one, expected in zip(CUTS, found, plain(backbone, IMAGES), strict=True):
        assert one.shape == expected.shape
        assert least_cosine(one, expected) > 0.999, cut
        if prepared.precision == "float32":
            np.testing.assert_allclose(one, expected, rtol=1e-4, atol=1e-5 * expected.max())


@pytest.mark.parametrize("engine", ["openvino", "keras"])
def test_a_tracks_features_do_not_depend_on_those_beside_it(tmp_path, backbone, engine):
    prepare(tmp_path / "net", backbone, engine)
    whole = run(tmp_path / "net", IMAGES)
    for padded in (True, False):
        network = engines.load(tmp_path / "net", threads=1, padded=padded)
        for picked in (slice(3, 4), slice(0, 8), slice(5, 10), slice(11, 12)):
            for one, other in zip(network(IMAGES[picked]), whole, strict=True):
                # Some processors round another row of a batch in another way.
                np.testing.assert_allclose(one, other[picked], rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("engine", ["openvino", "keras"])
def test_batches_are_not_filled_up_where_that_changes_nothing(tmp_path, monkeypatch, engine):
    inputs = keras.Input((*SHAPE, 1))
    outputs = keras.layers.MaxPooling2D(2, name="largest")(inputs)
    largest = built(tmp_path, keras.Model(inputs, outputs), ["largest"])
    prepared = prepare(tmp_path / "net", largest, engine)
    assert prepared.any_batch
    network = engines.load(tmp_path / "net", threads=1, padded=False)
    monkeypatch.delattr(engines, "_padded")
    [found] = network(IMAGES[:3])
    expected = IMAGES[:3].reshape(3, 8, 2, 20, 2).max(axis=(2, 4)).reshape(3, -1)
    np.testing.assert_array_equal(found, expected)


def test_batches_are_filled_up_where_features_depend_on_their_size(tmp_path):
    inputs = keras.Input((*SHAPE, 1))
    x = keras.layers.GlobalAveragePooling2D()(inputs)
    x = x - keras.ops.mean(x, axis=0, keepdims=True)
    outputs = keras.layers.Activation("linear", name="values")(x)
    dependent = built(tmp_path, keras.Model(inputs, outputs), ["values"])
    prepared = prepare(tmp_path / "net", dependent, "keras")
    assert not prepared.any_batch
    filled = engines.load(tmp_path / "net", threads=1)(IMAGES[:1])
    asked = engines.load(tmp_path / "net", threads=1, padded=False)(IMAGES[:1])
    np.testing.assert_array_equal(asked[0], filled[0])
    assert np.abs(filled[0]).min() > 0, "alone, it is its own mean"


def test_the_fastest_precision_of_the_processor_is_tried_first():
    found = engines.precisions()
    flags = Path("/proc/cpuinfo")
    if flags.exists():
        assert ("bfloat16" in found) == ("avx512_bf16" in flags.read_text())
    assert found[-1] == "float32"


@pytest.mark.parametrize("network", ["cancelling", "close"])
def test_bfloat16_is_refused_where_it_loses_the_features(tmp_path, request, capsys, network):
    backbone = request.getfixturevalue(network)
    prepared = prepare(tmp_path / "net", backbone)
    said = lines(capsys)
    tried = engines.precisions()
    assert [tried[-1] in line for line in said] == [False] * (len(tried) - 1) + [True]
    assert (prepared.engine, prepared.precision) == ("openvino", "float32")
    found, expected = run(tmp_path / "net", IMAGES)[0], plain(backbone, IMAGES)[0]
    mean = expected.mean(axis=0)
    assert least_cosine(found, expected) > 0.999
    assert least_cosine(found - mean, expected - mean) > 0.999


def test_agreement_is_the_least_cosine_of_any_track_as_classifiers_see_it():
    rng = np.random.default_rng(0)
    one = rng.standard_normal((5, 100), dtype=np.float32)
    scales = np.geomspace(0.1, 10, 100, dtype=np.float32)
    for distance in (0, 50):
        features = (distance + one) * scales
        expected = features + scales * 0.1 * rng.standard_normal((5, 100), dtype=np.float32)
        seen = StandardScaler().fit(expected)
        least = least_cosine(seen.transform(features), seen.transform(expected))
        for scale in (1, 1e-30):
            found = engines.agreement(features * scale, expected * scale)
            assert found == pytest.approx(least, abs=1e-5)
    assert least < 0.999 < least_cosine(features, expected)
    assert engines.agreement(features[:1], expected[:1]) > 0.999
    # A constant feature counts for nothing, whatever its noise.
    constant = np.full((5, 1), 7.0)
    noisy = constant + 0.005 * rng.standard_normal((5, 1))
    assert engines.agreement(np.hstack([one, noisy]), np.hstack([one, constant])) > 0.9999999
    turned = np.concatenate([one[:4], -one[4:]])
    assert engines.agreement(turned, one) < -0.5
    assert engines.agreement(np.zeros((2, 3)), np.zeros((2, 3))) == 1
    assert engines.agreement(np.zeros((2, 3)), np.ones((2, 3))) == 0
    assert engines.agreement(one, np.where(one > 2, np.nan, one)) == 0


def test_an_engine_that_computes_something_else_is_refused(tmp_path, backbone, monkeypatch, capsys):
    foreign = built(tmp_path, convolutional(seed=2), CUTS).on_images(SHAPE)
    converted = engines.convert(foreign, CUTS)
    monkeypatch.setattr(engines, "convert", lambda *_: converted)
    prepared = prepare(tmp_path / "net", backbone)
    assert (prepared.engine, prepared.precision) == ("keras", "float32")
    assert len(lines(capsys)) == len(engines.precisions())
    with pytest.raises(GenreflowError, match=r"less than the 0\.999.*engine to keras"):
        prepare(tmp_path / "net", backbone, "openvino")


def test_keras_runs_what_openvino_does_not_know(tmp_path, capsys):
    inputs = keras.Input((*SHAPE, 1))
    values = keras.ops.svd(keras.ops.squeeze(inputs, -1), compute_uv=False)
    outputs = keras.layers.Activation("linear", name="values")(values)
    backbone = built(tmp_path, keras.Model(inputs, outputs), ["values"])
    prepared = prepare(tmp_path / "net", backbone)
    assert prepared.engine == "keras"
    assert "can't convert the network" in capsys.readouterr().out
    found = run(tmp_path / "net", IMAGES)[0]
    expected = np.linalg.svd(IMAGES.astype(float), compute_uv=False)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=0.1)
    with pytest.raises(GenreflowError, match=r"can't convert the network.*Set transfer\.engine"):
        prepare(tmp_path / "other", backbone, "openvino")


def test_keras_takes_the_place_of_openvino_where_it_is_not_installed(
    tmp_path, backbone, monkeypatch
):
    prepare(tmp_path / "net", backbone)
    monkeypatch.setattr(engines, "openvino", None)
    with pytest.raises(GenreflowError, match=r"net was prepared for OpenVINO, which isn't inst"):
        run(tmp_path / "net", IMAGES)
    with pytest.raises(GenreflowError, match=r"not installed.*engine to keras or auto"):
        prepare(tmp_path / "net", backbone, "openvino")
    prepared = prepare(tmp_path / "net", backbone)
    assert prepared.engine == "keras"
    assert len(run(tmp_path / "net", IMAGES)) == len(CUTS)


def rewrite(folder, **changes):
    path = folder / "network.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def put_onnx(folder):
    """Write a network in ONNX in the place of one of OpenVINO's, which takes it by its content."""
    write_product(folder / "network.xml", np.ones((math.prod(SHAPE), 1), "f4"), ["b", 1, *SHAPE])
    engines.openvino.Core().read_model(folder / "network.xml")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "network.json").unlink(), "no whole network"),
        (lambda folder: (folder / "network.json").write_text("{"), "no whole network"),
        (lambda folder: (folder / "network.json").write_text("[" * 10**5), "no whole network"),
        (lambda folder: (folder / "network.json").write_text('{"a":' * 10**5), "no whole network"),
        (lambda folder: rewrite(folder, engine="a"), "no whole network"),
        (lambda folder: rewrite(folder, precision="a"), "no whole network"),
        (lambda folder: rewrite(folder, image_shape=["16", 40]), "no whole network"),
        (lambda folder: rewrite(folder, cuts={"a\x1b[2J": 1}), "no whole network"),
        (put_onnx, "not in OpenVINO's format"),
        (lambda folder: (folder / "network.bin").write_bytes(b"12"), "not a whole network"),
        (lambda folder: (folder / "network.xml").write_text("<"), "not a whole network"),
        (lambda folder: (folder / "network.xml").unlink(), "not a whole network"),
    ],
)
def test_a_damaged_network_is_named(tmp_path, backbone, damage, words):
    folder = tmp_path / "net"
    prepare(folder, backbone, "openvino")
    damage(folder)
    with pytest.raises(GenreflowError, match=words) as caught:
        run(folder, IMAGES)
    assert str(folder) in str(caught.value) and len(str(caught.value)) < 1000


@pytest.mark.slow
def test_openvino_reports_nothing_over_the_network_and_runs_without_keras(tmp_path, backbone):
    """Run in processes of their own, where every connection and child process is noted."""
    images, events = tmp_path / "images.npy", tmp_path / "events.json"
    np.save(images, IMAGES[:8])
    common = f"""
import json, sys
import numpy as np
seen = []
names = ("socket.connect", "socket.getaddrinfo", "urllib.Request", "os.fork", "os.posix_spawn")
sys.addaudithook(lambda event, args: seen.append(event) if event in names else None)
from genreflow.features import engines
images = np.load({str(images)!r})
"""
    convert = f"""
from genreflow.features import image_networks
backbone = image_networks.build({str(tmp_path / "own.keras")!r}, ["pool"])
engines.prepare({str(tmp_path / "net")!r}, backbone, images, engine="openvino", threads=1,
                settings={{}})
"""
    use = f"engines.load({str(tmp_path / 'net')!r}, threads=1)(images)\n"
    report = f"""
loaded = [name for name in ("keras", "tensorflow") if name in sys.modules]
json.dump([seen, loaded], open({str(events)!r}, "w"))
"""
    home = tmp_path / "home"
    home.mkdir()
    scripts = Path(__file__).parents[2] / "scripts"
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": str(scripts)}
    for name in ("CI", "TF_BUILD", "JENKINS_URL"):
        environment.pop(name, None)
    for code, libraries in ((convert, ["keras", "tensorflow"]), (use, [])):
        subprocess.run([sys.executable, "-c", common + code + report], env=environment, check=True)
        assert json.loads(events.read_text()) == [[], libraries]
    assert not list(home.rglob("*openvino*"))


def test_a_full_disk_is_not_taken_for_a_network_that_openvino_does_not_know(
    tmp_path, backbone, monkeypatch
):
    def full(*_):
        raise RuntimeError(f"{tmp_path}; {os.strerror(errno.ENOSPC)}")

    monkeypatch.setattr(engines, "convert", full)
    with pytest.raises(RuntimeError, match="No space left"):
        prepare(tmp_path / "net", backbone)
