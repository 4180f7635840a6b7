"""Make what FMA consists of: clips of real ones, lists of tracks, and tables of features.

Every clip is a real one with its MPEG frames rotated, so that nothing is encoded: ten clips of 30 s
make up to 11,000 different ones. Features are drawn: each genre has a place of its own, and tracks
lie around it. `benchmarks/rehearsal.py` runs the workflow on these.
"""

import csv
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from genreflow.config.features import Handcrafted
from genreflow.features import fma_tables, handcrafted

RATES = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bit rates of layer III by the header's index, in MPEG 1 (3) and MPEG 2 [kbit/s]."""

SAMPLING = (44_100, 48_000, 32_000)
"""Sampling rates of MPEG 1 by the header's index [Hz]."""

OWN_CLIP = 0.6
"""Share of the tracks that are made of one of their genre's clips, the others of any."""

MEDIUM = {
    **{"Rock": 7103, "Electronic": 6314, "Experimental": 2251, "Hip-Hop": 2201, "Folk": 1519},
    **{"Instrumental": 1350, "Pop": 1186, "International": 1018, "Classical": 619},
    **{"Old-Time / Historic": 510, "Jazz": 384, "Country": 178, "Soul-RnB": 154, "Spoken": 118},
    **{"Blues": 74, "Easy Listening": 21},
}
"""Tracks of each genre of FMA medium; FMA small has 1,000 of each of the first eight."""

LARGE = {
    **{"Rock": 14_182, "Experimental": 10_608, "Electronic": 9372, "Hip-Hop": 3552, "Folk": 2803},
    **{"Pop": 2332, "Instrumental": 2079, "International": 1389, "Classical": 1230, "Jazz": 571},
    **{"Old-Time / Historic": 554, "Spoken": 423, "Country": 194, "Soul-RnB": 175, "Blues": 110},
    **{"Easy Listening": 24, "": 56_976},
}
"""The same of FMA large, with those that have none."""

BELOW = 9
"""Made genres below each top-level one, so that there are 160."""


def frames_of(path: Path) -> list[bytes]:
    """Cut an MP3 into its frames, without tags and the encoder's first one."""
    content = path.read_bytes()
    place = 0
    if content[:3] == b"ID3":
        high, *low = content[6:10]
        place = 10 + (high << 21) + (low[0] << 14) + (low[1] << 7) + low[2]
    frames = []
    while (place := content.find(b"\xff", place)) >= 0 and place + 4 <= len(content):
        length = _length(content[place : place + 4])
        if not length or place + length > len(content):
            place += 1
            continue
        frames.append(content[place : place + length])
        place += length
    if not frames:
        raise SystemExit(f"{path} has no frames of MPEG layer III: expected an MP3")
    told = re.search(b"Xing|Info|VBRI", frames[0])
    return frames[1:] if told else frames


def _length(header: bytes) -> int:
    """Return the bytes of the frame that a header of layer III begins, 0 if it is none."""
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    rate, sampling, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if header[1] >> 5 != 7 or layer != 1 or version == 1 or not 0 < rate < 15 or sampling == 3:
        return 0
    per_second = SAMPLING[sampling] >> (3 - version if version else 2)
    coefficient = 144 if version == 3 else 72
    return coefficient * 1000 * RATES[max(version, 2)][rate] // per_second + padding


class Clips:
    """Clips that never repeat: those of a folder, rotated.

    Parameters
    ----------
    folder
        MP3s, at any depth.
    """

    def __init__(self, folder: Path) -> None:
        self.frames = [frames_of(path) for path in sorted(folder.rglob("*.mp3"))]
        if not self.frames:
            raise SystemExit(f"there is no MP3 in {folder}")
        self.rng = random.Random(0)
        self.left = [random.Random(0).sample(range(len(own)), len(own)) for own in self.frames]

    def next(self, genre: int) -> bytes:
        """Return a new clip for a track of a genre."""
        own = [genre % len(self.left), (genre + 1) % len(self.left)]
        chosen = self.rng.choice(own) if self.rng.random() < OWN_CLIP else -1
        if not self.left[chosen] or chosen < 0:
            chosen = self.rng.choice([place for place, left in enumerate(self.left) if left])
        frames, first = self.frames[chosen], self.left[chosen].pop()
        return b"".join(frames[first:] + frames[:first])


def read_labels(path: Path, tracks: int) -> list[dict[str, str]]:
    """Return the rows of so many tracks, evenly of each genre in each part, by ascending id."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if tracks > len(rows):
        raise SystemExit(f"{path} labels {len(rows)} tracks, fewer than {tracks}")
    rows.sort(key=lambda row: (row["split"], row["genre_top"]))
    chosen = [rows[number * len(rows) // tracks] for number in range(tracks)]
    return sorted(chosen, key=lambda row: int(row["track_id"]))


def artists(rows: Sequence[Mapping[str, str]]) -> Iterator[int]:
    """Give each track an artist, who has up to five tracks of one genre in one part."""
    rng, now, left, last = random.Random(1), {}, {}, 0
    for row in rows:
        key = row["genre_top"], row["split"]
        if not left.get(key):
            last += 1
            now[key], left[key] = last, rng.randint(1, 5)
        left[key] -= 1
        yield now[key]


def write_tracks(rows: Sequence[Mapping[str, str]], path: Path) -> None:
    """Write FMA's tracks.csv of some tracks, of the subset small where none is said."""
    numbers = list(artists(rows))
    columns = {
        ("album", "id"): numbers,
        ("album", "title"): [f"Album {number}" for number in numbers],
        ("artist", "id"): numbers,
        ("artist", "name"): [f"Artist {number}" for number in numbers],
        ("set", "split"): [row["split"] for row in rows],
        ("set", "subset"): [row.get("subset", "small") for row in rows],
        ("track", "genre_top"): [row["genre_top"] for row in rows],
        ("track", "genres"): [row.get("genres", "[]") for row in rows],
        ("track", "license"): "",
        ("track", "title"): [f"Track {row['track_id']}" for row in rows],
    }
    index = pd.Index([int(row["track_id"]) for row in rows], name="track_id")
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(columns, index=index).to_csv(path, lineterminator="\n")


def make_corpus(clips: Path, labels: Path, tracks: int, folder: Path) -> None:
    """Make a corpus in FMA's layout; the metadata are written last."""
    written = folder / "fma_metadata" / "tracks.csv"
    if written.exists():
        return
    rows, made = read_labels(labels, tracks), Clips(clips)
    genres = sorted({row["genre_top"] for row in rows})
    for row in rows:
        number = int(row["track_id"])
        path = folder / "fma_small" / f"{number // 1000:03d}" / f"{number:06d}.mp3"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made.next(genres.index(row["genre_top"])))
    write_tracks(rows, written)


def list_large(rng: np.random.Generator) -> list[dict[str, str]]:
    """List the tracks of FMA large with their subset, part and genres, by ascending id."""
    tops = list(MEDIUM)
    rows = []
    for top, total in LARGE.items():
        medium = MEDIUM.get(top, 0)
        small = 1000 if top in tops[:8] else 0
        subsets = ["small"] * small + ["medium"] * (medium - small) + ["large"] * (total - medium)
        parts = rng.choice(["training", "validation", "test"], total, p=[0.8, 0.1, 0.1])
        for subset, part in zip(subsets, parts, strict=True):
            own = _genres(tops.index(top) if top else -1, rng)
            rows.append({"genre_top": top, "split": part, "subset": subset, "genres": str(own)})
    ids = np.sort(rng.choice(155_320, len(rows), replace=False)) + 2
    order = rng.permutation(len(rows))
    return [{"track_id": str(n), **rows[place]} for n, place in zip(ids, order, strict=True)]


def _genres(top: int, rng: np.random.Generator) -> list[int]:
    """Draw the genres of a track: of one top-level one, or of two where it has none (-1)."""
    tops = [top] if top >= 0 else list(rng.choice(len(MEDIUM), 2, replace=False))
    count = rng.choice(3, p=[0.3, 0.5, 0.2]) if top >= 0 else 1
    below = [rng.choice(BELOW, count, replace=False) for _ in tops]
    own = [
        [_id(one), *(_id(one, place) for place in b)] for one, b in zip(tops, below, strict=True)
    ]
    return [int(one) for group in own for one in group]


def _id(top: int, below: int = -1) -> int:
    return 1 + top if below < 0 else 1 + len(MEDIUM) + top * BELOW + below


def write_genres(path: Path) -> None:
    """Write FMA's genres.csv."""
    rows = [(_id(top), 0, title, _id(top)) for top, title in enumerate(MEDIUM)]
    rows += [
        (_id(top, below), _id(top), f"{title} {below + 1}", _id(top))
        for top, title in enumerate(MEDIUM)
        for below in range(BELOW)
    ]
    table = pd.DataFrame(rows, columns=["genre_id", "parent", "title", "top_level"])
    table.to_csv(path, index=False)


def write_features(rows: Sequence[Mapping[str, str]], path: Path, rng: np.random.Generator) -> None:
    """Write FMA's features.csv: 518 numbers a track, about half of whose genres can be told."""
    columns = handcrafted.columns(Handcrafted().features)
    genres = np.array([list(LARGE).index(row["genre_top"]) for row in rows])
    places = rng.standard_normal((len(LARGE), len(columns)))
    mixing = rng.standard_normal((40, len(columns)))
    x = rng.standard_normal((len(rows), 40)) @ mixing / 4 + 0.15 * places[genres]
    x += rng.standard_normal(x.shape)
    fma_tables.write(path, [row["track_id"] for row in rows], columns, x)


def make_metadata(folder: Path) -> None:
    """Make all metadata of FMA large at their real size; tracks.csv is written last."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "tracks.csv").exists():
        return
    rng = np.random.default_rng(0)
    rows = list_large(rng)
    write_genres(folder / "genres.csv")
    write_features(rows, folder / "features.csv", rng)
    write_tracks(rows, folder / "tracks.csv")
