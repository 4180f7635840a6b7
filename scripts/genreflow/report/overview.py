"""What the page begins with: the best of each kind, the hardest pair, and how far to trust it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from genreflow.evaluation.ranking import best_of_kinds, by_validation


@dataclass(frozen=True)
class Overview:
    """What is seen first of one split.

    `lead` is a sentence on the learner that is used for predictions, or else the best on
    validation, whose name is `first`, and `trust` one on how much that is worth. `chance` is the
    accuracy of always naming the most frequent genre; `rows` are the best learner of each kind, the
    highest test accuracy first, as the comparison has them, and `used` the names of those that are
    used for predictions.
    """

    split: str
    lead: str
    trust: str
    chance: float
    rows: Sequence[Any]
    used: Sequence[str]
    first: str


def of_split(split: str, rows: pd.DataFrame, tests: pd.DataFrame | None) -> Overview | None:
    """Say what is seen first of a split; None if no learner could be made on it.

    `rows` are its rows of what `evaluation.metrics.comparison` returned, and `tests` what
    `evaluation.significance` returned for all splits, if anything.
    """
    ranked = by_validation(rows)
    if ranked.empty:
        return None
    used = ranked[ranked["chosen"]]
    first = ranked.iloc[0] if used.empty else used.iloc[0]
    best = best_of_kinds(rows)
    return Overview(
        split=split,
        lead=_lead(first),
        trust=_trust(first, ranked, tests),
        chance=float(first["baseline"]),
        rows=list(best.itertuples()),
        used=list(used["learner"]),
        first=first["learner"],
    )


def _lead(row: pd.Series) -> str:
    mark = f" ({row['mark']})" if isinstance(row["mark"], str) and row["mark"] else ""
    accuracy, low, high = (100 * row[name] for name in ("test_accuracy", "test_low", "test_high"))
    return (
        f"{row['title']}{mark} names the right genre for {accuracy:.1f} % of the test tracks "
        f"(95 % interval {low:.1f} to {high:.1f} %); always naming the most frequent genre scores "
        f"{100 * row['baseline']:.1f} %."
    )


def _trust(row: pd.Series, ranked: pd.DataFrame, tests: pd.DataFrame | None) -> str:
    """Say how many tracks speak for it, and which learners no test tells from it."""
    groups = row.get("groups")
    by = "" if pd.isna(groups) or not groups else f" by {groups:,.0f} artists"
    said = f"{_chosen(row, ranked)}{row['tracks']:,.0f} test tracks{by} speak for it"
    others = ranked[ranked["learner"] != row["learner"]]
    if row["test_low"] <= row["baseline"]:
        said += ", too few to tell it from chance"
    if tests is None or others.empty:
        return f"{said}."
    own = tests[tests["split"] == row["split"]]
    differ = own[(own["learner"] == row["learner"]) | (own["other"] == row["learner"])]
    tied = len(others) - int((differ["better"] != "").sum())
    if not tied:
        return f"{said}; a paired test finds it different from each of the {len(others)} others."
    some = "any" if tied == len(others) else tied
    return (
        f"{said}: a paired test finds no significant difference between it and {some} of the "
        f"{len(others)} other learners."
    )


def _chosen(row: pd.Series, ranked: pd.DataFrame) -> str:
    """Say why the overview speaks of this learner."""
    share = row["validation_accuracy"]
    if pd.isna(share):
        return ""
    if share != ranked["validation_accuracy"].iloc[0]:
        return f"It is used for predictions ({100 * share:.1f} % on validation). "
    used = "used for predictions as " if row["chosen"] else ""
    return f"It is {used}the best on validation ({100 * share:.1f} %). "


def hardest(counts: Sequence[Sequence[int]]) -> tuple[int, int] | None:
    """Return which genre is most often taken for which other, as a share of its tracks.

    `counts` are tracks, a row per genre and a column per prediction; what is returned are a row and
    a column, or None if there is no error.
    """
    found = [
        (count / sum(row), count, -place, -column)
        for place, row in enumerate(counts)
        for column, count in enumerate(row)
        if count and column != place
    ]
    if not found:
        return None
    *_, place, column = max(found)
    return -place, -column
