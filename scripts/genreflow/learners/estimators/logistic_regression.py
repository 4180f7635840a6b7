"""Logistic regression."""

from typing import Any

from genreflow.learners.fitted import columns

TITLE = "Logistic regression"
GRID = {"C": [0.001, 0.01, 0.1, 1]}


def make(seed: int) -> Any:
    """Return the unfitted classifier."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1000, random_state=seed)


def fitted(genres: int, dimensions: int) -> dict[str, Any]:
    """Return what it predicts by."""
    rows = columns(genres)
    return {"coef_": (rows, dimensions), "intercept_": (rows,)}
