"""Cross-validated grid search that shares what the candidates have in common.

Scores are those of scikit-learn's `GridSearchCV` over the same folds; only the way there is
shorter:

- *RBF SVM*: all squared distances come out of one matrix product. A fold is a cut out of them, a
  gamma one exponential, and libsvm gets the kernel ready-made.
- *Linear SVM*: each fold solves all values of C on one path, see `linear_svm`.
- Everything else is fitted candidate by candidate.
"""

import json
import logging
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import ParameterGrid, StratifiedGroupKFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC, LinearSVC
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.parallel import Parallel, delayed
from threadpoolctl import threadpool_limits

from genreflow.errors import GenreflowError, NotPossible
from genreflow.learners import linear_svm

log = logging.getLogger(__name__)

Fold = tuple[np.ndarray, np.ndarray]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Search:
    """What a grid search found.

    Attributes
    ----------
    candidates
        The parameters tried, in the order of `sklearn.model_selection.ParameterGrid`.
    scores : (candidates, folds) float64
        Accuracy on each fold's held-out tracks.
    decisions : (candidates, n, genres) float64, or None
        Of each track by the fold that held it out; None where classifiers' own probabilities count.
    """

    candidates: list[dict[str, Any]]
    scores: np.ndarray
    decisions: np.ndarray | None

    @property
    def accuracies(self) -> np.ndarray:
        """The mean accuracy of each candidate."""
        return np.average(self.scores, axis=1)

    @property
    def best(self) -> int:
        """The place of the best candidate: the first one of equals, as in `GridSearchCV`."""
        return int(self.accuracies.argmax())

    @property
    def table(self) -> pd.DataFrame:
        """One row a candidate: parameters (JSON), mean_accuracy, std_accuracy, fold_01..."""
        table = pd.DataFrame(
            {
                "parameters": [json.dumps(p, sort_keys=True) for p in self.candidates],
                "mean_accuracy": self.accuracies,
                "std_accuracy": self.scores.std(axis=1),
            }
        )
        for fold, scores in enumerate(self.scores.T, start=1):
            table[f"fold_{fold:02d}"] = scores
        return table


def make_folds(
    y: np.ndarray, groups: np.ndarray | None, names: Sequence[str], *, n_splits: int, seed: int
) -> list[Fold]:
    """Draw stratified folds, with no group on both sides where groups are known.

    Parameters
    ----------
    y, groups : (n,) int
        Genre codes, and a number that tracks share (an artist's) which stay together; None if
        nothing is known.
    names
        The genres' names, for messages.
    n_splits
        Number of folds, at least 2; fewer, with a line in the log, if a genre can't fill so many.

    Raises
    ------
    NotPossible
        If a genre has too few groups (or tracks) for 2 folds.
    """
    unit = "tracks" if groups is None else "artists (groups)"
    members = np.arange(len(y)) if groups is None else groups
    counts = [len(np.unique(members[y == code])) for code in range(len(names))]
    rarest = int(np.argmin(counts))
    why = f"genre {names[rarest]!r} has {counts[rarest]} {unit} to learn from"
    if counts[rarest] < 2:
        raise NotPossible(f"{why}, and two folds need two: add tracks, or leave the genre out")
    for count in range(min(n_splits, counts[rarest]), 1, -1):
        folds = _folds(y, groups, count, seed)
        uneven = [codes for train, test in folds if (codes := _held_whole(y, train, test))]
        if not uneven:
            if count < n_splits:
                log.warning("%d folds instead of %d: %s", count, n_splits, why)
            return folds
        why = f"the groups are so uneven that a fold holds all of genre {names[uneven[0][0]]!r}"
    raise NotPossible(f"{why}: add tracks of other {unit}, or leave the genre out")


def _folds(y, groups, count: int, seed: int) -> list[Fold]:
    splitter = StratifiedKFold if groups is None else StratifiedGroupKFold
    return list(splitter(count, shuffle=True, random_state=seed).split(np.zeros(len(y)), y, groups))


def _held_whole(y, train, test) -> list[int]:
    """Return the codes of the genres that a fold leaves nothing of; of any if it is empty."""
    return np.setdiff1d(y, y[train]).tolist() if len(test) else [int(y[0])]


def check_grid(estimator: BaseEstimator, grid: Mapping[str, Sequence], name: str) -> None:
    """Raise GenreflowError unless `grid` has parameters of `estimator`, and those it needs."""
    known, needed = estimator.get_params(), _fits_of(estimator).needs
    for key in [*grid, *needed]:
        if key not in known:
            raise GenreflowError(
                f"the grid of {name} has the key {key!r}, which {type(estimator).__name__} does"
                f" not know; it knows {', '.join(sorted(known))}"
            )
        if key in needed and not all(isinstance(v, int | float) for v in grid.get(key, [""])):
            raise GenreflowError(
                f"the grid of {name} has {grid.get(key)} for {key!r}: expected a list of numbers"
            )


def search(
    estimator: BaseEstimator,
    grid: Mapping[str, Sequence],
    x: np.ndarray,
    y: np.ndarray,
    folds: Sequence[Fold],
    *,
    preprocessing: Callable[[np.ndarray], TransformerMixin] | None = None,
    class_weight: str | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> Search:
    """Score every candidate of a grid on every fold.

    Memory: an RBF SVM holds n x n float64 distances, and up to as much again a thread.

    Parameters
    ----------
    estimator, grid
        The unfitted classifier, and values to try for each of its parameters.
    x, y : (n, d) float, (n,) int
        Features, scaled already unless `preprocessing` is given; genre codes 0..genres-1.
    preprocessing
        Returns what it fitted on the training tracks of a fold; None to take `x` as it is.
    class_weight, threads, progress
        As for `classifiers.classify`.
    """
    candidates = list(ParameterGrid(grid))
    fits = _fits_of(estimator)(estimator, candidates, y, class_weight)
    scores = np.full((len(candidates), len(folds)), np.nan)
    decisions = np.full((len(candidates), len(y), y.max() + 1), np.nan) if fits.decides else None
    done = 0
    with log_unconverged(type(estimator).__name__, scores.size):
        for fold, outcomes in _run(fits, x, folds, preprocessing, threads):
            test = folds[fold][1]
            for place, outcome in outcomes:
                predicted = outcome
                if decisions is not None:
                    decisions[place, test] = outcome
                    predicted = outcome.argmax(axis=1)
                scores[place, fold] = np.mean(predicted == y[test])
            done += len(outcomes)
            if progress:
                progress(done, scores.size)
    return Search(candidates, scores, decisions)


def fit(
    estimator: BaseEstimator, x: np.ndarray, y: np.ndarray, class_weight: str | None = None
) -> BaseEstimator:
    """Fit a classifier on scaled features; return it, or raise NotPossible if tracks are too few.

    Those without a parameter `class_weight` get equal priors, or the weights by track.
    """
    if isinstance(estimator, MLPClassifier):
        estimator.set_params(validation_fraction=_validation_fraction(estimator, y))
    if isinstance(estimator, LinearDiscriminantAnalysis) and len(y) <= len(np.unique(y)):
        raise NotPossible(f"it needs more than {len(y)} tracks to learn {len(y)} genres from")
    if isinstance(estimator, LinearSVC):
        return linear_svm.fit(estimator, x, y, class_weight)
    if class_weight is None:
        return estimator.fit(x, y)
    if "class_weight" in estimator.get_params():
        return estimator.set_params(class_weight=class_weight).fit(x, y)
    if "priors" in estimator.get_params():
        classes = len(np.unique(y))
        return estimator.set_params(priors=np.full(classes, 1 / classes)).fit(x, y)
    return estimator.fit(x, y, sample_weight=compute_sample_weight(class_weight, y))


def _validation_fraction(estimator: MLPClassifier, y: np.ndarray) -> float:
    """Return the share that an MLP holds out to stop by, raised to a track of each genre."""
    share, (codes, counts) = estimator.validation_fraction, np.unique(y, return_counts=True)
    if not estimator.early_stopping:
        return share
    held = max(np.ceil(share * len(y)), len(codes))
    if counts.min() < 2 or len(y) - held < len(codes):
        raise NotPossible(
            "it holds out a track of each genre to stop the training by, and needs others to learn "
            f"from: there are {len(y)} tracks in all, {counts.min()} of the rarest genre"
        )
    # Half a track less, for the number is rounded up.
    return share if held == np.ceil(share * len(y)) else float((held - 0.5) / len(y))


def decision_values(estimator: BaseEstimator, x: np.ndarray) -> np.ndarray:
    """Return decision values whose largest one per track is the genre that `predict` gives.

    For an SVC with three genres or more they are sums of the pairwise decision values. Its own
    ``decision_function`` counts pairwise votes, of which a winner always has about as many, so that
    probabilities made of them would be about the same for each track. From (n, d) to (n, genres)
    float64, by a fitted classifier or a pipeline that ends in one.
    """
    values = _column_a_genre(estimator.decision_function(x))
    last = estimator[-1] if hasattr(estimator, "steps") else estimator
    pairs = isinstance(last, SVC) and values.shape[1] > 2
    return _pairwise_sums(values) if pairs else values


def _column_a_genre(values: np.ndarray) -> np.ndarray:
    """Give the first of two genres, which has no decision values, those of the other reversed."""
    values = values.reshape(len(values), -1)
    return np.hstack([-values, values]) if values.shape[1] == 1 else values


def _pairwise_sums(values: np.ndarray) -> np.ndarray:
    """Turn decision values of an SVC into sums over pairs, with the largest where it decides.

    They are v + s / (3 (|s| + 1)), v being the votes, s the sum of the pairwise values of a genre.
    `SVC.predict` goes by votes alone and takes the first genre of a tie; where another has the
    largest sum, the two exchange theirs.
    """
    votes = np.round(values)
    rest = values - votes
    sums = 3 * rest / (1 - 3 * np.abs(rest))
    rows = np.arange(len(values))
    voted, largest = votes.argmax(axis=1), sums.argmax(axis=1)
    sums[rows, voted], sums[rows, largest] = sums[rows, largest], sums[rows, voted]
    return sums


class _Fits:
    """The fits of a search, candidate by candidate."""

    decides = False
    needs: tuple[str, ...] = ()

    def __init__(self, estimator, candidates, y, class_weight):
        self.estimator, self.candidates, self.y = estimator, candidates, y
        self.class_weight = class_weight

    def batches(self) -> Iterable[list[int]]:
        """Group the candidates that one task handles."""
        return [[place] for place in range(len(self.candidates))]

    def prepare(self, x: np.ndarray) -> np.ndarray:
        """Compute what all folds share."""
        return x

    def run(self, x, train, test, places) -> Iterator[tuple[int, np.ndarray]]:
        """Give the place of each candidate, and its outcome for the held-out tracks."""
        for place in places:
            yield place, self.outcome(x[train], train, x[test], **self.candidates[place])

    def outcome(self, x, train, x_test, **parameters) -> np.ndarray:
        """Fit a candidate; return decision values if these are what counts, else genre codes."""
        model = clone(self.estimator).set_params(**parameters)
        fit(model, x, self.y[train], self.class_weight)
        return decision_values(model, x_test) if self.decides else model.predict(x_test)


class _DecidingFits(_Fits):
    """Those of classifiers whose probabilities are made of decision values."""

    decides = True


class _RbfFits(_DecidingFits):
    """Those of an SVC, on cuts of one matrix of squared distances."""

    needs = ("C", "gamma")

    def batches(self):
        same_gamma = defaultdict(list)
        for place, parameters in enumerate(self.candidates):
            same_gamma[parameters["gamma"]].append(place)
        return same_gamma.values()

    def prepare(self, x):
        return squared_distances(x)

    def run(self, distances, train, test, places):
        # libsvm groups tracks by genre itself; done before, it reads the kernel in sequence
        train = train[np.argsort(self.y[train], kind="stable")]
        gamma = self.candidates[places[0]]["gamma"]
        inside, outside = (rbf(distances[np.ix_(rows, train)], gamma) for rows in (train, test))
        for place in places:
            parameters = {**self.candidates[place], "kernel": "precomputed"}
            yield place, self.outcome(inside, train, outside, **parameters)


class _LinearFits(_DecidingFits):
    """Those of a LinearSVC, along a path of rising C."""

    needs = ("C",)

    def batches(self):
        return [list(range(len(self.candidates)))]

    def prepare(self, x):
        return linear_svm.coordinates(x)

    def run(self, x, train, test, places):
        costs = [self.candidates[place]["C"] for place in places]
        paths = linear_svm.solve(x[train], self.y[train], sorted(set(costs)), self.class_weight)
        for place, cost in zip(places, costs, strict=True):
            yield place, _column_a_genre(x[test] @ paths[cost].T)


def _fits_of(estimator: BaseEstimator) -> type[_Fits]:
    special = {LinearSVC: _LinearFits, SVC: _RbfFits, LinearDiscriminantAnalysis: _DecidingFits}
    return special.get(type(estimator), _Fits)


def _run(fits, x, folds, preprocessing, threads) -> Iterator[tuple[int, list]]:
    """Run all fits on threads; give the number of a fold and its outcomes as they end."""

    def task(data, fold, places):
        # OpenMP's limit belongs to a thread, so it is set in each; that of BLAS to the process
        with threadpool_limits(1, user_api="openmp"):
            return fold, list(fits.run(data, *folds[fold], places))

    # What is fitted within folds belongs to one fold; else all of them share what is prepared.
    shared = [[number] for number in range(len(folds))] if preprocessing else [range(len(folds))]
    for numbers in shared:
        with threadpool_limits(threads):
            own = preprocessing(x[folds[numbers[0]][0]]).transform(x) if preprocessing else x
            data = fits.prepare(own)
        tasks = (delayed(task)(data, fold, places) for places in fits.batches() for fold in numbers)
        with threadpool_limits(1, user_api="blas"):
            yield from Parallel(threads, require="sharedmem", return_as="generator_unordered")(
                tasks
            )


@contextmanager
def log_unconverged(name: str, fits: int) -> Iterator[None]:
    """Replace the warnings of fits that stop early by one line in the log."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        yield
    early = [warning for warning in caught if issubclass(warning.category, ConvergenceWarning)]
    if early:
        log.warning("%s: %d of %d fits stopped before they converged", name, len(early), fits)
    for other in caught:
        if other not in early:
            warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)


def squared_distances(x: np.ndarray) -> np.ndarray:
    """Return the squared Euclidean distances between all rows, (n, n) float64."""
    x = np.asarray(x, np.float64)
    distances = x @ x.T
    squares = distances.diagonal().copy()
    distances *= -2
    distances += squares
    distances += squares[:, None]
    np.maximum(distances, 0, out=distances)
    np.fill_diagonal(distances, 0)
    return distances


def rbf(distances: np.ndarray, gamma: float) -> np.ndarray:
    """Turn squared distances into the kernel exp(-gamma d^2), in place."""
    distances *= -gamma
    return np.exp(distances, out=distances)
