"""Time musicnn on one core, against the plain way: librosa, and its graph as it stands.

A clip of 30 s goes from 16-bit samples at 22,050 Hz to its features. The plain way resamples it and
makes the mel spectrogram by librosa, as the network's authors did, and runs all patches at once in
a graph that has each operation of the published one, by onnxruntime where that is installed, else
by OpenVINO. The workflow's way, by OpenVINO, is that of every job, of prediction and of timing.
Rounds alternate, so that other work on the machine slows down all, and medians over the rounds are
compared; the best round of the networks alone is held against the machine's peak (peak.py).
"""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", TF_CPP_MIN_LOG_LEVEL="2")

import argparse
import math
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import librosa
import numpy as np
import onnx
from genreflow.corpus.styles import STYLES
from genreflow.corpus.synthesis import render
from genreflow.features import musicnn, packages, recipes
from genreflow.features.engines import openvino
from genreflow.features.feature_set import Sound
from genreflow.features.kinds.onnx_network import OnnxBackbone, OnnxNetwork
from onnx import helper, numpy_helper
from peak import processor, products, raise_peak, seconds

SECONDS, RATE = 30, 22050
OUTPUTS = ["pool", "penultimate", "tags"]
TARGET = 2.0
"""How many times as fast as the plain way."""

PLAIN = "onnxruntime" if find_spec("onnxruntime") else "OpenVINO"
"""What runs the plain way; the project itself doesn't need onnxruntime."""

Way = Callable[[], list[np.ndarray]]


class PlainGraph:
    """The published graph, an ONNX operation for each of its own."""

    def __init__(self, variables: Mapping[str, np.ndarray]) -> None:
        self.variables, self.nodes, self.weights = variables, [], []

    def add(self, operation: str, *inputs: str | np.ndarray, name: str = "", **more: object) -> str:
        """Add a node, and those of its inputs that are numbers; return its output's name."""
        names = []
        for one in inputs:
            if not isinstance(one, str):
                self.weights.append(numpy_helper.from_array(one, f"weight_{len(self.weights)}"))
                one = self.weights[-1].name
            names.append(one)
        name = name or f"value_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, names, [name], **more))
        return name

    def normalised(self, number: int, values: str, name: str = "") -> str:
        of = f"batch_normalization_{number}" if number else "batch_normalization"
        keys = ("gamma", "beta", "moving_mean", "moving_variance")
        weights = [self.variables[f"{of}/{key}"] for key in keys]
        return self.add("BatchNormalization", values, *weights, name=name, epsilon=musicnn.EPSILON)

    def filtered(self, number: int, values: str, pads: list[int]) -> str:
        of = f"conv2d_{number}" if number else "conv2d"
        kernel = np.ascontiguousarray(self.variables[f"{of}/kernel"].transpose(3, 2, 0, 1))
        found = self.add("Conv", values, kernel, self.variables[f"{of}/bias"], pads=pads)
        return self.normalised(number + 1, self.add("Relu", found))

    def dense(self, number: int, values: str) -> str:
        of = f"dense_{number}" if number else "dense"
        return self.add(
            "Gemm", values, *(self.variables[f"{of}/{one}"] for one in ("kernel", "bias"))
        )

    def heard(self, number: int, values: str) -> str:
        """Return what filters over the spectrogram hear: (n, filters, frames, 1)."""
        of = f"conv2d_{number}" if number else "conv2d"
        height, width = self.variables[f"{of}/kernel"].shape[:2]
        found = self.filtered(number, values, [(height - 1) // 2, 0, height // 2, 0])
        return self.add("MaxPool", found, kernel_shape=[1, musicnn.BANDS - width + 1])

    def over_time(self, number: int, layer: str) -> str:
        """Return filters over all of a layer (n, 1, frames, size), in the same shape."""
        found = self.filtered(number, layer, [3, 0, 3, 0])
        return self.add("Transpose", found, perm=[0, 3, 2, 1])

    def build(self) -> onnx.ModelProto:
        """Return the network: all places of all filters, and dense layers as they were trained."""
        one = self.add("Unsqueeze", "patches", np.array([1]))
        one = self.normalised(0, one)
        heard = [self.heard(number, one) for number in (*musicnn.TIMBRE, *musicnn.RHYTHM)]
        first = self.add("Transpose", self.add("Concat", *heard, axis=1), perm=[0, 3, 2, 1])
        layers = [first, self.over_time(5, first)]
        for number in (6, 7):
            layers.append(self.add("Add", layers[-1], self.over_time(number, layers[-1])))
        everything = self.add("Concat", *layers, axis=3)
        maxima = self.add("ReduceMax", everything, axes=[2], keepdims=0)
        means = self.add("ReduceMean", everything, axes=[2], keepdims=0)
        pool = self.add("Concat", maxima, means, axis=1)
        self.add("Reshape", pool, np.array([0, -1]), name="pool")
        beside = self.add("Transpose", pool, perm=[0, 2, 1])
        flat = self.normalised(9, self.add("Reshape", beside, np.array([0, -1])))
        penultimate = self.normalised(10, self.add("Relu", self.dense(0, flat)), "penultimate")
        self.add("Sigmoid", self.dense(1, penultimate), name="tags")
        value = helper.make_tensor_value_info
        made = helper.make_graph(
            self.nodes,
            "published",
            [value("patches", 1, ["patches", musicnn.FRAMES, musicnn.BANDS])],
            [value(name, 1, ["patches", None]) for name in OUTPUTS],
            self.weights,
        )
        opset = [helper.make_opsetid("", 17)]
        return helper.make_model(made, opset_imports=opset, ir_version=8)


def plain_patches(samples: np.ndarray) -> np.ndarray:
    """Return the patches of a clip (n, 187, 96), as the authors' code makes them by librosa."""
    values = librosa.resample(samples.astype(np.float32) / 32768, orig_sr=RATE, target_sr=16000)
    mel = librosa.feature.melspectrogram(
        y=values, sr=16000, n_fft=512, hop_length=256, n_mels=96, pad_mode="reflect"
    )
    frames = np.log10(1 + 10000 * mel).astype(np.float32).T
    count = len(frames) // musicnn.FRAMES
    return frames[: count * musicnn.FRAMES].reshape(count, musicnn.FRAMES, musicnn.BANDS)


def in_plain_engine(model: bytes) -> Callable[[np.ndarray], list[np.ndarray]]:
    """Return what runs patches: the means over them of the penultimate layer, (1, 200)."""
    if PLAIN == "OpenVINO":
        return in_openvino(model)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda patches: [session.run(OUTPUTS, {"patches": patches})[1].mean(0, keepdims=True)]


def in_openvino(model: bytes) -> Callable[[np.ndarray], list[np.ndarray]]:
    """Return the same by OpenVINO, in float32."""
    hints = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
    core = openvino.Core()
    request = core.compile_model(core.read_model(model), "CPU", hints).create_infer_request()

    def run(patches: np.ndarray) -> list[np.ndarray]:
        request.infer([patches], share_inputs=True)
        return [request.get_tensor("penultimate").data.mean(0, keepdims=True)]

    return run


def operations(model: onnx.ModelProto, patches: int) -> int:
    """Return the multiplications and additions of a graph's filters and dense layers."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = patches
    shapes = {
        one.name: [place.dim_value for place in one.type.tensor_type.shape.dim]
        for one in onnx.shape_inference.infer_shapes(model).graph.value_info
    }
    weights = {one.name: list(one.dims) for one in model.graph.initializer}
    total = 0
    for node in model.graph.node:
        if node.op_type == "Conv":
            found = shapes[node.output[0]]
            total += 2 * math.prod(weights[node.input[1]]) * found[0] * math.prod(found[2:])
        elif node.op_type == "Gemm":
            total += 2 * patches * math.prod(weights[node.input[1]])
    return total


def planned(folder: Path, model: bytes) -> OnnxNetwork:
    """Return the feature set of a recipe, all outputs, as a job has it."""
    network = folder / "network.onnx"
    network.write_bytes(model)
    given = {"network": "musicnn", "cuts": {name: name for name in OUTPUTS}}
    backbone = OnnxBackbone.model_validate(given).model_dump(exclude_none=True)
    settings = {key: backbone[key] for key in ("cuts", "input", "sample_rate", "mel")}
    return OnnxNetwork("musicnn", settings | {"dtype": "float32"}, str(network), threads=1)


def measure(ways: Mapping[str, Way], rounds: int, work: int) -> dict[str, float]:
    """Time ways, print their table, and return how many times as fast each one is.

    `work` is how many operations those take that only run the workflow's graph.
    """
    expected = {name: way()[0] for name, way in ways.items()}  # and all that is done but once
    matrices, peak = products(1, ["float32"]), {}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            times[name].append(seconds(way))
        raise_peak(peak, matrices)
    medians = {name: statistics.median(found) for name, found in times.items()}
    plain, first = next(iter(medians.items()))
    print("| way | seconds a clip | times as fast | share of the peak | largest difference |")
    print("|---|---|---|---|---|")
    for name, elapsed in medians.items():
        share = f"{work / min(times[name]) / peak['float32']:.0%}" if "alone" in name else ""
        apart = np.abs(expected[name] - expected[plain]).max()
        print(f"| {name} | {elapsed:.3f} | {first / elapsed:.1f} | {share} | {apart:.1e} |")
    print(f"\nMatrix product: {peak['float32'] / 1e9:.0f} GFLOP/s")
    return {name: first / elapsed for name, elapsed in medians.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="3 rounds")
    args = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    clip = render(
        next(iter(STYLES)), seed=0, artist=0, clip=0, rate=RATE, channels=1, seconds=SECONDS
    )
    sound = Sound((clip[:, 0] * 32767).astype(np.int16), RATE)
    package = recipes.known()["musicnn"].package
    read = packages.read(package.name, package.version, (package.data, package.index), wheel="")
    variables = musicnn.read(*read)
    published, ours = PlainGraph(variables).build(), musicnn.build(variables)
    graph = ours.SerializeToString()
    plain, single = in_plain_engine(published.SerializeToString()), in_plain_engine(graph)
    openvino_way = in_openvino(graph)
    patches = plain_patches(sound.samples)
    work = operations(ours, len(patches))
    print(
        f"{SECONDS} s of audio, {len(patches)} patches, one core of {processor()}, load "
        f"{os.getloadavg()[0]:.1f}; {operations(published, len(patches)) / 1e9:.1f} GFLOP in the "
        f"published graph, {work / 1e9:.1f} in the workflow's\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        features = planned(Path(folder), graph)
        ways = {
            "librosa and the published graph": lambda: plain(plain_patches(sound.samples)),
            "the workflow": lambda: [features.extract([sound])["penultimate"]],
            f"published graph alone, {PLAIN}": lambda: plain(patches),
            f"workflow's graph alone, {PLAIN}": lambda: single(patches),
            "workflow's graph alone": lambda: openvino_way(patches),
        }
        faster = measure(ways, 3 if args.quick else args.rounds, work)
    print(f"\nThe workflow: {faster['the workflow']:.1f} times as fast (target: {TARGET:g})")
    return 0 if faster["the workflow"] >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
