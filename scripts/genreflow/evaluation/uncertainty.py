"""How far a test accuracy can be trusted: its interval, and how many artists it comes from.

Tracks of one artist are right or wrong together more often than those of several. Counted as
independent they make intervals too narrow: with three tracks an artist that all are alike, the
truth lies outside of Wilson's 95 % interval in one corpus of four. So where artists or albums are
known, an accuracy is worth as many tracks as have its variance *between artists*, and Wilson's
interval is that of so many:

- The variance of the accuracy is that of a ratio, from the residuals of the groups, each over one
  less its share of the tracks, for a large group pulls the accuracy towards itself.
- ``p (1 - p)`` over it is the effective number of tracks; where all or none are right, as many as
  groups of equal size would be.
- It is lowered by the square of the normal over Student's quantile, with one degree of freedom
  less than there are groups of equal size, for few groups tell little about the variance.
- It is never more than the tracks, so that no interval is narrower than Wilson's own.

E. L. Korn, B. I. Graubard, "Confidence intervals for proportions with small expected number of
positive counts estimated from survey data", Survey Methodology 24 (2), 1998, for the effective
number and its degrees of freedom; N. Dean, M. Pagano, "Evaluating confidence interval methods for
binomial proportions in clustered surveys", Journal of Survey Statistics and Methodology 3 (4),
2015, for Wilson's interval of it. It stays within 0 and 1 and has a width where all are right. A
bootstrap over artists does neither, and holds the truth less often where artists are few
(`benchmarks/coverage.py`, docs/numbers.md).
"""

import numpy as np
import pandas as pd
from scipy.special import ndtri, stdtrit
from statsmodels.stats.proportion import proportion_confint

from genreflow.corpus import groups
from genreflow.errors import GenreflowError

_OUTSIDE = 0.05
_LEAST = 1e-9
"""Of an effective number of tracks: as good as none."""


def artists_of(track_ids: pd.Series, manifest: pd.DataFrame | None) -> np.ndarray | None:
    """Return which artist each track is of.

    Returns
    -------
    numpy.ndarray of int, shape (tracks,)
        The number from 0 of the artist of each of these distinct tracks, as of
        `corpus.groups.components`: tracks that share an album or their audio count as of one
        artist, those of an unknown artist each as of their own. None if no artist and no album is
        known, or there is no manifest.

    Raises
    ------
    GenreflowError
        If the manifest lacks one of them.
    """
    if manifest is None:
        return None
    rows = manifest.set_index("track_id", drop=False).reindex(track_ids.to_numpy())
    if lacking := rows.index[rows["track_id"].isna()].tolist():
        raise GenreflowError(
            f"track {lacking[0]} was tested, but is not among the corpus's tracks. The predictions "
            "come from another version of the corpus: run the workflow again."
        )
    known = (rows[["artist_id", "album_id"]] != "").any(axis=None)
    return groups.components(rows) if known else None


def grouped(artists: np.ndarray | None) -> bool:
    """Tell whether any two of the tracks are of one artist, as far as that is known."""
    return artists is not None and len(np.unique(artists)) < len(artists)


def method(artists: np.ndarray | None) -> str:
    """Return how an interval is made: "Wilson" of single tracks, or "by artist"."""
    return "by artist" if grouped(artists) else "Wilson"


def interval(right: np.ndarray, artists: np.ndarray | None = None) -> tuple[float, float]:
    """Return the 95 % interval of an accuracy.

    `right`, float of shape (tracks,), tells whether each track is right, or in which share of the
    runs; `artists` are as of `artists_of`. Both ends are between 0 and 1, and just these for tracks
    of a single artist.
    """
    right = np.asarray(right, float)
    count = _effective_count(right, artists) if grouped(artists) else len(right)
    # Wilson, E. B. (1927), J. Am. Stat. Assoc. 22 (158), 209-212.
    return proportion_confint(right.mean() * count, count, alpha=_OUTSIDE, method="wilson")


def _effective_count(right: np.ndarray, artists: np.ndarray) -> float:
    """Return how many independent tracks would tell as much."""
    _, numbers, sizes = np.unique(artists, return_inverse=True, return_counts=True)
    accuracy, shares = right.mean(), sizes / len(right)
    equal_groups = 1 / (shares**2).sum()
    if len(sizes) == 1:
        return _LEAST
    residuals = np.bincount(numbers, right - accuracy) / len(right)
    variance = (residuals**2 / (1 - shares)).sum()
    spread = accuracy * (1 - accuracy)
    count = spread / max(variance, np.finfo(float).tiny) if spread > 0 else equal_groups
    few = ndtri(1 - _OUTSIDE / 2) / stdtrit(equal_groups - 1, 1 - _OUTSIDE / 2)
    return float(np.clip(count * few**2, _LEAST, len(right)))
