"""The numbers that the study printed, under the names that our learners have.

The study names the columns of its transfer tables "Train/Test", but the first number is the
best cross-validated accuracy of the grid search: its part is "cv" here, never "training".
Those tables were measured on a split of their own (`lowest-ids`), so that they can't be set
beside the others, which used the official one.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

STUDY = "study"
"""The `source` of the numbers that the study measured itself."""


@lru_cache(maxsize=1)
def _results() -> pd.DataFrame:
    return pd.read_csv(
        Path(__file__).with_name("published_results.csv"),
        dtype=dict.fromkeys(("learner", "split", "metric", "part", "source"), str),
    )


def results() -> pd.DataFrame:
    """Return every published number, one row each.

    Returns
    -------
    pandas.DataFrame
        Columns learner, split, metric (accuracy, loss), part (training, validation, test,
        cv), value (accuracies between 0 and 1) and source (`STUDY`, or the paper that the
        study quotes).
    """
    return _results().copy()


def accuracy(learner: str, split: str, part: str) -> float | None:
    """Return the accuracy that the study measured, or None where it printed none.

    Parameters
    ----------
    learner
        As below a split, for example ``cnn/simple``.
    split
        `official` or `lowest-ids`. A number of one split is never given for another.
    part
        training, validation, test, or cv (best of a cross-validated grid search).
    """
    return value(learner, split, part, "accuracy")


def value(learner: str, split: str, part: str, metric: str) -> float | None:
    """Return a number of the study, as `accuracy` does; `metric` is accuracy or loss."""
    table = _results()
    found = table[
        (table["learner"] == learner)
        & (table["split"] == split)
        & (table["part"] == part)
        & (table["metric"] == metric)
        & (table["source"] == STUDY)
    ]
    return None if found.empty else float(found["value"].item())


@lru_cache(maxsize=1)
def _searches() -> pd.DataFrame:
    path = Path(__file__).with_name("published_searches.csv")
    return pd.read_csv(path, index_col=["learner", "split"])


def components(learner: str, split: str) -> int | None:
    """Return how many components the study kept for a classifier, or None, as `accuracy`."""
    table = _searches()
    found = (learner, split) in table.index
    return int(table.loc[(learner, split), "components"]) if found else None


def parameters(learner: str, split: str) -> dict[str, Any] | None:
    """Return the best parameters of a grid search of the study, or None, as `accuracy`."""
    table = _searches()
    found = (learner, split) in table.index
    return json.loads(table.loc[(learner, split), "parameters"]) if found else None


def split_of(learner: str) -> str | None:
    """Return the split on which the study measured a learner, or None if it did not."""
    table = _results()
    found = table.loc[(table["learner"] == learner) & (table["source"] == STUDY), "split"]
    return None if found.empty else found.iloc[0]
