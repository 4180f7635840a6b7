"""Where files lie from a page, and from other files beside which it lies."""

import os
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes


def link(path: str | Path, folder: str | Path) -> str:
    """Return the relative address of a file, from a folder.

    All that isn't plain is written with percent signs, bytes that aren't UTF-8 as well.
    """
    return quote(os.fsencode(os.path.relpath(path, folder)))


def followed(address: str, folder: str | Path) -> str:
    """Return the path that `link` made an address of."""
    path = os.fsdecode(unquote_to_bytes(address))
    return os.path.normpath(os.path.join(folder, path))  # noqa: PTH118 - Path keeps ..
