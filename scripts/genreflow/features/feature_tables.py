"""Tables of features that somebody else computed: what of them are features."""

import re
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genreflow.corpus import tables
from genreflow.errors import GenreflowError
from genreflow.features import fma_tables

NUMBERS = 0.9
"""A column of which so large a share are numbers is meant as one of numbers."""

NOTHING = ["", "NA", "N/A", "n/a", "nan", "NaN", "-nan", "#N/A", "<NA>", "null", "NULL", "None"]
"""What programs write for a number that lacks."""

_NO_FEATURE = re.compile(
    r"(.*_)?(labels?|(sub)?genres?|targets?|categor(y|ies))(_.*)?"
    r"|class(es)?(_(id|name|label|index))?|y"
    r"|split|folds?|set|subset|part|partition"
    r"|index|idx|ids?|.*_ids?|unnamed:.*"
)
"""Names of columns that tell what is to be learned, or which track it is, even in numbers."""


@dataclass(frozen=True)
class FeatureTable:
    """A table with a row per track.

    Attributes
    ----------
    path
        The file.
    track_ids, paths
        What each row says of its track, as it is written; [] where no column does.
    columns
        The names of the features.
    x : numpy.ndarray, shape (rows, columns), float64
        NaN where a cell is empty.
    no_features
        By the names of the other columns: why they are none.
    place
        Tells where a row stands in the file.
    """

    path: Path
    track_ids: Sequence[str]
    paths: Sequence[str]
    columns: list[str]
    x: np.ndarray
    no_features: dict[str, str]
    place: Callable[[int], str]


def read(path: str | Path) -> FeatureTable:
    """Read a table of features.

    Parameters
    ----------
    path
        A CSV as `corpus.tables.sheet` reads it, or Parquet (needs pyarrow), with a column track_id
        or path, by another name of `corpus.tables.ALSO` too; or a table in FMA's format.

    Raises
    ------
    GenreflowError
        If it is no such table, has no column of numbers, or a column of numbers has a cell that is
        none. Names the line.
    """
    path = Path(path)
    if path.suffix.lower() in (".parquet", ".pq"):
        return _of_frame(path, _read_parquet(path), lambda row: f"row {row + 1}")
    if columns := fma_tables.header(path):
        frame = _parsed(path, path, [0], len(columns) + 1, skiprows=4)
        frame = frame.set_axis(["track_id", *columns], axis="columns")
        table = _of_frame(path, frame, lambda row: f"row {row + 5}")
        del table.no_features["track_id"]
        return table
    sheet = tables.sheet(path, (tables.TRACK,), key="feature_tables")

    def place(row: int) -> str:
        return f"line {next(islice(sheet.rows(), row, None))[0]}"

    return _of_frame(path, _read_csv(sheet), place)


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(path)
    except ImportError:
        raise GenreflowError(
            f"{path}: Parquet is read by pyarrow, which isn't in the environment: install it there "
            "(python -m pip install pyarrow), or save the table as CSV"
        ) from None
    except (OSError, ValueError) as error:  # pyarrow's own are of these kinds
        raise GenreflowError(f"{path}: can't be read as Parquet ({error})") from None
    if frame.empty:
        raise GenreflowError(f"{path}: there is no row or no column in it")
    if any(frame.index.names):
        frame = frame.reset_index()
    named = [" ".join(map(str, one)) if isinstance(one, tuple) else str(one) for one in frame]
    frame = frame.set_axis(named, axis="columns")
    for column, name in zip(frame, tables.canonical(frame), strict=True):
        if name in tables.TRACK:
            frame[column] = ["" if pd.isna(one) else str(one) for one in frame[column]]
    if not set(tables.canonical(frame)) & set(tables.TRACK):
        needed = " or ".join(tables.TRACK)
        raise GenreflowError(f"{path}: no column {needed} among {', '.join(named[:10])}")
    return pd.concat([_spread(column) for _, column in frame.items()], axis="columns")


def _spread(column: pd.Series) -> pd.Series | pd.DataFrame:
    """Give each number of vectors a column of its own: so some store embeddings."""
    if not isinstance(column.iloc[0], np.ndarray) or len(set(map(np.shape, column))) > 1:
        return column
    vectors = pd.DataFrame(np.stack(column.to_list()), index=column.index)
    return vectors.rename(columns=lambda number: f"{column.name} {number}")


def _read_csv(sheet: tables.Sheet) -> pd.DataFrame:
    """Read a CSV of any size by pandas, which is lenient: what it takes otherwise is refused."""
    keys = [number for number, name in enumerate(sheet.columns) if name in tables.TRACK]
    try:
        frame = _parsed(
            sheet.path,
            BytesIO(sheet.text.encode()),
            keys,
            len(sheet.header),
            sep=sheet.separator,
            skiprows=sheet.line,
            skipinitialspace=True,
            decimal=_decimal(sheet),
        )
    except GenreflowError:
        deque(sheet.rows(), maxlen=0)  # which names the line
        raise
    frame[keys] = frame[keys].apply(lambda column: column.str.strip())
    unnamed = frame[(frame[keys] == "").all(axis="columns")]
    frame = frame.drop(index=unnamed.index[unnamed.drop(columns=keys).isna().all(axis="columns")])
    return frame.set_axis(sheet.header, axis="columns")


def _parsed(
    path: Path, source: Path | BytesIO, keys: Sequence[int], width: int, **settings: Any
) -> pd.DataFrame:
    """Parse rows of so many cells; those of the keys are texts."""
    others = set(range(width)) - set(keys)
    try:
        frame = pd.read_csv(
            source,
            header=None,
            low_memory=False,
            dtype=dict.fromkeys(keys, str),
            na_values=dict.fromkeys(others, NOTHING),
            keep_default_na=False,  # a track may be called "None"
            **settings,
        )
    except pd.errors.EmptyDataError:
        raise GenreflowError(f"{path}: has a header but no track") from None
    except ValueError as error:  # pandas' own errors are of this kind
        raise GenreflowError(f"{path}: {error}") from None
    if frame.shape[1] != width:
        raise GenreflowError(f"{path}: its rows have {frame.shape[1]} cells, its header {width}")
    return frame


def _decimal(sheet: tables.Sheet) -> str:
    """Return what the first row has before decimals: in many countries it is a comma."""
    _, cells = next(sheet.rows(), (0, []))
    commas = (re.fullmatch(r"[-+]?\d+,\d+(e[-+]?\d+)?", cell, re.IGNORECASE) for cell in cells)
    return "," if any(commas) else "."


def _of_frame(path: Path, frame: pd.DataFrame, place: Callable[[int], str]) -> FeatureTable:
    """Part the columns of a table: what names the tracks, features, and all else."""
    named = tables.canonical(frame)
    called = [key if key in tables.TRACK else name for key, name in zip(named, frame, strict=True)]
    name, count = Counter(filter(None, called)).most_common(1)[0]
    if count > 1:
        raise GenreflowError(f"{path}: {count} columns are called {name!r}: rename all but one")
    keys: dict[str, list[str]] = {name: [] for name in tables.TRACK}
    kept, no_features = [], {}
    for number, name in enumerate(named):
        column = frame.iloc[:, number]
        if name in keys:
            keys[name] = column.tolist()
        if why := _why_not(path, name, column, place):
            no_features[column.name or f"column {number + 1}"] = why
        else:
            kept.append(number)
    if not kept:
        raise GenreflowError(
            f"{path}: none of its columns can be features: {said_of_columns(no_features)}"
        )
    return FeatureTable(
        path=path,
        track_ids=keys["track_id"],
        paths=keys["path"],
        columns=[frame.columns[number] for number in kept],
        x=frame.iloc[:, kept].to_numpy(np.float64, na_value=np.nan),
        no_features=no_features,
        place=place,
    )


def _why_not(path: Path, name: str, column: pd.Series, place: Callable[[int], str]) -> str:
    """Say why a column is no feature; "" if it is one."""
    if name in tables.TRACK:
        return "names the tracks"
    if name in tables.COLUMNS or _NO_FEATURE.fullmatch(name):
        return "by its name a label, a part or an id"
    if not name:
        return "has no name"
    if column.isna().all():
        return "empty"
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return ""
    there = column[column.notna()]
    numbers = pd.to_numeric(there.astype(str), errors="coerce").notna()
    cell = there[~numbers].iloc[0]
    if numbers.mean() >= NUMBERS:
        row = column.index.get_loc(there[~numbers].index[0])
        raise GenreflowError(
            f"{path}, {place(row)}, column {column.name!r}: {cell!r} is not a number, as nearly "
            "all others of the column are; mend the cell, leave it empty, or take the column out"
        )
    return f"no numbers, but such as {str(cell)[:40]!r}"


def said_of_columns(no_features: dict[str, str]) -> str:
    """Name columns that are no features, and say why."""
    return "; ".join(f"{name} ({why})" for name, why in no_features.items())
