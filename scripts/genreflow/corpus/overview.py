"""What the tags below a folder say, for people to look at before anything runs."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from genreflow.audio.collect import describe
from genreflow.corpus import readers
from genreflow.corpus.genres import MAPPED_OUT, NO_GENRE, few
from genreflow.corpus.tracks import Listing, Track
from genreflow.errors import GenreflowError, printable


def of_tags(corpus: Mapping[str, Any], *, results: str | Path) -> str:
    """Read the tags below `corpus.audio`, and say what a corpus of kind `tags` would be.

    The configured corpus may be of any kind. Tags are kept below the results. Whatever they hold,
    the lines have no control characters.

    Raises
    ------
    GenreflowError
        If there is no such folder.
    """
    if not corpus["audio"]:
        raise GenreflowError(
            "the tags of which files? Give a folder: `make tags FOLDER=my/music`, or --config "
            "\"corpus={'audio': 'my/music'}\""
        )
    listing = readers.as_found({**corpus, "kind": "tags"}, results=results, seed=0, audio_for="")
    return printable("\n".join(_lines(corpus["audio"], listing)), keep="\n")


def _lines(folder: str, listing: Listing) -> Iterator[str]:
    out = sum(map(len, listing.left_out.values()))
    files = len(listing.tracks) + len(listing.missing) + out
    yield f"{folder}: {_files(files)} of audio, {len(listing.tracks):,} with a genre of a corpus"
    if listing.tracks:
        yield ""
        yield from _table(listing.tracks)
    yield ""
    yield from listing.notes
    for reason in (NO_GENRE, MAPPED_OUT):  # the others are said by notes
        if tracks := listing.left_out.get(reason):
            yield f"{reason.capitalize()}: {_files(len(tracks))}, first {tracks[0].path}"
    if listing.missing:
        first = listing.missing[0]
        why = listing.why.get(first.track_id, "not there")
        yield f"Can't be opened: {_files(len(listing.missing))}, first {first.path}: {why}"
    yield from _across(listing.tracks)
    yield from filter(None, [describe(listing.passed_over.values())])
    if NO_GENRE in listing.left_out:
        yield "A run lists those without a genre in without_genre.m3u8, which `predict` takes."


def _files(number: int) -> str:
    return "1 file" if number == 1 else f"{number:,} files"


def _table(tracks: Iterable[Track]) -> Iterator[str]:
    """Yield a line per genre, with its tracks, artists and albums, the most frequent first."""
    own = defaultdict(list)
    for track in tracks:
        own[track.genre].append(track)
    width = max(map(len, (*own, "genre")))
    line = "{:<{width}}  {:>7}  {:>7}  {:>7}"
    yield line.format("genre", "tracks", "artists", "albums", width=width)
    for genre in sorted(own, key=lambda one: (-len(own[one]), one)):
        artists, albums = (
            len({getattr(track, key) for track in own[genre]} - {""})
            for key in ("artist_id", "album_id")
        )
        yield line.format(genre, f"{len(own[genre]):,}", artists, albums, width=width)


def _across(tracks: Sequence[Track], named: int = 10) -> Iterator[str]:
    """Name the artists whose tracks have several genres, those of most tracks first."""
    spread: dict[str, Counter[str]] = defaultdict(Counter)
    shown = {}
    for track in tracks:
        if track.artist_id:
            spread[track.artist_id][track.genre] += 1
            shown.setdefault(track.artist_id, track.artist)
    several = [artist for artist, genres in spread.items() if len(genres) > 1]
    several.sort(key=lambda artist: (-spread[artist].total(), artist))
    if several:
        yield f"Artists in several genres: {len(several):,} of {len(spread):,}"
    for artist in several[:named]:
        yield f"  {shown[artist]}: {few(spread[artist], named=5)}"
    if len(several) > named:
        yield f"  and {len(several) - named:,} more"
