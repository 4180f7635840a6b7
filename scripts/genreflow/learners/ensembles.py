"""Ensembles: several learners' probabilities made into one, from their predictions.csv alone.

Each learner is one member, however many seeds it was trained with: its seeds are averaged first,
so that a network with five seeds has no more of a say than a classifier with one.

*Averaging* takes the mean of the members' probabilities. *Stacking* fits a multinomial logistic
regression on the logarithms of their probabilities (D. H. Wolpert, "Stacked generalization",
Neural Networks 5 (2), 1992), on the tracks of the validation part only: what members say of the
tracks that they learned from is far too sure. So the members of a stack must not have learned from
validation themselves. (Networks stop by it, which makes them a little surer there than on test.)
How much the regression is held back is chosen by cross-validation within validation.

In the predictions of a stack the validation tracks are those of the fold that held them out, so
that its validation accuracy can be compared with that of other learners.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_predict

from genreflow.errors import GenreflowError, NotPossible
from genreflow.learners import estimators, grid_search, prediction_table, skops_files
from genreflow.learners.predictions import Entry, genres_of, read_predictions

STRENGTHS = (0.0001, 0.001, 0.01, 0.1, 1.0)
"""Values of C (`sklearn.linear_model.LogisticRegression`) that are tried: small holds back much."""

FLOOR = 1e-6
"""Smaller probabilities are taken for this one, lest a single sure mistake outweighs all else."""


@dataclass(frozen=True)
class Combiner:
    """What makes one learner of several.

    It has the names of the learners, and the genres in the order of the columns of probabilities.
    The model is the fitted regression on the logarithms; None for the plain mean.
    """

    members: list[str]
    genres: list[str]
    model: LogisticRegression | None

    def combine(self, probabilities: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the probabilities of the ensemble, (n, genres) float64; rows sum to 1.

        Those that are given, (n, genres) float by member, are the mean of a learner with several
        seeds. Further learners are left out. GenreflowError is raised if a member is missing, or
        arrays don't have the same number of tracks or a column for each genre.
        """
        missing = [name for name in self.members if name not in probabilities]
        if missing:
            raise GenreflowError(
                f"the ensemble needs the probabilities of {', '.join(missing)} too: predict with"
                " every member"
            )
        arrays = [np.asarray(probabilities[name], dtype=np.float64) for name in self.members]
        expected = (len(arrays[0]), len(self.genres))
        for name, array in zip(self.members, arrays, strict=True):
            if array.shape != expected:
                raise GenreflowError(
                    f"the probabilities of {name} have the shape {array.shape}: expected"
                    f" {expected}, a row for each track and a column for each genre"
                )
        if self.model is None:
            mean = np.mean(arrays, axis=0)
            return mean / mean.sum(axis=1, keepdims=True)
        return self.model.predict_proba(_logarithms(arrays))


@dataclass(frozen=True)
class Result:
    """What `average` and `stack` return.

    The combiner is for prediction on new audio, and the predictions are as any learner's. `search`
    has, by each C that was tried, log_loss: cross-validated within validation. None for an average.
    """

    combiner: Combiner
    predictions: pd.DataFrame
    search: pd.DataFrame | None = None


@dataclass(frozen=True)
class _Members:
    """The probabilities of all members for the same tracks."""

    labels: pd.DataFrame
    genres: list[str]
    probabilities: dict[str, np.ndarray]

    def table(self, combined: np.ndarray) -> pd.DataFrame:
        return prediction_table.make(
            combined,
            track_ids=self.labels.index,
            parts=self.labels["part"].to_numpy(),
            genres=self.labels["genre"].to_numpy(),
            names=self.genres,
        )


def average(entries: Iterable[Entry]) -> Result:
    """Average the probabilities of two or more learners on one split, with all their seeds.

    Raises
    ------
    GenreflowError
        If there are fewer than two learners or more than one split, a file is refused by
        `learners.predictions.read_predictions`, or learners differ in a track's part or genre.
    NotPossible
        If a member couldn't be made, or one lacks tracks or genres that another has.
    """
    members = _gather(list(entries))
    combiner = Combiner(list(members.probabilities), members.genres, None)
    return Result(combiner, members.table(combiner.combine(members.probabilities)))


def stack(
    entries: Iterable[Entry],
    *,
    strengths: Sequence[float] = STRENGTHS,
    folds: int = 5,
    groups: Mapping[str, int] | None = None,
    seed: int = 0,
) -> Result:
    """Learn on the validation part how to combine the probabilities of learners.

    Parameters
    ----------
    entries
        As for `average`; none of the learners may have learned from validation.
    strengths
        Values of C to try. The one of the least cross-validated log loss is taken; of equals the
        smallest.
    folds, seed
        As for `grid_search.make_folds`, within validation.
    groups
        A number by track of validation, as `corpus.groups.known_components` gives them: tracks
        with the same one (an artist's) share a fold; None if nothing is known. With an artist on
        both sides C would be too large, and the validation accuracy far too good.

    Raises
    ------
    GenreflowError
        As `average`.
    NotPossible
        As `average`, and if a genre has fewer than two tracks (or groups) in validation.
    """
    members = _gather(list(entries))
    held = (members.labels["part"] == "validation").to_numpy()
    if not held.any():
        raise NotPossible(
            "a stacked ensemble learns from the validation part, and this split has none: set a"
            " share for it, or use the average"
        )
    x = _logarithms(members.probabilities.values())
    y = pd.Categorical(members.labels["genre"], members.genres).codes[held]
    tracks = members.labels.index[held]
    own = None if groups is None else np.array([groups[track] for track in tracks])
    try:
        chosen = grid_search.make_folds(y, own, members.genres, n_splits=folds, seed=seed)
    except NotPossible as error:
        raise NotPossible(
            f"a stacked ensemble learns from the validation part, which is too small: {error}; or"
            " use the average, which needs none"
        ) from error
    codes = range(len(members.genres))
    tried = []
    for strength in sorted(strengths):
        model = LogisticRegression(C=strength, max_iter=2000)
        p = cross_val_predict(model, x[held], y, cv=chosen, method="predict_proba")
        tried.append((strength, float(log_loss(y, p, labels=codes)), p, model))
    _, _, out_of_fold, best = min(tried, key=lambda trial: trial[1])
    combiner = Combiner(list(members.probabilities), members.genres, best.fit(x[held], y))
    combined = combiner.combine(members.probabilities)
    combined[held] = out_of_fold
    search = pd.DataFrame([trial[:2] for trial in tried], columns=["C", "log_loss"])
    return Result(combiner, members.table(combined), search)


def save(combiner: Combiner, path: str | Path) -> None:
    """Write a combiner as a skops file, which loads without running code."""
    skops_files.write(vars(combiner), path)


def load(path: str | Path) -> Combiner:
    """Read a combiner that `save` wrote; it raises what `learners.skops_files.read` does."""
    return skops_files.read(path, _combiner)


def _combiner(content: Mapping[str, Any]) -> Combiner:
    members, genres, model = content["members"], content["genres"], content["model"]
    for names in (members, genres):
        if type(names) is not list or {type(name) for name in names} != {str}:
            raise TypeError("expected names of members and of genres")
    if model is not None:
        if type(model) is not LogisticRegression:
            raise TypeError("it holds no combiner of learners")
        codes = vars(model)["classes_"]
        if type(codes) is not np.ndarray or codes.tolist() != list(range(len(genres))):
            raise ValueError("classes_: expected the numbers of the genres")
        model = estimators.checked(model, len(genres), len(members) * len(genres))
    return Combiner(members, genres, model)


def _logarithms(arrays: Iterable[np.ndarray]) -> np.ndarray:
    return np.log(np.maximum(np.hstack(list(arrays)), FLOOR))


def _gather(entries: list[Entry]) -> _Members:
    """Read all members, and average the seeds of each."""
    if len({entry.split for entry in entries}) > 1:
        raise GenreflowError("an ensemble takes the predictions of one split")
    together: dict[str, list[Entry]] = {}
    for entry in entries:
        together.setdefault(entry.learner, []).append(entry)
    if len(together) < 2:
        raise GenreflowError(
            f"an ensemble needs at least two learners, not {len(together)}: name more of them"
        )
    first = entries[0]
    reference = _read(first)
    genres = genres_of(reference)
    columns, means = [f"p_{genre}" for genre in genres], {}
    for learner, own in together.items():
        arrays = []
        for entry in own:
            frame = _read(entry)
            _check_alike(_name(entry), frame, _name(first), reference)
            arrays.append(frame.loc[reference.index, columns].to_numpy())
        means[learner] = np.mean(arrays, axis=0)
    return _Members(reference[["part", "genre"]], genres, means)


def _read(entry: Entry) -> pd.DataFrame:
    given = entry.predictions
    try:
        frame = given if isinstance(given, pd.DataFrame) else read_predictions(given)
    except NotPossible as error:
        raise NotPossible(f"its member {_name(entry)}: {error}") from error
    return frame.set_index("track_id")


def _name(entry: Entry) -> str:
    return entry.learner if entry.seed is None else f"{entry.learner}, seed {entry.seed}"


def _check_alike(name: str, frame: pd.DataFrame, first: str, reference: pd.DataFrame) -> None:
    """Refuse members that don't speak of the same tracks and genres."""
    again = "Run the workflow again, so that all learners have the same corpus and split."
    # Features of some tracks can't be computed, for example because they are too short.
    members = "an ensemble needs members that know the same tracks and genres"
    if set(genres_of(frame)) != set(genres_of(reference)):
        raise NotPossible(
            f"{name} has the genres {', '.join(genres_of(frame))}, but {first} has"
            f" {', '.join(genres_of(reference))}: {members}"
        )
    for lacking, other, tracks in (
        (name, first, reference.index.difference(frame.index)),
        (first, name, frame.index.difference(reference.index)),
    ):
        if len(tracks):
            some = ", ".join(tracks[:5]) + (" and others" if len(tracks) > 5 else "")
            raise NotPossible(
                f"{lacking} lacks {len(tracks)} tracks that {other} has ({some}): {members}"
            )
    ours = frame.loc[reference.index, ["part", "genre"]]
    differ = (ours != reference[["part", "genre"]]).any(axis=1)
    if differ.any():
        raise GenreflowError(
            f"{name} and {first} differ in part or genre of track {differ.idxmax()}. {again}"
        )
