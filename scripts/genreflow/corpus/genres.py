"""The genres of tracks: parted where a tag names several, mapped, left out if rare."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from genreflow import names
from genreflow.audio.written import as_playlist
from genreflow.corpus.tracks import Listing, Track
from genreflow.errors import GenreflowError
from genreflow.runtime.files import write_text

NO_GENRE, SEVERAL = "without a genre", "several genres"
MAPPED_OUT, RARE = "genre left out", "rare genre"
"""Why tracks are left out for their genre."""

# The last four are wide ones, as Chinese and Japanese have them.
_APART = re.compile(r"[;/,|\\\uff1b\uff0f\uff0c\u3001]")
_BRACKETS = re.compile(r"\((\d{1,3})\)(.*)|(\d{1,3})", re.ASCII | re.DOTALL)

# One genre in shops and data bases, though there is a sign in it that parts others.
_WHOLE = "Hip-Hop/Rap, R&B/Soul, Singer/Songwriter, Funk/Soul, Pop/Funk, Folk World & Country"
_WHOLE_KEYS = frozenset(map(names.rough_key, _WHOLE.split(",")))

# What programs write where nobody chose a genre.
_NONE = """unknown, unknown genre, other, others, misc, miscellaneous, none, no genre, n/a, genre,
undefined, unspecified, unclassifiable, uncategorized, not specified, default, various, unbekannt,
andere, sonstige, sonstiges, autre, autres, inconnu, otro, otros, desconocido, altro, sconosciuto"""
_NONE_KEYS = frozenset(map(names.rough_key, _NONE.split(","))) | {""}


class Map:
    """What genres are called, by the names that they are given: `corpus.genre_map`.

    Names are compared as `names.key` does. A target that is given another one itself is mapped on;
    one that is empty leaves out.

    Raises
    ------
    GenreflowError
        If a name has two targets, or is mapped to itself by way of others.
    """

    def __init__(self, given: Mapping[str, str]) -> None:
        direct: dict[str, str] = {}
        for name, target in given.items():
            if direct.setdefault(names.key(name), names.folded(target)) != names.folded(target):
                raise GenreflowError(
                    f"corpus.genre_map: {name!r} stands there twice, but for letter case, blanks "
                    "or the form of Unicode: give it one name"
                )
        self._targets = {key: _end(key, direct) for key in direct}
        for target in list(self._targets.values()):
            self._targets.setdefault(names.key(target), target)

    def __contains__(self, name: str) -> bool:
        return names.key(name) in self._targets

    def __getitem__(self, name: str) -> str:
        """Return what a genre is called, "" if it is left out."""
        return self._targets.get(names.key(name), name)


def _end(key: str, direct: Mapping[str, str]) -> str:
    """Follow a name to the last that it is mapped to."""
    passed = [key]
    while (target := names.key(direct[passed[-1]])) in direct and target != passed[-1]:
        if target in passed:
            raise GenreflowError(
                f"corpus.genre_map: {direct[passed[-1]]!r} is mapped to itself by way of others "
                f"({', '.join(map(repr, passed))}): say what it is to be called"
            )
        passed.append(target)
    return direct[passed[-1]]


def of_tag(values: Iterable[str], renamed: Map) -> tuple[list[str], bool]:
    """Part the values of a tag into genres, and tell whether the map left something out.

    A value that the map knows is taken as a whole, and so are names such as "Hip-Hop/Rap" that
    shops give one genre. Others are parted at commas, semicolons, slashes, backslashes and bars; a
    number is that of ID3v1. Names such as "Other" stand for none. Each genre comes once, in the
    order of the tag.
    """
    found: dict[str, str] = {}
    mapped_out = False
    for value in values:
        for name in _parts(value, renamed):
            genre = renamed[name]
            mapped_out |= not genre
            if genre:
                found.setdefault(names.key(genre), genre)
    return list(found.values()), mapped_out


def _parts(value: str, renamed: Map) -> list[str]:
    if value in renamed:
        return [value]
    whole = names.rough_key(value) in _WHOLE_KEYS | _NONE_KEYS  # n/a is no n and no a
    parts = map(_named, map(names.folded, [value] if whole else _APART.split(value)))
    return [one for one in parts if one in renamed or names.rough_key(one) not in _NONE_KEYS]


def _named(part: str) -> str:
    """Return the genre of a number of ID3v1: 17, (17) and (17)Rock are Rock, (255) is none."""
    if not (found := _BRACKETS.fullmatch(part)):
        return part
    from tinytag.tinytag import _ID3

    number = int(found[1] or found[3])
    known = _ID3._ID3V1_GENRES
    return known[number] if number < len(known) else found[2] or ""


def mapped(listing: Listing, renamed: Map) -> Listing:
    """Give the tracks of a listing their genres' names of the map; leave out what it leaves out."""
    named = [replace(one, genre=renamed[one.genre]) for one in listing.tracks]
    out = [one for one, new in zip(listing.tracks, named, strict=True) if not new.genre]
    detail = "corpus.genre_map leaves {!r} out"
    return without(
        replace(
            listing,
            tracks=[one for one in named if one.genre],
            missing=[replace(one, genre=renamed[one.genre]) for one in listing.missing],
        ),
        MAPPED_OUT,
        {one: detail.format(one.genre) for one in out},
    )


def without_rare(listing: Listing, min_tracks: int) -> Listing:
    """Leave out the genres of fewer than so many tracks."""
    own = defaultdict(list)
    for one in listing.tracks:
        own[one.genre].append(one)
    rare = {genre: tracks for genre, tracks in own.items() if len(tracks) < min_tracks}
    if not rare:
        return listing
    said = few(Counter({genre: len(tracks) for genre, tracks in rare.items()}))
    note = f"Left out, for they have fewer than {min_tracks} tracks (corpus.min_tracks): {said}."
    detail = "its genre has {:,} of the {:,} tracks that corpus.min_tracks asks for"
    return without(
        replace(
            listing,
            tracks=[one for one in listing.tracks if one.genre not in rare],
            notes=[*listing.notes, note],
        ),
        RARE,
        {one: detail.format(len(tracks), min_tracks) for tracks in rare.values() for one in tracks},
    )


def without(listing: Listing, reason: str, details: Mapping[Track, str]) -> Listing:
    """Add tracks to those that a listing leaves out, with what is to be said of each."""
    if not details:
        return listing
    return replace(
        listing,
        left_out=listing.left_out | {reason: [*listing.left_out.get(reason, []), *details]},
        why=listing.why | {one.track_id: detail for one, detail in details.items()},
    )


def write_without_genre(listing: Listing, path: str | Path) -> None:
    """Write a playlist of the files without a genre, for `predict`, if there are or were any."""
    own = [track.path for track in listing.left_out.get(NO_GENRE, [])]
    if own or Path(path).exists():
        write_text(path, as_playlist(own))


def tops(genres: Iterable[str], top_genres: Iterable[str]) -> dict[str, str]:
    """Return what each genre lies below, from the genre and the top genre of each track.

    A genre whose tracks have several top genres, as `corpus.genre_map` may make them, is its own.
    Nothing is returned where no genre lies below another.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for genre, top in zip(genres, top_genres, strict=True):
        found[genre].add(top or genre)
    known = {genre: own.pop() if len(own) == 1 else genre for genre, own in found.items()}
    return known if any(genre != top for genre, top in known.items()) else {}


def few(counts: Counter[str], named: int = 10) -> str:
    """Name the most frequent, with their numbers, and count the rest."""
    first = sorted(counts, key=lambda one: (-counts[one], one))
    said = ", ".join(f"{one!r} ({counts[one]:,})" for one in first[:named])
    return said + (f" and {len(first) - named:,} more" if len(first) > named else "")
