"""A small residual network, and what trains a network on few images: augmentation, schedules.

Augmentation comes as layers that any network can be put behind: they keep the shape of the
images, change nothing at inference, and draw from seeds of their own. Mixup changes labels too,
so it is a data set. All use Keras's operations only and run on each of its backends.
"""

import zlib
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from genreflow.augment import check_fill, silence
from genreflow.errors import GenreflowError

GREY_LEVELS = 255
"""Loudest minus softest level of an image, which is a range of at most 80 dB."""

SCHEDULES = {"constant": 1.0, "cosine": 0.0}
"""Share of the learning rate that is left at the end of each schedule."""

# network


def residual(
    shape: tuple[int, int],
    n_genres: int,
    *,
    width: int,
    depth: int,
    stages: int,
    dropout: float,
    momentum: float,
) -> keras.Model:
    """Build a small residual CNN with global pooling, after He et al. (CVPR 2016).

    A stem makes the image four times shorter and two times lower, pooling halves both again;
    then come stages of residual blocks, each with twice the kernels of the one before on half
    the height and length. Of the mean over frequencies, the mean and the maximum over time
    describe the clip, as in the networks of Kong et al. (PANNs, TASLP 2020). So a clip's genre
    doesn't depend on when something happens, and clips may have any length.

    Parameters
    ----------
    shape
        Height and width of an image; the network takes images of any width.
    n_genres
        Number of classes.
    width
        Kernels of the first stage.
    depth
        Residual blocks of a stage.
    stages
        Number of stages.
    dropout
        Share of the units dropped before the last layer.
    momentum
        Of the moving averages of batch normalisation; see `genreflow.cnn.simple`.
    """
    image = keras.Input((shape[0], None, 1), name="image")
    x = layers.Rescaling(2 / GREY_LEVELS, offset=-1, name="rescaling")(image)
    x = _convolution(x, width, (5, 9), momentum=momentum, strides=(2, 4), name="stem")
    x = layers.ReLU(name="stem_relu")(x)
    for stage in range(stages):
        x = layers.MaxPooling2D(2, padding="same", name=f"pool_{stage + 1}")(x)
        for block in range(depth):
            name = f"block_{stage + 1}_{block + 1}"
            x = _block(x, width * 2**stage, momentum=momentum, name=name)
    x = layers.AveragePooling2D((x.shape[1], 1), name="frequencies")(x)
    mean = layers.GlobalAveragePooling2D(name="mean")(x)
    maximum = layers.GlobalMaxPooling2D(name="maximum")(x)
    x = layers.Concatenate(name="clip")([mean, maximum])
    x = layers.Dropout(dropout, name="dropout")(x)
    # Softmax in float32: half precision loses small probabilities.
    genre = layers.Dense(n_genres, activation="softmax", dtype="float32", name="genre")(x)
    return keras.Model(image, genre, name="residual")


def _convolution(
    x: Any,
    kernels: int,
    size: int | tuple[int, int],
    *,
    momentum: float,
    name: str,
    strides: int | tuple[int, int] = 1,
) -> Any:
    x = layers.Conv2D(
        kernels, size, strides=strides, padding="same", use_bias=False, name=f"{name}_conv"
    )(x)
    return layers.BatchNormalization(momentum=momentum, name=f"{name}_norm")(x)


def _block(x: Any, kernels: int, *, momentum: float, name: str) -> Any:
    y = _convolution(x, kernels, 3, momentum=momentum, name=f"{name}_1")
    y = layers.ReLU(name=f"{name}_1_relu")(y)
    y = _convolution(y, kernels, 3, momentum=momentum, name=f"{name}_2")
    if x.shape[-1] != kernels:
        x = layers.Conv2D(kernels, 1, use_bias=False, name=f"{name}_shortcut")(x)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_sum")([x, y]))


def predict_crops(
    model: keras.Model, images: np.ndarray, *, crops: int, frames: int, batch_size: int = 32
) -> np.ndarray:
    """Predict clips by the mean probability of equally spaced crops of each.

    Parameters
    ----------
    model
        Network that takes images of `frames` columns.
    images : uint8, shape (n, n_mels, n_frames, 1)
    crops
        Crops of each clip, the first at its start and the last at its end; a single one is in
        the middle.
    frames
        Length of a crop.
    batch_size
        Crops a step.

    Returns
    -------
    numpy.ndarray of float32, shape (n, n_genres)

    Raises
    ------
    GenreflowError
        If a crop is longer than the images.
    """
    spare = images.shape[2] - frames
    if spare < 0:
        raise GenreflowError(
            f"crops of {frames} frames don't fit into images of {images.shape[2]}: shorten them"
        )
    starts = np.linspace(0, spare, crops) if crops > 1 else [spare / 2]
    predicted = [
        model.predict(images[:, :, start : start + frames], batch_size=batch_size, verbose=0)
        for start in np.rint(starts).astype(int)
    ]
    return np.mean(predicted, axis=0)


# augmentation


class Augmentation(layers.Layer):
    """Base of the layers that change images (n, n_mels, n_frames, 1) in training alone.

    Levels are grey levels, from 0 to `GREY_LEVELS`: the layers belong in front of all others.

    Parameters
    ----------
    strength
        Scales what the layer does, from 0 (nothing) to 1.
    seed
        Of what it draws. Layers of different kinds draw differently from the same seed.
    """

    def __init__(self, *, strength: float = 1.0, seed: int = 0, **kwargs: Any):
        super().__init__(**kwargs)
        self.strength, self.seed = strength, seed
        self._draws = keras.random.SeedGenerator(
            zlib.crc32(f"{type(self).__name__} {seed}".encode())
        )

    def call(self, images: Any, training: bool = False) -> Any:
        """Return the images as numbers of the layer's precision; changed, if training."""
        images = ops.cast(images, self.compute_dtype)
        return self.augment(images) if training and self.strength else images

    def compute_output_shape(self, shape: tuple) -> tuple:
        """Return the shape of the images."""
        return shape

    def augment(self, images: Any) -> Any:
        """Return changed images."""
        raise NotImplementedError

    def uniform(self, *shape: Any) -> Any:
        """Draw from U[0, 1), in float32: half precision can't tell one frame from the next."""
        return keras.random.uniform(shape, dtype="float32", seed=self._draws)

    def get_config(self) -> dict[str, Any]:
        """Return the settings."""
        return {**super().get_config(), "strength": self.strength, "seed": self.seed}


@keras.saving.register_keras_serializable("genreflow")
class SpecMask(Augmentation):
    """Mask bands and stretches of time of each image, as `genreflow.augment` does for copies.

    Unlike there, the padding of a short clip counts as audio: a network sees images alone.

    Parameters
    ----------
    frequency_mask, time_mask
        Largest width of a mask [mel bands, frames]; scaled by `strength`.
    masks
        How many masks of each kind.
    fill
        One of `genreflow.augment.FILLS`.
    invert
        Whether loud is dark.
    """

    def __init__(
        self,
        *,
        frequency_mask: int = 27,
        time_mask: int = 100,
        masks: int = 1,
        fill: str = "mean",
        invert: bool = True,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        check_fill(fill)
        self.frequency_mask, self.time_mask, self.masks = frequency_mask, time_mask, masks
        self.fill, self.invert = fill, invert

    def augment(self, images: Any) -> Any:
        """Return masked images."""
        n, n_mels, n_frames = ops.shape(images)[:3]
        bands = self._covered(n, n_mels, self.frequency_mask)[:, :, None, None]
        stretches = self._covered(n, n_frames, self.time_mask)[:, None, :, None]
        if self.fill == "mean":
            level = ops.mean(ops.cast(images, "float32"), axis=(1, 2, 3), keepdims=True)
        else:
            level = silence(invert=self.invert)
        return ops.where(ops.logical_or(bands, stretches), ops.cast(level, images.dtype), images)

    def _covered(self, n: Any, size: Any, widest: int) -> Any:
        """Return which places along an axis are masked, shape (n, size)."""
        size = ops.cast(size, "float32")
        widest = ops.minimum(float(round(self.strength * widest)), size)
        widths = ops.floor(self.uniform(n, self.masks, 1) * (widest + 1))
        starts = ops.floor(self.uniform(n, self.masks, 1) * (size - widths + 1))
        place = ops.arange(size, dtype="float32")
        return ops.any(ops.logical_and(starts <= place, place < starts + widths), axis=1)

    def get_config(self) -> dict[str, Any]:
        """Return the settings."""
        names = ("frequency_mask", "time_mask", "masks", "fill", "invert")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("genreflow")
class TimeShift(Augmentation):
    """Rotate each image along time: what leaves at one end comes in at the other.

    A clip is cut out of a piece at an arbitrary place, so the only new thing is one seam;
    shifting in silence or cropping would lose music.

    Parameters
    ----------
    share
        Largest shift, in either direction, as a share of the length; scaled by `strength`.
    """

    def __init__(self, *, share: float = 0.5, **kwargs: Any):
        super().__init__(**kwargs)
        self.share = share

    def augment(self, images: Any) -> Any:
        """Return rotated images."""
        n, _, n_frames = ops.shape(images)[:3]
        most = self.strength * self.share * ops.cast(n_frames, "float32")
        shift = ops.cast(ops.round((2 * self.uniform(n, 1) - 1) * most), "int32")
        source = (ops.arange(n_frames, dtype="int32") + shift) % n_frames
        return ops.take_along_axis(images, source[:, None, :, None], axis=2)

    def get_config(self) -> dict[str, Any]:
        """Return the settings."""
        return {**super().get_config(), "share": self.share}


@keras.saving.register_keras_serializable("genreflow")
class Gain(Augmentation):
    """Make each image louder or softer as a whole, within the range of grey levels.

    Parameters
    ----------
    levels
        Largest offset, in either direction [grey levels: 3.2 are a decibel where the clip's range
        is 80 dB]; scaled by `strength`.
    """

    def __init__(self, *, levels: float = 20.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.levels = levels

    def augment(self, images: Any) -> Any:
        """Return images with another level."""
        most = self.strength * self.levels
        offset = (2 * self.uniform(ops.shape(images)[0], 1, 1, 1) - 1) * most
        return ops.clip(images + ops.cast(offset, images.dtype), 0, GREY_LEVELS)

    def get_config(self) -> dict[str, Any]:
        """Return the settings."""
        return {**super().get_config(), "levels": self.levels}


def augmented(model: keras.Model, augmentations: Sequence[Augmentation]) -> keras.Model:
    """Put layers of augmentation before a network.

    Parameters
    ----------
    model
        Network of images, not compiled.
    augmentations
        Layers, applied in this order.

    Returns
    -------
    keras.Model
        With the weights of `model`, and its predictions.
    """
    image = x = keras.Input(model.input_shape[1:], name="image")
    for layer in augmentations:
        x = layer(x)
    return keras.Model(image, model(x), name=f"{model.name}_augmented")


class MixUp(keras.utils.PyDataset):
    """Batches with labels as probabilities; each image is mixed with another one of its batch.

    After Zhang et al., "mixup: Beyond Empirical Risk Minimization" (ICLR 2018). It mixes labels
    as well as images, hence it is a data set and no layer: a model keeps its one input, and
    needs no more than a loss that takes probabilities.

    Parameters
    ----------
    batches
        Data set of images (n, n_mels, n_frames, 1) uint8 and labels (n,).
    n_genres
        Number of classes.
    alpha
        An image's own share is drawn from Beta(alpha, alpha), or is one minus that if this is
        more. 0 doesn't mix, which is for validation.
    strength
        Scales the other image's share.
    seed
        What is drawn depends on it, the epoch and the batch's number alone.
    """

    def __init__(
        self,
        batches: keras.utils.PyDataset,
        n_genres: int,
        *,
        alpha: float,
        seed: int = 0,
        strength: float = 1.0,
    ):
        super().__init__(workers=batches.workers, max_queue_size=batches.max_queue_size)
        self._batches, self._n_genres = batches, n_genres
        self._alpha, self._strength, self._seed = alpha, strength, seed
        self._epoch = 0

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return len(self._batches)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a batch: images uint8 and float32 labels (n, n_genres)."""
        images, labels = self._batches[index]
        labels = np.eye(self._n_genres, dtype=np.float32)[labels]
        if not self._alpha or not self._strength:
            return images, labels
        rng = np.random.default_rng([self._seed, self._epoch, index])
        other = rng.permutation(len(images))
        drawn = rng.beta(self._alpha, self._alpha, len(images)).astype(np.float32)
        share = self._strength * np.minimum(drawn, 1 - drawn)[:, np.newaxis]
        mixed = _blend(images, images[other], share[:, :, np.newaxis, np.newaxis])
        return np.rint(mixed).astype(np.uint8), _blend(labels, labels[other], share)

    def on_epoch_end(self) -> None:
        """Shuffle, and mix otherwise in the next epoch."""
        self._epoch += 1
        self._batches.on_epoch_end()


def _blend(one: np.ndarray, other: np.ndarray, share: np.ndarray) -> np.ndarray:
    return (1 - share) * one + share * other


# optimiser


def schedule(
    kind: str, *, learning_rate: float, steps: int, warmup: int = 0
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Return a learning rate that warms up linearly, then stays or falls.

    The cosine is that of Loshchilov and Hutter, "SGDR" (ICLR 2017), without restarts.

    Parameters
    ----------
    kind
        A key of `SCHEDULES`: ``constant``, or ``cosine``, which ends at 0.
    learning_rate
        The highest.
    steps
        Steps of the whole training, warm-up included.
    warmup
        Steps in which the rate rises from 0.

    Raises
    ------
    GenreflowError
        If there is no such schedule.
    """
    if kind not in SCHEDULES:
        raise GenreflowError(f"schedule {kind!r} is none of {', '.join(SCHEDULES)}")
    rise = {"initial_learning_rate": 0.0, "warmup_target": learning_rate, "warmup_steps": warmup}
    return keras.optimizers.schedules.CosineDecay(
        decay_steps=max(steps - warmup, 1),
        alpha=SCHEDULES[kind],
        **(rise if warmup else {"initial_learning_rate": learning_rate}),
    )


def optimizer(learning_rate: Any, *, weight_decay: float) -> keras.optimizers.Optimizer:
    """Return AdamW (Loshchilov and Hutter, ICLR 2019) that decays the kernels alone.

    Parameters
    ----------
    learning_rate
        A number, or what `schedule` returns.
    weight_decay
        What a kernel loses a step, as a share of itself and of the learning rate; 0 is Adam.
    """
    adam = keras.optimizers.AdamW(learning_rate, weight_decay=weight_decay)
    adam.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return adam
