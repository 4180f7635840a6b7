"""librosa, imported at its first use, and by one process at a time.

Modules of librosa have numba compile functions when they are imported: for half a minute, after
which the code is read from a cache. That cache isn't made for several writers. Of two processes
that fill it at once, one may file its code as that of the other's function; from then on whoever
calls the function crashes, or computes something else.
"""

import fcntl
import importlib.util
import os
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from typing import IO, Any

from genreflow.runtime import places

LOCK = "genreflow-librosa.lock"
"""The file beside numba's cache that a process holds while it imports librosa."""

COMPILED = ("librosa.util.utils", "librosa.core.audio", "librosa.core.pitch")
"""The modules whose functions are compiled when they are imported."""


def __getattr__(name: str) -> Any:
    return getattr(load(), name)


@cache
def load() -> Any:
    """Import librosa and what of it is compiled, and return it."""
    with _lock() or nullcontext():
        for module in COMPILED:
            importlib.import_module(module)
    return importlib.import_module("librosa")


def _lock() -> IO | None:
    """Wait for the lock and return its open file; None where no file can be locked."""
    try:
        folder = _folder()
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("a")
        fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed, or the process ends
    except OSError:
        return None
    return file


def _folder() -> Path:
    """Return where numba keeps what it compiles of librosa, or a place that all processes know."""
    package = Path(importlib.util.find_spec("librosa").origin).parent
    given = os.environ.get("NUMBA_CACHE_DIR")
    folders = [Path(given)] if given else [package, places.user_cache()]
    return next((folder for folder in folders if os.access(folder, os.W_OK)), folders[-1])
