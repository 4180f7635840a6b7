"""Augmentation while training: every epoch sees new images, and no disk is used.

Augmentation comes as layers that any network can be put behind: they keep the shape of the
images, change nothing at inference, and draw from seeds of their own. Mixup changes labels too,
so it is a data set. All use Keras's operations only and run on each of its backends.
"""

import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from genreflow.learners.architectures import GREY_LEVELS
from genreflow.learners.masked_copies import silence


class _ImageLayer(layers.Layer):
    """Base of the layers that change images (n, n_mels, n_frames, 1) of grey levels.

    They belong in front of all others, and give numbers of their own precision.
    """

    def compute_output_shape(self, shape: tuple) -> tuple:
        """Return the shape of the images."""
        return shape


class Augmentation(_ImageLayer, ABC):
    """Base of the layers that change images in training alone.

    `strength` scales what the layer does, from 0 (nothing) to 1; `seed` is that of what it draws.
    Layers of different kinds draw differently from the same seed.
    """

    def __init__(self, *, strength: float = 1.0, seed: int = 0, **kwargs: Any):
        super().__init__(**kwargs)
        self.strength, self.seed = strength, seed
        self._draws = keras.random.SeedGenerator(
            zlib.crc32(f"{type(self).__name__} {seed}".encode())
        )

    def call(self, images: Any, training: bool = False) -> Any:
        """Return the images; changed, if training."""
        images = ops.cast(images, self.compute_dtype)
        return self.augment(images) if training and self.strength else images

    @abstractmethod
    def augment(self, images: Any) -> Any:
        """Return changed images."""

    def uniform(self, *shape: Any) -> Any:
        """Draw from U[0, 1), in float32: half precision can't tell one frame from the next."""
        return keras.random.uniform(shape, dtype="float32", seed=self._draws)


@keras.saving.register_keras_serializable("genreflow")
class SpecMask(Augmentation):
    """Mask bands and stretches of time of each image, as `learners.masked_copies` does for copies.

    Unlike there, widths are shares of what a network sees: an image, or a crop of one.

    The largest widths, `frequency_mask` [mel bands] and `time_mask` [share of the frames], are
    scaled by `strength`; all else is as for `learners.masked_copies.masked`.
    """

    def __init__(
        self,
        *,
        frequency_mask: int = 27,
        time_mask: float = 0.078125,
        masks: int = 1,
        fill: str = "mean",
        invert: bool = True,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.frequency_mask, self.time_mask, self.masks = frequency_mask, time_mask, masks
        self.fill, self.invert = fill, invert

    def augment(self, images: Any) -> Any:
        """Return masked images."""
        n, n_mels, n_frames = ops.shape(images)[:3]
        frames = ops.cast(n_frames, "float32")
        bands = self._covered(n, n_mels, self.strength * self.frequency_mask)[:, :, None, None]
        stretches = self._covered(n, n_frames, self.strength * self.time_mask * frames)
        stretches = stretches[:, None, :, None]
        if self.fill == "mean":
            level = ops.mean(ops.cast(images, "float32"), axis=(1, 2, 3), keepdims=True)
        else:
            level = silence(invert=self.invert)
        return ops.where(ops.logical_or(bands, stretches), ops.cast(level, images.dtype), images)

    def _covered(self, n: Any, size: Any, widest: int) -> Any:
        """Return which places along an axis are masked, shape (n, size)."""
        size = ops.cast(size, "float32")
        widest = ops.minimum(ops.round(widest), size)
        widths = ops.floor(self.uniform(n, self.masks, 1) * (widest + 1))
        starts = ops.floor(self.uniform(n, self.masks, 1) * (size - widths + 1))
        place = ops.arange(size, dtype="float32")
        return ops.any(ops.logical_and(starts <= place, place < starts + widths), axis=1)


@keras.saving.register_keras_serializable("genreflow")
class TimeShift(Augmentation):
    """Rotate each image along time: what leaves at one end comes in at the other.

    A clip is cut out of a piece at an arbitrary place, so the only new thing is one seam;
    shifting in silence or cropping would lose music.

    `share` is the largest shift, in either direction, as a share of the length; it is scaled by
    `strength`.
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


@keras.saving.register_keras_serializable("genreflow")
class Gain(Augmentation):
    """Make each image louder or softer as a whole, within the range of grey levels.

    `levels` is the largest offset, in either direction [grey levels: 3.2 are a decibel where the
    clip's range is 80 dB]; it is scaled by `strength`.
    """

    def __init__(self, *, levels: float = 20.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.levels = levels

    def augment(self, images: Any) -> Any:
        """Return images with another level."""
        most = self.strength * self.levels
        offset = (2 * self.uniform(ops.shape(images)[0], 1, 1, 1) - 1) * most
        return ops.clip(images + ops.cast(offset, images.dtype), 0, GREY_LEVELS)


@keras.saving.register_keras_serializable("genreflow")
class DynamicRange(_ImageLayer):
    """Keep the loudest part of each image's range of levels, and spread it over all of them.

    It is what a smaller dynamic range of the spectrogram would have been; levels below it are
    silence. Unlike augmentation it works at inference too.

    `share` is that part of the range, in (0, 1], and `invert` whether loud is dark.
    """

    def __init__(self, *, share: float, invert: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        self.share, self.invert = share, invert

    def call(self, images: Any) -> Any:
        """Return the images with the levels spread."""
        images = ops.cast(images, self.compute_dtype)
        lowest = 0 if self.invert else GREY_LEVELS * (1 - self.share)
        return ops.clip((images - lowest) / self.share, 0, GREY_LEVELS)


def augmenting(
    settings: Mapping[str, Any], *, strength: float, invert: bool, seed: int
) -> list[Augmentation]:
    """Return the layers of augmentation that settings ask for.

    These are frequency_mask, time_mask, masks and fill of `SpecMask`; time_shift, the share of
    `TimeShift`; gain, the levels of `Gain`. What is 0 has no layer. `invert`: whether loud is dark.
    """
    common = {"strength": strength, "seed": seed}
    found: list[Augmentation] = []
    if settings["time_shift"]:
        found.append(TimeShift(share=settings["time_shift"], **common))
    if settings["gain"]:
        found.append(Gain(levels=settings["gain"], **common))
    if settings["masks"]:
        masks = {name: settings[name] for name in ("frequency_mask", "time_mask", "masks", "fill")}
        found.append(SpecMask(**masks, invert=invert, **common))
    return found


def examples(
    settings: Mapping[str, Any], *, invert: bool, seed: int
) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Return what each kind of augmentation does to a batch of images, by its name.

    `settings` are those of `augmenting`, and mixup: alpha of `MixUp`. The functions take images
    uint8, shape (n, n_mels, n_frames, 1), and return grey levels of that shape.
    """

    def changed(images: np.ndarray, *, layer: Augmentation) -> np.ndarray:
        return ops.convert_to_numpy(layer(images, training=True))

    def mixed(images: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng([seed, 0, 0])
        return mix(images, np.zeros((len(images), 1)), rng, alpha=settings["mixup"])[0]

    found = {
        _NAMES[type(layer)]: partial(changed, layer=layer)
        for layer in augmenting(settings, strength=1, invert=invert, seed=seed)
    }
    return found | ({"mixup": mixed} if settings["mixup"] else {})


_NAMES = {TimeShift: "shifted in time", Gain: "other level", SpecMask: "masked"}


def behind(model: keras.Model, before: Sequence[layers.Layer], *, n_mels: int) -> keras.Model:
    """Put a network behind layers that change its images, `n_mels` high; it keeps its weights."""
    image = x = keras.Input((n_mels, *model.input_shape[2:]), name="image")
    for layer in before:
        x = layer(x)
    return keras.Model(image, model(x), name=model.name)


class MixUp(keras.utils.PyDataset):
    """Batches with labels as probabilities; each image is mixed with another one of its batch.

    After Zhang et al., "mixup: Beyond Empirical Risk Minimization" (ICLR 2018). It mixes labels
    as well as images, hence it is a data set and no layer: a model keeps its one input, and
    needs no more than a loss that takes probabilities.

    `batches` is a data set of images (n, n_mels, n_frames, 1) uint8 and labels (n,). An image's own
    share is drawn from Beta(alpha, alpha), or is one minus that if this is more; alpha 0 doesn't
    mix, which is for validation. `strength` scales the other image's share. What is drawn depends
    on the seed, the epoch and the batch's number alone.
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
        return mix(images, labels, rng, alpha=self._alpha, strength=self._strength)

    def on_epoch_end(self) -> None:
        """Shuffle, and mix otherwise in the next epoch."""
        self._epoch += 1
        self._batches.on_epoch_end()


def mix(
    images: np.ndarray,
    labels: np.ndarray,
    rng: np.random.Generator,
    *,
    alpha: float,
    strength: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Mix each of the images uint8, and its label (n, n_genres), with another one's."""
    other = rng.permutation(len(images))
    drawn = rng.beta(alpha, alpha, len(images)).astype(np.float32)
    share = strength * np.minimum(drawn, 1 - drawn)[:, np.newaxis]
    mixed = _blend(images, images[other], share[:, :, np.newaxis, np.newaxis])
    return np.rint(mixed).astype(np.uint8), _blend(labels, labels[other], share)


def _blend(one: np.ndarray, other: np.ndarray, share: np.ndarray) -> np.ndarray:
    return (1 - share) * one + share * other
