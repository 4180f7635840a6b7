"""Classic classifiers on any feature matrix: scaler, optional PCA, classifier, by grid search."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from genreflow.errors import GenreflowError, NotPossible, some
from genreflow.learners import estimators, grid_search, prediction_table, skops_files
from genreflow.learners import pca as components
from genreflow.learners.fitted import names_of, rebuilt
from genreflow.limits import MAX_TRACKS


@dataclass(frozen=True)
class Model:
    """A fitted classifier that gives probabilities.

    The pipeline is an ordinary one of scikit-learn: scaler, PCA if asked for, classifier. Decision
    values are multiplied with `inverse_temperature` before the softmax; None if the probabilities
    are those of the classifier itself.
    """

    pipeline: Pipeline
    inverse_temperature: float | None

    @property
    def genres(self) -> list[str]:
        """The genres in the order of the columns of the probabilities."""
        return [str(genre) for genre in self.pipeline.classes_]

    def predict(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the genre of each track, and the probability of every genre.

        From (n, d) features as they were before scaling to the classifier's own decisions (n,),
        which have the largest probability, and float64 (n, genres), whose rows sum to 1. It raises
        GenreflowError if the model was fitted on another number of dimensions.
        """
        if x.ndim != 2 or x.shape[1] != self.pipeline.n_features_in_:
            raise GenreflowError(
                f"the features have the shape {x.shape}, the model was fitted on"
                f" {self.pipeline.n_features_in_} dimensions: make them with the same settings"
            )
        if self.inverse_temperature is None:
            scores = probabilities = self.pipeline.predict_proba(x).astype(np.float64)
        else:
            scores = grid_search.decision_values(self.pipeline, x)
            probabilities = softmax(self.inverse_temperature * scores, axis=1)
        return self.pipeline.classes_[scores.argmax(axis=1)], probabilities


@dataclass(frozen=True)
class Result:
    """The best candidate, fitted on all tracks to learn from, all scores, and its predictions."""

    model: Model
    search: grid_search.Search
    predictions: pd.DataFrame

    @property
    def best(self) -> dict[str, Any]:
        """The best candidate in plain values, with the dimensions before and after PCA."""
        pipeline = self.model.pipeline
        dimensions = int(pipeline.n_features_in_)
        return {
            "parameters": self.search.candidates[self.search.best],
            "cv_accuracy": float(self.search.accuracies[self.search.best]),
            "dimensions": dimensions,
            "components": int(getattr(pipeline[-2], "n_components_", dimensions)),
        }


def preprocessing(x: np.ndarray, *, pca: float | None = None, threads: int = 1) -> Pipeline:
    """Fit the steps before the classifier: the scaler, and PCA if asked for.

    `x` are features (n, d) float32 of the tracks to learn from, not scaled, and `pca` the share of
    the variance, in (0, 1), that the components kept must explain; None for no PCA.
    """
    if pca is None:
        return Pipeline([("scaler", StandardScaler().fit(x))])
    return components.decompose(x, share=pca, threads=threads).pipeline(pca)


def classify(
    x: np.ndarray,
    genres: Sequence[str],
    parts: Sequence[str],
    track_ids: Sequence[str],
    *,
    classifier: str,
    grid: Mapping[str, Sequence],
    groups: np.ndarray | None = None,
    fit_on: Sequence[str] = ("training",),
    folds: int = 10,
    pca: float | None = None,
    prepared: Pipeline | None = None,
    within_folds: bool = False,
    class_weight: str | None = None,
    seed: int = 0,
    threads: int = 1,
    progress: grid_search.Progress | None = None,
) -> Result:
    """Choose a classifier's parameters by cross-validation, fit it, and predict every track.

    Only tracks of the parts `fit_on` are learned from: by the scaler, PCA, the folds, the
    classifier and its temperature. Their own rows in the predictions are thus not held out.

    Parameters
    ----------
    x : (n, d) float32
        Features, not scaled.
    genres, parts, track_ids : (n,) str
        One row per track of `x`.
    classifier
        One of `learners.estimators`.
    grid
        Values to try for each parameter of the classifier.
    groups, folds
        As for `grid_search.make_folds`.
    pca, prepared
        As for `preprocessing`, and what it gives for the tracks of `fit_on`, so that several
        classifiers share it; None to fit it here.
    within_folds
        Fit scaler and PCA in each fold anew to choose the parameters. If not, they are fitted once
        on all tracks of `fit_on`, as in the study, so that a fold's held-out tracks have a small
        say in them. The model has those fitted on all in any case.
    class_weight
        ``"balanced"`` to weigh genres by the inverse of their number of tracks.
    threads, progress
        How many fits run at once, and what is called with the numbers of fits done and in all.

    Raises
    ------
    GenreflowError
        If values are not finite, or the grid has not what the classifier needs.
    NotPossible
        If a genre has nothing to learn from or too little for two folds, or there are too few or
        too many tracks for the classifier (`MAX_TRACKS`).
    """
    genres, parts, track_ids = (np.asarray(a, dtype=str) for a in (genres, parts, track_ids))
    _require_finite(x, track_ids)
    learn = _tracks_to_learn_from(genres, parts, fit_on)
    estimator = estimators.known()[classifier].make(seed)
    grid_search.check_grid(estimator, grid, classifier)
    _check_size(classifier, int(learn.sum()), x.shape[1])

    names, y = np.unique(genres[learn], return_inverse=True)
    of_learnt = None if groups is None else np.asarray(groups)[learn]
    prepare = partial(preprocessing, pca=pca, threads=threads)
    before = prepared or prepare(x[learn])
    with threadpool_limits(threads, user_api="blas"):
        scaled = before.transform(x)
    found = grid_search.search(
        estimator,
        grid,
        x[learn] if within_folds else scaled[learn],
        y,
        grid_search.make_folds(y, of_learnt, names.tolist(), n_splits=folds, seed=seed),
        preprocessing=prepare if within_folds else None,
        class_weight=class_weight,
        threads=threads,
        progress=progress,
    )
    estimator.set_params(**found.candidates[found.best])
    with grid_search.log_unconverged(type(estimator).__name__, 1):
        fitted = Pipeline(
            [("classifier", grid_search.fit(estimator, scaled[learn], genres[learn], class_weight))]
        )
    temperature = None
    if found.decisions is not None:
        temperature = inverse_temperature(found.decisions[found.best], y)
    predicted, probabilities = Model(fitted, temperature).predict(scaled)
    table = prediction_table.make(
        probabilities,
        track_ids=track_ids,
        parts=parts,
        genres=genres,
        names=names,
        predicted=predicted,
    )
    model = Model(Pipeline([*before.steps, *fitted.steps]), temperature)
    return Result(model, found, table)


def inverse_temperature(decisions: np.ndarray, y: np.ndarray) -> float:
    """Fit the factor that turns decision values into probabilities by a softmax.

    Temperature scaling: one positive factor leaves the order of the genres as it is, so that the
    decision has the largest probability. C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On
    calibration of modern neural networks", ICML 2017, section 4.2. Decision values of SVMs take
    the place of logits; those of LDA are logits, yet far too sure of themselves where dimensions
    are many.

    `decisions`, (n, genres) float64, are those of tracks that the classifier has not seen, and `y`
    their genre codes.
    """
    rows = np.arange(len(y))

    def log_loss(exponent):
        return -log_softmax(np.exp(exponent) * decisions, axis=1)[rows, y].mean()

    return float(np.exp(minimize_scalar(log_loss, bounds=(-10, 10), method="bounded").x))


def save(model: Model, path: str | Path) -> None:
    """Write a model as a skops file, which loads without running code."""
    content = {"pipeline": model.pipeline, "inverse_temperature": model.inverse_temperature}
    skops_files.write(content, path)


def load(path: str | Path) -> Model:
    """Read a model that `save` wrote; it raises what `learners.skops_files.read` does."""
    return skops_files.read(path, _model)


def _model(content: Mapping[str, Any]) -> Model:
    factor = content["inverse_temperature"]
    if not (factor is None or (type(factor) is float and 0 < factor < np.inf)):
        raise ValueError("inverse_temperature: expected a positive number or none")
    return Model(_pipeline(content["pipeline"]), factor)


def _pipeline(found: Any) -> Pipeline:
    """Build a pipeline from a file anew, as `classify` makes them, of what was checked."""
    if type(found) is not Pipeline:
        raise TypeError("it holds no pipeline")
    names, (first, *between, last) = zip(*found.steps, strict=True)
    scaler = rebuilt(first, StandardScaler(), {"mean_": ("d",), "scale_": ("d",)})
    scaler.n_features_in_ = size = len(scaler.mean_)
    steps = [scaler]
    for one in between:
        components = {"components_": ("k", size), "explained_variance_": ("k",)}
        pca = rebuilt(one, PCA(), {"mean_": (size,), **components})
        pca.n_features_in_, pca.n_components_ = pca.components_.shape[::-1]
        size = pca.n_components_
        steps.append(pca)
    expected = ["scaler", *["pca"][: len(between)], "classifier"]
    if list(names) != expected:
        raise ValueError("its pipeline has other steps than scaler, pca, classifier")
    genres = names_of(vars(last).get("classes_"))
    steps.append(estimators.checked(last, genres, size))
    return Pipeline(list(zip(names, steps, strict=True)))


def _require_finite(x, track_ids) -> None:
    bad = ~np.isfinite(x).all(axis=1)
    if bad.any():
        raise GenreflowError(
            f"{bad.sum()} of {len(x)} tracks have features that are not finite:"
            f" {some(track_ids[bad])}; exclude them or compute their features again"
        )


def _tracks_to_learn_from(genres, parts, fit_on) -> np.ndarray:
    learn = np.isin(parts, list(fit_on))
    missing = sorted(set(genres) - set(genres[learn]))
    where = " and ".join(fit_on)
    if missing:
        raise NotPossible(
            f"no track in {where} of the genres {some(missing)}, which other parts have:"
            " choose another split, or leave these genres out"
        )
    if len(set(genres[learn])) < 2:
        raise NotPossible(f"fewer than two genres in {where}: there is nothing to tell apart")
    return learn


def _check_size(classifier, tracks, dimensions) -> None:
    size = estimators.square(classifier, tracks, dimensions)
    if size > MAX_TRACKS:
        raise NotPossible(
            f"{classifier} on {tracks} tracks x {dimensions} dimensions needs a matrix of"
            f" {size} x {size} numbers ({8e-9 * size**2:.0f} GB, and up to as much again a thread),"
            f" more than {MAX_TRACKS} x {MAX_TRACKS}: use PCA if it is the dimensions, or use"
            " logistic-regression or gradient-boosting"
        )
