"""Tables that people make by hand or in a spreadsheet: read strictly, nothing guessed."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from genreflow import names
from genreflow.audio import written
from genreflow.audio.formats import SUFFIXES
from genreflow.errors import GenreflowError

TRACK, GENRE = ("path", "track_id"), ("genre",)
"""The columns of which one says which track a row is of, and the column of its label."""

COLUMNS = {*TRACK, *GENRE, "split", "artist", "album", "title", "year", "license"}

ALSO = {
    "path": ("filename", "file_name", "file_path"),
    "genre": ("label", "genre_top"),
}
"""Other names of a column, in tables that are published: of features, of GTZAN, of FMA."""

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}


@dataclass(frozen=True)
class Sheet:
    """A table as text, and how it is written.

    Attributes
    ----------
    path
        The file.
    text, encoding
        All of it, and what it is written in.
    separator
        What is between cells.
    line
        The line of the header row, from 1.
    header, columns
        Its cells as they are written, and as `canonical` names them.
    """

    path: Path
    text: str
    encoding: str
    separator: str
    line: int
    header: list[str]
    columns: list[str]

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the line that a row begins in, and its cells without blanks around.

        Raises
        ------
        GenreflowError
            If a row isn't as long as the header, or a quote isn't closed; names the line.
        """
        for line, cells in _rows(self.path, self.text, self.separator):
            if line > self.line and any(cells):
                self._require_whole(line, cells)
                yield line, cells

    def _require_whole(self, line: int, cells: Sequence[str]) -> None:
        if len(cells) != len(self.header):
            said = _SEPARATORS[self.separator]
            raise GenreflowError(
                f"{self.path}, line {line}: {_cells(len(cells))} where the header has "
                f"{len(self.header)}, separated by {said}: {self.separator.join(cells)[:80]!r}. A "
                f"cell with {said} in it stands in quotes, and an empty one has its place, too"
            )


def canonical(header: Iterable[str]) -> list[str]:
    """Return the names of columns without letter case and blanks, those of `ALSO` as the first."""
    found = [re.sub(r"[\s-]+", "_", names.key(cell)) for cell in header]
    for name, others in ALSO.items():
        other = next((one for one in others if one in found), None)
        if name not in found and other is not None:
            found[found.index(other)] = name
    return found


def sheet(
    path: str | Path, needed: Sequence[Sequence[str]], *, key: str, also: Iterable[str] = ()
) -> Sheet:
    """Read the text of a table with a header row, separated by commas, semicolons or tabs.

    Parameters
    ----------
    path
        The file, in UTF-8, UTF-16 or Windows-1252.
    needed
        The columns that must be there: of each group at least one.
    key
        The key of the configuration that names the file.
    also
        Further columns that are used.

    Raises
    ------
    GenreflowError
        If it isn't there or no such table.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        missing = isinstance(error, FileNotFoundError | IsADirectoryError)
        said = "there is no file" if missing else f"{error.strerror}:"
        raise GenreflowError(f"{key}: {said} {str(path)!r}") from None
    if content.startswith((b"PK", b"\xd0\xcf\x11\xe0")):
        raise GenreflowError(f"{path}: a spreadsheet, not a CSV; save it as CSV in UTF-8")
    try:
        text, encoding = written.decoded(content)
    except GenreflowError as error:
        raise GenreflowError(f"{path}, {error}") from None
    line, header = _first_line(text)
    separator = _separator(path, line, header, needed, also)
    _, cells = next(_rows(path, text, separator))
    return Sheet(path, text, encoding, separator, line, cells, canonical(cells))


def read(path: str | Path, *, audio_for: str = "") -> tuple[list[tuple[int, dict[str, str]]], str]:
    """Read a table of tracks.

    Parameters
    ----------
    path
        As for `sheet`. Blanks around cells and empty lines don't count, nor does the letter case
        of headers.
    audio_for
        A learner that needs the paths; "" if none does: a track_id is enough then.

    Returns
    -------
    rows : list of (int, dict)
        The line that each begins in, and its cells by `COLUMNS`; "" for a column that isn't there.
    encoding : str
        What it is written in.

    Raises
    ------
    GenreflowError
        If it isn't there or no such table. Names the line, and what is wrong there: a row that is
        not as long as the header, a quote that isn't closed, a header that stands there twice.
    """
    also = COLUMNS - {*TRACK, *GENRE}
    found = sheet(path, (TRACK, GENRE), key="corpus.table", also=also)
    _refuse_twice(found)
    if audio_for and "path" not in found.columns:
        raise GenreflowError(
            f"{path}, line {found.line}: no column 'path' in its header row "
            f"({', '.join(found.header)}), and {audio_for} needs audio: add the paths, or ask for "
            "no learner but those on features from a table (feature_tables)"
        )
    rows = ((line, _by_column(found, line, cells, audio_for)) for line, cells in found.rows())
    return list(rows), found.encoding


def _first_line(text: str) -> tuple[int, str]:
    """Return the number and the text of the header: the first line with something in it."""
    for number, line in enumerate(_lines(text), start=1):
        if line.strip() and not _names_separator(line):
            return number, line.rstrip("\r\n")
    return 1, ""


def _lines(text: str) -> Iterator[str]:
    """Yield lines with their ends, one by one: a table of features may have a gigabyte."""
    return (found[0] for found in re.finditer("[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text))


def _names_separator(line: str) -> bool:
    """Tell whether a line is what Excel writes first: ``sep=;``."""
    return re.fullmatch(r'\s*"?sep=.?"?[\s,;]*', line, re.IGNORECASE) is not None


def _separator(
    path: Path, line: int, header: str, needed: Sequence[Sequence[str]], also: Iterable[str]
) -> str:
    """Return the separator by which the header has the columns that are needed."""
    found, lacks = {}, {}
    for separator in _SEPARATORS:
        cells = next(csv.reader([header], delimiter=separator, skipinitialspace=True), [])
        found[separator] = canonical(cells)
        lacks[separator] = [group for group in needed if not set(group) & set(found[separator])]
        if not lacks[separator]:
            return separator
    likely = min(found, key=lambda one: (len(lacks[one]), -len(found[one])))
    lacking = [" or ".join(map(repr, group)) for group in lacks[likely]]
    wanted = " and ".join(" or ".join(group) for group in needed)
    used = f"; also used, if there: {', '.join(sorted(also))}" if also else ""
    raise GenreflowError(
        f"{path}, line {line}: no column {' and no column '.join(lacking)} in its header row "
        f"({', '.join(found[likely])}). Needed are {wanted}, separated by commas, semicolons or "
        f"tabs{used}."
    )


def _rows(path: Path, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line that a row begins in, and its cells without blanks around."""
    reader = csv.reader(_lines(text), delimiter=separator, skipinitialspace=True, strict=True)
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


def _refuse_twice(found: Sheet) -> None:
    for number, column in enumerate(found.columns):
        if column and column in found.columns[:number]:
            raise GenreflowError(
                f"{found.path}, line {found.line}: two columns are called {column!r} (letter case "
                "doesn't count): rename one, or take it out"
            )


def _by_column(found: Sheet, line: int, cells: Sequence[str], audio_for: str) -> dict[str, str]:
    place = f"{found.path}, line {line}"
    for number, (column, cell) in enumerate(zip(found.columns, cells, strict=True), start=1):
        if cell and not column:
            raise GenreflowError(f"{place}: column {number} has no name, but holds {cell[:40]!r}")
    row = dict.fromkeys(COLUMNS, "") | dict(zip(found.columns, cells, strict=True))
    if not row["path"] and (audio_for or not row["track_id"]):
        raise GenreflowError(f"{place}: the path is empty")
    if Path(row["genre"]).suffix.lower() in SUFFIXES:
        raise GenreflowError(
            f"{place}: the genre is {row['genre']!r}, which is named like audio. A path with "
            f"{_SEPARATORS[found.separator]} in it stands in quotes"
        )
    return {column: row[column] for column in COLUMNS}


def _cells(number: int) -> str:
    return "1 cell" if number == 1 else f"{number} cells"
