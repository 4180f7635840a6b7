"""Where libraries may write beside a run: little on clusters, in containers, and as a service."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

CACHES = ("XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "MPLCONFIGDIR")
"""The variables that name the caches of numba, Matplotlib and others."""


def prepare() -> None:
    """Set up the environment of this process and those that it starts.

    HDF5 locks no files: each is written beside its place and renamed, so that a lock protects
    nothing, and fails on many network file systems. TensorFlow uses oneDNN's operations, which it
    does of itself only where the processor has AVX-512: elsewhere, too, it trains CNNs in some
    0.6 of the time. It calls it an error if a machine has no card. Where caches in the home folder
    can't be written to, they go to a temporary folder, which ends with the process. What the
    environment says already stays.
    """
    os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    if not any(Path("/dev").glob("nvidia*")):
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if _can_hold_files(user_cache()):
        return
    # Its name can't be foreseen: numba runs what it finds in its cache.
    folder = tempfile.mkdtemp(prefix="genreflow-cache-")
    owner = os.getpid()
    atexit.register(lambda: os.getpid() == owner and shutil.rmtree(folder, ignore_errors=True))
    os.environ["XDG_CACHE_HOME"] = folder
    for name in CACHES[1:]:
        if not (os.environ.get(name) and _can_hold_files(Path(os.environ[name]))):
            os.environ[name] = folder


def user_cache() -> Path:
    """Return the folder of the user's caches."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path(os.path.expanduser("~")) / ".cache")  # noqa: PTH111


def _can_hold_files(folder: Path) -> bool:
    """Tell whether files can be made in a folder, which may have to be made first."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
