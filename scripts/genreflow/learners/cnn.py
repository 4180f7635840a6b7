"""The CNN branch: variants of networks trained on log-mel images, and the images as input."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pandas as pd
import yaml
from keras import layers
from sklearn.utils.class_weight import compute_class_weight

from genreflow.corpus.tracks import PARTS
from genreflow.errors import GenreflowError
from genreflow.features.spectrograms import open_images
from genreflow.learners import architectures, augmentation, prediction_table, training
from genreflow.runtime import outcomes


class ImageBatches(training.Batches):
    """Batches of images and labels from HDF5, for training and prediction.

    All images that are asked for are held in memory if they fit; else each batch is read from
    disk when it is its turn, by a thread of its own. Crops depend on the seed, the epoch and the
    batch alone.

    `images` are datasets of shape (n, n_mels, n_frames), uint8, one behind another; `rows` are
    those to use, counted over all of them, and `labels` the class of each. `memory` is how many
    bytes the images may take. Crops have a length of `crop` frames; None for whole images. They
    start at `crop_starts`, one behind another; None draws a place for each image and epoch. The
    settings are batch_size and shuffle_seed of `training.Batches`.
    """

    def __init__(
        self,
        images: Sequence[h5py.Dataset],
        rows: np.ndarray,
        labels: np.ndarray,
        *,
        memory: int,
        crop: int | None = None,
        crop_starts: Sequence[int] | None = None,
        **settings: Any,
    ):
        super().__init__(images, labels, workers=1, max_queue_size=4, **settings)
        self._rows = np.asarray(rows)
        fits = len(rows) * int(np.prod(images[0].shape[1:])) <= memory
        self._held = _read(images, self._rows) if fits else None
        self._crop, self._crop_starts = crop, crop_starts

    def inputs(self, rows: np.ndarray, index: int) -> np.ndarray:
        """Return images (n or n x crops, n_mels, n_frames or crop, 1) uint8."""
        held = self._held
        images = held[rows] if held is not None else _read(self._x, self._rows[rows])
        return self._cropped(images, index)[..., np.newaxis]

    def _cropped(self, images: np.ndarray, index: int) -> np.ndarray:
        if self._crop is None:
            return images
        if self._crop_starts is not None:
            crops = [images[:, :, start : start + self._crop] for start in self._crop_starts]
            return np.stack(crops, axis=1).reshape(-1, images.shape[1], self._crop)
        rng = np.random.default_rng([self._seed or 0, self._epoch, index])
        starts = rng.integers(0, images.shape[2] - self._crop, len(images), endpoint=True)
        columns = starts[:, np.newaxis, np.newaxis] + np.arange(self._crop)
        return np.take_along_axis(images, columns, axis=2)


def _read(images: Sequence[h5py.Dataset], rows: np.ndarray) -> np.ndarray:
    """Read rows in any order.

    One by one: asked for several rows of a virtual dataset at once, HDF5 takes seven times as long.
    """
    read = np.empty((len(rows), *images[0].shape[1:]), dtype=images[0].dtype)
    ends = np.cumsum([len(dataset) for dataset in images])
    owners = np.searchsorted(ends, rows, side="right")
    for place, (row, owner) in enumerate(zip(rows, owners, strict=True)):
        dataset = images[owner]
        dataset.read_direct(read, np.s_[row - ends[owner] + len(dataset)], np.s_[place])
    return read


@dataclass(frozen=True)
class SplitImages:
    """The images of a split's tracks, and the masked copies of those for training.

    `datasets` are the images of the corpus, then the copies if there are any. Each track of the
    split has an id, a part, a label, which is the number of its genre, and a row in the first
    dataset; `copies` are the rows of these, counted over both datasets, and their labels. `invert`
    tells whether loud is dark, and `memory` how many bytes the images of a part may take; what is
    more is read from disk.
    """

    datasets: Sequence[h5py.Dataset]
    track_ids: np.ndarray
    parts: np.ndarray
    labels: np.ndarray
    rows: np.ndarray
    copies: tuple[np.ndarray, np.ndarray]
    genres: list[str]
    invert: bool
    memory: int

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of an image."""
        return self.datasets[0].shape[1:]

    @property
    def genre_of_each(self) -> np.ndarray:
        """The genre of each track."""
        return np.array(self.genres, dtype=object)[self.labels]

    def require_parts(self) -> None:
        """Raise NotPossible unless a network can be trained, as `training.require_parts`."""
        training.require_parts(self.parts, self.genre_of_each)

    def batches(
        self, parts: Sequence[str], *, batch_size: int, copies: bool = False, **settings: Any
    ) -> ImageBatches:
        """Return the images of some parts, with the copies if asked for, as a data set.

        The settings are those of `ImageBatches`.
        """
        of_parts = np.isin(self.parts, parts)
        rows, labels = self.rows[of_parts], self.labels[of_parts]
        if copies:
            rows = np.concatenate([rows, self.copies[0]])
            labels = np.concatenate([labels, self.copies[1]])
        settings = {"batch_size": batch_size, "memory": self.memory, **settings}
        return ImageBatches(self.datasets, rows, labels, **settings)


@contextmanager
def open_split(
    images: str | Path, split: pd.DataFrame, *, memory_mb: int, copies: str | Path | None = None
) -> Iterator[SplitImages]:
    """Open the images of a split, with columns track_id and part.

    `images` and `copies` are the joined log-mel images, and the joined masked copies of the split's
    training tracks; those of a part are held in memory up to `memory_mb`. GenreflowError is raised
    if a track of the split has no image, or what is copied is not for training.
    """
    with ExitStack() as stack:
        file = stack.enter_context(open_images(images))
        track_ids, parts = split["track_id"].to_numpy(), split["part"].to_numpy()
        rows = _rows_of(file, track_ids, images)
        genres, labels = np.unique(file["genre"].asstr()[:][rows], return_inverse=True)
        datasets, copied = [file["images"]], np.empty(0, dtype=str)
        if copies is not None:
            file_of_copies = stack.enter_context(open_images(copies))
            datasets.append(file_of_copies["images"])
            copied = file_of_copies["track_id"].asstr()[:]
        label_of = dict(zip(track_ids, labels, strict=True))
        _check_copies(copied, set(track_ids[parts == PARTS[0]]), copies)
        yield SplitImages(
            datasets=datasets,
            track_ids=track_ids,
            parts=parts,
            labels=labels,
            rows=rows,
            copies=(
                len(datasets[0]) + np.arange(len(copied)),
                np.array([label_of[track_id] for track_id in copied], dtype=int),
            ),
            genres=genres.tolist(),
            invert=bool(file.attrs.get("invert", True)),
            memory=memory_mb * 10**6,
        )


def _rows_of(file: h5py.File, track_ids: Sequence[str], images: str | Path) -> np.ndarray:
    row_of = {track_id: row for row, track_id in enumerate(file["track_id"].asstr()[:])}
    lacking = [track_id for track_id in track_ids if track_id not in row_of]
    if lacking:
        raise GenreflowError(
            f"{images} has no image of track {lacking[0]} and {len(lacking) - 1} more tracks of "
            "the split: delete it and run again"
        )
    return np.array([row_of[track_id] for track_id in track_ids])


def _check_copies(copied: np.ndarray, training_ids: set[str], path: str | Path | None) -> None:
    """Refuse copies of tracks that are not for training: a track must not stand on two sides."""
    others = sorted(set(copied) - training_ids)
    if others:
        raise GenreflowError(
            f"{path} has copies of {len(others)} tracks that are not in the split's training "
            f"part, {others[0]} the first: delete it and run again"
        )


def with_values(variant: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a variant with hyper-parameters put in; NAME_1, NAME_2... are those of layers."""
    changed = dict(variant)
    for name, setting in variant.items():
        if isinstance(setting, list | tuple) and f"{name}_1" in values:
            changed[name] = [values[f"{name}_{layer}"] for layer in range(1, len(setting) + 1)]
        elif name in values:
            changed[name] = values[name]
    return changed


def completed(variant: Mapping[str, Any], *, winner: str = "", weights: str = "") -> dict[str, Any]:
    """Return a variant with what files hold: the values that a search found, and weights.

    It raises NotPossible if the search couldn't be made of its data.
    """
    changed = dict(variant)
    if winner:
        outcomes.require(winner)
        changed = with_values(changed, yaml.safe_load(Path(winner).read_text()))
    return changed | ({"weights": weights} if weights else {})


def build(images: SplitImages, variant: Mapping[str, Any], *, seed: int) -> keras.Model:
    """Build the network of a variant, not compiled.

    Of the variant it takes the settings of the architecture; mel_bands, dynamic_range, crop_frames:
    what it sees of an image; augment, strength and online: what changes images in training, by the
    seed. GenreflowError is raised if images are too small for the network, or a setting doesn't fit
    them.
    """
    n_mels, n_frames = images.shape
    bands, frames = variant["mel_bands"] or n_mels, _crop(images, variant) or n_frames
    if n_mels % bands:
        raise GenreflowError(
            f"mel_bands: {bands} of a variant doesn't divide the {n_mels} bands of the images "
            "(spectrogram.n_mels)"
        )
    architecture = variant["architecture"]
    settings = {name: variant[name] for name in architectures.settings_of(architecture)}
    try:
        network = architectures.ARCHITECTURES[architecture](
            (bands, frames), len(images.genres), **settings
        )
    except ValueError as error:
        raise GenreflowError(
            f"images of {bands} x {frames} are too small for the network {architecture} with "
            f"{settings}: use fewer layers or smaller kernels ({error})"
        ) from error
    before = _layers_before(variant, n_mels, bands, invert=images.invert, seed=seed)
    return augmentation.behind(network, before, n_mels=n_mels) if before else network


def _layers_before(
    variant: Mapping[str, Any], n_mels: int, bands: int, *, invert: bool, seed: int
) -> list[layers.Layer]:
    """Return what a variant does to images of `n_mels` bands before its network of `bands`."""
    before: list[layers.Layer] = []
    if variant["augment"] == "online" and variant["strength"]:
        before += augmentation.augmenting(
            variant["online"], strength=variant["strength"], invert=invert, seed=seed
        )
    if variant["dynamic_range"] < 1:
        before.append(augmentation.DynamicRange(share=variant["dynamic_range"], invert=invert))
    if bands < n_mels:
        before.append(layers.AveragePooling2D((n_mels // bands, 1), name="mel_bands"))
    return before


def train(
    images: SplitImages,
    variant: Mapping[str, Any],
    *,
    batch_size: int,
    epochs: int,
    class_weight: str,
    seed: int,
    schedule_epochs: int | None = None,
    **settings: Any,
) -> tuple[keras.Model, pd.DataFrame]:
    """Train a variant on a split's training part.

    Parameters
    ----------
    variant
        As for `build`; learning_rate, weight_decay, schedule, warmup, label_smoothing.
    class_weight
        ``none``, or ``balanced``: genres weigh the same however many tracks they have.
    seed
        Of the shuffling and augmentation; `features.backend.configure` seeds the weights.
    schedule_epochs
        Length of the schedule of the learning rate; None for `epochs`.
    **settings
        Of `learners.training.train`: monitor, patience, report, checkpoint.
    """
    model = build(images, variant, seed=seed)
    train_on, validate_on, loss = _data(images, variant, batch_size=batch_size, seed=seed)
    steps = (schedule_epochs or epochs) * len(train_on)
    rate = training.schedule(
        variant["schedule"],
        learning_rate=variant["learning_rate"],
        steps=steps,
        warmup=round(variant["warmup"] * steps),
    )
    history = training.train(
        model,
        train_on,
        validate_on,
        optimizer=training.optimizer(rate, weight_decay=variant["weight_decay"]),
        loss=loss,
        epochs=epochs,
        class_weight=class_weights(images) if class_weight == "balanced" else None,
        **settings,
    )
    return model, history


def _data(images: SplitImages, variant: Mapping[str, Any], *, batch_size: int, seed: int) -> tuple:
    """Return what a variant is trained and stopped by, and the loss of their labels."""
    crop = _crop(images, variant)
    settings = {"batch_size": batch_size, "crop": crop}
    copies = variant["augment"] == "copies"
    train_on = images.batches(PARTS[:1], copies=copies, shuffle_seed=seed, **settings)
    middle = [(images.shape[1] - crop) // 2] if crop else None
    validate_on = images.batches(PARTS[1:2], crop_starts=middle, **settings)
    alpha = variant["online"]["mixup"] if variant["augment"] == "online" else 0
    smoothing = variant["label_smoothing"]
    if not alpha and not smoothing:
        return train_on, validate_on, "sparse_categorical_crossentropy"
    # Both need labels as probabilities.
    n_genres, strength = len(images.genres), variant["strength"]
    return (
        augmentation.MixUp(train_on, n_genres, alpha=alpha, seed=seed, strength=strength),
        augmentation.MixUp(validate_on, n_genres, alpha=0),
        keras.losses.CategoricalCrossentropy(label_smoothing=smoothing),
    )


def class_weights(images: SplitImages) -> dict[int, float]:
    """Weigh genres by the inverse of their number of training tracks, with a mean of 1 a track."""
    labels = images.labels[images.parts == PARTS[0]]
    classes = np.unique(labels)
    weights = compute_class_weight("balanced", classes=classes, y=labels)
    return dict(zip(classes.tolist(), weights.tolist(), strict=True))


def predict(
    model: keras.Model, images: SplitImages, variant: Mapping[str, Any], *, batch_size: int
) -> pd.DataFrame:
    """Predict all of a split's tracks, by the mean over equally spaced crops of each."""
    crop = _crop(images, variant)
    starts = crop_starts(images.shape[1], crop, variant["crops"]) if crop else [0]
    # All crops of an image at once, and from disk: each image is read once, and none is held.
    batches = images.batches(
        PARTS, batch_size=max(1, batch_size // len(starts)), memory=0, crop=crop, crop_starts=starts
    )
    predicted = model.predict(batches, verbose=0)
    return prediction_table.make(
        predicted.reshape(len(images.labels), len(starts), -1).mean(axis=1),
        track_ids=images.track_ids,
        parts=images.parts,
        genres=images.genre_of_each,
        names=images.genres,
    )


def _crop(images: SplitImages, variant: Mapping[str, Any]) -> int | None:
    """Return the length of the crops that a variant sees; None if it sees whole images."""
    crop = variant["crop_frames"]
    return crop if 0 < crop < images.shape[1] else None


def crop_starts(n_frames: int, crop: int, crops: int) -> list[int]:
    """Return where equally spaced crops start [frames]: from end to end, or one in the middle.

    An image has `n_frames`, and a crop the length `crop`, which is at most that.
    """
    spare = n_frames - crop
    starts = np.linspace(0, spare, crops) if crops > 1 else np.array([spare / 2])
    return np.rint(starts).astype(int).tolist()


def fit(
    images: str | Path,
    split: pd.DataFrame,
    *,
    variant: Mapping[str, Any],
    copies: str | Path | None = None,
    memory_mb: int,
    batch_size: int,
    **settings: Any,
) -> tuple[keras.Model, pd.DataFrame, pd.DataFrame]:
    """Train a variant on a split and predict all of the split's tracks.

    `images`, `split`, `copies` and `memory_mb` are as for `open_split`, the rest as for `train`. It
    returns the model, its history and its predictions, and raises NotPossible as
    `learners.training.require_parts` and `learners.prediction_table.make`.
    """
    with open_split(images, split, memory_mb=memory_mb, copies=copies) as opened:
        opened.require_parts()
        model, history = train(opened, variant, batch_size=batch_size, **settings)
        return model, history, predict(model, opened, variant, batch_size=batch_size)
