"""Tables of tracks that people make by hand or in a spreadsheet: read strictly, nothing guessed."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from genreflow import names
from genreflow.audio import written
from genreflow.audio.formats import SUFFIXES
from genreflow.errors import GenreflowError

NEEDED = ("path", "genre")
COLUMNS = {*NEEDED, "split", "artist", "album", "track_id", "title", "year", "license"}
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}


@dataclass(frozen=True)
class Table:
    """A table of tracks.

    Attributes
    ----------
    rows
        The line that each begins in, and its cells by `COLUMNS`; "" for a column that isn't there.
    encoding
        What it is written in.
    """

    rows: list[tuple[int, dict[str, str]]]
    encoding: str


def read(path: str | Path) -> Table:
    """Read a table with a header row, separated by commas, semicolons or tabs.

    Parameters
    ----------
    path
        The file, in UTF-8, UTF-16 or Windows-1252. Blanks around cells and empty lines don't count,
        nor does the letter case of headers.

    Raises
    ------
    GenreflowError
        If it isn't there or no such table. Names the line, and what is wrong there: a row that is
        not as long as the header, a quote that isn't closed, a header that stands there twice.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        missing = isinstance(error, FileNotFoundError | IsADirectoryError)
        said = "there is no file" if missing else f"{error.strerror}:"
        raise GenreflowError(f"corpus.table: {said} {str(path)!r}") from None
    if content.startswith((b"PK", b"\xd0\xcf\x11\xe0")):
        raise GenreflowError(f"{path}: a spreadsheet, not a CSV; save it as CSV in UTF-8")
    try:
        text, encoding = written.decoded(content)
    except GenreflowError as error:
        raise GenreflowError(f"{path}, {error}") from None
    separator = _separator(path, text)
    rows = list(_rows(path, text, separator))
    columns = _columns(path, *rows[0])
    body = (
        (line, _by_column(path, line, cells, columns, separator))
        for line, cells in rows[1:]
        if any(cells)
    )
    return Table(list(body), encoding)


def _first_line(text: str) -> tuple[int, str]:
    """Return the number and the text of the header: the first line with something in it."""
    for number, line in enumerate(re.split("\r\n|\r|\n", text), start=1):
        if line.strip() and not _names_separator(line):
            return number, line
    return 1, ""


def _names_separator(line: str) -> bool:
    """Tell whether a line is what Excel writes first: ``sep=;``."""
    return re.fullmatch(r'\s*"?sep=.?"?[\s,;]*', line, re.IGNORECASE) is not None


def _separator(path: Path, text: str) -> str:
    """Return the separator by which the header has the columns that are needed."""
    line, header = _first_line(text)
    found = {}
    for separator in _SEPARATORS:
        cells = next(csv.reader([header], delimiter=separator, skipinitialspace=True), [])
        found[separator] = list(map(_header, cells))
        if set(NEEDED) <= set(found[separator]):
            return separator
    likely = max(found, key=lambda one: (len(set(NEEDED) & set(found[one])), len(found[one])))
    lacking = [one for one in NEEDED if one not in found[likely]]
    also = ", ".join(sorted(COLUMNS - set(NEEDED)))
    raise GenreflowError(
        f"{path}, line {line}: no column {' and no column '.join(map(repr, lacking))} in its "
        f"header row ({', '.join(found[likely])}). Needed are path and genre, separated by commas, "
        f"semicolons or tabs; also used, if there: {also}."
    )


def _header(cell: str) -> str:
    return re.sub(r"[\s-]+", "_", names.key(cell))


def _rows(path: Path, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line that a row begins in, and its cells without blanks around."""
    reader = csv.reader(
        StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True
    )
    line = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise GenreflowError(
                f"{path}, line {line}: its quotes can't be read ({error}): a cell begins and ends "
                "with one, or has none around it; within a cell in quotes write two"
            ) from None
        if cells is None:
            return
        broken = [cell for cell in cells if re.search("[\r\n]", cell)]
        if broken:
            raise GenreflowError(
                f"{path}, line {line}: a cell goes on in the next line ({broken[0][:40]!r}). Is a "
                "quote not closed? If the cell is meant so, take the line breaks out of it"
            )
        if any(cells) and not (len(cells) < 3 and _names_separator(separator.join(cells))):
            yield line, [cell.strip() for cell in cells]
        line = reader.line_num + 1


def _columns(path: Path, line: int, header: Sequence[str]) -> list[str]:
    """Return the columns as `COLUMNS` has them."""
    columns = list(map(_header, header))
    for number, column in enumerate(columns):
        if column and column in columns[:number]:
            raise GenreflowError(
                f"{path}, line {line}: two columns are called {column!r} (letter case doesn't "
                "count): rename one, or take it out"
            )
    return columns


def _by_column(
    path: Path, line: int, cells: Sequence[str], columns: Sequence[str], separator: str
) -> dict[str, str]:
    place = f"{path}, line {line}"
    if len(cells) != len(columns):
        said = _SEPARATORS[separator]
        raise GenreflowError(
            f"{place}: {_cells(len(cells))} where the header has {len(columns)}, separated by "
            f"{said}: {separator.join(cells)[:80]!r}. A cell with {said} in it stands in quotes, "
            "and an empty one has its place, too"
        )
    for number, (column, cell) in enumerate(zip(columns, cells, strict=True), start=1):
        if cell and not column:
            raise GenreflowError(f"{place}: column {number} has no name, but holds {cell[:40]!r}")
    row = dict.fromkeys(COLUMNS, "") | dict(zip(columns, cells, strict=True))
    if not row["path"]:
        raise GenreflowError(f"{place}: the path is empty")
    if Path(row["genre"]).suffix.lower() in SUFFIXES:
        raise GenreflowError(
            f"{place}: the genre is {row['genre']!r}, which is named like audio. A path with "
            f"{_SEPARATORS[separator]} in it stands in quotes"
        )
    return {column: row[column] for column in COLUMNS}


def _cells(number: int) -> str:
    return "1 cell" if number == 1 else f"{number} cells"
