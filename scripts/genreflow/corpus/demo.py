"""The demo corpus: synthetic music laid out as the Free Music Archive data set (FMA) is.

Everything follows from the number of genres, the number of clips and a seed; which tracks there
are is known without making any of them, and needs nothing but the standard library.
"""

import subprocess
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from genreflow.corpus.tracks import PARTS, Track
from genreflow.errors import GenreflowError
from genreflow.runtime.files import atomic

if TYPE_CHECKING:
    import numpy as np

GENRES = ("Ambient", "Chiptune", "Dub", "March", "Minimal", "Shuffle", "Techno", "Waltz")
LICENSE = "CC0 1.0"
CLIP_SECONDS = 30.0
BIT_RATE = 64_000  # of a channel, bit/s

SECONDS = {"short_0.5s": 0.5, "short_1.5s": 1.5, "short_20s": 20.0}
"""Clips whose only damage is their duration; the last is long enough to be used."""

DAMAGES = (
    "no_audio",
    "empty",
    *SECONDS,
    "silent",
    "near_silent",
    "duplicate",
    "duplicate_of_test",
)
"""What happens to clips, one each: all in training, though one equals a test clip."""

CLICK = (0.004, 1e-3)
"""What is to be heard of the near-silent clip: seconds, and amplitude (-60 dBFS)."""

ARTIST_CLIPS = (2, 5)
ALBUM_CLIPS = 2
UNKNOWN_ALBUMS = 0.05
COMPILATIONS = 3
MAX_GAP = 200  # between one id and the next

ADJECTIVES = (
    "Amber", "Borrowed", "Copper", "Distant", "Eleventh", "Folded", "Gentle", "Hollow", "Idle",
    "Jagged", "Kindly", "Lateral", "Mossy", "Northern", "Oblique", "Paper", "Quiet", "Rusted",
    "Salted", "Tidal", "Upper", "Velvet", "Wooden", "Yonder",
)  # fmt: skip
NOUNS = (
    "Arcade", "Bellows", "Cartographer", "Dynamo", "Estuary", "Ferry", "Glasshouse", "Harbour",
    "Isthmus", "Junction", "Kettle", "Lantern", "Meridian", "Nightjar", "Orchard", "Pendulum",
    "Quarry", "Reservoir", "Sextant", "Turnstile", "Umbrella", "Viaduct", "Windmill", "Zeppelin",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Entry:
    """A track of the corpus, and how it is made."""

    track: Track
    damage: str
    origin: Track  # whose music it is: the track itself, or what a duplicate repeats


def tracks(*, genres: int, clips_per_genre: int, seed: int, source: str) -> list[Track]:
    """List the tracks of the demo corpus, by ascending id.

    They are split 60/20/20 into training, validation and test, no artist in two of them.

    Parameters
    ----------
    genres
        How many genres, the first of `GENRES`: 2 to 8.
    clips_per_genre
        How many healthy clips of each: 5, so that every part has one, to 1000, whose ids have six
        digits. The clips of `DAMAGES` come on top.
    seed
        Non-negative. Another seed makes another corpus: ids, names, splits and music.
    source
        The folder in which ``fma_demo`` lies.
    """
    return [
        replace(entry.track, path=f"{source}/{entry.track.path}")
        for entry in _plan(genres=genres, clips_per_genre=clips_per_genre, seed=seed)
    ]


def write_metadata(tracks: Iterable[Track], path: str | Path) -> None:
    """Write tracks.csv in FMA's format: two header rows, then one with the index name alone.

    Beside the tracks it lists some that a user of the subset ``small`` has to leave out, as FMA's
    own does: tracks of the larger subsets, which have no file, and tracks without a genre.
    """
    import pandas as pd

    rows = [_row(track, subset="small") for track in tracks]
    rows += _rows_to_leave_out(first_id=1 + max(int(row["", "track_id"]) for row in rows))
    index = pd.Index([row.pop(("", "track_id")) for row in rows], name="track_id")
    columns = pd.MultiIndex.from_tuples(rows[0])
    with atomic(path) as part:
        pd.DataFrame(rows, index, columns).to_csv(part)


def write_clips(
    tracks: Iterable[Track], *, genres: int, clips_per_genre: int, seed: int, threads: int = 1
) -> Iterator[Track]:
    """Make the clips of tracks, each when its turn comes, and yield each track once it is written.

    A clip's bytes follow from the seed and its track alone: they depend neither on the other tracks
    asked for nor on their order. All but the tracks and the threads is as for `tracks`.

    Raises
    ------
    GenreflowError
        If a clip can't be encoded.
    """
    plan = _plan(genres=genres, clips_per_genre=clips_per_genre, seed=seed)
    entries = {entry.track.track_id: entry for entry in plan}
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(partial(_write_clip, entries=entries, seed=seed), tracks)


def audio_format(track_id: str, *, seed: int) -> tuple[int, int]:
    """Return a clip's sampling rate in Hz and its number of channels.

    Mostly 44100 and 2, but as in FMA some clips have another rate, some are mono.
    """
    rng = Random(f"format {seed} {track_id}")
    (rate,) = rng.choices((44_100, 48_000, 22_050), weights=(84, 9, 7))
    (channels,) = rng.choices((2, 1), weights=(9, 1))
    return rate, channels


def _plan(*, genres: int, clips_per_genre: int, seed: int) -> list[_Entry]:
    """Lay out the corpus: who plays what, in which part, under which id."""
    rng = Random(f"plan {seed}")
    healthy = _healthy(GENRES[:genres], clips_per_genre, rng)
    _compile(healthy, GENRES[: min(genres, COMPILATIONS)], rng)
    spoilt, origins = _spoilt(healthy, GENRES[:genres], rng)
    numbered = _numbered(healthy + spoilt, rng)
    plan = [
        _Entry(track, damage, numbered[origin])
        for track, damage, origin in zip(
            numbered,
            [""] * len(healthy) + list(DAMAGES),
            [*range(len(healthy)), *origins],
            strict=True,
        )
    ]
    return sorted(plan, key=lambda entry: int(entry.track.track_id))


def _healthy(genres: tuple[str, ...], clips: int, rng: Random) -> list[Track]:
    """Give every genre its artists, each with two to five clips and all of them in one part.

    A part has two artists of a genre or more, where it has as many clips: what learns from the
    validation part needs independent ones.
    """
    names = [f"{adjective} {noun}" for adjective in ADJECTIVES for noun in NOUNS]
    rng.shuffle(names)
    fifth = round(clips / 5)
    sizes = dict(zip(PARTS, (clips - 2 * fifth, fifth, fifth), strict=True))
    found: list[Track] = []
    artist = 0
    for genre in genres:
        for part, left in sizes.items():
            most = max(1, left // 2)
            while left:
                size = min(left, most, rng.randint(*ARTIST_CLIPS))
                left -= size
                artist += 1
                about = Track("", "", genre, part, names[artist % len(names)], license=LICENSE)
                found += _discography(replace(about, artist_id=str(artist)), size, rng)
    return found


def _discography(about: Track, size: int, rng: Random) -> list[Track]:
    """Return an artist's tracks on their albums, some of which nobody knows."""
    found = []
    for number in range(size):
        if number % ALBUM_CLIPS == 0:
            # An artist has fewer albums than clips; the ids below the first are compilations.
            album = _title(rng)
            album_id = str(
                COMPILATIONS + ARTIST_CLIPS[1] * int(about.artist_id) + number // ALBUM_CLIPS
            )
            if rng.random() < UNKNOWN_ALBUMS:
                album = album_id = ""
        found.append(replace(about, title=_title(rng), album=album, album_id=album_id))
    return found


def _title(rng: Random) -> str:
    return f"{rng.choice(ADJECTIVES)} {rng.choice(NOUNS)}".capitalize()


def _compile(healthy: list[Track], genres: tuple[str, ...], rng: Random) -> None:
    """Put one track of each part on a compilation album, as FMA's cross its official split."""
    for album_id, genre in enumerate(genres, start=1):
        album = f"{_title(rng)}: a {genre.lower()} compilation"
        for part in PARTS:
            place = _first(healthy, genre, part)
            healthy[place] = replace(healthy[place], album=album, album_id=str(album_id))


def _first(tracks: list[Track], genre: str, part: str) -> int:
    return next(i for i, t in enumerate(tracks) if (t.genre, t.split) == (genre, part))


def _spoilt(
    healthy: list[Track], genres: tuple[str, ...], rng: Random
) -> tuple[list[Track], list[int]]:
    """Return a track for each of `DAMAGES`, and the place of the one whose music it has."""
    spoilt, origins = [], []
    for number, damage in enumerate(DAMAGES):
        genre = genres[number % len(genres)]
        artist = _first(healthy, genre, "training")
        origin = len(healthy) + number
        title = _title(rng)
        if damage.startswith("duplicate"):
            part = "test" if damage.endswith("test") else "training"
            origin = _first(healthy, genre, part)
            title = healthy[origin].title
        spoilt.append(replace(healthy[artist], title=title, album="", album_id=""))
        origins.append(origin)
    return spoilt, origins


def _numbered(tracks: list[Track], rng: Random) -> list[Track]:
    """Give every track its id and path; as in FMA an album's ids lie close to each other."""
    albums: dict[tuple[str, str], list[int]] = {}
    for place, track in enumerate(tracks):
        key = (track.album_id, "" if track.album_id else track.artist_id)
        albums.setdefault(key, []).append(place)
    order = list(albums.values())
    rng.shuffle(order)
    numbered = list(tracks)
    number = 2
    for place in (place for album in order for place in album):
        path = f"fma_demo/{number // 1000:03d}/{number:06d}.mp3"
        numbered[place] = replace(tracks[place], track_id=str(number), path=path)
        number += rng.randint(1, MAX_GAP)
    return numbered


def _row(track: Track, *, subset: str) -> dict[tuple[str, str], object]:
    """Return a track's row of tracks.csv by column, its index first."""
    genres = [1 + GENRES.index(track.genre)] if track.genre else []
    return {
        ("", "track_id"): track.track_id,
        ("album", "id"): track.album_id or -1,
        ("album", "title"): track.album,
        ("artist", "id"): track.artist_id,
        ("artist", "name"): track.artist,
        ("set", "split"): track.split,
        ("set", "subset"): subset,
        ("track", "duration"): Random(f"duration {track.track_id}").randint(60, 600),
        ("track", "genre_top"): track.genre,
        ("track", "genres"): genres,
        ("track", "genres_all"): genres,
        ("track", "license"): track.license,
        ("track", "title"): track.title,
    }


def _rows_to_leave_out(*, first_id: int) -> list[dict[tuple[str, str], object]]:
    """Return rows for which there is no clip."""
    larger = [(subset, genre) for subset in ("medium", "large") for genre in (*GENRES[:2], "")]
    return [
        _row(
            Track(
                track_id=str(first_id + number),
                path="",
                genre=genre,
                split=PARTS[number % len(PARTS)],
                artist="Somebody Else",
                title=f"Absent {number}",
                license=LICENSE,
                artist_id="0",
            ),
            subset=subset,
        )
        for number, (subset, genre) in enumerate([("small", ""), *larger])
    ]


def _write_clip(track: Track, *, entries: dict[str, _Entry], seed: int) -> Track:
    entry = entries[track.track_id]
    with atomic(track.path) as part:
        if entry.damage == "empty":
            part.touch()
        elif entry.damage == "no_audio":
            part.write_bytes(_mp3_without_audio())
        else:
            _write_mp3(part, *_sound(entry, seed))
    return track


def _mp3_without_audio() -> bytes:
    """Return an ID3 tag of 4 KiB padding and no frame after it, as a broken upload leaves."""
    size = (0, 0, 4096 >> 7, 0)  # seven bits a byte
    return b"ID3\x04\x00\x00" + bytes(size) + bytes(4096)


def _sound(entry: _Entry, seed: int) -> tuple["np.ndarray", int]:
    """Return a clip's samples, shape (samples, channels), and its sampling rate in Hz."""
    import numpy as np

    from genreflow.corpus.synthesis import render

    origin = entry.origin
    rate, channels = audio_format(origin.track_id, seed=seed)
    if entry.damage in ("silent", "near_silent"):
        sound = np.zeros((round(CLIP_SECONDS * rate), channels), np.float32)
        if entry.damage == "near_silent":
            seconds, amplitude = CLICK
            sound[len(sound) // 2 :][: round(seconds * rate)] = amplitude
        return sound, rate
    sound = render(
        origin.genre,
        seed=seed,
        artist=int(origin.artist_id),
        clip=int(origin.track_id),
        rate=rate,
        channels=channels,
        seconds=CLIP_SECONDS,
    )
    return sound[: round(SECONDS.get(entry.damage, CLIP_SECONDS) * rate)], rate


def _write_mp3(path: Path, sound: "np.ndarray", rate: int) -> None:
    """Encode samples; LAME at its fastest takes a quarter of the time that libsndfile does."""
    import imageio_ffmpeg

    channels = sound.shape[1]
    source = ["-f", "s16le", "-ar", str(rate), "-ac", str(channels), "-i", "pipe:0"]
    codec = ["-c:a", "libmp3lame", "-b:a", str(BIT_RATE * channels), "-compression_level", "9"]
    # bitexact keeps ffmpeg's version out of the file.
    exact = ["-fflags", "+bitexact", "-flags:a", "+bitexact", "-threads", "1"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *source, *codec, *exact]
    samples = (sound * 32767).astype("<i2").tobytes()
    done = subprocess.run([*command, str(path)], input=samples, capture_output=True)  # noqa: S603
    if done.returncode:
        raise GenreflowError(
            f"{path}: ffmpeg could not encode the clip: {done.stderr.decode().strip()}. "
            "Check that the disk is writable and not full."
        )
