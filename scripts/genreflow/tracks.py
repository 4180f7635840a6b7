"""What a track is, and in which shard it lies. Needs nothing but the standard library."""

import zlib
from dataclasses import dataclass

PARTS = ("training", "validation", "test")
"""The parts of a split, in the order in which tables show them."""


@dataclass(frozen=True, slots=True)
class Track:
    """One clip of a corpus, as its source lists it.

    Attributes
    ----------
    track_id
        Unique in the corpus; safe as a file name (letters, digits, ``_``, ``-``, ``.``).
    path
        The audio file.
    genre
        The label.
    split
        What the corpus itself says: one of `PARTS`, or "" if it says nothing.
    artist, album, title, license
        For people to read; "" if unknown.
    artist_id, album_id
        Equal for tracks of the same artist or album; "" if unknown.
    """

    track_id: str
    path: str
    genre: str
    split: str = ""
    artist: str = ""
    album: str = ""
    title: str = ""
    license: str = ""
    artist_id: str = ""
    album_id: str = ""


def shard_of(track_id: str, shards: int) -> int:
    """Return the shard of a track: a stable hash of its id, never its place in a list."""
    return zlib.crc32(track_id.encode()) % shards
