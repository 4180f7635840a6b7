"""Tables of features in FMA's format, and those that a corpus takes from one.

The format is a CSV file with three header rows (feature, statistics, number), a row that
holds only the name of the index, and one row a track.
"""

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from genreflow.errors import GenreflowError
from genreflow.features import matrices
from genreflow.features.feature_set import Part
from genreflow.runtime.files import atomic, write_reasons

STATISTICS = ("kurtosis", "max", "mean", "median", "min", "skew", "std")
"""The statistics of a feature, in the order of FMA's columns."""

LEVELS = ("feature", "statistics", "number")
"""The names of the three header rows."""

Column = tuple[str, str, str]
"""The feature, the statistic and the two-digit number of a column."""

_FORMAT = "save a table whose columns have the levels feature, statistics, number with to_csv"


@dataclass(frozen=True)
class Selection:
    """The rows of a table that a corpus needs.

    Attributes
    ----------
    x : numpy.ndarray, shape (tracks, columns), float32
        Finite values only.
    track_ids
        The track of each row, in the order in which they were asked for.
    left_out
        For each other track that was asked for, why it has no row.
    """

    x: np.ndarray
    track_ids: list[str]
    left_out: dict[str, str]


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


def select(
    track_ids: Sequence[str],
    columns: Sequence[Column],
    values: np.ndarray,
    wanted_ids: Sequence[str],
) -> Selection:
    """Take the rows of the wanted tracks, and list those without a row of finite values.

    Parameters
    ----------
    track_ids, columns, values
        A table, as `read` returns it.
    wanted_ids
        The tracks of the corpus.

    Returns
    -------
    Selection
        Its rows are in the order of `wanted_ids`.

    Raises
    ------
    GenreflowError
        If no wanted track is in the table with finite values.
    """
    row_of = {track_id: row for row, track_id in enumerate(track_ids)}
    kept, left_out = [], {}
    with np.errstate(over="ignore"):  # what overflows is listed as not finite
        x = values.astype(np.float32)
    for track_id in wanted_ids:
        if track_id not in row_of:
            left_out[track_id] = "no row in the table"
        elif fault := _fault(columns, np.isfinite(x[row_of[track_id]])):
            left_out[track_id] = fault
        else:
            kept.append(track_id)
    if not kept:
        raise GenreflowError(
            f"The feature table has no row of finite values for any of the {len(wanted_ids)} "
            f"tracks of the corpus. Its ids are {_some(track_ids)}; the corpus has "
            f"{_some(wanted_ids)}"
        )
    return Selection(x[[row_of[track_id] for track_id in kept]], kept, left_out)


def _fault(columns: Sequence[Column], finite: np.ndarray) -> str:
    """Say which of a row's values are not finite; "" if all are."""
    if finite.all():
        return ""
    first = ", ".join(columns[int(np.argmin(finite))])
    return f"{np.sum(~finite)} of {len(finite)} values are empty or not finite, first ({first})"


def names(columns: Sequence[Column]) -> list[str]:
    """Return the columns' names for a matrix, such as ``mfcc mean 01``."""
    return [" ".join(column) for column in columns]


def _some(track_ids: Sequence[str]) -> str:
    return ", ".join(track_ids[:3]) + (", ..." if len(track_ids) > 3 else "")


def write_matrix(
    source: str | Path,
    track_ids: Sequence[str],
    *,
    max_missing: float,
    matrix: str | Path,
    left_out: str | Path,
) -> tuple[int, list[str]]:
    """Take a corpus's features from a table in FMA's format.

    Parameters
    ----------
    source
        FMA's features.csv, some of its columns, or another table in its format.
    track_ids
        The tracks of the corpus.
    max_missing
        The largest share of the tracks that may lack a row, or have values in it that are not
        finite.
    matrix
        The feature matrix to write.
    left_out
        The CSV to write of the tracks without features: track_id, reason.

    Returns
    -------
    found : int
        How many tracks have features.
    missing : list of str
        The tracks that have no row, or one with values that are not finite.

    Raises
    ------
    GenreflowError
        If the table can't be read, or lacks more tracks than it may.
    """
    ids, columns, values = read(source)
    chosen = select(ids, columns, values, track_ids)
    if len(chosen.left_out) > max_missing * len(track_ids):
        first = islice(chosen.left_out.items(), 10)
        listed = "\n".join(f"  - track {track_id}: {reason}" for track_id, reason in first)
        raise GenreflowError(
            f"{source}: {len(chosen.left_out)} of the corpus's {len(track_ids)} tracks have no "
            f"whole row in it, more than corpus.max_excluded, {max_missing:.0%}. The first:\n"
            f"{listed}\nUse the table of this corpus, compute the features "
            "(handcrafted.source: audio), or raise corpus.max_excluded."
        )
    part = Part("published", "handcrafted", "", {"source": Path(source).name})
    matrices.write_matrix(
        matrix,
        chosen.x,
        chosen.track_ids,
        names(columns),
        {"parts": json.dumps([asdict(part)]), "about": json.dumps([{}])},
    )
    write_reasons(left_out, chosen.left_out)
    return len(chosen.track_ids), list(chosen.left_out)


def write_table(matrix: str | Path, path: str | Path) -> int:
    """Write a matrix of hand-crafted features in FMA's format; return how many tracks it has."""
    read_matrix = matrices.read_matrix(matrix)
    columns = [tuple(name.split(" ")) for name in read_matrix.columns]
    write(path, read_matrix.track_ids, columns, read_matrix.x)
    return len(read_matrix.track_ids)
