"""The multi-layer perceptron, with the study's layers."""

from itertools import pairwise
from typing import Any

from genreflow.learners.fitted import Fixed, columns

TITLE = "MLP"
GRID = {"hidden_layer_sizes": [[512, 256], [512, 32], [512]], "alpha": [0.03]}

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


def fitted(genres: int, dimensions: int) -> dict[str, Any]:
    """Return what it predicts by."""
    return {
        "coefs_": [(None, None)],
        "intercepts_": [(None,)],
        "n_outputs_": Fixed(columns(genres)),
        "n_layers_": int,
        "out_activation_": Fixed("logistic" if genres == 2 else "softmax"),
    }


def is_sound(model: Any) -> bool:
    """Tell whether each layer takes what the one before gives."""
    sizes = [model.n_features_in_, *(len(one) for one in model.intercepts_)]
    shapes = [one.shape for one in model.coefs_]
    whole = model.n_layers_ == len(sizes) and sizes[-1] == model.n_outputs_
    return whole and shapes == list(pairwise(sizes))
