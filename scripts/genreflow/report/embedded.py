"""Figures of the report: in the page as far as there is room, by links beyond."""

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from genreflow.errors import GenreflowError

LIMIT = 6_000_000
"""Figures are in the page up to this size of their files, all together [bytes]."""

_SIZE = re.compile(r'<svg\b[^>]*?\bwidth="([\d.]+)pt"[^>]*?\bheight="([\d.]+)pt"')


@dataclass(frozen=True)
class Figure:
    """A figure of a run.

    Attributes
    ----------
    caption
        Says what it shows.
    source
        A data URI, or "" where the page has no room for it.
    link
        Where its file lies, from the page.
    width, height
        [CSS pixels]
    size
        Of the file [bytes].
    """

    caption: str
    source: str
    link: str
    width: int
    height: int
    size: int


class Figures:
    """The figures of a run, which the sections of the page take one after the other.

    Parameters
    ----------
    paths
        SVG files.
    folder
        Of the figures: what a figure shows is told by its place in it.
    root
        Where this folder lies, from the page, as part of an address.
    limit
        As `LIMIT`.

    Attributes
    ----------
    used
        How many bytes of figures are in the page.
    """

    def __init__(self, paths: Sequence[Path], *, folder: Path, root: str, limit: int = LIMIT):
        self._left = {path.relative_to(folder).with_suffix("").as_posix(): path for path in paths}
        self._root = root
        self._limit = limit
        self.used = 0

    def take(self, wanted: Callable[[str], bool]) -> list[Figure]:
        """Return those that nobody took yet and whose place (``SPLIT/LEARNER/NAME``) is wanted.

        Raises
        ------
        GenreflowError
            If one isn't an SVG that Matplotlib wrote.
        """
        places = [place for place in sorted(self._left) if wanted(place)]
        return [self._figure(place, self._left.pop(place)) for place in places]

    def drop(self, wanted: Callable[[str], bool]) -> None:
        """Leave out those whose place is wanted."""
        self._left = {place: path for place, path in self._left.items() if not wanted(place)}

    def _figure(self, place: str, path: Path) -> Figure:
        content = path.read_bytes()
        size = _SIZE.search(content[:4000].decode("utf-8", "replace"))
        if not size:
            raise GenreflowError(
                f"{path}: not an SVG with its width and height in points. Remove it and run the "
                "workflow again, which draws it anew."
            )
        fits = self.used + len(content) <= self._limit
        self.used += len(content) if fits else 0
        # As an image, and not among the elements of the page, where their ids and styles would mix.
        source = "data:image/svg+xml;base64," + base64.b64encode(content).decode("ascii")
        # 96 CSS pixels are 72 points.
        width, height = (round(float(points) * 96 / 72) for points in size.groups())
        link = f"{self._root}/{quote(place)}.svg"
        return Figure(_caption(place), source if fits else "", link, width, height, len(content))


def _caption(place: str) -> str:
    """Say what the figure at a place is: ``Learning curves: official/cnn/simple``."""
    *folders, name = place.split("/")
    said = name.replace("+", " and ") if "+" in name else name.replace("_", " ").capitalize()
    return f"{said}: {'/'.join(folders)}" if folders else said
