"""The study's convolutional network on log-mel images, and the images as its input."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pandas as pd
from keras import layers

from genreflow import spectrograms, training
from genreflow.errors import GenreflowError
from genreflow.tracks import PARTS

POOLING = {"resized": (2, 2), "full-time": (2, 5)}
"""Pooling along (frequency, time) of each geometry."""

RESIZED = (128, 128)
"""What the geometry `resized` resizes an image to."""


def simple(
    shape: tuple[int, int],
    n_genres: int,
    *,
    geometry: str,
    filters: Sequence[int],
    kernel_size: int,
    dropout: float,
    momentum: float,
) -> keras.Model:
    """Build the simple CNN of the study, after Kostrzewa et al. (ICCS 2021).

    Blocks of convolution, ReLU, batch normalisation and max pooling, then dropout and a softmax.
    For 8 genres, kernels of 5 and filters 64, 64, 128, 128 it has 735,944 trainable parameters in
    either geometry.

    Parameters
    ----------
    shape
        Height and width of an image.
    n_genres
        Number of classes.
    geometry
        ``resized``: the image is resized bilinearly to 128 x 128, convolutions are unpadded,
        pooling is 2. ``full-time``: the image keeps its time axis, convolutions are padded,
        pooling is 2 along frequency and 5 along time.
    filters
        Number of kernels of each convolution.
    kernel_size
        Height and width of every kernel.
    dropout
        Share of the units dropped before the last layer.
    momentum
        Of the moving averages of batch normalisation. Keras's 0.99 needs some hundred steps
        before validation means anything, which a small corpus takes many epochs for.
    """
    image = keras.Input((*shape, 1), name="image")
    x = layers.Rescaling(1 / 255, name="rescaling")(image)
    if geometry == "resized":
        x = layers.Resizing(*RESIZED, interpolation="bilinear", name="resizing")(x)
    padding = "valid" if geometry == "resized" else "same"
    for number, kernels in enumerate(filters, start=1):
        x = layers.Conv2D(
            kernels, kernel_size, padding=padding, activation="relu", name=f"conv_{number}"
        )(x)
        x = layers.BatchNormalization(momentum=momentum, name=f"norm_{number}")(x)
        x = layers.MaxPooling2D(POOLING[geometry], name=f"pool_{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    # Softmax in float32: half precision loses small probabilities.
    genre = layers.Dense(n_genres, activation="softmax", dtype="float32", name="genre")(x)
    return keras.Model(image, genre, name="simple")


class ImageBatches(keras.utils.PyDataset):
    """Batches of images and labels from HDF5, for training and prediction.

    All images that are asked for are held in memory if they fit; else each batch is read from
    disk when it is its turn. A shuffled epoch's order depends on the seed and the epoch alone.

    Parameters
    ----------
    images
        Dataset of shape (n, n_mels, n_frames), uint8.
    rows
        Which of its rows to use.
    labels : int, shape (len(rows),)
        Class of each.
    batch_size
        Images a batch.
    memory
        Bytes that the images may take.
    shuffle_seed
        Shuffles each epoch; None keeps the order.
    """

    def __init__(
        self,
        images: h5py.Dataset,
        rows: np.ndarray,
        labels: np.ndarray,
        *,
        batch_size: int,
        memory: int,
        shuffle_seed: int | None = None,
    ):
        super().__init__(workers=1, max_queue_size=4)
        self._rows, self._labels = np.asarray(rows), np.asarray(labels)
        self._batch_size = batch_size
        fits = len(rows) * int(np.prod(images.shape[1:])) <= memory
        self._held = _read(images, self._rows) if fits else None
        self._images = images
        self._order = training.EpochOrder(len(rows), shuffle_seed)

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return -(-len(self._rows) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a batch: images (n, n_mels, n_frames, 1) uint8 and labels (n,)."""
        picked = self._order.rows[index * self._batch_size : (index + 1) * self._batch_size]
        if self._held is not None:
            images = self._held[picked]
        else:
            images = _read(self._images, self._rows[picked])
        return images[..., np.newaxis], self._labels[picked]

    def on_epoch_end(self) -> None:
        """Shuffle for the next epoch."""
        self._order.advance()


def _read(images: h5py.Dataset, rows: np.ndarray) -> np.ndarray:
    """Read rows in any order; HDF5 itself wants them increasing."""
    order = np.argsort(rows, kind="stable")
    read = np.empty((len(rows), *images.shape[1:]), dtype=images.dtype)
    read[order] = images[rows[order]] if len(rows) else read
    return read


def fit(
    images: str | Path,
    split: pd.DataFrame,
    *,
    variant: Mapping[str, Any],
    batch_size: int,
    memory_mb: int,
    seed: int,
    report: Callable[[str], None],
    **settings: Any,
) -> tuple[keras.Model, pd.DataFrame, pd.DataFrame]:
    """Train a variant on a split and predict all of the split's tracks.

    Parameters
    ----------
    images
        The joined log-mel images.
    split
        Columns track_id and part.
    variant
        Keyword arguments of `simple`, and learning_rate.
    batch_size
        Images a step.
    memory_mb
        Images are held in memory up to this much [MB].
    seed
        Of the shuffling; `genreflow.backend.configure` seeds the weights.
    report
        Called with a line of text after each epoch.
    **settings
        Of `genreflow.training.train`: epochs, monitor, patience.

    Returns
    -------
    model : keras.Model
    history, predictions : pandas.DataFrame

    Raises
    ------
    GenreflowError
        If a track of the split has no image.
    """
    architecture = dict(variant)
    learning_rate = architecture.pop("learning_rate")
    with spectrograms.open_images(images) as file:
        rows = _rows_of(file, split, images)
        genres = sorted(set(file["genre"].asstr()[:][rows]))
        labels = np.searchsorted(genres, file["genre"].asstr()[:][rows])

        def batches(part: np.ndarray, shuffle_seed: int | None = None) -> ImageBatches:
            return ImageBatches(
                file["images"],
                rows[part],
                labels[part],
                batch_size=batch_size,
                memory=memory_mb * 10**6,
                shuffle_seed=shuffle_seed,
            )

        parts = split["part"].to_numpy()
        model = simple(file["images"].shape[1:], len(genres), **architecture)
        history = training.train(
            model,
            batches(parts == PARTS[0], shuffle_seed=seed),
            batches(parts == PARTS[1]),
            learning_rate=learning_rate,
            report=report,
            **settings,
        )
        # Rows of a batch don't depend on each other, so prediction may read from disk.
        probabilities = model.predict(batches(np.ones(len(rows), dtype=bool)), verbose=0)
    predictions = training.predictions(
        probabilities,
        track_ids=split["track_id"].to_numpy(),
        parts=parts,
        labels=labels,
        genres=genres,
    )
    return model, history, predictions


def _rows_of(file: h5py.File, split: pd.DataFrame, images: str | Path) -> np.ndarray:
    row_of = {track_id: row for row, track_id in enumerate(file["track_id"].asstr()[:])}
    lacking = [track_id for track_id in split["track_id"] if track_id not in row_of]
    if lacking:
        raise GenreflowError(
            f"{images} has no image of track {lacking[0]} and {len(lacking) - 1} more tracks of "
            "the split: delete it and run again"
        )
    return np.array([row_of[track_id] for track_id in split["track_id"]])
