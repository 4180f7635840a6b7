"""A small corpus of images, and a small network for it."""

import h5py
import numpy as np
import pandas as pd

VARIANT = {
    "architecture": "simple",
    "geometry": "full-time",
    "filters": [4, 4],
    "kernel_size": 3,
    "dropout": 0.1,
    "momentum": 0.5,
    "learning_rate": 0.02,
    "weight_decay": 0,
    "schedule": "constant",
    "warmup": 0,
    "label_smoothing": 0,
    "augment": "none",
    "online": {},
    "mel_bands": 0,
    "dynamic_range": 1,
    "crop_frames": 0,
    "crops": 3,
}
SETTINGS = {
    "batch_size": 4,
    "epochs": 3,
    "monitor": "val_loss",
    "patience": 3,
    "class_weight": "none",
}
GENRES = ("Zouk", "Aubade", "Musette")
SHAPE = (16, 50)


def write_images(path):
    """Write images of three genres: a bright band at a height of its own, in noise."""
    rng = np.random.default_rng(0)
    genres = [GENRES[number % 3] for number in range(30)]
    pictures = rng.integers(0, 60, (30, *SHAPE))
    for picture, genre in zip(pictures, genres, strict=True):
        top = 5 * GENRES.index(genre)
        picture[top : top + 5] += 180
    with h5py.File(path, "w") as file:
        file["images"] = pictures.astype(np.uint8)
        file["track_id"] = [f"t{number}" for number in range(30)]
        file["genre"] = genres
        file["frames"] = np.full(30, SHAPE[1], np.int32)
    return path


def split_of(numbers):
    """Divide tracks into parts in turn: of each five, three are for training."""
    parts = ("training", "training", "training", "validation", "test")
    return pd.DataFrame(
        {
            "track_id": [f"t{number}" for number in numbers],
            "part": [parts[number // 3 % 5] for number in numbers],
        }
    )


def noise(n=6, shape=(32, 160), seed=0):
    """Make images none of whose levels is the mean."""
    images = np.random.default_rng(seed).integers(30, 90, (n, *shape, 1)).astype(np.uint8)
    images[images == round(images.mean())] += 2
    return images
