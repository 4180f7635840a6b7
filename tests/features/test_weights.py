"""Weights: Keras's published files, downloaded and checked, and files of the wrong network."""

import csv
import hashlib
import inspect
import socket
import warnings
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from genreflow.errors import GenreflowError
from genreflow.features import image_networks, imagenet_weights
from keras.src.utils import file_utils
from made.server import serving


class AskedError(Exception):
    """Raised in place of Keras's download, with the address and the digest."""


NETWORKS = [name for name, make in vars(keras.applications).items() if inspect.isfunction(make)]


@pytest.mark.parametrize(
    "names",
    [["VGG16", "MobileNetV2"], pytest.param(NETWORKS, marks=pytest.mark.long, id="all")],
)
def test_the_published_files_are_those_that_keras_itself_asks_for(monkeypatch, names):
    def ask(_, origin, file_hash=None, **__):
        raise AskedError(origin, file_hash or "")

    monkeypatch.setattr(file_utils, "get_file", ask)
    with imagenet_weights.PUBLISHED.open(newline="") as file:
        rows = {row["network"]: row for row in csv.DictReader(file)}
    assert set(rows) == set(NETWORKS)
    for name in names:
        with (
            pytest.raises(AskedError) as asked,
            warnings.catch_warnings(action="ignore"),
            keras.StatelessScope(initialize_variables=False),
        ):
            getattr(keras.applications, name)(weights="imagenet")
        row = rows[name]
        assert (row["url"], row["digest"].partition(":")[2]) == asked.value.args


# --- download


@pytest.fixture
def address(tmp_path):
    with serving(tmp_path / "site") as server:
        yield server.url


CONTENT = b"weights" * 1000


def published(tmp_path, *rows):
    table = tmp_path / "table.csv"
    lines = ("network,url,digest,megabytes", *(",".join(row) for row in rows))
    table.write_text("\n".join(lines) + "\n")
    return table


def test_all_that_a_run_needs_is_downloaded_and_checked(address, tmp_path):
    site = tmp_path / "site"
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    table = published(
        tmp_path,
        ("Known", f"{address}/known.h5", f"md5:{hashlib.md5(CONTENT).hexdigest()}", "7"),
        ("Other", f"{address}/other.h5", f"sha256:{sha256}", "8"),
    )
    files = [
        {"path": str(tmp_path / "weights/Known.h5"), "network": "Known"},
        {"path": str(tmp_path / "weights/Other.h5"), "network": "Other"},
        {"path": str(tmp_path / "onnx/a.onnx"), "url": f"{address}/a.onnx", "sha256": sha256},
    ]
    for name in ("known.h5", "other.h5", "a.onnx"):
        (site / name).write_bytes(CONTENT)
    imagenet_weights.fetch_all(files, table=table)
    assert [Path(file["path"]).read_bytes() for file in files] == [CONTENT] * 3
    for path in site.iterdir():
        path.unlink()
    imagenet_weights.fetch_all(files, table=table)  # what is there is not downloaded again


def test_without_network_all_that_is_lacking_is_named(tmp_path):
    """Nothing listens on the port of the table's server."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{closed.getsockname()[1]}"
    table = published(
        tmp_path,
        ("One", f"http://{host}/one.h5", "md5:" + "0" * 32, "103"),
        ("Two", f"http://{host}/two.h5", f"md5:{hashlib.md5(b'weights').hexdigest()}", "553"),
    )
    there = tmp_path / "Two.h5"
    there.write_bytes(b"weights")
    files = [
        {"path": str(there), "network": "Two"},
        {"path": str(tmp_path / "One.h5"), "network": "One"},
        {"path": str(tmp_path / "a.onnx"), "url": "http://example.org/a.onnx", "sha256": "ab" * 32},
    ]
    with pytest.raises(GenreflowError) as error:
        imagenet_weights.fetch_all(files, table=table)
    first, *others = str(error.value).splitlines()
    assert f"cannot reach http://{host}/one.h5" in first
    assert [line for line in others if line.startswith("  - ")] == [
        f"  - {tmp_path}/One.h5: ImageNet weights of One, 103 MB, from {host}",
        f"  - {tmp_path}/a.onnx from http://example.org/a.onnx",
    ]
    assert "without `fetch`" in others[-1]


def test_what_no_hash_is_known_of_is_not_downloaded(address, tmp_path):
    (tmp_path / "site/other.h5").write_bytes(CONTENT)
    table = published(tmp_path, ("Other", f"{address}/other.h5", "", "7"))
    path = tmp_path / "Other.h5"
    with pytest.raises(GenreflowError, match=r"Other\.h5 is not downloaded.*Get it yourself"):
        imagenet_weights.fetch_all([{"path": path, "network": "Other"}], table=table)
    assert not path.exists()
    path.write_bytes(CONTENT)
    imagenet_weights.fetch_all([{"path": path, "network": "Other"}], table=table)


def test_weights_larger_than_the_network_are_refused(address, tmp_path):
    content = bytes(12_000_000)
    (tmp_path / "site/one.h5").write_bytes(content)
    digest = f"md5:{hashlib.md5(content).hexdigest()}"
    table = published(tmp_path, ("One", f"{address}/one.h5", digest, "1"))
    with pytest.raises(GenreflowError, match="sends more than 11 MB"):
        imagenet_weights.fetch_all([{"path": tmp_path / "One.h5", "network": "One"}], table=table)


def test_a_network_without_published_weights_is_answered_with_those_that_have(tmp_path):
    table = published(tmp_path, ("Small", "http://example.org/small.h5", "", "7"))
    files = [{"path": str(tmp_path / "x.h5"), "network": "Huge"}]
    with pytest.raises(GenreflowError, match=r"no ImageNet weights of Huge.*Small.*random"):
        imagenet_weights.fetch_all(files, table=table)


# --- loading


def legacy_file(path, layers, *, group=None):
    """Write weights as Keras 1 and 2 did: names of layers and weights as attributes."""
    rng = np.random.default_rng(0)
    values = {}
    with h5py.File(path, "w") as file:
        root = file.create_group(group) if group else file
        root.attrs["layer_names"] = [name.encode() for name in layers]
        root.attrs["backend"], root.attrs["keras_version"] = b"tensorflow", b"2.1.2"
        for name, shapes in layers.items():
            sub = root.create_group(name)
            kinds = ["kernel:0", "bias:0"] if len(shapes) < 3 else [f"{n}:0" for n in "abcd"]
            kinds = [f"{name}/{kind}" for kind in kinds[: len(shapes)]]
            sub.attrs["weight_names"] = [kind.encode() for kind in kinds]
            for kind, shape in zip(kinds, shapes, strict=True):
                values[kind] = rng.standard_normal(shape, dtype=np.float32)
                sub[kind] = values[kind]
    return values


VGG16 = {"input_1": []}
for _block, (_count, _width) in enumerate([(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)], 1):
    for _number in range(1, _count + 1):
        _before = 3 if len(VGG16) == 1 else next(reversed(VGG16.values()))[-1][0]
        VGG16[f"block{_block}_conv{_number}"] = [(3, 3, _before, _width), (_width,)]


@pytest.mark.parametrize("group", [None, "model_weights"])
def test_a_file_in_the_format_of_the_published_ones_is_loaded(tmp_path, group):
    values = legacy_file(tmp_path / "vgg16.h5", VGG16, group=group)
    backbone = image_networks.build("VGG16", ["block5_pool"], weights=tmp_path / "vgg16.h5")
    assert sum(value.size for value in values.values()) == backbone.network.count_params()
    for name in VGG16.keys() - {"input_1"}:
        kernel, bias = backbone.network.get_layer(name).get_weights()
        np.testing.assert_array_equal(kernel, values[f"{name}/kernel:0"])
        np.testing.assert_array_equal(bias, values[f"{name}/bias:0"])


def mobilenet(top):
    keras.utils.clear_session(free_memory=False)
    return keras.applications.MobileNetV2(weights=None, include_top=top, input_shape=(224, 224, 3))


@pytest.mark.slow
@pytest.mark.parametrize("top", [True, False])
@pytest.mark.parametrize("kind", ["keras 3", "keras 2"])
def test_files_with_and_without_the_top_serve_a_cut_below_it(tmp_path, top, kind):
    model = mobilenet(top)
    if kind == "keras 3":
        path = tmp_path / "mobile.weights.h5"
        model.save_weights(path)
    else:
        path = tmp_path / "mobile.h5"
        legacy_file(
            path,
            {
                layer.name.upper(): [
                    weight.shape for weight in layer.trainable_weights + layer.non_trainable_weights
                ]
                for layer in model.layers
            },
        )
        model.load_weights(path)
    backbone = image_networks.build("MobileNetV2", ["out_relu"], weights=path)
    for layer in ("Conv1", "bn_Conv1", "Conv_1_bn"):
        for found, expected in zip(
            backbone.network.get_layer(layer).get_weights(),
            model.get_layer(layer).get_weights(),
            strict=True,
        ):
            np.testing.assert_array_equal(found, expected)


def changed(**layers):
    return lambda path: legacy_file(path, VGG16 | layers)


def cut_off(path):
    legacy_file(path, VGG16)
    path.write_bytes(path.read_bytes()[:-1000])


def of_something_else(path):
    with h5py.File(path, "w") as file:
        file["x"] = [1]


FOREIGN = "does not hold the weights of VGG16: "


@pytest.mark.parametrize(
    ("name", "write", "cut", "words"),
    [
        (
            "other.h5",
            changed(block3_conv2=[(3, 3, 256, 200), (200,)]),
            "block5_pool",
            rf"{FOREIGN}.*block3_conv2.*\(3, 3, 256, 256\).*\(3, 3, 256, 200\)",
        ),
        ("notop.h5", changed(), "fc1", f"{FOREIGN}.*expected 16 layers, found 13"),
        ("more.h5", changed(fc1=[(25088, 10), (10,)]), "block5_pool", f"{FOREIGN}.*13.*found 14"),
        (
            "a.weights.h5",
            lambda path: mobilenet(top=False).save_weights(path),
            "block1_pool",
            f"{FOREIGN}.*block1_conv1",
        ),
        ("features.h5", of_something_else, "block1_pool", f"{FOREIGN}.*found 0 saved layers"),
        ("torch.pt", lambda path: path.write_bytes(b"PK"), "block1_pool", "format not supported"),
        ("cut.h5", cut_off, "block1_pool", "not a whole file of Keras weights"),
        ("none.h5", lambda path: None, "block1_pool", "not a whole file"),
    ],
)
def test_a_file_that_is_not_the_networks_is_refused(tmp_path, name, write, cut, words):
    write(tmp_path / name)
    with pytest.raises(GenreflowError, match=words) as caught:
        image_networks.build("VGG16", [cut], weights=tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
