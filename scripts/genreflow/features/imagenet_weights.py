"""Weights and networks from elsewhere: those trained on ImageNet that Keras publishes, and ONNX."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from genreflow.corpus import downloads
from genreflow.errors import GenreflowError

PUBLISHED = Path(__file__).with_name("imagenet_weights.csv")
"""What keras.applications downloads: network, top (yes or no), url, size, digest, megabytes.

Sizes and digests are Keras's own; it has none for MobileNet, and only sizes are known for
MobileNetV2. The megabytes, to be told to people, are those of the network's parameters."""


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
        Of `corpus.downloads.fetch`.

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
    return downloads.fetch(
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
                downloads.fetch(file["url"], file["path"], digest=digest, **settings)
        except downloads.UnreachableError as error:
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
