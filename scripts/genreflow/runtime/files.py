"""Writing files so that a half-written one never passes for a whole one."""

import csv
import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genreflow.errors import GenreflowError
from genreflow.runtime.cells import guarded, unguarded

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path` and rename it into place when the block ends.

    If the block raises, the temporary file is removed and `path` stays as it was. The
    temporary name keeps the suffix (writers choose formats by it) and is always the same
    for the same `path`, so that what a killed process left is removed by the next. What others
    put in either place is replaced itself: nothing is written to where a link leads.

    Parameters
    ----------
    path
        Where the whole file shall be. Its folder is made if needed.

    Raises
    ------
    FileNotFoundError
        If the block wrote nothing.

    Yields
    ------
    pathlib.Path
        The path to write to.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".part-{path.name}")
    make_anew(part)
    os.utime(part, ns=(0, 0))
    try:
        yield part
        file = os.open(part, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            if os.fstat(file).st_mtime_ns == 0:
                raise FileNotFoundError(errno.ENOENT, "nothing was written", str(path))
            os.fsync(file)
        finally:
            os.close(file)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def make_anew(path: str | Path) -> None:
    """Make an empty file in the place of what has its name, be that a link to another's file."""
    Path(path).unlink(missing_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666))


def write_text(path: str | Path, text: str) -> None:
    """Write a text file in UTF-8, with a line break at its end."""
    with atomic(path) as part:
        part.write_text(text.rstrip("\n") + "\n", encoding="utf-8")


def write_json(value: Any, path: str | Path) -> None:
    """Write plain values as JSON."""
    write_text(path, json.dumps(value, indent=2))


def write_csv(table: "pd.DataFrame", path: str | Path) -> None:
    """Write a table as CSV, without its index. `read_table` and `read_values` read it.

    Texts are `cells.guarded`, for people open tables in spreadsheets.
    """
    table = _with_texts(table, guarded)
    text = table.to_csv(index=False)
    if "\r" in text:  # pandas quotes it only where all texts are: it would begin a row
        text = table.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC)
    with atomic(path) as part:
        part.write_bytes(text.encode())


def _with_texts(table: "pd.DataFrame", change: Callable[[str], str]) -> "pd.DataFrame":
    """Return a table with its texts changed, names of columns among them."""
    texts = {
        name: [change(cell) if isinstance(cell, str) else cell for cell in column]
        for name, column in table.items()
        if column.dtype.kind not in "biufcmM"
    }
    return table.assign(**texts).rename(columns=lambda name: change(str(name)))


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_writable(folder: str | Path) -> None:
    """Stop early where nothing could be written later.

    Parameters
    ----------
    folder
        It needn't exist.

    Raises
    ------
    GenreflowError
        If it, or the folder that it would be made in, can't be written to.
    """
    place = Path(folder)
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK | os.X_OK):
        raise GenreflowError(
            f"{place.absolute()}: can't be written to; change its permissions, or see whether its "
            "disk is mounted read-only"
        )


ROOM = 1_000_000
"""With less than this left, a disk is full [bytes]."""


def require_room(folder: str | Path) -> None:
    """Stop early where the disk is full.

    Parameters
    ----------
    folder
        It must exist.

    Raises
    ------
    GenreflowError
        If less than `ROOM` is left.
    """
    if shutil.disk_usage(folder).free < ROOM:
        raise GenreflowError(
            f"{Path(folder).absolute()}: its disk is full; make room, and run again"
        )


SKEW = 60.0
"""Clocks of several machines may differ by this much [s]."""


def future_warning(paths: Iterable[str | Path]) -> str:
    """Return a warning of files from the future, whose changes don't show; "" if there are none.

    Those that aren't there don't count.
    """
    found, latest = [], time.time() + SKEW
    for path in paths:
        with suppress(OSError):
            if os.stat(path).st_mtime > latest:  # noqa: PTH116 (of thousands of paths)
                found.append(path)
    if not found:
        return ""
    files = "1 file is" if len(found) == 1 else f"{len(found)} files are"
    return (
        f"{files} dated in the future (first: {found[0]}): changes may not be noticed, or what "
        "depends on them is made again in each run. Set the clock right, or give them the present "
        "time (touch)"
    )


def read_table(path: str | Path) -> "pd.DataFrame":
    """Read a CSV of the workflow as text: ids keep their zeros, empty cells are ""."""
    return read_values(path, dtype=str, keep_default_na=False)


def read_values(path: str | Path, **settings: Any) -> "pd.DataFrame":
    """Read a CSV of the workflow, numbers as such; settings are those of `pandas.read_csv`."""
    import pandas as pd

    return _with_texts(pd.read_csv(path, **settings), unguarded)


def write_reasons(path: str | Path, reasons: Mapping[str, str]) -> None:
    """Write a CSV of tracks that are left out: track_id, reason."""
    import pandas as pd

    write_csv(pd.DataFrame(sorted(reasons.items()), columns=["track_id", "reason"]), path)
