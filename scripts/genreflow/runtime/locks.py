"""Locks that a killed run left behind."""

import fcntl
import os
import threading
from pathlib import Path

from genreflow.errors import GenreflowError

NAME = "genreflow.lock"
"""The file in the folder ``.snakemake`` that the run holds."""

_held: dict[Path, int] = {}


def drop_stale(folder: str | Path) -> bool:
    """Remove Snakemake's locks in a working folder if the run that made them is dead.

    Each run holds an operating system's lock on a file of its own until its process ends, however
    it ends. Whoever gets that lock knows that no other run is alive. Where the file system has no
    such locks, Snakemake's own tell whether another run may be alive: nothing is removed, and
    Snakemake asks for ``--unlock`` as it does by itself.

    Parameters
    ----------
    folder
        The folder ``.snakemake`` of the working folder.

    Returns
    -------
    bool
        Whether this process is the one that runs here.

    Raises
    ------
    GenreflowError
        If a link stands where the lock or the folder of Snakemake's locks should be: what it leads
        to is another's.
    """
    folder = Path(folder).resolve()
    if folder in _held:
        return True
    folder.mkdir(exist_ok=True)
    for place in (folder / NAME, folder / "locks"):
        if place.is_symlink():
            raise GenreflowError(
                f"{place} is a link to {place.readlink()}, which no run makes: find out who did, "
                "delete it, and run again"
            )
    # Whoever comes second between the look and this is refused by O_NOFOLLOW. Nothing is written.
    file = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # Wait for the other, which may be a dry run and end before this one does.
        threading.Thread(target=fcntl.flock, args=(file, fcntl.LOCK_EX), daemon=True).start()
        return False
    except OSError:
        return not any((folder / "locks").glob("*.lock"))
    _held[folder] = file
    for lock in (folder / "locks").glob("*.lock"):
        lock.unlink(missing_ok=True)
    return True
