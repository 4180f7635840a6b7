"""Logistic regression."""

from typing import Any

from genreflow.learners.fitted import linear

TITLE = "Logistic regression"
GRID = {"C": [0.001, 0.01, 0.1, 1]}

fitted = linear


def make(seed: int) -> Any:
    """Return the unfitted classifier."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1000, random_state=seed)
