"""The Free Music Archive data set (FMA): fetching it and reading its list of tracks.

Defferrard, Benzi, Vandergheynst, Bresson, "FMA: A Dataset for Music Analysis", ISMIR 2017,
arXiv 1612.01840.
"""

import csv
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pandas as pd

from genreflow import names
from genreflow.corpus import downloads, genres
from genreflow.corpus.tracks import PARTS, Listing, Track
from genreflow.errors import GenreflowError

SUBSETS = ("small", "medium", "large")
"""From the smallest to the largest; each holds all tracks of those before it."""


@dataclass(frozen=True, slots=True)
class Archive:
    """One of the zip files in which FMA is distributed: its SHA-1, and about how large it is [GiB].

    Its name, without the suffix, is that of the folder it unpacks to.
    """

    name: str
    sha1: str
    gib: float

    @property
    def folder(self) -> str:
        """Return the name of the folder that the archive holds."""
        return self.name.removesuffix(".zip")

    @property
    def checksums(self) -> str:
        """Return the name of the member that lists the checksums of the others."""
        return f"{self.folder}/checksums"


ARCHIVES: Mapping[str, Archive] = {
    "metadata": Archive("fma_metadata.zip", "f0df49ffe5f2a6008d7dc83c6915b31835dfe733", gib=0.34),
    "small": Archive("fma_small.zip", "ade154f733639d52e35e32f5593efe5be76c6d70", gib=7.2),
    "medium": Archive("fma_medium.zip", "c67b69ea232021025fca9231fc1c7c1a063ab50b", gib=22),
    "large": Archive("fma_large.zip", "497109f4dd721066b5ce5e5f250ec604dc78939e", gib=93),
}
"""The metadata and the clips of each subset. The archive of full-length tracks is not offered."""

_COLUMNS = {
    ("set", "split"): "split",
    ("set", "subset"): "subset",
    ("track", "genre_top"): "genre",
    ("track", "genres"): "genres",
    ("track", "title"): "title",
    ("track", "license"): "license",
    ("artist", "name"): "artist",
    ("artist", "id"): "artist_id",
    ("album", "title"): "album",
    ("album", "id"): "album_id",
}


def fetch(
    folder: str | Path,
    subset: str | None,
    *,
    url: str,
    archives: Mapping[str, Archive] = ARCHIVES,
) -> None:
    """Download, check and unpack FMA's metadata and the clips of a subset, if any.

    What is there already is left alone; what was broken off goes on where it ended. An archive,
    below the address, is deleted once it is unpacked.

    Raises
    ------
    GenreflowError
        If the disk has not enough room, or downloading or unpacking fails.
    """
    folder = Path(folder)
    absent = [
        archive
        for archive in (archives["metadata"], *([archives[subset]] if subset else []))
        if not downloads.is_unpacked(folder, checksums=archive.checksums)
    ]
    _require_space(folder, absent, f"subset '{subset}'" if subset else "metadata")
    for archive in absent:
        address = f"{url.rstrip('/')}/{archive.name}"
        path = downloads.fetch(
            address,
            folder / archive.name,
            digest=f"sha1:{archive.sha1}",
            limit=1.1 * archive.gib * 2**30,  # it is rounded
        )
        downloads.unpack(path, folder)
        path.unlink(missing_ok=True)


def read_tracks(
    metadata_csv: str | Path, audio_folder: str | Path, subset: str, *, level: str = "top"
) -> Listing:
    """Read the tracks of a subset from FMA's ``tracks.csv``, beside which lies ``genres.csv``.

    Whether the clips are in the folder, as ``000/000002.mp3`` and so on, is not looked at.

    Parameters
    ----------
    level
        Which genre a track has. "top": its top-level one, which half of ``large`` lacks. "leaf":
        its most specific one, and with it the top-level one above it as ``top_genre``. A genre
        of a track that has another one below it doesn't count; tracks with several that count are
        left out as of `genres.SEVERAL`.

    Returns
    -------
    Listing
        The tracks in the file's order. The notes say how many the other level would have.

    Raises
    ------
    GenreflowError
        If the file is no ``tracks.csv``, a track id is no number, a subset or split has an unknown
        name, or ``genres.csv`` is needed and lacks a genre.
    """
    metadata_csv = Path(metadata_csv)
    table = _read_table(metadata_csv)
    _require_valid(table, metadata_csv)
    levels = SUBSETS[: SUBSETS.index(subset) + 1]
    chosen = table[table["subset"].isin(levels)].assign(top_genre="")
    beside = metadata_csv.with_name("genres.csv")
    has_top = chosen["genre"] != ""
    if level == "top" and (has_top.all() or not beside.exists()):
        return Listing(_tracks(chosen[has_top], Path(audio_folder)), [], int((~has_top).sum()))
    tree = Tree.read(beside)
    leaves = chosen["genres"].map({text: tree.leaves(text) for text in chosen["genres"].unique()})
    count = leaves.map(len)
    notes = [_levels(subset, has_top, count)]
    if level == "top":
        tracks = _tracks(chosen[has_top], Path(audio_folder))
        return Listing(tracks, [], int((~has_top).sum()), notes=notes)
    only = leaves[count == 1].map(lambda found: found[0])
    named = chosen[count == 1].assign(genre=only.map(tree.names), top_genre=only.map(tree.tops))
    several = _tracks(chosen[count > 1].assign(genre=""), Path(audio_folder))
    detail = "its most specific genres are several: {}"
    said = [", ".join(map(tree.names.__getitem__, own)) for own in leaves[count > 1]]
    listing = Listing(
        _tracks(named, Path(audio_folder)), [], without_genre=int((count == 0).sum()), notes=notes
    )
    return genres.without(
        listing, genres.SEVERAL, dict(zip(several, map(detail.format, said), strict=True))
    )


def _levels(subset: str, has_top: pd.Series, leaves: pd.Series) -> str:
    """Say how many tracks have a genre at each level."""
    return (
        f"Of {len(has_top):,} tracks of FMA {subset}, {has_top.sum():,} have a top-level genre "
        f"(corpus.genre_level: top) and {(leaves == 1).sum():,} one most specific genre (leaf); "
        f"{(leaves > 1).sum():,} have several of these, {(leaves == 0).sum():,} none."
    )


@dataclass(frozen=True)
class Tree:
    """FMA's genres, by their ids.

    Attributes
    ----------
    parents
        The id of what each lies below, "0" of a top-level one.
    names
        What each is called; where two would be the same, with what they lie below.
    tops
        What the top-level genre above each is called, its own name if it is one.
    """

    parents: Mapping[str, str]
    names: Mapping[str, str]
    tops: Mapping[str, str]

    @classmethod
    def read(cls, path: str | Path) -> "Tree":
        """Read FMA's ``genres.csv``.

        Raises
        ------
        GenreflowError
            If it isn't there or no such table.
        """
        columns = ["genre_id", "parent", "title", "top_level"]
        try:
            table = pd.read_csv(path, usecols=columns, dtype=str, na_filter=False)
        except (OSError, ValueError) as error:
            raise GenreflowError(
                f"{path}: expected FMA's genres.csv, with the columns {', '.join(columns)} "
                f"({error}). Use that of fma_metadata.zip as it is"
            ) from error
        titles = dict(zip(table["genre_id"], table["title"], strict=True))
        above = dict(zip(table["genre_id"], table["top_level"], strict=True))
        parents = dict(zip(table["genre_id"], table["parent"], strict=True))
        alone = Counter(map(names.key, titles.values()))
        called = {
            one: title if alone[names.key(title)] == 1 else f"{title} ({titles[parents[one]]})"
            for one, title in titles.items()
        }
        return cls(parents, called, {one: titles[top] for one, top in above.items()})

    def leaves(self, text: str) -> Sequence[str]:
        """Return the ids of a track's genres, as ``[21, 12]``, that none of its others lies below.

        Raises
        ------
        GenreflowError
            If one isn't known.
        """
        own = re.findall(r"\d+", text)
        if unknown := [one for one in own if one not in self.names]:
            raise GenreflowError(
                f"tracks.csv has the genre {unknown[0]}, which genres.csv doesn't know: use both "
                "files of one fma_metadata.zip"
            )
        above = {one for given in own for one in self._above(given)}
        return tuple(one for one in dict.fromkeys(own) if one not in above)

    def _above(self, genre: str) -> Iterator[str]:
        """Yield what a genre lies below, up to the top."""
        while (genre := self.parents.get(genre, "")) not in ("0", ""):
            yield genre


def _require_space(folder: Path, absent: list[Archive], what: str) -> None:
    """Raise before a download of hours that there is no room to unpack."""
    begun = [
        archive
        for archive in absent
        if any(folder.glob(f"{archive.name}*")) or (folder / archive.folder).exists()
    ]
    # Compressed audio doesn't shrink in a zip: archive and clips take about the same room.
    needed = sum(2 * archive.gib for archive in absent if archive not in begun)
    place = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(place).free / 2**30
    if needed > free:
        raise GenreflowError(
            f"not enough disk space to download and unpack FMA's {what}: "
            f"{needed:,.1f} GiB needed, {free:,.1f} GiB free in {folder}. Make room there or "
            "choose a folder on another disk"
        )


def _read_table(path: Path) -> pd.DataFrame:
    """Return the columns of `_COLUMNS` and ``track_id``, all as text, "" where there is none."""
    positions = {0: "track_id", **_positions(path)}
    try:
        # pandas can't leave out columns of a table with two header rows; by position it can,
        # which makes reading several times faster. Empty means missing here, "NA" may be an artist.
        table = pd.read_csv(
            path,
            header=None,
            skiprows=3,
            usecols=list(positions),
            dtype=str,
            na_filter=False,
            encoding="utf-8",
        )
    except pd.errors.EmptyDataError:
        raise _not_tracks(path, "no track") from None
    except ValueError as error:  # pandas' own errors and those of decoding are of this kind
        raise _not_tracks(path, f"a file that cannot be read to its end ({error})") from error
    return table.rename(columns=positions)


def _positions(path: Path) -> dict[int, str]:
    """Return the place of each column that is needed, after checking the header rows."""
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        head = list(islice(file, 3))
    rows = list(csv.reader(head))
    columns = list(zip(*rows[:2], strict=False))
    missing = [f"({group}, {name})" for group, name in _COLUMNS if (group, name) not in columns]
    if missing or [row[:1] for row in rows[2:]] != [["track_id"]]:
        lacking = f"the columns {', '.join(missing)}" if missing else "such a third row"
        raise _not_tracks(path, f"{''.join(head)[:60]!r}, without {lacking}")
    return {columns.index(column): name for column, name in _COLUMNS.items()}


def _not_tracks(path: Path, found: str) -> GenreflowError:
    return GenreflowError(
        f"{path} is not FMA's tracks.csv: expected two header rows (such as 'album' over 'id'), "
        f"then a row that holds only the index name 'track_id', then the tracks; found {found}. "
        "Use the tracks.csv of fma_metadata.zip as it is"
    )


def _require_valid(table: pd.DataFrame, path: Path) -> None:
    """Raise, naming the first track, if an id, a subset or a split is not as it must be."""
    ids = table["track_id"]
    for wrong, column, expected in (
        (~ids.str.fullmatch("[0-9]+"), "track_id", "a number"),
        (~table["subset"].isin(SUBSETS), "subset", f"one of {', '.join(SUBSETS)}"),
        (~table["split"].isin(PARTS), "split", f"one of {', '.join(PARTS)}"),
    ):
        if wrong.any():
            row = table[wrong].iloc[0]
            raise GenreflowError(
                f"{path}, track '{row['track_id']}': expected {expected} in the column "
                f"'{column}', found '{row[column]}' ({wrong.sum()} such rows). Use the tracks.csv "
                "of fma_metadata.zip as it is"
            )


def _tracks(table: pd.DataFrame, audio: Path) -> list[Track]:
    numbers = table["track_id"].astype(int)
    columns = {
        "track_id": numbers.astype(str),
        "path": [str(audio / f"{n // 1000:03d}" / f"{n:06d}.mp3") for n in numbers],
        "genre": table["genre"],
        "split": table["split"],
        "top_genre": table["top_genre"],
    }
    for name in ("artist", "album", "title", "license"):
        columns[name] = table[name].str.replace(r"\s*[\r\n]+\s*", " ", regex=True)
    for name in ("artist_id", "album_id"):
        # A table that went through pandas with an id missing holds "12.0".
        columns[name] = table[name].str.removesuffix(".0").replace("-1", "")
    rows = zip(*columns.values(), strict=True)
    return [Track(**dict(zip(columns, row, strict=True))) for row in rows]
