"""Writing files so that a half-written one never passes for a whole one."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path` and rename it into place when the block ends.

    If the block raises, the temporary file is removed and `path` stays as it was. The
    temporary name keeps the suffix (writers choose formats by it) and is always the same
    for the same `path`, so that what a killed process left is overwritten by the next.

    Parameters
    ----------
    path
        Where the whole file shall be. Its folder is made if needed.

    Yields
    ------
    pathlib.Path
        The path to write to.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".part-{path.name}")
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file in UTF-8, with a line break at its end."""
    with atomic(path) as part:
        part.write_text(text.rstrip("\n") + "\n", encoding="utf-8")


def write_json(value: Any, path: str | Path) -> None:
    """Write plain values as JSON."""
    write_text(path, json.dumps(value, indent=2))


def write_csv(table: "pd.DataFrame", path: str | Path) -> None:
    """Write a table as CSV, without its index."""
    with atomic(path) as part:
        table.to_csv(part, index=False)


def read_table(path: str | Path) -> "pd.DataFrame":
    """Read a CSV of the workflow as text: ids keep their zeros, empty cells are ""."""
    import pandas as pd

    return pd.read_csv(path, dtype=str, keep_default_na=False)
