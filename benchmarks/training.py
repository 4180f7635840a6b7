"""Training of the study's simple CNN: oneDNN, precisions, XLA, and how long it waits for images.

Run it by `make bench`. Ratios are to float32 of images in memory with TensorFlow's own operations
instead of oneDNN's.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import h5py
import keras
import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from genreflow.config import complete
from genreflow.features import backend
from genreflow.learners import architectures, cnn

N_MELS, N_FRAMES = 128, 1280
GEOMETRIES = ("resized", "full-time")
PRECISIONS = list(dict.fromkeys(["float32", backend.processor_precision()]))
"""Emulated bfloat16 takes eight times as long as float32."""
KINDS = (("own", "0", "--no-xla"), ("oneDNN", "1", "--no-xla"), ("oneDNN", "1", "--xla"))
"""Whose operations, TF_ENABLE_ONEDNN_OPTS, and the argument of the process that times them."""


def write_images(path: Path, n: int) -> pd.DataFrame:
    """Write images that compress as log-mel images do, in the shards' format; return a split."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        images = file.create_dataset(
            "images",
            (n, N_MELS, N_FRAMES),
            "u1",
            chunks=(1, N_MELS, N_FRAMES),
            compression="gzip",
            compression_opts=1,
        )
        for row in range(n):
            slow = np.repeat(rng.normal(0, 30, (N_MELS, N_FRAMES // 8)), 8, axis=1)
            images[row] = np.clip(slow + rng.normal(128, 4, slow.shape), 0, 255).astype(np.uint8)
        file["track_id"] = [f"t{row}" for row in range(n)]
        file["genre"] = [f"g{row % 8}" for row in range(n)]
        file["frames"] = np.full(n, N_FRAMES, np.int32)
        file.attrs["invert"] = True
    return pd.DataFrame({"track_id": [f"t{row}" for row in range(n)], "part": "training"})


class Ready(keras.utils.PyDataset):
    """The first batch of a data set, over and over: what training is fed without waiting."""

    def __init__(self, batches):
        super().__init__(workers=1, max_queue_size=4)
        self._batch, self._length = batches[0], len(batches)

    def __len__(self):
        """Return the number of batches of an epoch."""
        return self._length

    def __getitem__(self, index):
        """Return the batch."""
        return self._batch


def epoch(model, batches) -> float:
    """Return the seconds that an epoch takes."""
    start = time.perf_counter()
    model.fit(batches, epochs=1, verbose=0, shuffle=False)
    return time.perf_counter() - start


def compiled(geometry: str, precision: str, *, jit: bool) -> keras.Model:
    """Return the simple CNN as training sees it."""
    keras.utils.set_random_seed(0)
    keras.mixed_precision.set_global_policy(precision)
    chosen = complete({"cnn": {"variants": {"it": {"geometry": geometry}}}})["cnn"]["variants"][
        "it"
    ]
    settings = {name: chosen[name] for name in architectures.settings_of("simple")}
    model = architectures.simple((N_MELS, N_FRAMES), 8, **settings)
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=jit)
    return model


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--geometries", nargs="+", choices=GEOMETRIES, default=GEOMETRIES)
    # Keras uses XLA only where operations needn't be deterministic: a choice for a process.
    parser.add_argument("--xla", action=argparse.BooleanOptionalAction)
    return parser.parse_args()


def main() -> None:
    """Print the table of all kinds of processes, or as one of them what it measured."""
    args = parse()
    if args.xla is None:
        print(f"simple CNN, batches of {args.batch_size} images, {args.threads} threads")
        print("| geometry | operations | images from | precision | images a second |", end=" ")
        print("ratio | waiting for images |\n|---|---|---|---|---|---|---|", flush=True)
        plain: dict[str, float] = {}
        for whose, onednn, kind in KINDS:
            env = os.environ | {"TF_ENABLE_ONEDNN_OPTS": onednn}
            command = [sys.executable, __file__, *sys.argv[1:], kind]
            done = subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE)
            for line in done.stdout.splitlines():
                tell(whose, plain, **json.loads(line))
        return
    if args.xla:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(args.threads)
    else:
        backend.configure(threads=args.threads, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "images.h5")
        split = write_images(path, args.images)
        for memory_mb in (1000,) if args.xla else (1000, 0):
            with cnn.open_split(path, split, memory_mb=memory_mb) as images:
                batches = images.batches(["training"], batch_size=args.batch_size, shuffle_seed=0)
                for geometry in args.geometries:
                    compare(batches, args, geometry, "memory" if memory_mb else "disk")


def compare(batches, args: argparse.Namespace, geometry: str, where: str) -> None:
    """Time the ways to train on a data set in turns, and how long each waits for images."""
    ways = [(precision, jit) for precision in PRECISIONS for jit in {False, args.xla}]
    models = {way: compiled(geometry, way[0], jit=way[1]) for way in ways}
    took, unfed = defaultdict(list), defaultdict(list)
    for _ in range(args.repeats + 1):
        for way, model in models.items():
            took[way].append(epoch(model, batches))
            unfed[way].append(epoch(model, Ready(batches)))
    # The first epoch of each compiles. The best is the one that other programs disturbed least.
    best = {way: min(found[1:]) for way, found in took.items()}
    for way, seconds in best.items():
        precision, jit = way
        kind = "deterministic" if not args.xla else "XLA" if jit else "not deterministic"
        waits = max(0, 1 - min(unfed[way][1:]) / seconds)
        found = {"geometry": geometry, "kind": kind, "where": where, "precision": precision}
        print(json.dumps(found | {"rate": args.images / seconds, "waits": waits}), flush=True)


def tell(whose, plain, *, geometry, kind, where, precision, rate, waits) -> None:
    """Print a row, its ratio to the first of its geometry, which ``plain`` keeps."""
    ratio = rate / plain.setdefault(geometry, rate)
    operations = f"{whose}, {kind}"
    cells = (geometry, operations, where, precision, f"{rate:.1f}", f"{ratio:.2f}", f"{waits:.1%}")
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
