"""Linear discriminant analysis with shrinkage: strong where there are few tracks."""

from typing import Any

from genreflow.learners.fitted import linear

TITLE = "LDA"
GRID = {"shrinkage": ["auto"]}

fitted = linear


def make(seed: int) -> Any:
    """Return the unfitted classifier."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    return LinearDiscriminantAnalysis(solver="lsqr")


def square(tracks: float, dimensions: int) -> float:
    """Return the rows of the covariance matrix."""
    return dimensions
