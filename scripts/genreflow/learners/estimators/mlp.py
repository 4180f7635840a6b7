"""The multi-layer perceptron; the grid is the study's."""

from typing import Any

GRID = {
    "hidden_layer_sizes": [[512, 256], [512, 32], [512]],
    "alpha": [0.01, 0.03, 0.05],
}

TRUSTED = ("sklearn.neural_network._stochastic_optimizers.AdamOptimizer",)


def make(seed: int) -> Any:
    """Return the unfitted classifier."""
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier(
        activation="relu",
        solver="adam",
        learning_rate_init=1e-4,
        batch_size=32,
        max_iter=200,
        early_stopping=True,
        random_state=seed,
    )
