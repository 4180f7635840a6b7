"""Weights trained on ImageNet, as Keras publishes them."""

from pathlib import Path
from typing import Any

import pandas as pd

from genreflow import download
from genreflow.errors import GenreflowError

PUBLISHED = Path(__file__).with_name("imagenet_weights.csv")
"""The files that keras.applications downloads: network, top (yes or no), url, size, digest.

Sizes and digests are Keras's own; it has none for MobileNet, and only sizes are known for
MobileNetV2."""


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
    files = pd.read_csv(table, dtype=str, keep_default_na=False)
    found = files[(files["network"] == network) & (files["top"] == ("yes" if top else "no"))]
    if found.empty:
        raise GenreflowError(
            f"Keras publishes no ImageNet weights of {network}: there are those of "
            f"{', '.join(files['network'].unique())}. Give the path of a weights file, or random"
        )
    file = found.iloc[0]
    return download.fetch(
        file["url"],
        path,
        size=int(file["size"]) if file["size"] else None,
        digest=file["digest"] or None,
        **settings,
    )
