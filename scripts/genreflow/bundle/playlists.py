"""Playlists of what was predicted, one per genre."""

import os
import re
from pathlib import Path
from urllib.parse import quote

from genreflow.bundle.predicted import Prediction, Predictions
from genreflow.runtime.files import write_text

LONGEST = 60
"""A playlist's name has so many characters of its genre at most."""


def write(found: Predictions, folder: str | Path) -> list[Path]:
    """Write an M3U8 playlist of the files of each genre, the surest first.

    The files are named relative to the folder. A playlist that is there already is replaced, by an
    empty one where no file has its genre any more. Those that were written are returned.
    """
    by_genre: dict[str, list[Prediction]] = {genre: [] for genre in found.genres}
    for one in found.files:
        if one.predicted:
            by_genre[one.predicted].append(one)
    written = []
    for genre, name in names(found.genres).items():
        path = Path(folder, f"{name}.m3u8")
        if by_genre[genre] or path.exists():
            surest = sorted(by_genre[genre], key=lambda one: -one.probabilities.max())
            lines = [line for one in surest for line in _entry(one, folder)]
            write_text(path, "\n".join(["#EXTM3U", *lines]))
            written.append(path)
    return written


def names(genres: tuple[str, ...]) -> dict[str, str]:
    """Return a name of a file for each genre: letters, digits, blanks and few signs; all differ."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for genre in genres:
        plain = re.sub(r"[^\w &'+-]+", "_", genre)[:LONGEST].strip("_ -") or "genre"
        name, number = plain, 1
        while name.casefold() in taken:
            number += 1
            name = f"{plain} {number}"
        taken.add(name.casefold())
        found[genre] = name
    return found


def _entry(one: Prediction, folder: str | Path) -> list[str]:
    share = f"{100 * one.probabilities.max():.0f} %"
    return [f"#EXTINF:{round(one.seconds)},{one.name} ({share})", _address(one.file, folder)]


def _address(file: str, folder: str | Path) -> str:
    """Return how a player finds a file: a relative path, or an address where that isn't a line."""
    path = os.path.join(".", os.path.relpath(file, folder))  # noqa: PTH118 - Path drops the dot
    if path.isprintable() and path == path.strip():
        return path
    # Line breaks, and bytes of no text.
    return "file://" + quote(os.fsencode(os.path.abspath(file)))  # noqa: PTH100 - no links
