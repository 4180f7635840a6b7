"""Zip archives, which may unpack to far more than their size."""

import zipfile
from pathlib import Path

EXPANSION, FREE_BYTES = 4, 2**26
"""An archive of models may unpack to so many times its size, and to so much in any case: those that
write them pack nothing."""


def most_of(path: str | Path) -> int:
    """Return how much an archive of models may unpack to [bytes]."""
    return FREE_BYTES + EXPANSION * Path(path).stat().st_size


def sizes(path: str | Path) -> dict[str, int]:
    """Return how much each member unpacks to [bytes].

    Raises
    ------
    ValueError
        If that is more than `most_of` in all.
    zipfile.BadZipFile, OSError
        If it is no whole archive.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    # A name may stand there twice.
    if sum(one.file_size for one in members) > most_of(path):
        raise ValueError(f"it unpacks to more than {most_of(path)} bytes")
    return {one.filename: one.file_size for one in members}
