"""Cross-validated grid search that shares what the candidates have in common.

Scores are those of scikit-learn's `GridSearchCV` over the same folds; only the way there is
shorter:

- *RBF SVM*: all squared distances come out of one matrix product. A fold is a cut out of them, a
  gamma one exponential, and libsvm gets the kernel ready-made.
- *Linear SVM*: the problem that `LinearSVC` solves (squared hinge loss, L2 penalty, one genre
  against the rest, the intercept penalised too) is solved to its optimum by Newton's method, whose
  steps share one scatter matrix; each C starts from the solution of the one before. With more
  dimensions than tracks the tracks are first rotated into their own span, which changes no inner
  product and so no decision.
- Everything else is fitted candidate by candidate.
"""

import logging
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve, qr
from scipy.optimize import brentq
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import ParameterGrid, StratifiedGroupKFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC, LinearSVC
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight
from sklearn.utils.parallel import Parallel, delayed
from threadpoolctl import threadpool_limits

from genreflow.errors import GenreflowError, NotPossible

log = logging.getLogger(__name__)

Fold = tuple[np.ndarray, np.ndarray]
Progress = Callable[[int, int], None]

MAX_NEWTON_STEPS = 200


@dataclass(frozen=True)
class Search:
    """What a grid search found.

    Attributes
    ----------
    candidates
        The parameters tried, in the order of `sklearn.model_selection.ParameterGrid`.
    scores : (candidates, folds) float64
        Accuracy on each fold's held-out tracks.
    seconds : (candidates, folds) float64
        Time of each fit.
    decisions : (candidates, n, genres) float64, or None
        Decision values of each track by the model of the fold that held it out; None for
        classifiers whose own probabilities are used.
    """

    candidates: list[dict[str, Any]]
    scores: np.ndarray
    seconds: np.ndarray
    decisions: np.ndarray | None

    @property
    def best(self) -> int:
        """The place of the best candidate: the first one of equals, as in `GridSearchCV`."""
        return int(np.average(self.scores, axis=1).argmax())


def make_folds(
    y: np.ndarray, groups: np.ndarray | None, names: Sequence[str], *, n_splits: int, seed: int
) -> list[Fold]:
    """Draw stratified folds, with no group on both sides where groups are known.

    Parameters
    ----------
    y : (n,) int
        Genre codes.
    groups : (n,) int, or None
        Tracks with the same number (an artist's, for instance) stay together.
    names
        The genres' names, for messages.
    n_splits
        Number of folds, at least 2; fewer, with a line in the log, if a genre can't fill so many.
    seed
        Of the shuffling.

    Returns
    -------
    list of (train, test)
        Indices of the tracks of each fold.

    Raises
    ------
    GenreflowError
        If fewer than 2 folds are asked for.
    NotPossible
        If a genre has too few groups (or tracks) for 2 folds.
    """
    if n_splits < 2:
        raise GenreflowError(f"{n_splits} folds: cross-validation needs at least 2")
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
    """Raise GenreflowError unless `grid` has values to try for parameters of `estimator`."""
    known = estimator.get_params()
    for key, values in grid.items():
        if key not in known:
            raise GenreflowError(
                f"the grid of {name} has the key {key!r}, which {type(estimator).__name__} does"
                f" not know; it knows {', '.join(sorted(known))}"
            )
        if isinstance(values, str) or not isinstance(values, Sequence) or not len(values):
            raise GenreflowError(
                f"the grid of {name} has {values!r} for {key!r}: expected a list of values to try"
            )
    for key in _way(estimator).needs:
        if key not in grid:
            raise GenreflowError(f"the grid of {name} lacks {key!r}: give it a list of numbers")
        if any(isinstance(value, str) for value in grid[key]):
            raise GenreflowError(
                f"the grid of {name} has {grid[key]!r} for {key!r}: expected numbers"
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
    estimator
        The unfitted classifier.
    grid
        Values to try for each of its parameters.
    x : (n, d) float
        Features, scaled already unless `preprocessing` is given.
    y : (n,) int
        Genre codes 0..genres-1.
    folds
        As `make_folds` returns them.
    preprocessing
        Returns what it fitted on the training tracks of a fold; None to take `x` as it is.
    class_weight
        ``"balanced"`` weighs genres by the inverse of their number of tracks.
    threads
        How many fits run at once.
    progress
        Called with the numbers of fits done and in all.
    """
    candidates = list(ParameterGrid(grid))
    way = _way(estimator)(estimator, candidates, y, class_weight)
    shape = (len(candidates), len(folds))
    scores, seconds = np.full(shape, np.nan), np.full(shape, np.nan)
    decisions = np.full((len(candidates), len(y), y.max() + 1), np.nan) if way.decides else None
    done = 0
    with LogUnconverged(type(estimator).__name__, scores.size):
        for data, numbers in _spaces(way, x, folds, preprocessing, threads):
            for fold, results in _run(way, data, folds, numbers, threads):
                test = folds[fold][1]
                for place, outcome, elapsed in results:
                    predicted = outcome
                    if decisions is not None:
                        decisions[place, test] = outcome
                        predicted = outcome.argmax(axis=1)
                    scores[place, fold] = np.mean(predicted == y[test])
                    seconds[place, fold] = elapsed
                done += len(results)
                if progress:
                    progress(done, scores.size)
    return Search(candidates, scores, seconds, decisions)


def fit(
    estimator: BaseEstimator, x: np.ndarray, y: np.ndarray, class_weight: str | None = None
) -> BaseEstimator:
    """Fit a classifier; return it.

    Parameters
    ----------
    estimator
        A classifier. A `LinearSVC` gets the exact optimum that `search` scored.
    x : (n, d) float
        Scaled features.
    y : (n,) int or str
        Labels.
    class_weight
        ``"balanced"`` or None. Classifiers without this parameter get equal priors, or the weights
        by track.

    Raises
    ------
    NotPossible
        If there are too few tracks for this classifier.
    """
    if isinstance(estimator, MLPClassifier):
        estimator.set_params(validation_fraction=_validation_fraction(estimator, y))
    if isinstance(estimator, LinearDiscriminantAnalysis) and len(y) <= len(np.unique(y)):
        raise NotPossible(f"it needs more than {len(y)} tracks to learn {len(y)} genres from")
    if isinstance(estimator, LinearSVC):
        return _fit_linear(estimator, x, y, class_weight)
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
    """Return decision values whose largest one a track is the genre that `predict` gives.

    For an SVC with three genres or more they are sums of the pairwise decision values. Its own
    ``decision_function`` counts pairwise votes, of which a winner always has about as many, so that
    probabilities made of them would be about the same for each track.

    Parameters
    ----------
    estimator
        A fitted classifier (or pipeline that ends in one) with a `decision_function`.
    x : (n, d) float
        Features.

    Returns
    -------
    (n, genres) float64
        One column a genre, for two genres as well.
    """
    values = estimator.decision_function(x)
    if values.ndim == 1:
        return np.column_stack([-values, values])
    last = estimator[-1] if hasattr(estimator, "steps") else estimator
    return _pairwise_sums(values) if isinstance(last, SVC) else values


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


class _Plain:
    """Fit candidate by candidate."""

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

    def run(self, x, train, test, places) -> Iterator[tuple[int, np.ndarray, float]]:
        """Give place, outcome for the held-out tracks, and seconds of each candidate."""
        for place in places:
            start = time.perf_counter()
            model = clone(self.estimator).set_params(**self.candidates[place])
            fit(model, x[train], self.y[train], self.class_weight)
            yield place, self.outcome(model, x[test]), time.perf_counter() - start

    def outcome(self, model: BaseEstimator, x: np.ndarray) -> np.ndarray:
        """Return codes, or decision values for a way that `decides`."""
        return model.predict(x)


class _ByDecision(_Plain):
    """Fit candidate by candidate, for classifiers whose probabilities are made here."""

    decides = True

    def outcome(self, model, x):
        return decision_values(model, x)


class _Rbf(_ByDecision):
    """An SVC on cuts of one matrix of squared distances."""

    needs = ("C", "gamma")

    def batches(self):
        same_gamma = defaultdict(list)
        for place, parameters in enumerate(self.candidates):
            same_gamma[parameters["gamma"]].append(place)
        return list(same_gamma.values())

    def prepare(self, x):
        return squared_distances(x)

    def run(self, distances, train, test, places):
        start = time.perf_counter()
        # libsvm groups tracks by genre itself; done before, it reads the kernel in sequence
        train = train[np.argsort(self.y[train], kind="stable")]
        gamma = self.candidates[places[0]]["gamma"]
        inside, outside = (rbf(distances[np.ix_(rows, train)], gamma) for rows in (train, test))
        shared = (time.perf_counter() - start) / len(places)
        for place in places:
            start = time.perf_counter()
            parameters = {**self.candidates[place], "kernel": "precomputed"}
            model = clone(self.estimator).set_params(**parameters)
            fit(model, inside, self.y[train], self.class_weight)
            elapsed = shared + time.perf_counter() - start
            yield place, self.outcome(model, outside), elapsed


class _Linear(_ByDecision):
    """The problem of LinearSVC, along a path of rising C."""

    needs = ("C",)

    def batches(self):
        return [list(range(len(self.candidates)))]

    def prepare(self, x):
        x = _with_intercept(x)
        # the rows of the triangle have the inner products of the rows of x
        return qr(x.T, mode="r", overwrite_a=True)[0][: len(x)].T if x.shape[1] > len(x) else x

    def run(self, x, train, test, places):
        start = time.perf_counter()
        costs = [self.candidates[place]["C"] for place in places]
        paths = _one_vs_rest(x[train], self.y[train], sorted(set(costs)), self.class_weight)
        elapsed = (time.perf_counter() - start) / len(places)
        for place, cost in zip(places, costs, strict=True):
            values = x[test] @ paths[cost].T
            if len(paths[cost]) == 1:
                values = np.column_stack([-values[:, 0], values[:, 0]])
            yield place, values, elapsed


def _way(estimator: BaseEstimator) -> type[_Plain]:
    special = {LinearSVC: _Linear, SVC: _Rbf, LinearDiscriminantAnalysis: _ByDecision}
    return special.get(type(estimator), _Plain)


def _spaces(way, x, folds, preprocessing, threads) -> Iterator[tuple[np.ndarray, list[int]]]:
    """Give what folds share, and the numbers of the folds that share it."""
    if preprocessing is None:
        with threadpool_limits(threads):
            data = way.prepare(x)
        yield data, list(range(len(folds)))
        return
    for number, (train, _) in enumerate(folds):
        with threadpool_limits(threads):
            data = way.prepare(preprocessing(x[train]).transform(x))
        yield data, [number]


def _run(way, data, folds, numbers, threads) -> Iterator[tuple[int, list]]:
    """Run the tasks of `numbers` on threads; give each fold and its results as they end."""

    def task(fold, places):
        # OpenMP's limit belongs to a thread, so it is set in each; that of BLAS to the process
        with threadpool_limits(1, user_api="openmp"):
            return fold, list(way.run(data, *folds[fold], places))

    tasks = (delayed(task)(fold, places) for places in way.batches() for fold in numbers)
    with threadpool_limits(1, user_api="blas"):
        yield from Parallel(threads, require="sharedmem", return_as="generator_unordered")(tasks)


class LogUnconverged(warnings.catch_warnings):
    """Replace the warnings of fits that stopped early by one line in the log."""

    def __init__(self, name: str, fits: int):
        super().__init__(record=True)
        self._name, self._fits = name, fits

    def __enter__(self):
        self._caught = super().__enter__()
        warnings.simplefilter("always", ConvergenceWarning)

    def __exit__(self, *exception):
        super().__exit__(*exception)
        unconverged = sum(issubclass(w.category, ConvergenceWarning) for w in self._caught)
        if unconverged:
            log.warning(
                "%s: %d of %d fits stopped before they converged",
                self._name,
                unconverged,
                self._fits,
            )
        for other in self._caught:
            if not issubclass(other.category, ConvergenceWarning):
                warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)


def squared_distances(x: np.ndarray) -> np.ndarray:
    """Return the squared Euclidean distances between all rows.

    Parameters
    ----------
    x : (n, d) float

    Returns
    -------
    (n, n) float64
        Symmetric, not negative, 0 on the diagonal.
    """
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


def _with_intercept(x: np.ndarray) -> np.ndarray:
    return np.column_stack([x, np.ones(len(x))]).astype(np.float64, copy=False)


def _fit_linear(model: LinearSVC, x: np.ndarray, y: np.ndarray, class_weight) -> LinearSVC:
    """Give a LinearSVC the coefficients at the optimum of its own problem."""
    augmented = _with_intercept(x)
    classes, codes = np.unique(y, return_inverse=True)
    basis = None
    if augmented.shape[1] > len(augmented):
        basis, triangle = qr(augmented.T, mode="economic", overwrite_a=True)
        augmented = triangle.T
    weights = _one_vs_rest(augmented, codes, [model.C], class_weight)[model.C]
    if basis is not None:
        weights = weights @ basis.T
    model.coef_, model.intercept_ = weights[:, :-1], weights[:, -1]
    model.classes_, model.n_features_in_, model.n_iter_ = classes, x.shape[1], 1
    return model


def _one_vs_rest(x, y, costs, class_weight) -> dict[float, np.ndarray]:
    """Solve one problem a genre (one in all for two genres) for each C.

    As in liblinear, class weights count for the genre itself, and among more than two genres
    not for the rest.
    """
    classes = np.unique(y)
    share = np.ones(len(classes))
    if class_weight is not None:
        share = compute_class_weight(class_weight, classes=classes, y=y)
    scatter = x.T @ x
    found = defaultdict(list)
    for code in classes if len(classes) > 2 else classes[1:]:
        sign = np.where(y == code, 1.0, -1.0)
        rest = 1.0 if len(classes) > 2 else share[0]
        importance = np.where(y == code, share[code], rest)
        for cost, weights in zip(
            costs, _squared_hinge(x, sign, importance, costs, scatter), strict=True
        ):
            found[cost].append(weights)
    return {cost: np.array(weights) for cost, weights in found.items()}


def _squared_hinge(x, sign, importance, costs, scatter) -> Iterator[np.ndarray]:
    """Minimise |w|^2 / 2 + C sum_i c_i max(0, 1 - s_i w.x_i)^2 for each rising C.

    Newton steps on the tracks inside the margin, with an exact line search: S. S. Keerthi and
    D. DeCoste, "A modified finite Newton method for fast solution of large scale linear SVMs",
    JMLR 6 (2005). The scatter matrix of those tracks is kept up to date by the tracks that enter
    and leave, and each C begins where the one before ended.
    """
    scatter, inside = scatter.copy(), np.ones(len(x))
    weights, output = np.zeros(x.shape[1]), np.zeros(len(x))
    for cost in costs:
        for _ in range(MAX_NEWTON_STEPS):
            slack = 1 - sign * output
            before, inside = inside, np.where(slack > 0, importance, 0.0)
            _update_scatter(scatter, x, inside - before)
            gradient = weights - 2 * cost * ((inside * sign * slack) @ x)
            hessian = (2 * cost) * scatter
            hessian.flat[:: len(weights) + 1] += 1
            factor = cho_factor(hessian, lower=True, overwrite_a=True, check_finite=False)
            step = -cho_solve(factor, gradient, check_finite=False)
            ahead = x @ step
            objective = weights @ weights / 2 + cost * (inside @ slack**2)
            if -(gradient @ step) <= 1e-12 * objective:
                break
            length = _line_search(weights, step, output, ahead, sign, importance, cost)
            weights, output = weights + length * step, output + length * ahead
        else:
            warnings.warn("Newton's method did not converge", ConvergenceWarning, stacklevel=2)
        yield weights


def _update_scatter(scatter: np.ndarray, x: np.ndarray, change: np.ndarray) -> None:
    """Add sum_i change_i x_i x_i^T in place."""
    for rows, add in ((change > 0, np.add), (change < 0, np.subtract)):
        if rows.any():
            scaled = x[rows] * np.sqrt(np.abs(change[rows]))[:, None]
            add(scatter, scaled.T @ scaled, out=scatter)


def _line_search(weights, step, output, ahead, sign, importance, cost) -> float:
    """Return the length of the step at which the objective is least."""
    along, square = weights @ step, step @ step

    def slope(length):
        slack = np.maximum(1 - sign * (output + length * ahead), 0)
        return along + length * square - 2 * cost * ((importance * sign * slack) @ ahead)

    end = 1.0
    while slope(end) < 0:
        end *= 2
    return brentq(slope, 0.0, end, xtol=1e-14)
