"""Weights of image networks: Keras's published files, and checking a file against a network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import h5py
import pandas as pd

from genreflow import download
from genreflow.errors import GenreflowError

if TYPE_CHECKING:
    import keras

PUBLISHED = Path(__file__).with_name("imagenet_weights.csv")
"""What keras.applications downloads: network, top (yes or no), url, size, digest, megabytes.

Sizes and digests are Keras's own; it has none for MobileNet, and only sizes are known for
MobileNetV2. The megabytes, to be told to people, are those of the network's parameters."""

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


def fetch(
    network: str, path: str | Path, *, top: bool, table: str | Path = PUBLISHED, **settings: Any
) -> Path:
    """Download the weights of a network, trained on ImageNet, that Keras publishes.

    Parameters
    ----------
    network
        Name of the network in keras.applications.
    path
        Where the file shall be; one that is there is checked.
    top
        Whether its fully connected layers are needed.
    table
        The published files, for whoever has a copy of them elsewhere.
    **settings
        Of `genreflow.download.fetch`.

    Returns
    -------
    pathlib.Path
        `path`.

    Raises
    ------
    GenreflowError
        If there is no such file, or it can't be downloaded whole.
    """
    file = _published(network, top=top, table=table)
    return download.fetch(
        file["url"],
        path,
        size=int(file["size"]) if file["size"] else None,
        digest=file["digest"] or None,
        **settings,
    )


def fetch_all(
    files: Sequence[Mapping[str, str]], *, table: str | Path = PUBLISHED, **settings: Any
) -> None:
    """Download what a run needs of networks from elsewhere.

    Parameters
    ----------
    files
        As `genreflow.plan.downloads` returns them.
    table, **settings
        As for `fetch`.

    Raises
    ------
    GenreflowError
        As `fetch`. If there is no connection, it names all files that aren't there, with their
        sizes and servers, and says how to do without them.
    """
    for file in files:
        try:
            if "network" in file:
                fetch(file["network"], file["path"], top=True, table=table, **settings)
            else:
                digest = f"sha256:{file['sha256']}"
                download.fetch(file["url"], file["path"], digest=digest, **settings)
        except download.UnreachableError as error:
            absent = [one for one in files if not Path(one["path"]).exists()]
            listed = "\n".join(f"  - {_described(one, table)}" for one in absent)
            raise GenreflowError(
                f"{error}.\nNot there yet:\n{listed}\n"
                "To run without them, call snakemake with the same options but without `fetch`: it "
                "leaves out the learners that need them, and names them. Or bring the files from "
                "another computer."
            ) from error


def _described(file: Mapping[str, str], table: str | Path) -> str:
    if "network" not in file:
        return f"{file['path']} from {file['url']}"
    found = _published(file["network"], top=True, table=table)
    size = f", {found['megabytes']} MB" if found.get("megabytes") else ""
    host = urlsplit(found["url"]).netloc
    return f"{file['path']}: ImageNet weights of {file['network']}{size}, from {host}"


def _published(network: str, *, top: bool, table: str | Path) -> Mapping[str, str]:
    files = pd.read_csv(table, dtype=str, keep_default_na=False)
    found = files[(files["network"] == network) & (files["top"] == ("yes" if top else "no"))]
    if found.empty:
        raise GenreflowError(
            f"Keras publishes no ImageNet weights of {network}: there are those of "
            f"{', '.join(files['network'].unique())}. Give the path of a weights file, or random"
        )
    return found.iloc[0].to_dict()


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
    for place in range(max(len(layers), len(stored))):
        layer, expected = layers[place] if place < len(layers) else ("", [])
        name, found = stored[place] if place < len(stored) else ("", [])
        yield _Pair(layer, expected, name, found)


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
    import keras

    layers = file["layers"]
    used: dict[str, int] = {}
    for layer in network.layers:
        kind = keras.src.utils.naming.to_snake_case(type(layer).__name__)
        number = used[kind] = used.get(kind, -1) + 1
        name = f"{kind}_{number}" if number else kind
        expected = sorted(tuple(weight.shape) for weight in layer.weights)
        found: Shapes = []
        if name in layers:
            layers[name].visititems(
                lambda _, item, found=found: (
                    found.append(item.shape) if isinstance(item, h5py.Dataset) else None
                )
            )
            name = layers[name].attrs.get("name", name)
        if expected or found:
            yield _Pair(layer.name, expected, name if found else "", sorted(found))
