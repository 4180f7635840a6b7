"""Clips for the tests."""

import numpy as np

RATE = 8000


def noise(seconds, amplitude=3000):
    rng = np.random.default_rng(0)
    return rng.integers(-amplitude, amplitude + 1, round(seconds * RATE)).astype(np.int16)
