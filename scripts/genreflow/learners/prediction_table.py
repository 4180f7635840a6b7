"""The table that every learner ends in.

A module of its own: what else `predictions` rests on must not make trained learners stale.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from genreflow.errors import NotPossible


def make(
    probabilities: np.ndarray,
    *,
    track_ids: Sequence[str],
    parts: Sequence[str],
    genres: Sequence[str],
    names: Sequence[str],
    predicted: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Put a learner's probabilities into the form of predictions.csv, one row per track.

    Probabilities have a column for each of the genres' `names`, and rows that sum to 1. `predicted`
    is the learner's decision; None for the genre of the largest probability. NotPossible is raised
    if a probability isn't finite.
    """
    if not np.isfinite(probabilities).all():
        raise NotPossible(
            "the training diverged, so that probabilities are not finite: a lower learning rate may"
            " help"
        )
    if predicted is None:
        predicted = np.asarray(names, dtype=object)[probabilities.argmax(axis=1)]
    table = pd.DataFrame(
        {"track_id": track_ids, "part": parts, "genre": genres, "predicted": predicted}
    )
    columns = [f"p_{name}" for name in names]
    return table.join(pd.DataFrame(probabilities, columns=columns, index=table.index))
