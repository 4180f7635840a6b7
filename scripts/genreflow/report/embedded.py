"""Figures of the report: in the page as far as there is room, by links beyond."""

import base64
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from genreflow.errors import GenreflowError

LIMIT = 6_000_000
"""Figures are in the page up to this size of their files, all together [bytes]."""

_TITLE = re.compile(r"<dc:title>(.*?)</dc:title>", re.DOTALL)
_SIZE = re.compile(r'<svg\b[^>]*?\bwidth="([\d.]+)pt"[^>]*?\bheight="([\d.]+)pt"')


@dataclass(frozen=True)
class Figure:
    """A figure of a run.

    Its file lies at a `place` among the figures, ``SPLIT/LEARNER/NAME``, and at `link` from the
    page, and has a `size` [bytes]. `source` is a data URI, or "" where the page has no room for it;
    width and height are in CSS pixels.
    """

    place: str
    caption: str
    source: str
    link: str
    width: int
    height: int
    size: int


def embed(paths: Mapping[str, Path], *, root: str, limit: int = LIMIT) -> list[Figure]:
    """Embed SVG files as long as there is room.

    Paths are by their places, in the order of their worth; `root` is where the folder of figures
    lies, from the page, as part of an address. GenreflowError is raised if one isn't an SVG that
    Matplotlib wrote.
    """
    found, used = [], 0
    for place, path in paths.items():
        content = path.read_bytes()
        head = content[:4000].decode("utf-8", "replace")
        points = _SIZE.search(head)
        if not points:
            raise GenreflowError(
                f"{path}: not an SVG with its width and height in points. Remove it and run the "
                "workflow again, which draws it anew."
            )
        source = ""
        if used + len(content) <= limit:
            used += len(content)
            # As an image, for among the elements of the page its ids and styles would mix.
            source = "data:image/svg+xml;base64," + base64.b64encode(content).decode("ascii")
        # 96 CSS pixels are 72 points.
        width, height = (round(float(length) * 96 / 72) for length in points.groups())
        link = f"{root}/{quote(place)}.svg"
        title = _TITLE.search(head)
        caption = html.unescape(title[1]) if title else place
        found.append(Figure(place, caption, source, link, width, height, len(content)))
    return found
