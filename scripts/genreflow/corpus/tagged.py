"""Corpora of tagged files: what their tags say, kept from run to run, and the tracks made of it."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from genreflow import names
from genreflow.audio import tags
from genreflow.audio.tags import Tags
from genreflow.corpus import genres, labels
from genreflow.corpus.tracks import Listing, Track
from genreflow.runtime.files import atomic

_FORM = 1
"""Of what is kept; to be raised where tags are read otherwise than before."""


def read(paths: Sequence[str], kept: str | Path) -> list[Tags]:
    """Read the tags of files in their order, but for those that were kept and haven't changed.

    Where they can't be kept, the next run reads them again.
    """
    reader = f"tinytag {version('tinytag')}, {_FORM}"
    known = _known(Path(kept), reader)
    states = [_state(path) for path in paths]
    unread = [
        path
        for path, state in zip(paths, states, strict=True)
        if known.get(path, [None])[0] != state
    ]
    now = dict(zip(unread, (one.plain() for one in tags.read(unread)), strict=True))
    entries = {
        path: [state, now[path] if path in now else known[path][1]]
        for path, state in zip(paths, states, strict=True)
    }
    if entries != known:
        # Nothing is lost but time where it can't be, or another run is just doing the same.
        with suppress(OSError), atomic(kept) as part:
            text = json.dumps({"reader": reader, "files": entries}, ensure_ascii=True)
            part.write_text(text, encoding="ascii")
    return [Tags(**values) for _, values in entries.values()]


def _known(kept: Path, reader: str) -> dict[str, list[Any]]:
    """Return state and tags of each file that was read before, if by the same reader."""
    with suppress(OSError, ValueError):
        content = json.loads(kept.read_text(encoding="ascii"))
        if isinstance(content, dict) and content.get("reader") == reader:
            return content["files"]
    return {}


def _state(path: str) -> list[int]:
    """Return what differs once a file has changed, though who writes tags may set its time back."""
    with suppress(OSError):
        found = os.stat(path)  # noqa: PTH116 (of thousands of paths)
        return [found.st_size, found.st_mtime_ns, found.st_ctime_ns]
    return []


def labelled(listing: Listing, found: Sequence[Tags], corpus: Mapping[str, Any]) -> Listing:
    """Give the tracks of a listing what their tags say; leave out those without one genre.

    What counts of the configuration are `corpus.genre_map` and `corpus.several_genres`.
    """
    renamed = genres.Map(corpus["genre_map"])
    first = corpus["several_genres"] == "first"
    parted: dict[tuple[str, ...], tuple[list[str], bool]] = {}
    tracks: list[Track] = []
    notes = list(_unreadable(listing.tracks, found))
    out: dict[str, dict[Track, str]] = {reason: {} for reason in _REASONS}
    for file, one in zip(listing.tracks, found, strict=True):
        if one.genres not in parted:
            parted[one.genres] = genres.of_tag(one.genres, renamed)
        own, mapped_out = parted[one.genres]
        track = _described(file, one)
        if own and (first or len(own) == 1):
            tracks.append(replace(track, genre=own[0]))
            continue
        reason = genres.SEVERAL if own else genres.MAPPED_OUT if mapped_out else genres.NO_GENRE
        given = "; ".join(own or one.genres)
        unread = one.problem and f"its tags can't be read: {one.problem}"
        detail = unread or _REASONS[reason].format(given)
        out[reason][replace(track, genre="; ".join(own))] = detail
    listing = replace(listing, tracks=tracks, without_genre=len(out[genres.NO_GENRE]))
    for reason, details in out.items():
        listing = genres.without(listing, reason, details)
    notes += _several(out[genres.SEVERAL])
    return replace(listing, notes=[*listing.notes, *notes])


_REASONS = {
    genres.NO_GENRE: "its tags name no genre",
    genres.SEVERAL: "its tags name {}: corpus.genre_map can make them one, and "
    "corpus.several_genres takes the first",
    genres.MAPPED_OUT: "corpus.genre_map leaves {} out",
}


def _described(file: Track, one: Tags) -> Track:
    """Return a track with all that its tags say but the genre.

    An album counts with its artist; that of several artists, which a tag says or the artist of the
    album, counts by itself.
    """
    artist = one.artist or one.album_artist
    several = one.compilation or one.album_artist
    by = one.album_artist
    if names.is_nobody(by):
        by = "" if several else artist
    return replace(
        file,
        artist=artist,
        album=one.album,
        title=one.title or file.title,
        year=one.year,
        **labels.identified(artist, one.album, by=by),
    )


def _unreadable(files: Sequence[Track], found: Sequence[Tags]) -> Iterator[str]:
    """Say how many files' tags can't be read, and name the first."""
    broken = [
        f"{file.path}: {one.problem}" for file, one in zip(files, found, strict=True) if one.problem
    ]
    if broken:
        yield f"Files whose tags can't be read: {len(broken):,}, first {broken[0]}."


def _several(tracks: Iterable[Track]) -> Iterator[str]:
    """Say how many tracks are left out for their several genres, and which these are."""
    combined = Counter(track.genre for track in tracks)
    if combined:
        yield (
            f"Tracks left out, for their tags name several genres: {combined.total():,}: "
            f"{genres.few(combined, named=5)}. corpus.genre_map can make them one; "
            "corpus.several_genres: first takes the first."
        )
