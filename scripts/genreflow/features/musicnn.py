"""musicnn: its weights, a TensorFlow checkpoint, as a network in ONNX that computes the same.

The network of J. Pons, X. Serra, "musicnn: pre-trained convolutional neural networks for music
audio tagging", arXiv:1909.06654: filters of timbre and of rhythm over a mel spectrogram, three
layers over time with all before them beside each, maximum and mean over time, two dense layers.

Two things make it faster. Most filters of the first layers were switched off in training: their
kernels have shrunk to nothing, and what they give is a constant, which needn't be computed for each
place. And the normalisation behind a filter, a scale and a shift, comes after the maximum over
frequencies; where the scale is negative, a minimum is what is wanted.
"""

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from genreflow.errors import GenreflowError
from genreflow.features import packages, recipes
from genreflow.features.onnx_networks import FILE
from genreflow.runtime.files import atomic

FRAMES, BANDS = 187, 96
"""Shape of a patch: 3 s of a mel spectrogram."""

EPSILON = 0.001
"""Of its normalisations."""

NOTHING = 1e-6
"""A filter whose absolute weights add up to less gives a constant, to five digits."""

TIMBRE, RHYTHM = (0, 1), (2, 3, 4)
"""Which convolutions look across frequencies, and which along time only."""

Variables = Mapping[str, np.ndarray]


class _Graph:
    """Nodes and weights of a graph in the making; values are known by their names."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def weight(self, values: np.ndarray, dtype: type = np.float32) -> str:
        """Add weights; return their name."""
        name = f"weight_{len(self.weights)}"
        self.weights.append(onnx.numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def add(self, operation: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Add a node; return the name of its output."""
        name = name or f"value_{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(operation, inputs, [name], **attributes))
        return name


def make(
    folder: str | Path, settings: Mapping[str, Any], *, network: str = "", **unused: Any
) -> str:
    """Make the network of a recipe in a folder, for the rule ``network``; say what it is made of.

    The settings are recipe, its name, and the sha256 of the checkpoint; the network is the wheel
    that holds it, where its package isn't installed.

    Raises
    ------
    GenreflowError
        If the checkpoint isn't there, or is another one.
    """
    package = recipes.known()[settings["recipe"]].package
    members = (package.data, package.index)
    data, index = packages.read(package.name, package.version, members, wheel=network)
    if (found := hashlib.sha256(data).hexdigest()) != settings["sha256"]:
        raise GenreflowError(
            f"{package.data} of the package {package.name} {package.version} has the sha256 "
            f"{found}, expected {settings['sha256']}: install the package anew"
        )
    with atomic(Path(folder) / FILE) as part:
        onnx.save(build(read(data, index)), part)
    return f"made of the weights in {package.name} {package.version}"


def read(data: bytes, index: bytes) -> dict[str, np.ndarray]:
    """Return the variables of a TensorFlow checkpoint but those of its optimiser, by name."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory(prefix="genreflow-") as folder:
        place = Path(folder)
        (place / "weights.data-00000-of-00001").write_bytes(data)
        (place / "weights.index").write_bytes(index)
        reader = tf.train.load_checkpoint(str(place / "weights"))
        names = [name for name in reader.get_variable_to_shape_map() if "/Adam" not in name]
        return {name: reader.get_tensor(name) for name in names}


def build(variables: Variables) -> onnx.ModelProto:
    """Return the network of the variables of a checkpoint, by name.

    Returns
    -------
    onnx.ModelProto
        From ``patches`` (n, 187, 96) to ``tags`` (n, 50), probabilities; ``penultimate`` (n, 200);
        and ``pool`` (n, 1506), 753 maxima over time and the 753 means.
    """
    graph = _Graph()
    scale, shift = _normalisation(variables, 0)
    one = graph.add("Unsqueeze", "patches", graph.weight([1], np.int64))
    one = graph.add("Mul", one, graph.weight(scale))
    one = graph.add("Add", one, graph.weight(shift))
    heard = [_filtered(graph, variables, number, one) for number in (*TIMBRE, *RHYTHM)]
    first = _normalised(graph, variables, TIMBRE + RHYTHM, graph.add("Concat", *heard, axis=1))
    layers = [first, _over_time(graph, variables, 5, first)]
    for number in (6, 7):
        layers.append(
            graph.add("Add", layers[-1], _over_time(graph, variables, number, layers[-1]))
        )
    everything = graph.add("Concat", *layers, axis=1)
    maxima = graph.add("ReduceMax", everything, axes=[2], keepdims=0)
    means = graph.add("ReduceMean", everything, axes=[2], keepdims=0)
    _dense(graph, variables, graph.add("Concat", maxima, means, axis=1, name="pool"))
    outputs = {"tags": 50, "penultimate": 200, "pool": 1506}
    made = onnx.helper.make_graph(
        graph.nodes,
        "musicnn",
        [_value("patches", ["patches", FRAMES, BANDS])],
        [_value(name, ["patches", size]) for name, size in outputs.items()],
        graph.weights,
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    return onnx.helper.make_model(made, opset_imports=opset, ir_version=8)


def _value(name: str, shape: Sequence[str | int]) -> Any:
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)


def _numbered(name: str, number: int) -> str:
    return f"{name}_{number}" if number else name


def _normalisation(variables: Variables, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a normalisation as scale and shift."""
    of = _numbered("batch_normalization", number)
    gamma, beta, mean, variance = (
        variables[f"{of}/{one}"].astype(np.float64)
        for one in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    scale = gamma / np.sqrt(variance + EPSILON)
    return scale, beta - mean * scale


def _kernel(variables: Variables, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the kernel of a convolution (filters, height, width), its bias, and what is alive."""
    of = _numbered("conv2d", number)
    kernel, bias = (
        np.transpose(variables[f"{of}/kernel"][:, :, 0], (2, 0, 1)),
        variables[f"{of}/bias"],
    )
    return kernel, bias, np.abs(kernel).sum(axis=(1, 2)) >= NOTHING


def _filtered(graph: _Graph, variables: Variables, number: int, spectrogram: str) -> str:
    """Add filters over a spectrogram; return their maxima over frequencies (n, alive, frames)."""
    kernel, bias, alive = _kernel(variables, number)
    scale, _ = _normalisation(variables, number + 1)
    sign = np.where(scale[alive] < 0, -1, 1)
    height, width = kernel.shape[1:]
    found = graph.add(
        "Conv",
        spectrogram,
        graph.weight((sign[:, None, None] * kernel[alive])[:, None]),
        graph.weight(sign * bias[alive]),
        pads=[(height - 1) // 2, 0, height // 2, 0],
    )
    found = graph.add("MaxPool", found, kernel_shape=[1, BANDS - width + 1])
    found = graph.add("Squeeze", found, graph.weight([3], np.int64))
    return graph.add("Relu", graph.add("Mul", found, graph.weight(sign[:, None])))


def _normalised(graph: _Graph, variables: Variables, numbers: Sequence[int], alive: str) -> str:
    """Add the normalisation behind filters; return all filters, those that are constant too."""
    kernels = [_kernel(variables, number) for number in numbers]
    living = np.concatenate([one[2] for one in kernels])
    constant = np.maximum(np.concatenate([one[1] for one in kernels]), 0)
    both = [_normalisation(variables, number + 1) for number in numbers]
    scale, shift = map(np.concatenate, zip(*both, strict=True))
    places = np.flatnonzero(living)
    spread = np.zeros((len(living), len(places), 1))
    spread[places, np.arange(len(places)), 0] = scale[places]
    shift = np.where(living, shift, scale * constant + shift)
    return graph.add("Conv", alive, graph.weight(spread), graph.weight(shift))


def _over_time(graph: _Graph, variables: Variables, number: int, layer: str) -> str:
    """Add filters over all of a layer, seven frames long."""
    kernel, bias, alive = _kernel(variables, number)
    weights = graph.weight(np.swapaxes(kernel[alive], 1, 2))
    side = kernel.shape[1] // 2
    found = graph.add("Conv", layer, weights, graph.weight(bias[alive]), pads=[side, side])
    return _normalised(graph, variables, [number], graph.add("Relu", found))


def _dense(graph: _Graph, variables: Variables, pool: str) -> None:
    """Add the dense layers. In the checkpoint's order each maximum stands beside its mean."""
    scale, shift = _normalisation(variables, 9)
    kernel = variables["dense/kernel"].astype(np.float64)
    bias = variables["dense/bias"] + shift @ kernel
    weights = (scale[:, None] * kernel).reshape(-1, 2, kernel.shape[1])
    weights = np.swapaxes(weights, 0, 1).reshape(kernel.shape)
    dense = graph.add("Relu", graph.add("Gemm", pool, graph.weight(weights), graph.weight(bias)))
    scale, shift = _normalisation(variables, 10)
    scaled = graph.add("Mul", dense, graph.weight(scale))
    penultimate = graph.add("Add", scaled, graph.weight(shift), name="penultimate")
    weights = [graph.weight(variables[f"dense_1/{one}"]) for one in ("kernel", "bias")]
    graph.add("Sigmoid", graph.add("Gemm", penultimate, *weights), name="tags")
