"""A disk that takes its time: put on PYTHONPATH, it makes Python's fsync wait."""

import os
import time

_fsync = os.fsync


def fsync(descriptor):
    time.sleep(0.5)
    _fsync(descriptor)


os.fsync = fsync
