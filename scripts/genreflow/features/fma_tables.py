"""Tables of features in FMA's format.

The format is a CSV file with three header rows (feature, statistics, number), a row that
holds only the name of the index, and one row per track.
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from genreflow.errors import GenreflowError
from genreflow.features import matrices
from genreflow.runtime.files import atomic

STATISTICS = ("kurtosis", "max", "mean", "median", "min", "skew", "std")
"""The statistics of a feature, in the order of FMA's columns."""

LEVELS = ("feature", "statistics", "number")
"""The names of the three header rows."""

Column = tuple[str, str, str]
"""The feature, the statistic and the two-digit number of a column."""

_FORMAT = "save a table whose columns have the levels feature, statistics, number with to_csv"


def write(
    path: str | Path, track_ids: Sequence[str], columns: Sequence[Column], values: np.ndarray
) -> None:
    """Write a table in FMA's format; `pandas.read_csv(index_col=0, header=[0, 1, 2])` reads it.

    Parameters
    ----------
    path
        The CSV file.
    track_ids
        The track of each row.
    columns
        The feature, the statistic and the number of each column.
    values : numpy.ndarray, shape (tracks, columns)
        Written with ten decimals; what is NaN becomes an empty cell.
    """
    names = pd.MultiIndex.from_tuples(columns, names=LEVELS)
    table = pd.DataFrame(values, index=pd.Index(track_ids, name="track_id"), columns=names)
    with atomic(path) as part:
        table.to_csv(part, float_format="%.10e")


def read(path: str | Path) -> tuple[list[str], list[Column], np.ndarray]:
    """Read FMA's features.csv, any subset of its columns, or another table in its format.

    Parameters
    ----------
    path
        The CSV file.

    Returns
    -------
    track_ids : list of str
        As they are written.
    columns : list of (feature, statistic, number)
        As they are written.
    values : numpy.ndarray, shape (tracks, columns), float64
        Empty cells are NaN.

    Raises
    ------
    GenreflowError
        If the header isn't FMA's, a column or a track is there twice, a statistic is unknown,
        or a cell isn't a number. The message names the place.
    """
    path = Path(path)
    columns = _read_header(path)
    try:
        table = pd.read_csv(
            path,
            skiprows=4,
            header=None,
            dtype=defaultdict(lambda: np.float64, {0: str}),
            keep_default_na=False,
            na_values=["", "nan", "NaN"],
        )
    except pd.errors.EmptyDataError:
        raise GenreflowError(f"{path}: has a header but no track") from None
    except ValueError as error:  # a cell that isn't a number, or a row that is too long
        raise GenreflowError(_first_fault(path, columns) or f"{path}: {error}") from None
    if table.shape[1] != len(columns) + 1:
        raise GenreflowError(_first_fault(path, columns))
    track_ids = table[0].fillna("").tolist()
    _check_track_ids(path, track_ids)
    return track_ids, columns, table.iloc[:, 1:].to_numpy(np.float64)


def is_in_format(path: str | Path) -> bool:
    """Tell whether a file is meant to be in the format: its header is read by nothing else."""
    try:
        header = [row[:1] for row in islice(_rows(Path(path)), 4)]
    except (OSError, UnicodeDecodeError, csv.Error):
        return False
    return header[:1] == [[LEVELS[0]]] or header[3:] == [["track_id"]]


def _read_header(path: Path) -> list[Column]:
    if not path.is_file():
        raise GenreflowError(f"{path}: there is no such file")
    try:
        header = list(islice(_rows(path), 4))
    except UnicodeDecodeError as error:
        raise GenreflowError(f"{path}: not a text file in UTF-8 ({error})") from None
    if not any(any(row) for row in header):
        raise GenreflowError(f"{path}: the file is empty; {_FORMAT}")
    levels = next((place for place, row in enumerate(header) if not any(row[1:])), len(header))
    if levels != 3:
        raise GenreflowError(
            f"{path}: row 4 must hold nothing but the name of the index, after three header "
            f"rows; {levels} header {'row is' if levels == 1 else 'rows are'} there. {_FORMAT}"
        )
    widths = [len(row) for row in header]
    if len(set(widths)) > 1:
        raise GenreflowError(f"{path}: the four rows of the header have {widths} cells; {_FORMAT}")
    columns = list(zip(*(row[1:] for row in header[:3]), strict=True))
    _check_columns(path, columns)
    return columns


def _rows(path: Path) -> Iterator[list[str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        yield from csv.reader(file)


def _check_columns(path: Path, columns: list[Column]) -> None:
    for place, (feature, statistic, number) in enumerate(columns, start=2):
        if not feature or statistic not in STATISTICS or not number.isdecimal():
            raise GenreflowError(
                f"{path}: column {place} is ({feature}, {statistic}, {number}), which is unknown; "
                f"expected the name of a feature, one of {', '.join(STATISTICS)}, and a number"
            )
    column, count = Counter(columns).most_common(1)[0]
    if count > 1:
        raise GenreflowError(f"{path}: the column ({', '.join(column)}) is there {count} times")


def _check_track_ids(path: Path, track_ids: list[str]) -> None:
    if "" in track_ids:
        raise GenreflowError(f"{path}: row {5 + track_ids.index('')} has no track id")
    track_id, count = Counter(track_ids).most_common(1)[0]
    if count > 1:
        rows = [row for row, one in enumerate(track_ids, start=5) if one == track_id]
        raise GenreflowError(f"{path}: track {track_id} is there {count} times, in the rows {rows}")


def _first_fault(path: Path, columns: list[Column]) -> str:
    """Say where the first row of the wrong length or the first cell without a number is."""
    for place, row in enumerate(_rows(path), start=1):
        if place <= 4 or not row:
            continue
        if len(row) != len(columns) + 1:
            return (
                f"{path}: row {place}, track {row[0]}, has {len(row)} cells; "
                f"expected {len(columns) + 1}"
            )
        for column, cell in zip(columns, row[1:], strict=True):
            if not _is_number(cell):
                return (
                    f"{path}: row {place}, track {row[0]}, column ({', '.join(column)}): "
                    f"'{cell}' is not a number; mend the cell or leave it empty"
                )
    return ""


def _is_number(cell: str) -> bool:
    try:
        float(cell or "nan")
    except ValueError:
        return False
    return True


def names(columns: Sequence[Column]) -> list[str]:
    """Return the columns' names for a matrix, such as ``mfcc mean 01``."""
    return [" ".join(column) for column in columns]


def write_table(matrix: str | Path, path: str | Path) -> int:
    """Write a matrix of hand-crafted features in FMA's format; return how many tracks it has."""
    read_matrix = matrices.read_matrix(matrix)
    columns = [tuple(name.split(" ")) for name in read_matrix.columns]
    write(path, read_matrix.track_ids, columns, read_matrix.x)
    return len(read_matrix.track_ids)
