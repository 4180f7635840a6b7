"""Corpora of artists whose true accuracy is known."""

import numpy as np


def drawn_corpus(artists, accuracy, alike, rng):
    """Draw which tracks are right, and whose they are.

    An artist has 1 to 20 tracks, four on average, and an accuracy of its own from a beta
    distribution; `alike` is the correlation of two tracks of one artist.
    """
    sizes = np.minimum(rng.geometric(0.25, artists), 20)
    own = np.full(artists, accuracy)
    if alike:
        strength = (1 - alike) / alike
        own = rng.beta(strength * accuracy, strength * (1 - accuracy), artists)
    owner = np.repeat(np.arange(artists), sizes)
    return rng.random(len(owner)) < own[owner], owner
