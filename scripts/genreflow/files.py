"""Writing files so that a half-written one never passes for a whole one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
