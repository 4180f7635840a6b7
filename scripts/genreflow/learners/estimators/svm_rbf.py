"""The SVM with an RBF kernel; the grid goes on where the study's ended, at C = 10."""

from typing import Any

from genreflow.learners.fitted import Fixed

TITLE = "RBF SVM"
GRID = {"C": [0.01, 0.1, 1, 10, 32, 100], "gamma": [0.01, 0.001, 0.0001]}


def make(seed: int) -> Any:
    """Return the unfitted classifier."""
    from sklearn.svm import SVC

    return SVC(kernel="rbf", random_state=seed)


def fitted(genres: int, dimensions: int) -> dict[str, Any]:
    """Return what it predicts by."""
    import numpy as np

    pairs = genres * (genres - 1) // 2
    vectors = {"support_vectors_": ("vectors", dimensions), "support_": ("vectors",)}
    return vectors | {
        "_n_support": (genres,),
        "_dual_coef_": (genres - 1, "vectors"),
        "_intercept_": (pairs,),
        "_gamma": float,
        "_probA": Fixed(np.empty(0)),
        "_probB": Fixed(np.empty(0)),
        "_sparse": Fixed(False),
    }


def is_sound(model: Any) -> bool:
    """Tell whether each vector is of a genre: libsvm reads as many as the genres have."""
    counts, vectors = model._n_support, len(model.support_vectors_)
    whole = (counts >= 0).all() and counts.sum() == vectors and vectors > 0
    return whole and model.kernel != "precomputed"


def square(tracks: float, dimensions: int) -> float:
    """Return the rows of its kernel matrix."""
    return tracks
