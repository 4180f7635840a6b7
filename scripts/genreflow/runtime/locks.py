"""Locks that a killed run left behind."""

import fcntl
import os
import threading
import time
from pathlib import Path
from typing import TextIO

from genreflow.runtime.files import SKEW

NAME = "genreflow.lock"
"""The file in the folder ``.snakemake`` that the run holds; its time is that of the last start."""

_held: dict[Path, TextIO] = {}


def clock_went_back(folder: str | Path) -> bool:
    """Tell whether the last run, by its own clock, began in the future. Ask before `drop_stale`.

    Parameters
    ----------
    folder
        The folder ``.snakemake`` of the working folder.
    """
    lock = Path(folder, NAME)
    return lock.exists() and lock.stat().st_mtime > time.time() + SKEW


def drop_stale(folder: str | Path) -> bool:
    """Remove Snakemake's locks in a working folder if the run that made them is dead.

    Each run holds an operating system's lock on a file of its own until its process ends, however
    it ends. Whoever gets that lock knows that no other run is alive. Where locks aren't supported,
    nothing is removed, and Snakemake asks for ``--unlock`` as it does by itself.

    Parameters
    ----------
    folder
        The folder ``.snakemake`` of the working folder.

    Returns
    -------
    bool
        Whether this process is the one that runs here.
    """
    folder = Path(folder).resolve()
    if folder in _held:
        return True
    folder.mkdir(exist_ok=True)
    file = (folder / NAME).open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        # Wait for the other, which may be a dry run and end before this one does.
        threading.Thread(target=fcntl.flock, args=(file, fcntl.LOCK_EX), daemon=True).start()
        return False
    _held[folder] = file
    os.utime(file.fileno())
    for lock in (folder / "locks").glob("*.lock"):
        lock.unlink(missing_ok=True)
    return True
