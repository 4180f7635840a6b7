"""The linear SVM; the grid is the study's."""

from typing import Any

from genreflow.learners.fitted import linear

TITLE = "Linear SVM"
GRID = {"C": [0.01, 0.1, 1, 10]}

fitted = linear


def make(seed: int) -> Any:
    """Return the unfitted classifier."""
    from sklearn.svm import LinearSVC

    return LinearSVC(dual="auto", random_state=seed)


def square(tracks: float, dimensions: int) -> float:
    """Return the rows of the matrix of its problem, primal or dual."""
    return min(tracks, dimensions)
