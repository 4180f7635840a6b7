"""Small networks, in Keras's format and in ONNX, and images for them."""

import hashlib
from pathlib import Path

import h5py
import keras
import numpy as np
import onnx
from genreflow.features import engines, image_networks
from onnx import TensorProto, helper

FLOAT = TensorProto.FLOAT


def write_keras(path, shape, *, scale=1 / 255, seed=1):
    """Write a network for images of a shape, with the layers conv, pool and genre."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    keras.Sequential(
        [
            keras.Input((*shape, 1)),
            layers.Rescaling(scale),
            layers.Conv2D(4, 3, name="conv"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(2, name="genre"),
        ]
    ).save(path)
    return str(path)


def prepare(folder, network, cuts, images, *, engine="auto"):
    """Prepare a network in a .keras file, as the rule ``network`` does."""
    name = Path(network).name
    settings = {"network": name, "weights": name, "seed": 0, "preprocessing": "none"}
    backbone = image_networks.build(str(network), cuts)
    engines.prepare(folder, backbone, images, engine=engine, threads=1, settings=settings)


def write_onnx(path, nodes, inputs, outputs, constants=(), **settings):
    """Write a network; inputs and outputs are given as names with shapes."""
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in inputs],
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in outputs],
        [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path, **settings)
    return path


def write_filters(path, filters):
    """Write filters (3, 1, 100) over samples: all frames (batch, frames, 3), and the loudest."""
    nodes = [
        helper.make_node("Unsqueeze", ["samples", "one"], ["channel"]),
        helper.make_node("Conv", ["channel", "filters"], ["bands"], strides=[50]),
        helper.make_node("Transpose", ["bands"], ["frames"], perm=[0, 2, 1]),
        helper.make_node("ReduceMax", ["frames"], ["loudest"], axes=[1], keepdims=0),
    ]
    return write_onnx(
        path,
        nodes,
        [("samples", ["batch", "n"])],
        [("frames", ["batch", "frames", 3]), ("loudest", ["batch", 3])],
        [("filters", filters), ("one", np.array([1]))],
    )


def write_ear(path, **settings):
    """Write a network of waveforms: `frames`, the energy in five bands over time."""
    time = np.arange(64) * np.hanning(64)
    bands = np.sin(np.outer([0.05, 0.2, 0.5, 1, 2], time)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["samples", "bands"], ["filtered"], strides=[32]),
        helper.make_node("Abs", ["filtered"], ["energy"]),
        helper.make_node("Transpose", ["energy"], ["frames"], perm=[0, 2, 1]),
    ]
    outputs = [("frames", ["batch", "frames", 5])]
    constants = [("bands", bands[:, np.newaxis])]
    write_onnx(path, nodes, [("samples", ["batch", 1, "n"])], outputs, constants, **settings)
    return str(path)


def write_product(path, weights, shape):
    """Write the product of an image's pixels and weights (pixels, size)."""
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "weights"], ["embedding"]),
    ]
    outputs = [("embedding", ["b", weights.shape[1]])]
    return write_onnx(path, nodes, [("image", shape)], outputs, [("weights", weights)])


def write_patches(path, shape, *, batch="b", sizes=(3, 5), names=("first", "second")):
    """Write a network of patches; return the weights that give its outputs, by name."""
    pixels, rng = int(np.prod(shape)), np.random.default_rng(0)
    weights = [rng.standard_normal((pixels, size)).astype(np.float32) / 100 for size in sizes]
    nodes = [helper.make_node("Flatten", ["patches"], ["flat"], axis=1)]
    nodes += [helper.make_node("MatMul", ["flat", f"w_{name}"], [name]) for name in names]
    outputs = [(name, [batch, size]) for name, size in zip(names, sizes, strict=True)]
    constants = [(f"w_{name}", values) for name, values in zip(names, weights, strict=True)]
    write_onnx(path, nodes, [("patches", [batch, *shape])], outputs, constants)
    return dict(zip(names, weights, strict=True))


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_image_shard(path, images, shape):
    """Write a shard of images, uint8 of a shape, by track."""
    with h5py.File(path, "w") as file:
        file["images"] = np.array(list(images.values()), np.uint8).reshape(-1, *shape)
        text = h5py.string_dtype("utf-8")
        file.create_dataset("track_id", data=list(images), dtype=text)
        file.create_dataset("genre", data=["rock"] * len(images), dtype=text)
        file["frames"] = np.full(len(images), shape[1], np.int32)
    return path
