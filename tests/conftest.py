import ctypes
import fcntl
import gc
import os
import pickle
import shutil
import sys

import pytest
from made import browser

_CAPABILITIES_VERSION = 0x20080522
_MAY_READ_AND_WRITE_ALL = 0b110
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, as bits of a set of capabilities."""
_PR_GET_SECUREBITS, _PR_SET_SECUREBITS = 27, 28
_NO_SETUID_FIXUP = 0b100
"""Without it, access(2) gives root back what was taken."""


@pytest.hookimpl(trylast=True)  # once those of other marks are left out
def pytest_collection_modifyitems(items):
    """Begin with what takes longest.

    The first file of the workflow's makes what the others share; meanwhile networks are trained.
    """
    files = list(dict.fromkeys(item.path for item in items))
    workflow, learners = (
        [file for file in files if folder in file.parts] for folder in ("workflow", "learners")
    )
    order = list(dict.fromkeys([*workflow[:1], *learners, *workflow, *files]))
    items.sort(key=lambda item: order.index(item.path))


def pytest_collection_finish(session):
    """Set up Keras before any test uses it: TensorFlow takes its threads once a process.

    And look for no garbage in what stays, all modules and tests, as Keras does for each session.
    """
    gc.freeze()
    if "keras" in sys.modules:
        from genreflow.features import backend

        backend.configure(threads=1, seed=0)


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    """Open a window of a browser."""
    with browser.chromium(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    """Return a function that makes a folder once for all processes that run the tests."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def made(name, make):
        folder, done = shared / name, shared / f"{name}.done"
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def corpus(once):
    """Train all kinds of learners, once; the tests of the workflow have another corpus."""

    def train(folder):
        from made.trained_corpus import Corpus

        (folder / "corpus.pickle").write_bytes(pickle.dumps(Corpus(folder)))

    return pickle.loads((once("trained", train) / "corpus.pickle").read_bytes())


@pytest.fixture
def seeded():
    """Begin with Keras as a job does that has just started."""
    import keras
    from genreflow.features import backend

    keras.backend.clear_session()
    backend.configure(threads=1, seed=0)


@pytest.fixture
def permissions_hold():
    """Take from root, for a test, what lets it read and write whatever permissions a file has."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION, 0)
    had, has = (ctypes.c_uint32 * 6)(), (ctypes.c_uint32 * 6)()

    def checked(returned):
        if returned < 0:
            pytest.skip(f"root may read everything: {os.strerror(ctypes.get_errno())}")
        return returned

    secured = checked(libc.prctl(_PR_GET_SECUREBITS))
    checked(libc.capget(header, had))
    has[:] = had[:]
    has[0] &= ~_MAY_READ_AND_WRITE_ALL  # the effective ones; those permitted can be taken again
    checked(libc.prctl(_PR_SET_SECUREBITS, secured | _NO_SETUID_FIXUP))
    checked(libc.capset(header, has))
    yield
    checked(libc.capset(header, had))
    checked(libc.prctl(_PR_SET_SECUREBITS, secured))
