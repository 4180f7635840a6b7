"""Labels of tracks: which are one, though written otherwise, and which are nobody's."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from genreflow import names
from genreflow.corpus.tracks import Track


def unified(tracks: Sequence[Track]) -> tuple[list[Track], list[str]]:
    """Give each genre one name, that of most of its tracks; leave out what no name can show.

    Genres are one that differ only in letter case, blanks or the form of Unicode. What differs
    little more stays apart, and is said.

    Returns
    -------
    tracks
        In their order.
    said
        A line for each genre of several spellings, and for genres that look much alike.
    """
    spellings = defaultdict(Counter)
    for track in tracks:
        spellings[names.key(track.genre)][track.genre] += 1
    chosen, said = {}, []
    for key, counts in sorted(spellings.items()):
        first = min(counts, key=lambda one: (-counts[one], one))
        chosen[key] = names.folded(first)
        if others := sum(counts.values()) - counts[first]:
            written = ", ".join(repr(one) for one in sorted(counts) if one != first)
            said.append(
                f"Genre {chosen[key]!r}: {others:,} of its {sum(counts.values()):,} tracks are "
                f"labelled {written}, which differs in letter case, blanks or the form of Unicode "
                "only: taken for one genre."
            )
    for alike in _groups(chosen.values(), names.rough_key):
        counted = " and ".join(f"{one!r}" for one in alike)
        said.append(f"Genres {counted} look much alike, and are taken for {len(alike)} genres.")
    named = [
        replace(one, genre=chosen[names.key(one.genre)], **_without_controls(one)) for one in tracks
    ]
    return named, said


def _without_controls(track: Track) -> dict[str, str]:
    """Return the names of a track that hold what can't be shown, without it."""
    known = {key: getattr(track, key) for key in ("artist", "album", "title")}
    return {key: names.folded(text) for key, text in known.items() if not text.isprintable()}


def _groups(values: Iterable[str], key: Callable[[str], str]) -> list[list[str]]:
    groups = defaultdict(list)
    for value in sorted(values):
        groups[key(value)].append(value)
    return [group for of, group in groups.items() if of and len(group) > 1]


def identified(artist: str, album: str, *, by: str | None = None) -> dict[str, str]:
    """Return artist_id and album_id: equal for names that are one, "" for those of nobody.

    An album counts with its artist, for many are called "Greatest Hits"; a compilation, whose
    artist is nobody, counts by itself. `by` is the artist of the album, where that is known apart.
    """
    artist, album, by = (
        "" if names.is_nobody(one) else names.key(one)
        for one in (artist, album, artist if by is None else by)
    )
    return {"artist_id": artist, "album_id": f"{by}/{album}" if album else ""}


def placeholders(tracks: Iterable[Track]) -> list[str]:
    """Say in a line how many tracks have a name in the place of an artist that is nobody's."""
    found = [one for one in tracks if one.artist and not one.artist_id]
    if not found:
        return []
    counts = Counter(one.artist for one in found)
    written = ", ".join(f"{one!r} ({number:,})" for one, number in counts.most_common(5))
    alone = sum(not one.album_id for one in found)
    return [
        f"The artist of {len(found):,} tracks is not known: {written}. {alone:,} of them have no "
        "album either: each counts as by an artist of its own; the others count by their album."
    ]
