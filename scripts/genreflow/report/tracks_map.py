"""A map of the tracks: the first two principal components of features, by genre."""

from pathlib import Path

import numpy as np
import pandas as pd

from genreflow.errors import NotPossible
from genreflow.features.matrices import read_rows
from genreflow.learners.pca import decompose
from genreflow.report.plots import Plot, Point

_ALL = 0.9999
"""A share of the variance for which no component that matters is left out."""


def draw(matrix: str | Path, tracks: pd.DataFrame, *, features: str) -> Plot | None:
    """Lay out tracks by what varies most in their standardised features.

    `tracks` has track_id, genre, title and artist of those to show, and those without features are
    left out; `features` is what people call the matrix. None where there is nothing to lay out:
    fewer than three tracks, or features that are alike.
    """
    x, ids = read_rows(matrix, tracks["track_id"])
    try:
        found = decompose(x, share=_ALL)
    except NotPossible:
        return None
    if len(found.components) < 2:
        return None
    places = (found.scaler.transform(x) - found.centre) @ found.components[:2].T
    low, high = places.min(axis=0), places.max(axis=0)
    percent = 4 + 92 * (places - low) / np.maximum(high - low, 1e-12)
    shares = found.variances[:2] / found.variances.sum()
    named = tracks.set_index("track_id").loc[ids]
    groups = sorted(named["genre"].unique())
    points = [
        Point(
            round(float(left), 1),
            round(float(up), 1),
            groups.index(row.genre),
            f"{row.title or row.Index}{' by ' + row.artist if row.artist else ''}, {row.genre}",
            track=row.Index,
        )
        for row, (left, up) in zip(named.itertuples(), percent, strict=True)
    ]
    return Plot(
        f"{len(ids):,} tracks by their {features}",
        f"first principal component ({100 * shares[0]:.0f} % of the variance)",
        f"second ({100 * shares[1]:.0f} %)",
        points,
        groups,
        said="Tracks that lie close are alike in what varies most; a plane shows "
        f"{100 * shares.sum():.0f} % of what the features hold, so that genres that lie on each "
        "other here may still be told apart.",
    )
