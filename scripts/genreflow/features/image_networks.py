"""Backbones: image networks of which inner layers, the cuts, are features of a log-mel image."""

import inspect
import math
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import keras
from keras import ops

from genreflow.errors import GenreflowError, in_a_line, nearest_first
from genreflow.features import backend

RANDOM = "random"
"""What stands in place of a weights file for weights that were never trained."""

PREPROCESSING: dict[str, Callable[[Any], Any]] = {
    "none": lambda x: x,
    **{
        mode: lambda x, mode=mode: keras.applications.imagenet_utils.preprocess_input(x, mode=mode)
        for mode in ("tf", "torch", "caffe")
    },
}
"""Of grey levels 0-255 for a network from a file: none, or a mode of Keras's imagenet_utils."""


@dataclass(frozen=True)
class Backbone:
    """A network that ends at its deepest cut.

    Attributes
    ----------
    network
        From preprocessed images (n, height, width, channels) to one output a cut.
    cuts
        In the order of the outputs: ``size``, the dimensions of the features, and ``parameters``,
        those of the network up to this layer.
    preprocess
        From grey levels (n, height, width, channels) to what the network wants.
    """

    network: keras.Model
    cuts: dict[str, dict[str, int]]
    preprocess: Callable[[Any], Any]

    def on_images(self, shape: tuple[int, int]) -> keras.Model:
        """Return the network with everything before and after it in one model.

        The image, of a shape (n_mels, n_frames), is resized bilinearly to the network's size,
        repeated over the channels and preprocessed; each cut is flattened.

        Returns
        -------
        keras.Model
            From uint8 (n, n_mels, n_frames) to a list of float32 (n, size), one per cut.
        """
        height, width, channels = self.network.input_shape[1:]
        size = (height or shape[0], width or shape[1])
        images = keras.Input(shape, dtype="uint8", name="images")
        x = ops.expand_dims(ops.cast(images, "float32"), -1)
        if size != tuple(shape):
            x = ops.image.resize(x, size, interpolation="bilinear")
        x = self.preprocess(ops.repeat(x, channels, axis=-1))
        outputs = keras.tree.flatten(self.network(x, training=False))
        return keras.Model(
            images,
            [
                ops.reshape(ops.cast(output, "float32"), (-1, cut["size"]))
                for output, cut in zip(outputs, self.cuts.values(), strict=True)
            ],
        )


def build(
    network: str,
    cuts: Sequence[str],
    *,
    weights: str | Path = RANDOM,
    seed: int = 0,
    preprocessing: str = "none",
) -> Backbone:
    """Build a network up to the deepest of its cuts.

    It clears Keras's session, since names of layers depend on what was built before.

    Parameters
    ----------
    network
        Name of a network in keras.applications, with the input size and the preprocessing that
        Keras documents; or the path of a ``.keras`` file.
    cuts
        Names of layers.
    weights
        `RANDOM`, or a weights file of the network in keras.applications, with or without its
        fully connected layers as the cuts need. A ``.keras`` file holds its own.
    seed
        Of random weights.
    preprocessing
        For a ``.keras`` file: a key of `PREPROCESSING`.

    Raises
    ------
    GenreflowError
        If there is no such network or layer, or a file is damaged, of another network, or would
        run code.
    """
    if network.endswith(".keras"):
        whole, preprocess = from_file(network), PREPROCESSING[preprocessing]
    else:
        whole = _application(network, cuts, weights, seed)
        preprocess = sys.modules[_maker(network).__module__].preprocess_input
    return Backbone(*_cut(whole, cuts, network), preprocess)


def _cut(
    whole: keras.Model, cuts: Sequence[str], network: str
) -> tuple[keras.Model, dict[str, dict[str, int]]]:
    require_layers(_layers(whole), cuts, network)
    outputs, known = [], {}
    for name in cuts:
        output = whole.get_layer(name).output
        if not isinstance(output, keras.KerasTensor) or None in output.shape[1:]:
            raise GenreflowError(
                f"{network}: the output of layer {name} has no fixed size; choose another layer"
            )
        size = math.prod(output.shape[1:])
        parameters = keras.Model(whole.inputs, output).count_params()
        known[name] = {"size": size, "parameters": parameters}
        outputs.append(output)
    return keras.Model(whole.inputs, outputs), known


def needs_top(network: str, cuts: Sequence[str]) -> bool:
    """Tell whether cuts of a network in keras.applications need its fully connected layers.

    Raises
    ------
    GenreflowError
        If there is no such network or layer.
    """
    require_layers(_layers(_outline(network, top=True)), cuts, network)
    return not set(cuts).issubset(_layers(_outline(network, top=False)))


def _layers(network: keras.Model) -> list[str]:
    return [layer.name for layer in network.layers]


def require_layers(names: Sequence[str], cuts: Sequence[str], network: str) -> None:
    """Raise GenreflowError unless all cuts are among the names of a network's layers."""
    for cut in cuts:
        if cut not in names:
            raise GenreflowError(
                f"{network} has no layer {cut!r}. Its layers, the nearest names first: "
                f"{', '.join(nearest_first(cut, names))}"
            )


def _maker(network: str) -> Callable[..., keras.Model]:
    known = dict(inspect.getmembers(keras.applications, inspect.isfunction))
    if network not in known:
        raise GenreflowError(
            f"keras.applications has no network {network!r}. Its networks, the nearest names "
            f"first: {', '.join(nearest_first(network, known))}. A network of your own is given by "
            "the path of its .keras file"
        )
    return known[network]


@cache
def _outline(network: str, *, top: bool) -> keras.Model:
    """Build a network without values for its weights: it takes no memory and little time."""
    make = _maker(network)
    keras.utils.clear_session(free_memory=False)  # names such as conv2d_93 count from the start
    with keras.StatelessScope(initialize_variables=False):
        return make(weights=None, include_top=top)


def _application(network: str, cuts: Sequence[str], weights: str | Path, seed: int) -> keras.Model:
    top = needs_top(network, cuts)
    if weights == RANDOM:
        return _random(network, seed, top=top)
    problems = []
    for included in dict.fromkeys((top, True)):  # a file of the whole network serves lower cuts too
        whole = _random(network, seed, top=included)
        try:
            # Keras warns of groups that older files lack; a layer without its weights is an error.
            with warnings.catch_warnings(action="ignore"):
                whole.load_weights(weights)
            return whole
        except (OSError, ValueError) as error:
            problems.append(error)
    if isinstance(problems[0], OSError):
        raise GenreflowError(
            f"{weights}: not a whole file of Keras weights ({problems[0]}); get it again"
        )
    raise GenreflowError(
        f"{weights} does not hold the weights of {network}: {in_a_line(problems[0])}. Give the "
        "file of this network, or choose the network that the file is of"
    )


def _random(network: str, seed: int, *, top: bool) -> keras.Model:
    make, shape = _maker(network), _outline(network, top=True).input_shape[1:]
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(seed)
    return make(weights=None, include_top=top, input_shape=shape)


def from_file(path: str | Path) -> keras.Model:
    """Load a functional or sequential model with one image as input from a ``.keras`` file.

    It can't run code.

    Raises
    ------
    GenreflowError
        If it isn't such a file, is damaged, or holds code.
    """
    model = backend.load_model(path)
    inputs = getattr(model, "inputs", None) or []
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or not inputs[0].shape[-1]:
        raise GenreflowError(
            f"{path}: expected a functional or sequential model with one input of the shape "
            "(batch, height, width, channels); its inputs are "
            f"{', '.join(str(tensor.shape) for tensor in inputs) or 'unknown'}"
        )
    return model
