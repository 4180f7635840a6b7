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

    The learner with the highest validation accuracy, a mean over its seeds; of equals the one
    with the lowest log loss there; then its seed by the same.

    `predictions` are the predictions.csv of the learners on one split, with all their seeds;
    `folder` is that of the corpus's results, below which the place of each tells learner, split and
    seed. `name` is that of the learner that is wanted, "" for the best. Learners that learned from
    the validation part are `seen`: they are chosen by name only.

    Returns
    -------
    pathlib.Path
        The predictions.csv of the chosen run.

    Raises
    ------
    GenreflowError
        If there is nothing to choose from, no learner has that name, a file is of another split
        than the first, or no track is in the validation part.
    NotPossible
        If the one that is named couldn't be made of its data. The best is one of those that could.
    """
    entries = [Entry.from_path(path, folder) for path in predictions]
    reasons = {learner: reason for (_, learner), reason in unmade(entries).items()}
    if name in reasons:
        raise NotPossible(f"{name} can't be made of these data: {reasons[name]}")
    entries = [entry for entry in entries if entry.learner not in reasons]
    splits = sorted({entry.split for entry in entries})
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
    own = {name: learners[name]} if name else learners
    if name and len(own[name]) == 1:
        return Path(own[name][0].predictions)
    scores = {learner: [_score(entry) for entry in seeds] for learner, seeds in own.items()}
    best = max(scores, key=lambda learner: tuple(np.mean(scores[learner], axis=0)))
    seed = max(range(len(scores[best])), key=scores[best].__getitem__)
    return Path(own[best][seed].predictions)


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
    chosen, the rest as for `choose`.

    Returns
    -------
    chosen : tuple of str or None
        Split (all folds of a cross-validation as one) and learner; None if there is none to choose.
    by : str
        By what it is chosen, or why there is none.
    """
    layout = Layout(folder)
    own = [path for path in predictions if layout.parse(path).split == split]
    try:
        best = layout.parse(choose(own, folder=folder, name=name, seen=seen))
    except GenreflowError as error:
        return None, str(error)
    family = split_names.family(split)
    fold = "" if family == split else f" of the fold {split}"
    by = "as predict.learner asks" if name else f"the best on validation{fold}"
    return (family, best.learner), by


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
