"""What a track is, and in which shard it lies. Needs nothing but the standard library."""

import json
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from genreflow.runtime.files import atomic

PARTS = ("training", "validation", "test")
"""The parts of a split, in the order in which tables show them."""


@dataclass(frozen=True, slots=True)
class Track:
    """One clip of a corpus, as its source lists it; "" is what isn't known."""

    # Unique in the corpus; safe as a file name (letters, digits, ``_``, ``-``, ``.``).
    track_id: str
    path: str  # the audio file; it may not be known where no learner needs it
    genre: str
    split: str = ""  # what the corpus itself says: one of `PARTS`
    artist: str = ""
    album: str = ""
    title: str = ""
    year: str = ""
    license: str = ""
    artist_id: str = ""  # equal for tracks of the same artist
    album_id: str = ""
    top_genre: str = ""  # what its genre lies below, where genres have such


def shard_of(track_id: str, shards: int) -> int:
    """Return the shard of a track: a stable hash of its id, never its place in a list."""
    return zlib.crc32(track_id.encode()) % shards


@dataclass(frozen=True)
class Listing:
    """The tracks that a corpus lists."""

    tracks: list[Track]  # those with a genre and a file, sorted by id
    missing: list[Track]  # those with a genre whose file isn't there, or can't be opened as a file
    without_genre: int = 0  # how many rows have none
    problem: str = ""  # why there are no tracks, if the corpus isn't on disk yet
    # By the ids of those in `left_out`, and of those in `missing` that are there: what else is to
    # be said of it.
    why: dict[str, str] = field(default_factory=dict)
    # The files beside them that were not looked at, as `audio.collect.Found` has them.
    passed_over: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)  # what else is to be said, in sentences
    # By the reason: those that are left out for their genre, whatever `max_excluded` is.
    left_out: dict[str, list[Track]] = field(default_factory=dict)


UNHEARD = "No audio is looked at, for no learner needs it."
"""What is to be said of a run without audio."""

_SAID = dict.fromkeys(["without_genre", "left_out", "passed_over", "notes"])
"""What a listing tells beside the tracks."""


def write_listing(listing: Listing, path: str | Path) -> None:
    """Write a listing as JSON, unless the file has these tracks already.

    An unchanged file keeps its time, so that nothing becomes stale by listing again, nor by
    what isn't used: a picture more among the music, or a file without a genre.
    """
    path = Path(path)
    content = asdict(listing)
    text = json.dumps(content, indent=0, ensure_ascii=True, sort_keys=True)
    if path.exists():
        known = json.loads(path.read_text(encoding="ascii"))
        if _what_counts(known) == _what_counts(content):
            return
    with atomic(path) as part:
        part.write_text(text, encoding="ascii")


def _what_counts(content: dict[str, Any]) -> dict[str, Any]:
    missing = {track["track_id"] for track in content["missing"]}
    why = {track_id: text for track_id, text in content["why"].items() if track_id in missing}
    return content | _SAID | {"why": why}


def read_listing(path: str | Path) -> Listing:
    """Read what `write_listing` wrote."""
    content = json.loads(Path(path).read_text(encoding="ascii"))
    for lists in (content, content["left_out"]):
        for key in ("tracks", "missing") if lists is content else lists:
            lists[key] = [Track(**track) for track in lists[key]]
    return Listing(**content)
