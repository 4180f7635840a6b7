"""Tables of features in FMA's format.

The format is a CSV file with three header rows (feature, statistics, number), a row that
holds only the name of the index, and one row per track.
"""

import csv
from collections.abc import Iterable, Sequence
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


def write(
    path: str | Path, track_ids: Sequence[str], columns: Sequence[Column], values: np.ndarray
) -> None:
    """Write a table in FMA's format; `pandas.read_csv(index_col=0, header=[0, 1, 2])` reads it.

    The values, (tracks, columns), have ten decimals; what is NaN becomes an empty cell.
    """
    names = pd.MultiIndex.from_tuples(columns, names=LEVELS)
    table = pd.DataFrame(values, index=pd.Index(track_ids, name="track_id"), columns=names)
    with atomic(path) as part:
        table.to_csv(part, float_format="%.10e")


def header(path: str | Path) -> list[str]:
    """Return the names of a table's columns, as for a matrix; [] if it isn't meant in this format.

    Raises
    ------
    GenreflowError
        If its header is not whole.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            rows = list(islice(csv.reader(file), 4))
    except (OSError, UnicodeDecodeError, csv.Error):
        return []
    first = [row[:1] for row in rows]
    if first[:1] != [[LEVELS[0]]] and first[3:] != [["track_id"]]:
        return []
    if len(rows) < 4 or any(rows[3][1:]) or len(set(map(len, rows))) > 1:
        raise GenreflowError(
            f"{path}: row 4 must hold nothing but the name of the index, after three header rows "
            "of its length; save a table whose columns have the levels feature, statistics, number "
            "with to_csv"
        )
    return names(zip(*(row[1:] for row in rows[:3]), strict=True))


def names(columns: Iterable[Column]) -> list[str]:
    """Return the columns' names for a matrix, such as ``mfcc mean 01``."""
    return [" ".join(column) for column in columns]


def write_table(matrix: str | Path, path: str | Path) -> int:
    """Write a matrix of hand-crafted features in FMA's format; return how many tracks it has."""
    read_matrix = matrices.read_matrix(matrix)
    columns = [tuple(name.split(" ")) for name in read_matrix.columns]
    write(path, read_matrix.track_ids, columns, read_matrix.x)
    return len(read_matrix.track_ids)
