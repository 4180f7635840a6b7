"""Training where the operating system gives a process less memory than the images take."""

import resource
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from genreflow.features import backend, spectrograms
from genreflow.learners import cnn
from made import images as made_images

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform != "linux", reason="other systems don't enforce RLIMIT_DATA"),
]

SHAPE = (512, 2048)
IMAGES, SHARDS = 700, 4
ALLOWED = 350 * 10**6
"""What training may take on top of TensorFlow [bytes]: half of what the images take."""

VARIANT = {**made_images.VARIANT, "geometry": "resized", "filters": [2], "dropout": 0, "crops": 1}


def write_shards(folder, images):
    """Write images of two genres, and join the shards; ids are unlike those of other folders."""
    folder.mkdir()
    shards = []
    for shard, numbers in enumerate(np.array_split(np.arange(images), SHARDS)):
        shards.append(folder / f"{shard}.h5")
        with h5py.File(shards[-1], "w") as file:
            written = file.create_dataset(
                "images", (len(numbers), *SHAPE), "u1", chunks=(1, *SHAPE), compression="lzf"
            )
            for place, number in enumerate(numbers):
                written[place] = np.uint8(20 + 200 * (number % 2))
            file["track_id"] = [f"t{number}" for number in numbers]
            file["genre"] = [("Gagaku", "Morna")[number % 2] for number in numbers]
            file["frames"] = np.full(len(numbers), SHAPE[1], np.int32)
    spectrograms.join(folder / "images.h5", shards)
    return folder / "images.h5"


def split_of(images):
    numbers = np.arange(images)
    parts = np.where(numbers < images - 8, "training", "validation")
    parts[-4:] = "test"
    return pd.DataFrame({"track_id": [f"t{number}" for number in numbers], "part": parts})


def fit(path, images, memory_mb):
    _, _, predictions = cnn.fit(
        path,
        split_of(images),
        variant=VARIANT,
        memory_mb=memory_mb,
        seed=0,
        report=print,
        batch_size=8,
        epochs=1,
        monitor="val_loss",
        patience=1,
        class_weight="none",
    )
    return predictions


def train_within_limit(small, large, memory_mb):
    """Train on a few images, so that all is loaded; then on many, with a limit of memory."""
    backend.configure(threads=1, seed=0)
    fit(small, 40, memory_mb=0)
    status = Path("/proc/self/status").read_text().splitlines()
    [used] = [int(line.split()[1]) * 1024 for line in status if line.startswith("VmData")]
    resource.setrlimit(resource.RLIMIT_DATA, (used + ALLOWED, used + ALLOWED))
    print(len(fit(large, IMAGES, memory_mb)), "predicted")


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    return [
        str(write_shards(folder / name, images)) for name, images in (("few", 40), ("all", IMAGES))
    ]


def trained(corpora, memory_mb):
    code = (
        f"from learners import test_memory; test_memory.train_within_limit(*{corpora}, {memory_mb})"
    )
    tests, scripts = Path(__file__).parents[1], Path(__file__).parents[2] / "scripts"
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": f"{tests}:{scripts}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_training_reads_from_shards_what_memory_cannot_hold(corpora):
    assert np.prod((IMAGES, *SHAPE)) > 2 * ALLOWED
    done = trained(corpora, memory_mb=50)
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"{IMAGES} predicted" in done.stdout


def test_the_limit_is_one_that_held_images_do_not_keep(corpora):
    done = trained(corpora, memory_mb=4000)
    assert done.returncode != 0
    assert "predicted" not in done.stdout
    assert "MemoryError" in done.stderr
