"""Tables of tracks whose artists, albums and duplicates are drawn at random."""

import numpy as np
import pandas as pd
from genreflow.corpus.tracks import PARTS


def corpus(seed, tracks=240, genres=4, artists=80, duplicates=6, unknown=0.1):
    """Draw a corpus: artists of skewed sizes, some in two genres, compilations, duplicates."""
    rng = np.random.default_rng(seed)
    genre = np.arange(tracks) % genres
    weight = rng.pareto(2, artists) + 1
    home = np.arange(artists) % genres
    artist = np.empty(tracks, int)
    for g in range(genres):
        own = np.flatnonzero((home == g) | (rng.random(artists) < 0.03))
        artist[genre == g] = rng.choice(own, (genre == g).sum(), p=weight[own] / weight[own].sum())
    album = [
        f"compilation-{rng.integers(tracks // 20)}" if rng.random() < 0.02 else f"{a}-{a % 3}"
        for a in artist
    ]
    table = pd.DataFrame(
        {
            "track_id": rng.permutation(tracks * 9)[:tracks].astype(str),
            "genre": [f"genre {g}" for g in genre],
            "split": rng.choice(PARTS, tracks, p=[0.6, 0.2, 0.2]),
            "artist_id": artist.astype(str),
            "album_id": album,
            "duplicate_of": "",
        }
    )
    blank = rng.random(tracks) < unknown
    table.loc[blank, ["artist_id", "album_id"]] = ""
    for copy, first in rng.permutation(tracks)[: 2 * duplicates].reshape(-1, 2):
        table.loc[copy, "duplicate_of"] = table.loc[first, "track_id"]
    return table


def reachable(tracks, columns):
    """Label the tracks that share a value, by spreading the smallest label until it rests."""
    label = np.arange(len(tracks))
    keys = [tracks[column].to_numpy() for column in columns]
    keys.append(np.where(tracks["duplicate_of"] == "", tracks["track_id"], tracks["duplicate_of"]))
    while True:
        before = label.copy()
        for key in keys:
            for value in set(key) - {""}:
                label[key == value] = label[key == value].min()
        if (label == before).all():
            return label
