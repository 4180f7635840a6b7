"""Two processes never fill numba's cache of librosa at once."""

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from genreflow.runtime import lazy_librosa

USE = "from genreflow.runtime import lazy_librosa as librosa; print(librosa.note_to_hz('A4'))"

# Functions without a signature are compiled when they are first called.
COMPILED_LATER = """
import sys
import numpy as np
from genreflow.features import handcrafted
from numba.core.dispatcher import Dispatcher

noise = np.random.default_rng(0).normal(size=44100)
handcrafted.extract(noise, 44100, features=handcrafted.available())
modules = [module for name, module in sys.modules.items() if name.startswith("librosa")]
values = {id(value): value for module in modules for value in vars(module).values()}.values()
found = [value for value in values if isinstance(value, Dispatcher)]
assert found
print([one.py_func.__name__ for one in found if one.signatures])
"""


def started(code: str) -> subprocess.Popen:
    """Start a process of its own that runs some code."""
    environment = {**os.environ, "PYTHONPATH": str(Path(lazy_librosa.__file__).parents[2])}
    return subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True
    )


def waits(process: subprocess.Popen) -> bool:
    """Tell whether a process waits for a lock."""
    locks = Path("/proc/locks").read_text().splitlines()
    return any("->" in line and str(process.pid) in line.split() for line in locks)


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="no list of locks here")
def test_librosa_is_imported_by_one_process_at_a_time():
    with (lazy_librosa._folder() / lazy_librosa.LOCK).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        process = started(USE)
        while not waits(process):
            assert process.poll() is None, "it didn't wait"
            time.sleep(0.1)
    assert process.communicate()[0] == "440.0\n"


def test_it_is_imported_where_no_file_can_be_locked(monkeypatch):
    monkeypatch.setattr(lazy_librosa, "_folder", lambda: Path("/proc/home"))
    assert lazy_librosa.load.__wrapped__().note_to_hz("A4") == 440


def test_all_that_features_need_is_compiled_by_the_import():
    assert started(COMPILED_LATER).communicate()[0] == "[]\n"


def test_images_need_nothing_that_is_compiled():
    code = f"""
import sys
from genreflow.features.mel import MelSpectrogram

filters = MelSpectrogram(22050, 2048, 512, 128, 0, 8000)._filters
print(filters.shape[0], *[name for name in {lazy_librosa.COMPILED} if name in sys.modules])
"""
    assert started(code).communicate()[0] == "128\n"
