"""The architectures of the CNN branch: networks from log-mel images to genres.

Each is built for images of a `shape` (height, width) and a number of genres.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers

GREY_LEVELS = 255
"""Loudest minus softest level of an image, which is a range of at most 80 dB."""

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
    return _ended("simple", image, x, n_genres, dropout)


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
    doesn't depend on when something happens, and images may have any width.

    Parameters
    ----------
    width
        Kernels of the first stage.
    depth
        Residual blocks of a stage.
    stages
        Number of stages.
    dropout
        Share of the units dropped before the last layer.
    momentum
        Of the moving averages of batch normalisation; see `simple`.
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
    return _ended("residual", image, x, n_genres, dropout)


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


def finetuned(
    shape: tuple[int, int],
    n_genres: int,
    *,
    network: str,
    cut: str,
    trainable_from: str,
    weights: str,
    preprocessing: str,
    dropout: float,
) -> keras.Model:
    """Build an image network up to a cut, of which the upper layers are trained further.

    Images are resized to what the network takes.

    Parameters
    ----------
    network, weights, preprocessing
        As for `features.image_networks.build`.
    cut
        The layer that the new last layer stands on, averaged over its places if it has some.
    trainable_from
        The lowest layer that is trained; "" trains the new last layer alone.
    dropout
        Share of the units dropped before the last layer.

    Raises
    ------
    GenreflowError
        If there is no such network or layer, or the weights are of another network.
    """
    from genreflow.features import image_networks

    # Drawn from the seeded generator, since building the network seeds anew.
    backbone = image_networks.build(
        network,
        [cut],
        weights=weights,
        seed=int(np.random.randint(2**31)),  # noqa: NPY002
        preprocessing=preprocessing,
    )
    base = backbone.network
    names = [layer.name for layer in base.layers]
    if trainable_from:
        image_networks.require_layers(names, [trainable_from], network)
    frozen = names.index(trainable_from) if trainable_from else len(names)
    for layer in base.layers[:frozen]:
        layer.trainable = False
    height, width, channels = base.input_shape[1:]
    image = keras.Input((*shape, 1), name="image")
    x = layers.Resizing(height or shape[0], width or shape[1], name="resizing")(image)
    x = layers.Concatenate(name="channels")([x] * channels) if channels > 1 else x
    x = keras.tree.flatten(base(backbone.preprocess(x)))[0]
    places = tuple(range(1, len(x.shape) - 1))
    x = keras.ops.mean(x, axis=places) if places else x
    return _ended("finetuned", image, x, n_genres, dropout)


def _ended(name: str, image: Any, x: Any, n_genres: int, dropout: float) -> keras.Model:
    """Return the network from an image through features to the genres."""
    x = layers.Dropout(dropout, name="dropout")(x)
    # Softmax in float32: half precision loses small probabilities.
    genre = layers.Dense(n_genres, activation="softmax", dtype="float32", name="genre")(x)
    return keras.Model(image, genre, name=name)


ARCHITECTURES: dict[str, Callable[..., keras.Model]] = {
    "simple": simple,
    "residual": residual,
    "finetuned": finetuned,
}
"""What builds each architecture from the shape of an image, the number of genres and settings.

A new network is one more entry: a function whose keyword-only arguments are keys of its section in
`config.learners`, which has their types, ranges and defaults.
"""


def settings_of(architecture: str) -> list[str]:
    """Return the names of an architecture's settings."""
    parameters = inspect.signature(ARCHITECTURES[architecture]).parameters.values()
    return [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
