"""Predictions to look at and listen to: one HTML page, which opens offline.

It plays the files from where they lie, and holds all else. Of thousands of files, rows are drawn
as they come into sight.
"""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from genreflow.bundle.predicted import Prediction, Predictions
from genreflow.errors import printable
from genreflow.pages.links import link
from genreflow.pages.render import render
from genreflow.runtime.files import write_text

SHARES = 3
"""Of so many genres a file has bars."""

BANDS, LEAST = 5, 0.02
"""A window is drawn with so many genres at most, those with this probability; the rest is grey."""

COLORS, TEXTURES = 6, 4
"""Each genre has one of so many colours with one of so many textures, as the style has them."""


def write(found: Predictions, path: str | Path) -> None:
    """Write the page of predictions, which refers to the audio files relative to itself."""
    usable = [one for one in found.files if not one.reason]
    counts = Counter(one.predicted for one in usable)
    genres = sorted(found.genres, key=lambda genre: -counts[genre])
    common, folders = _folders([one.file for one in found.files])
    places = np.array([genres.index(genre) for genre in found.genres])
    described = [
        _described(one, folders[one.file], link(one.file, Path(path).parent), places)
        for one in usable
    ]
    drawn = {
        place
        for *_, shares, windows, _ in described
        for some in (shares, *(window[2:] for window in windows))
        for place in some[::2]
    }
    page = render(
        Path(__file__).parent,
        "page.html.j2",
        style="page.css",
        script="page.js",
        about=found,
        common=common,
        count=len(found.files),
        keys=[(place, counts[genres[place]]) for place in sorted(drawn)],
        failed=[one for one in found.files if one.reason],
        unsure=sum(one.unsure for one in usable),
        folders=folders,
        data={
            "files": described,
            "genres": genres,
            "looks": [_look(place) for place in range(len(genres))],
        },
    )
    write_text(path, page)


def _folders(files: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Return the name of the folder that holds all files, and the folder of each within it."""
    # Not Path.absolute, which keeps what leads up.
    folders = {file: os.path.abspath(Path(file).parent) for file in files}  # noqa: PTH100
    common = os.path.commonpath(folders.values())
    inner = {file: os.path.relpath(folder, common) for file, folder in folders.items()}
    return (
        printable(Path(common).name),
        {file: "" if folder == "." else printable(folder) for file, folder in inner.items()},
    )


def _described(one: Prediction, folder: str, address: str, places: np.ndarray) -> list[Any]:
    """Return what the page's script knows of a file, as short as can be.

    Name, folder, address, length [s], shares; for each window its start, its end and shares; and
    whether the prediction is unsure.
    """
    windows = [
        [round(float(start), 2), round(float(end), 2), *_shares(found, places, BANDS, LEAST)]
        for start, end, found in zip(one.starts, one.ends, one.by_window, strict=True)
    ]
    shares = _shares(one.probabilities, places, SHARES)
    return [one.name, folder, address, round(one.seconds, 2), shares, windows, int(one.unsure)]


def _shares(found: np.ndarray, places: np.ndarray, count: int, least: float = 0.0) -> list[int]:
    """Return the most probable genres, each by its place and its probability in thousandths."""
    best = np.argsort(-found, kind="stable")[:count]
    best = best[: max(1, int((found[best] >= least).sum()))]
    return (
        np.stack([places[best], np.rint(1000 * found[best])], axis=1).astype(int).ravel().tolist()
    )


def _look(place: int) -> str:
    """Return the classes that tell a genre from others."""
    return f"c{place % COLORS} t{place // COLORS % TEXTURES}"
