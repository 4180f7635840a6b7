"""Reading the HDF5 files of the workflow."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from genreflow.errors import GenreflowError


@contextmanager
def opened(path: str | Path, what: str, needed: Iterable[str]) -> Iterator[h5py.File]:
    """Open a file for reading.

    Parameters
    ----------
    path
        The HDF5 file.
    what
        It should be, for people to read.
    needed
        The datasets and groups that such a file has.

    Raises
    ------
    GenreflowError
        If it is missing or damaged, or lacks one of those.
    """
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        if error.errno is not None:  # of the system: it says nothing about what the file holds
            raise GenreflowError(
                f"{path}: can't be opened ({os.strerror(error.errno)}). Mend that, and run again"
            ) from None
        raise GenreflowError(
            f"{path}: not a whole HDF5 file ({error}); delete it and run again: it is made anew"
        ) from None
    with file:
        if lacking := sorted(set(needed) - set(file)):
            raise GenreflowError(f"{path}: not {what}, since {', '.join(lacking)} is missing")
        yield file
