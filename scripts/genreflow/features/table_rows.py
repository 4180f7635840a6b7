"""Which row of a table of features is of which track, and what a corpus takes of the table."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import numpy as np

from genreflow import names
from genreflow.audio.formats import SUFFIXES
from genreflow.corpus.tracks import Track
from genreflow.errors import GenreflowError, require_enough
from genreflow.features import feature_tables, matrices
from genreflow.features.feature_set import Part
from genreflow.features.feature_tables import FeatureTable
from genreflow.runtime.files import write_reasons


def match(table: FeatureTable, tracks: Sequence[Track]) -> dict[str, int]:
    """Find the row of each track: by its id, or else by its file.

    Paths are equal where one is the end of the other, folder by folder, and names are one that
    differ in letter case, blanks or the form of Unicode (`genreflow.names`). A name of a file that
    is there once in the table and once in the corpus is enough, also with another ending of audio.

    Returns
    -------
    dict
        Of the tracks that have a row: its number, by their ids.

    Raises
    ------
    GenreflowError
        If two rows are of one track, or none is of any.
    """
    wanted = {track.track_id for track in tracks}
    # As pandas writes a column of numbers in which one is lacking.
    ids = (one if one in wanted else one.removesuffix(".0") for one in table.track_ids)
    rows = _given(table, ((one, row) for row, one in enumerate(ids) if one in wanted))
    if rows:
        return rows
    called = table.paths or table.track_ids
    if rows := _given(table, _by_paths(called, tracks)):
        return rows
    known = [track.path or track.track_id for track in tracks]
    raise GenreflowError(
        f"{table.path}: none of its {len(called):,} rows is of a track of the corpus. The "
        f"table has {_some(called)}; the corpus has {_some(known)} with the ids "
        f"{_some(track.track_id for track in tracks)}"
    )


def _given(table: FeatureTable, pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Give tracks their rows; refuse a second one."""
    rows: dict[str, int] = {}
    for track_id, row in pairs:
        first = rows.setdefault(track_id, row)
        if first != row:
            raise GenreflowError(
                f"{table.path}: two rows are of track {track_id}, {table.place(first)} and "
                f"{table.place(row)}: take one out"
            )
    return rows


def _by_paths(called: Sequence[str], tracks: Sequence[Track]) -> Iterator[tuple[str, int]]:
    """Match by whole paths first, then by what is unique of names, then without their endings."""
    written = dict(enumerate(map(_folders, called)))
    files = {track.track_id: _folders(track.path or track.track_id) for track in tracks}
    by_name = defaultdict(list)
    for track_id, path in files.items():
        by_name[path[-1]].append(track_id)
    found = []
    for row, path in written.items():
        same = [one for one in by_name[path[-1]] if _is_end(path, files[one])]
        if len(same) == 1:
            found.append((same[0], row))
    yield from found
    for how in (lambda path: path[-1], lambda path: _stem(path[-1])):
        for track_id, row in found:
            files.pop(track_id, None)
            written.pop(row, None)
        left, lacking = _unique(how, written), _unique(how, files)
        found = [(track_id, left[name]) for name, track_id in lacking.items() if name in left]
        yield from found


def _folders(path: str) -> tuple[str, ...]:
    """Return the names in a path in the form in which they are compared."""
    parts = path.replace("\\", "/").split("/")
    return tuple(names.key(part) for part in parts if part not in ("", ".", "..")) or ("",)


def _is_end(one: Sequence[str], other: Sequence[str]) -> bool:
    """Tell whether one path is the end of the other."""
    common = min(len(one), len(other))
    return one[-common:] == other[-common:]


def _stem(name: str) -> str:
    """Return a name without its ending, if that is one of audio: blues.00000 has none."""
    stem, dot, ending = name.rpartition(".")
    return stem if f"{dot}{ending}" in SUFFIXES else name


def _unique(how: Callable, paths: Mapping) -> dict[str, int | str]:
    """Return rows or tracks by what is unique of their paths."""
    counts = Counter(map(how, paths.values()))
    return {how(path): one for one, path in paths.items() if path[-1] and counts[how(path)] == 1}


def _some(written: Iterable[str]) -> str:
    first = list(islice(written, 4))
    return ", ".join(first[:3]) + (", ..." if len(first) > 3 else "")


def select(
    table: FeatureTable, row_of: Mapping[str, int], wanted: Sequence[str]
) -> tuple[np.ndarray, list[str], dict[str, str]]:
    """Take the rows of the wanted tracks, and list those without a row of finite values.

    Returns
    -------
    x : numpy.ndarray, shape (tracks, columns), float32
        Finite values only.
    track_ids : list of str
        The track of each row, in the order in which they were asked for.
    left_out : dict of str to str
        For each other track that was asked for, why it has no row.

    Raises
    ------
    GenreflowError
        If no wanted track has a row of finite values.
    """
    kept, left_out = [], {}
    with np.errstate(over="ignore"):  # what overflows is listed as not finite
        x = table.x.astype(np.float32)
    finite = np.isfinite(x)
    whole = finite.all(axis=1)
    for track_id in wanted:
        row = row_of.get(track_id)
        if row is None:
            left_out[track_id] = "no row in the table"
        elif whole[row]:
            kept.append(track_id)
        else:
            first = table.columns[int(np.argmin(finite[row]))]
            lacking = f"{np.sum(~finite[row])} of {finite.shape[1]} values"
            left_out[track_id] = f"{lacking} are empty or not finite, first ({first})"
    if not kept:
        raise GenreflowError(
            f"{table.path}: no row of finite values for any of the {len(wanted):,} tracks of the "
            f"corpus. The first: {next(iter(left_out.values()))}"
        )
    return x[[row_of[track_id] for track_id in kept]], kept, left_out


def labels(x: np.ndarray, genres: Sequence[str]) -> np.ndarray:
    """Find columns that are but the label in other numbers: one for all tracks of each genre.

    Parameters
    ----------
    x : shape (tracks, columns)
    genres
        Of each track.

    Returns
    -------
    numpy.ndarray of bool, shape (columns,)
        All False where genres have fewer than two tracks each on average.
    """
    known, genre = np.unique(genres, return_inverse=True)
    if len(x) < 2 * len(known):
        return np.zeros(x.shape[1], bool)
    rows = [x[genre == number] for number in range(len(known))]
    low, high = (np.array([how(own, axis=0) for own in rows]) for how in (np.min, np.max))
    return (low == high).all(axis=0) & (low.min(axis=0) < low.max(axis=0))


def write_matrix(
    source: str | Path,
    tracks: Sequence[Track],
    *,
    part: Part,
    max_excluded: float,
    matrix: str | Path,
    left_out: str | Path,
) -> list[str]:
    """Take a corpus's features from a table; say what came of it, in lines.

    Parameters
    ----------
    part
        Where the columns come from.
    max_excluded
        The largest share of the tracks that may lack a row, or have values in it that are not
        finite.
    matrix
        The feature matrix to write.
    left_out
        The CSV to write of the tracks without features: track_id, reason; and, without an id, of
        the columns that are no features.

    Raises
    ------
    GenreflowError
        If the table can't be read, or lacks more tracks than it may.
    """
    table = feature_tables.read(source)
    row_of = match(table, tracks)
    x, track_ids, left = select(table, row_of, [track.track_id for track in tracks])
    lost = [(f"track {track_id}", why) for track_id, why in left.items()]
    said = f"have no whole row in {source}"
    remedy = "Use the table of this corpus, compute the features"
    require_enough(lost, len(tracks), max_excluded, said, remedy)
    genre_of = {track.track_id: track.genre for track in tracks}
    found = labels(x, [genre_of[track_id] for track_id in track_ids])
    columns, no_features = _without_labels(table, found)
    attributes = {"parts": json.dumps([asdict(part)]), "about": json.dumps([{}])}
    matrices.write_matrix(
        matrix, x[:, ~found] if found.any() else x, track_ids, columns, attributes
    )
    rows = len(table.x)
    lines = [
        f"{len(columns):,} features of {len(track_ids):,} of {len(tracks):,} tracks; "
        f"{rows - len(row_of):,} of {rows:,} rows are of no track"
    ]
    if left:
        lines.append(f"{len(left):,} tracks have none ({left_out})")
    if no_features:
        named = feature_tables.said_of_columns(no_features)
        left[""] = f"columns of {Path(source).name} that are no features: {named}"
        lines.insert(1, left[""])
    write_reasons(left_out, left)
    return [f"{part.name}: {line}" for line in lines]


def _without_labels(table: FeatureTable, found: np.ndarray) -> tuple[list[str], dict[str, str]]:
    """Return the features without labels that were found, and why other columns are none."""
    columns = [name for name, is_label in zip(table.columns, found, strict=True) if not is_label]
    said = "the same for all tracks of a genre, as a label is"
    labelled = [name for name in table.columns if name not in set(columns)]
    no_features = table.no_features | dict.fromkeys(labelled, said)
    if not columns:
        named = feature_tables.said_of_columns(no_features)
        raise GenreflowError(f"{table.path}: none of its columns can be features: {named}")
    return columns, no_features
