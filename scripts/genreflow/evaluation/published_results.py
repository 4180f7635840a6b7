"""The numbers that the study printed, under the names that our learners have.

The study names the columns of its transfer tables "Train/Test", but the first number is the
best cross-validated accuracy of the grid search: its part is "cv" here, never "training".
Those tables were measured on a split of their own (`lowest-ids`), so that they can't be set
beside the others, which used the official one.
"""

from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

NUMBERS = Path(__file__).with_name("published_results.csv")
"""One number a row; those of another source than the study are quoted by it."""


@cache
def _numbers() -> dict[tuple[str, str, str, str], float]:
    table = pd.read_csv(NUMBERS)
    own = table[table["source"] == "study"]
    return own.set_index(["learner", "split", "part", "metric"])["value"].to_dict()


@cache
def _searches() -> dict[tuple[str, str], dict[str, Any]]:
    path = Path(__file__).with_name("published_searches.csv")
    return pd.read_csv(path, index_col=["learner", "split"]).to_dict("index")


def value(learner: str, split: str, part: str, metric: str = "accuracy") -> float | None:
    """Return a number that the study measured, or None where it printed none.

    The learner is as below a split, for example ``cnn/simple``; the split `official` or
    `lowest-ids`, and a number of one is never given for another. The part is training, validation,
    test, or cv (best of a cross-validated grid search), the metric accuracy, between 0 and 1, or
    loss.
    """
    return _numbers().get((learner, split, part, metric))


def search(learner: str, split: str) -> dict[str, Any]:
    """Return components and best parameters (JSON) of a grid search of the study, if it has it."""
    return _searches().get((learner, split), {})


def split_of(learner: str) -> str | None:
    """Return the split on which the study measured a learner, or None if it did not."""
    return next((split for own, split, *_ in _numbers() if own == learner), None)
