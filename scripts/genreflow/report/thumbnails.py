"""Small log-mel images of tracks, as data URIs for a page."""

import base64
import io
from collections.abc import Collection
from pathlib import Path

import numpy as np
from PIL import Image

from genreflow.features.spectrograms import open_images

_QUALITY = 40  # of WebP: what is lost can't be seen at this size


def thumbnails(
    images: str | Path, track_ids: Collection[str], *, width: int = 160, height: int = 32
) -> dict[str, str]:
    """Shrink the images of some tracks.

    `images` is what `features.spectrograms.join` or `write_shard` wrote, or GenreflowError is
    raised; only the rows of these tracks are read, and those without an image are left out. Width
    and height are those of a whole clip [pixels]; the repetitions of shorter ones are left out, so
    that theirs are narrower, but the seconds as wide.

    The result is ``data:image/webp;base64,...``, grey, by track id in the order of the file.
    """
    wanted = set(track_ids)
    found = {}
    with open_images(images) as file:
        frames = file["frames"][:].tolist()
        for row, track_id in enumerate(file["track_id"].asstr()[:].tolist()):
            if track_id in wanted:
                image = file["images"][row]
                share = frames[row] / image.shape[1]
                size = max(1, round(width * share)), height
                found[track_id] = _data_uri(image[:, : frames[row]], size)
    return found


def _data_uri(image: np.ndarray, size: tuple[int, int]) -> str:
    small = Image.fromarray(image).resize(size, Image.Resampling.BOX)
    content = io.BytesIO()
    small.save(content, "WEBP", quality=_QUALITY, method=6)
    return "data:image/webp;base64," + base64.b64encode(content.getvalue()).decode("ascii")
