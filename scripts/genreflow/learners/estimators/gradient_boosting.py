"""Gradient boosting of trees, on histograms."""

from typing import Any

GRID = {"learning_rate": [0.05, 0.1], "max_leaf_nodes": [7, 31]}

TRUSTED = ("sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",)


def make(seed: int) -> Any:
    """Return the unfitted classifier."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(random_state=seed)
