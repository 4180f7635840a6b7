"""Linear discriminant analysis with shrinkage: strong where there are few tracks."""

from typing import Any

from genreflow.learners.fitted import columns

TITLE = "LDA"
GRID = {"shrinkage": ["auto"]}


def make(seed: int) -> Any:
    """Return the unfitted classifier."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    return LinearDiscriminantAnalysis(solver="lsqr")


def fitted(genres: int, dimensions: int) -> dict[str, Any]:
    """Return what it predicts by."""
    rows = columns(genres)
    return {"coef_": (rows, dimensions), "intercept_": (rows,)}


def square(tracks: float, dimensions: int) -> float:
    """Return the rows of the covariance matrix."""
    return dimensions
