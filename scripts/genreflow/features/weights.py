"""Files of weights: checking one against an image network."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import h5py
import keras

from genreflow.errors import GenreflowError

KERAS_3 = ".weights.h5"
"""How names of weight files in Keras 3's format end; other ``.h5`` files are in the older one."""

Shapes = list[tuple[int, ...]]


@dataclass(frozen=True)
class Difference:
    """Where a weight file and a network differ first.

    Attributes
    ----------
    place
        How many layers agree before.
    text
        The layer with both shapes, for people to read.
    """

    place: int
    text: str


def foreign(path: str | Path, network: str, found: Difference) -> str:
    """Say that a weights file is of another network."""
    return (
        f"{path} does not hold the weights of {network}: {found.text}. Give the file of this "
        "network, or choose the network that the file is of"
    )


def difference(network: keras.Model, path: str | Path) -> Difference | None:
    """Return where a weights file and a network differ first, None if they fit.

    Layers are compared in their order by the shapes of their weights, as Keras loads them: their
    names may differ. No values are read, and those of the network need not exist.

    Parameters
    ----------
    network
        The whole network that the file may be of.
    path
        ``.weights.h5``, or ``.h5`` in Keras's older format.

    Raises
    ------
    GenreflowError
        If the file isn't whole, or no weights file.
    """
    path = Path(path)
    if path.suffix != ".h5":
        raise GenreflowError(
            f"{path}: expected a weights file whose name ends in {KERAS_3} or .h5; save one with "
            "keras.Model.save_weights"
        )
    try:
        with h5py.File(path, "r") as file:
            if path.name.endswith(KERAS_3):
                pairs = _keras_3(network, file)
            else:
                pairs = _legacy(network, file)
            return _first_difference(list(pairs))
    except (OSError, KeyError) as error:
        raise GenreflowError(
            f"{path}: not a whole file of Keras weights ({error}); get it again"
        ) from None


@dataclass(frozen=True)
class _Pair:
    """A layer of the network beside its counterpart in the file; a name is "" where it ends."""

    layer: str
    expected: Shapes
    stored: str
    found: Shapes


def _first_difference(pairs: list[_Pair]) -> Difference | None:
    for place, pair in enumerate(pairs):
        if pair.expected == pair.found:
            continue
        if not pair.layer:
            text = f"the file has a layer more, {pair.stored} with {_said(pair.found)}"
        elif not pair.stored:
            text = f"the file ends before {pair.layer}, which has {_said(pair.expected)}"
        else:
            name = "" if pair.stored == pair.layer else f" ({pair.stored})"
            text = (
                f"the first layer that differs is {pair.layer}, which has {_said(pair.expected)}; "
                f"the file{name} has {_said(pair.found)}"
            )
        return Difference(place, text)
    return None


def _said(shapes: Shapes) -> str:
    return " and ".join(str(shape) for shape in shapes) or "no weights"


def _legacy(network: keras.Model, file: h5py.File) -> Iterator[_Pair]:
    group = file.get("model_weights", file)
    stored = [
        (name, [group[name][weight].shape for weight in weights])
        for name in _names(group, "layer_names")
        if (weights := _names(group[name], "weight_names"))
    ]
    layers = [
        (layer.name, [tuple(weight.shape) for weight in weights])
        for layer in network.layers
        # The order in which that format holds them.
        if (weights := layer.trainable_weights + layer.non_trainable_weights)
    ]
    for ours, theirs in zip_longest(layers, stored, fillvalue=("", [])):
        yield _Pair(*ours, *theirs)


def _names(group: h5py.Group, attribute: str) -> list[str]:
    """Read a list of names, which Keras splits into several attributes if it is long."""
    if attribute in group.attrs:
        parts = [group.attrs[attribute]]
    else:
        numbered = [key for key in group.attrs if key.removeprefix(attribute).isdecimal()]
        parts = [group.attrs[f"{attribute}{number}"] for number in range(len(numbered))]
        if not parts:
            raise KeyError(f"there is no attribute {attribute}")
    names = [name for part in parts for name in part]
    return [name.decode() if isinstance(name, bytes) else name for name in names]


def _keras_3(network: keras.Model, file: h5py.File) -> Iterator[_Pair]:
    """Yield the pairs of a file whose groups are named by the layers' classes, numbered."""
    layers = file["layers"]
    used: dict[str, int] = {}
    for layer in network.layers:
        kind = keras.src.utils.naming.to_snake_case(type(layer).__name__)
        number = used[kind] = used.get(kind, -1) + 1
        name = f"{kind}_{number}" if number else kind
        expected = sorted(tuple(weight.shape) for weight in layer.weights)
        found = _shapes(layers[name]) if name in layers else []
        stored = layers[name].attrs.get("name", name) if found else ""
        if expected or found:
            yield _Pair(layer.name, expected, stored, found)


def _shapes(group: h5py.Group) -> Shapes:
    """Return the shapes of all datasets below a group, sorted."""
    found: list[h5py.Group | h5py.Dataset] = []
    group.visititems(lambda _, item: found.append(item))
    return sorted(item.shape for item in found if isinstance(item, h5py.Dataset))
