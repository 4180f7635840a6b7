"""Training of the study's simple CNN: precisions, XLA, and the share of time it waits for images.

Run it by `make bench`. Every figure is a ratio to float32 without XLA, in the same run.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import h5py
import keras
import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from genreflow import backend, cnn
from genreflow.networks import simple

N_MELS, N_FRAMES = 128, 1280
GEOMETRIES = ("resized", "full-time")
PRECISIONS = ("float32", "mixed_bfloat16")


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


def seconds_an_epoch(model, batches, repeats: int) -> float:
    """Return the median time of an epoch, after one that compiles."""
    model.fit(batches, epochs=1, verbose=0, shuffle=False)
    took = []
    for _ in range(repeats):
        start = time.perf_counter()
        model.fit(batches, epochs=1, verbose=0, shuffle=False)
        took.append(time.perf_counter() - start)
    return statistics.median(took)


def compiled(geometry: str, precision: str, *, jit: bool) -> keras.Model:
    """Return the simple CNN as training sees it."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    keras.mixed_precision.set_global_policy(precision)
    model = simple((N_MELS, N_FRAMES), 8, geometry=geometry)
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=jit)
    return model


def main() -> None:
    """Print a table, and the share of waiting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--jit", action=argparse.BooleanOptionalAction, default=True)
    args = parser.parse_args()
    backend.configure(threads=args.threads, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "images.h5")
        split = write_images(path, args.images)
        print(f"simple CNN, {keras.backend.backend()}, {args.threads} threads, batch size", end=" ")
        print(f"{args.batch_size}: images a second, ratio to float32 without XLA")
        for memory_mb, where in ((1000, "memory"), (0, "disk")):
            with cnn.open_split(path, split, memory_mb=memory_mb) as images:
                batches = images.batches(["training"], batch_size=args.batch_size, shuffle_seed=0)
                compare(batches, args, where)


def compare(batches, args: argparse.Namespace, where: str) -> None:
    """Time the ways to train on a data set, and the waiting of the fastest."""
    for geometry in GEOMETRIES:
        plain = None
        for precision in PRECISIONS:
            for jit in (False, True) if args.jit and where == "memory" else (False,):
                model = compiled(geometry, precision, jit=jit)
                took = seconds_an_epoch(model, batches, args.repeats)
                plain = plain or took
                name = f"{precision}{', XLA' if jit else ''}"
                line = f"  {geometry:9} {name:20} from {where:6} {args.images / took:6.1f}/s"
                line += f" {plain / took:5.2f} times"
                if not jit:
                    ready = seconds_an_epoch(model, Ready(batches), args.repeats)
                    line += f", waits for images {max(0, 1 - ready / took):.1%} of the time"
                print(line)
                sys.stdout.flush()


if __name__ == "__main__":
    main()
