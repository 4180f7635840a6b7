"""Time the features of image backbones against Keras's `predict` on one model a cut.

Both start from the same log-mel images in memory (of the synthetic music that engines are compared
on) and end in the features of all cuts, with random weights. Rounds alternate, so that other work
on the machine slows down both, and medians over the rounds are compared. The best round is held
against the machine's peak (peak.py). Agreement with
Keras's features is shown as their least cosine similarity, and as the workflow judges it: how
tracks differ counts, too.
"""

import argparse
import math
import os
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import keras
import numpy as np
from genreflow import config as configuration
from genreflow.features import engines, image_networks, preparation
from genreflow.features.engines import openvino
from genreflow.features.spectrograms import Settings
from peak import processor, products, raise_peak, seconds

BACKBONES = {
    "VGG16": ["block5_pool", "fc1", "fc2"],
    "ResNet50": ["conv5_block1_2_relu", "avg_pool"],
}
DEFAULTS = configuration.complete({})
STUDY = Settings(**DEFAULTS["audio"] | DEFAULTS["spectrogram"])
SHAPE = STUDY.shape
TARGETS = {"bfloat16": 8.0, "float32": 5.0}
"""For VGG16: how many times as fast as Keras."""


def plain_models(network: str, backbone: image_networks.Backbone) -> list[keras.Model]:
    """Return a model for each cut, as Keras's documentation shows it."""
    keras_module = sys.modules[getattr(keras.applications, network).__module__]
    models = []
    for output in backbone.network.outputs:
        height, width, channels = backbone.network.input_shape[1:]
        images = keras.Input((*SHAPE, 1))
        x = keras.layers.Resizing(height, width)(images)
        x = keras_module.preprocess_input(keras.ops.repeat(x, channels, axis=-1))
        models.append(keras.Model(images, keras.Model(backbone.network.inputs, output)(x)))
    return models


def by_engine(run: engines.Run, images: np.ndarray) -> list[np.ndarray]:
    starts = range(0, len(images), engines.BATCH_SIZE)
    batches = [run(images[start : start + engines.BATCH_SIZE]) for start in starts]
    return [np.concatenate(cut) for cut in zip(*batches, strict=True)]


def ways(
    network: str, backbone: image_networks.Backbone, images: np.ndarray, threads: int
) -> dict[str, Callable[[], list[np.ndarray]]]:
    models = plain_models(network, backbone)
    grey = images[..., np.newaxis]
    cuts = list(backbone.cuts)
    whole = engines.convert(backbone.on_images(SHAPE), cuts)
    found = {"Keras, a model a cut": lambda: [m.predict(grey, verbose=0) for m in models]}
    for precision in reversed(engines.precisions()):
        run = engines.by_openvino(whole, precision=precision, threads=threads)
        found[f"OpenVINO, {precision}, one pass"] = lambda run=run: by_engine(run, images)
    single = [
        engines.by_openvino(
            openvino.Model([whole.output(cut)], whole.get_parameters(), cut),
            precision=precision,
            threads=threads,
        )
        for cut in cuts
    ]
    found[f"OpenVINO, {precision}, a pass a cut"] = lambda: [
        features for run in single for features in by_engine(run, images)
    ]
    return found


def operations(network: keras.Model) -> int:
    """Return how many multiplications and additions an image takes in its weighted layers."""
    total = 0
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D):
            positions = layer.output.shape[1] * layer.output.shape[2]
            total += 2 * math.prod(layer.kernel.shape) * positions
        elif isinstance(layer, keras.layers.Dense):
            total += 2 * math.prod(layer.kernel.shape)
    return total


def measure(network: str, images: np.ndarray, rounds: int, threads: int) -> dict[str, float]:
    """Print the table of a backbone and return how many times as fast each way is."""
    backbone = image_networks.build(network, BACKBONES[network], seed=0)
    work = ways(network, backbone, images, threads)
    results = {way: run() for way, run in work.items()}  # and all that is done but once
    matrices = products(threads, engines.precisions())
    peak: dict[str, float] = {}
    times: dict[str, list[float]] = {way: [] for way in work}
    for _ in range(rounds):
        for way, run in work.items():
            times[way].append(seconds(run))
            raise_peak(peak, matrices)
    medians = {way: statistics.median(found) for way, found in times.items()}
    plain = next(iter(medians))
    print(f"\n{network}: {', '.join(backbone.cuts)}\n")
    print("| way | images a second | times as fast | share of the peak | cosine | agreement |")
    print("|---|---|---|---|---|---|")
    agreed: dict[str, float] = {}
    for way, elapsed in medians.items():
        passes = len(backbone.cuts) if "a cut" in way else 1
        precision = "bfloat16" if "bfloat16" in way else "float32"
        rate = len(images) / elapsed
        best = passes * len(images) / min(times[way])
        share = best * operations(backbone.network) / peak[precision]
        pairs = [
            [cut.reshape(len(cut), -1).astype(np.float64) for cut in pair]
            for pair in zip(results[way], results[plain], strict=True)
        ]
        similar = min(engines.cosine(*pair) for pair in pairs)
        agreed[way] = min(engines.agreement(*pair) for pair in pairs)
        print(
            f"| {way} | {rate:.1f} | {medians[plain] / elapsed:.1f} | {share:.0%} | {similar:.5f} "
            f"| {agreed[way]:.5f} |"
        )
        assert similar > engines.AGREEMENT
    said = ", ".join(f"{name} {value / 1e9:.0f} GFLOP/s" for name, value in peak.items())
    print(f"\nMatrix product: {said}; {operations(backbone.network) / 1e9:.1f} GFLOP an image")
    passing = (
        f"OpenVINO, {precision}"
        for precision in engines.precisions()
        if agreed[f"OpenVINO, {precision}, one pass"] > engines.AGREEMENT
    )
    print(f"With these random weights the engine `auto` takes {next(passing, 'Keras')}")
    return {way: medians[plain] / elapsed for way, elapsed in medians.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--quick", action="store_true", help="8 images, 1 round")
    args = parser.parse_args()
    if args.quick:
        args.images, args.rounds = 8, 1
    print(
        f"{args.images} images of {SHAPE[0]} x {SHAPE[1]}; {args.rounds} rounds, "
        f"{args.threads} threads, {processor()}, load {os.getloadavg()[0]:.1f}"
    )
    images = np.resize(preparation.trial_images(STUDY), (args.images, *SHAPE))
    faster = {name: measure(name, images, args.rounds, args.threads) for name in BACKBONES}
    best = engines.precisions()[0]
    ratio = faster["VGG16"][f"OpenVINO, {best}, one pass"]
    print(f"\nVGG16, {best}: {ratio:.1f} times as fast (target: {TARGETS[best]:g})")
    return 0 if ratio >= TARGETS[best] else 1


if __name__ == "__main__":
    sys.exit(main())
