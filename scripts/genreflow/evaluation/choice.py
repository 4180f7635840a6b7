"""Which learner is used for predictions: the one that is named, or the best by validation alone.

`export` bundles it, and the comparison marks it.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from genreflow import split_names
from genreflow.errors import GenreflowError, NotPossible
from genreflow.layout import Layout
from genreflow.learners.predictions import Entry, read_predictions, scored, unmade


def choose(
    predictions: Sequence[str | Path],
    *,
    folder: str | Path,
    name: str = "",
    seen: Collection[str] = (),
) -> Path:
    """Choose the learner to predict with, by the validation part alone.

    The learner with the highest validation accuracy, a mean over its seeds and, in a
    cross-validation, over the folds: ten tracks of one fold would leave too much to chance. Of
    equals it is the one with the lowest log loss there; then its seed on the first fold by the
    same.

    `predictions` are the predictions.csv of the learners on one split or all folds of a
    cross-validation, with all their seeds; `folder` is that of the corpus's results, below which
    the place of each tells learner, split and seed. `name` is that of the learner that is wanted,
    "" for the best. Learners that learned from the validation part are `seen`: they are chosen by
    name only.

    Returns
    -------
    pathlib.Path
        The predictions.csv of the chosen run.

    Raises
    ------
    GenreflowError
        If there is nothing to choose from, no learner has that name, a file is of another split
        than the first (or of none of its folds), or no track is in the validation part.
    NotPossible
        If the one that is named couldn't be made of its data. The best is one of those that could.
    """
    entries = [Entry.from_path(path, folder) for path in predictions]
    reasons = {learner: reason for (_, learner), reason in unmade(entries).items()}
    if name in reasons:
        raise NotPossible(f"{name} can't be made of these data: {reasons[name]}")
    entries = [entry for entry in entries if entry.learner not in reasons]
    splits = sorted({split_names.family(entry.split) for entry in entries})
    if len(splits) > 1:
        raise GenreflowError(
            f"learners on the splits {', '.join(splits)} can't be ranked against each other: "
            "choose on one of them"
        )
    learners: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.learner not in seen or entry.learner == name:
            learners.setdefault(entry.learner, []).append(entry)
    if name and name not in learners:
        raise GenreflowError(
            f"there is no learner {name!r} to predict with; there are {', '.join(learners)}"
        )
    if not learners:
        raise GenreflowError(
            "there is no learner that validation can tell anything about: name the one to predict "
            "with"
        )
    best = name or max(learners, key=lambda one: _mean_score(learners[one]))
    first = min(entry.split for entry in learners[best])
    seeds = [entry for entry in learners[best] if entry.split == first]
    return Path((max(seeds, key=_score) if len(seeds) > 1 else seeds[0]).predictions)


def marked(
    predictions: Sequence[str | Path],
    *,
    folder: str | Path,
    split: str,
    name: str = "",
    seen: Collection[str] = (),
) -> tuple[tuple[str, str] | None, str]:
    """Say what `choose` takes, for tables that must be made whatever it says.

    `predictions` are those of all learners on all splits, `split` that on which a learner is
    chosen, or one of its folds, the rest as for `choose`.

    Returns
    -------
    chosen : tuple of str or None
        Split (all folds of a cross-validation as one) and learner; None if there is none to choose.
    by : str
        By what it is chosen, or why there is none.
    """
    layout, family = Layout(folder), split_names.family(split)
    own = [path for path in predictions if split_names.family(layout.parse(path).split) == family]
    try:
        best = layout.parse(choose(own, folder=folder, name=name, seen=seen))
    except GenreflowError as error:
        return None, str(error)
    by = "as predict.learner asks" if name else "the best on validation"
    return (family, best.learner), by


def _mean_score(entries: Sequence[Entry]) -> tuple[float, ...]:
    return tuple(np.mean([_score(entry) for entry in entries], axis=0))


def _score(entry: Entry) -> tuple[float, float]:
    """Return accuracy and minus the log loss on validation: what is more is better."""
    table = read_predictions(entry.predictions)
    held = table[table["part"] == "validation"]
    if held.empty:
        raise GenreflowError(
            f"{entry.predictions}: no track is in the validation part, by which the best learner "
            "is chosen: name the one to predict with"
        )
    scores = scored(held)
    return float(scores["correct"].mean()), -float(scores["loss"].mean())
