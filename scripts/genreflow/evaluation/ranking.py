"""Which learners stand for all of them, where there is no room for all."""

import pandas as pd

from genreflow.evaluation import metrics


def by_validation(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the learners of one split that were made, by falling validation accuracy.

    Test must choose nothing that is shown with its test accuracy, and validation says nothing of
    learners that learned from it, so that they come last. Among equals the one that is used for
    predictions comes first; without a validation part the order is that of the comparison.

    `rows` are those of one split of what `evaluation.metrics.comparison` returned.
    """
    made = metrics.made(rows)
    order = made[["learns_from_validation", "validation_accuracy", "chosen"]]
    order = order.fillna({"validation_accuracy": -1})
    ranked = order.sort_values(list(order), ascending=[True, False, False], kind="stable")
    return made.loc[ranked.index]


def best_of_kinds(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the best learner of each kind by validation, the highest test accuracy first.

    `rows` are as for `by_validation`.
    """
    best = by_validation(rows)
    # Chosen by name, it may not be the best of its kind.
    kept = ~best["kind"].duplicated() | best["chosen"]
    order = ["test_accuracy", "learner"]
    return best[kept].sort_values(order, ascending=[False, True], ignore_index=True)
