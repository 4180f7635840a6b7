"""A disk that holds: put on PYTHONPATH, it makes Python's fsync wait while a file is there.

GENREFLOW_HELD is its pattern, in the working folder; a file named "released" lets all go on.
"""

import os
import time
from pathlib import Path

_fsync = os.fsync


def fsync(descriptor):
    while any(Path().glob(os.environ["GENREFLOW_HELD"])) and not Path("released").exists():
        time.sleep(0.01)
    _fsync(descriptor)


os.fsync = fsync
