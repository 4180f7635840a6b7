"""Feature matrices: what feature sets make of a corpus, and classifiers read."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from genreflow.errors import NotPossible
from genreflow.runtime import hdf5
from genreflow.runtime.files import atomic, read_table


@dataclass(frozen=True)
class Matrix:
    """A feature matrix as stages hand it on.

    Attributes
    ----------
    x : numpy.ndarray, shape (tracks, columns), float32
        One row per track.
    track_ids
        The track of each row.
    columns
        The name of each column.
    attributes
        The settings that made it.
    """

    x: np.ndarray
    track_ids: list[str]
    columns: list[str]
    attributes: dict[str, object]


def write_matrix(
    path: str | Path,
    x: np.ndarray,
    track_ids: Sequence[str],
    columns: Sequence[str],
    attributes: Mapping[str, object],
) -> None:
    """Write a feature matrix as HDF5, whatever its features are.

    The datasets are ``x``, float32 (tracks, columns), ``track_id`` and ``column``; the attributes
    are the settings that made it: texts, numbers, or lists of them.

    Raises
    ------
    ValueError
        If the lengths don't fit, or a value isn't finite.
    """
    if x.shape != (len(track_ids), len(columns)):
        raise ValueError(f"x is {x.shape} for {len(track_ids)} tracks, {len(columns)} columns")
    write_blocks(path, [x], track_ids, columns, attributes)


def write_blocks(
    path: str | Path,
    blocks: Iterable[np.ndarray],
    track_ids: Sequence[str],
    columns: Sequence[str],
    attributes: Mapping[str, object],
    *,
    dtype: str = "float32",
) -> None:
    """Write a feature matrix that need not fit in memory; see `write_matrix`.

    The blocks, each (some tracks, columns), are in the order of the tracks. The dtype is that of
    the file, ``float32`` or ``float16``; `read_matrix` returns float32 from either.

    Raises
    ------
    ValueError
        If the lengths don't fit, or a value isn't finite.
    """
    text = h5py.string_dtype("utf-8")
    with atomic(path) as part, h5py.File(part, "w") as file:
        x = file.create_dataset("x", (len(track_ids), len(columns)), dtype=dtype)
        row = 0
        for block in blocks:
            if not np.isfinite(block).all():
                raise ValueError("x has values that are not finite")
            if row + len(block) <= len(track_ids):
                x[row : row + len(block)] = block
            row += len(block)
        if row != len(track_ids):
            raise ValueError(f"x has {row} rows for {len(track_ids)} tracks")
        file.create_dataset("track_id", data=list(track_ids), dtype=text)
        file.create_dataset("column", data=list(columns), dtype=text)
        file.attrs.update(attributes)


def read_matrix(path: str | Path) -> Matrix:
    """Read what `write_matrix` wrote.

    Raises
    ------
    GenreflowError
        If the file is damaged or isn't a feature matrix.
    """
    with _opened(path) as file:
        return Matrix(
            x=file["x"].astype(np.float32)[:],
            track_ids=_track_ids(file),
            columns=file["column"].asstr()[:].tolist(),
            attributes=dict(file.attrs),
        )


def read_rows(path: str | Path, track_ids: Collection[str]) -> tuple[np.ndarray, list[str]]:
    """Read the features of some tracks alone, and which tracks they are.

    Tracks that have none are left out.

    Returns
    -------
    x : numpy.ndarray of float32, shape (tracks, dimensions)
    track_ids : list of str

    Raises
    ------
    GenreflowError
        As `read_matrix`.
    """
    with _opened(path) as file:
        wanted = set(track_ids)
        kept = [(row, name) for row, name in enumerate(_track_ids(file)) if name in wanted]
        rows = [row for row, _ in kept]
        return file["x"].astype(np.float32)[rows], [name for _, name in kept]


def read_track_ids(path: str | Path) -> list[str]:
    """Read which tracks a feature matrix has, without its values.

    Raises
    ------
    GenreflowError
        As `read_matrix`.
    """
    with _opened(path) as file:
        return _track_ids(file)


def read_attributes(path: str | Path) -> dict[str, object]:
    """Read what a feature matrix says of itself, without its values.

    Raises
    ------
    GenreflowError
        As `read_matrix`.
    """
    with _opened(path) as file:
        return dict(file.attrs)


def _track_ids(file: h5py.File) -> list[str]:
    return file["track_id"].asstr()[:].tolist()


def _opened(path: str | Path) -> AbstractContextManager[h5py.File]:
    return hdf5.opened(path, "a feature matrix", ["x", "track_id", "column"])


def labelled(split: str | Path, tracks: pd.DataFrame) -> pd.DataFrame:
    """Read a split and add each track's genre from the manifest."""
    return read_table(split).merge(tracks[["track_id", "genre"]], on="track_id", how="left")


def of_split(matrix: str | Path, split: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame, list[str]]:
    """Return the features of the tracks of a split, with the columns track_id, part and any others.

    Returns
    -------
    x : numpy.ndarray of float32, shape (tracks, dimensions)
    split : pandas.DataFrame
        The rows of the split that have features, in the order of `x`.
    missing : list of str
        The tracks of the split that have none.

    Raises
    ------
    NotPossible
        If none of them has features, or none of those to test with.
    """
    read = read_matrix(matrix)
    row_of = {track_id: row for row, track_id in enumerate(read.track_ids)}
    has = split["track_id"].isin(row_of)
    test = split["part"] == "test"
    if not has.any() or (test.any() and not (has & test).any()):
        which = "any track of the test part" if has.any() else "any track"
        raise NotPossible(
            f"{matrix} has no features of {which} of the split; "
            f"{Path(matrix).with_suffix('.left_out.csv')} says why"
        )
    found = split[has].reset_index(drop=True)
    rows = [row_of[track_id] for track_id in found["track_id"]]
    return read.x[rows], found, split["track_id"][~has].tolist()


def said(split: pd.DataFrame, missing: Sequence[str]) -> str:
    """Say in a line how many tracks have features, and name those that don't."""
    line = f"{len(split)} tracks have features"
    return line + (f"; {len(missing)} have none: {', '.join(missing)}" if missing else "")
