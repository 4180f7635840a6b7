import json
import logging

import numpy as np
import pandas as pd
import pytest
import skops.io
from genreflow.config import complete
from genreflow.errors import GenreflowError, NotPossible
from genreflow.learners import classifiers as module
from genreflow.learners import estimators, grid_search
from genreflow.learners.classifiers import load, preprocessing
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

GRIDS = complete({})["classify"]["grids"]
GENRES = np.array(["Folk", "Hip-Hop", "Pop", "Rock"])
SMALL = {
    "mlp": {"hidden_layer_sizes": [[16, 8], [16]], "alpha": [0.01]},
    "gradient-boosting": {"learning_rate": [0.1], "max_leaf_nodes": [7], "max_iter": [10]},
}


def classify(*data, classifier, grid=None, **settings):
    """Search the default grid, if no other is given."""
    grid = GRIDS.get(classifier, {}) if grid is None else grid
    return module.classify(*data, classifier=classifier, grid=grid, **settings)


def corpus(tracks=240, dimensions=30, classes=4, *, spread=0.45, seed=0):
    """Overlapping classes on features of different scales, in three parts."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(tracks) % classes)
    centres = rng.normal(0, spread, (classes, dimensions))
    x = (centres[y] + rng.normal(0, 1, (tracks, dimensions))) * rng.uniform(0.1, 50, dimensions)
    parts = np.where(np.arange(tracks) < tracks * 3 // 4, "training", "validation")
    parts[tracks * 7 // 8 :] = "test"
    ids = np.array([f"t{number:03d}" for number in range(tracks)])
    return x.astype(np.float32), GENRES[y], parts, ids


def plain_folds(folds):
    """Give folds in the form that GridSearchCV takes."""
    number = np.empty(sum(len(test) for _, test in folds), int)
    for fold, (_, test) in enumerate(folds):
        number[test] = fold
    return PredefinedSplit(number)


def learnt(x, genres, parts):
    learn = parts == "training"
    names, y = np.unique(genres[learn], return_inverse=True)
    return x[learn], names, y


def ours_and_plain(classifier, estimator, data, *, grid=None, within_folds=False, **settings):
    """Run classify, and scikit-learn's own grid search over the same folds."""
    grid = grid or SMALL.get(classifier, GRIDS[classifier])
    ours = classify(
        *data, classifier=classifier, grid=grid, folds=5, within_folds=within_folds, **settings
    )
    x, names, y = learnt(*data[:3])
    cv = plain_folds(
        grid_search.make_folds(y, None, names, n_splits=5, seed=settings.get("seed", 0))
    )
    if within_folds:
        steps = Pipeline([("scaler", StandardScaler()), ("it", estimator)])
        inside = {f"it__{key}": values for key, values in grid.items()}
        return ours, GridSearchCV(steps, inside, cv=cv).fit(x, y)
    return ours, GridSearchCV(estimator, grid, cv=cv).fit(StandardScaler().fit_transform(x), y)


def exact(**settings):
    """Make a LinearSVC that comes as close to its optimum as it can."""
    return LinearSVC(dual="auto", tol=1e-9, max_iter=100_000, random_state=0, **settings)


def assert_same_search(ours, plain):
    table = ours.search.table
    folds = [f"fold_{number:02d}" for number in range(1, 6)]
    expected = [plain.cv_results_[f"split{number}_test_score"] for number in range(5)]
    np.testing.assert_array_equal(table[folds].to_numpy().T, expected)
    np.testing.assert_array_equal(table["mean_accuracy"], plain.cv_results_["mean_test_score"])
    np.testing.assert_allclose(table["std_accuracy"], plain.cv_results_["std_test_score"])
    tried = [
        {key.removeprefix("it__"): value for key, value in parameters.items()}
        for parameters in plain.cv_results_["params"]
    ]
    assert [json.loads(text) for text in table["parameters"]] == tried
    assert ours.best["parameters"] == tried[plain.best_index_]
    assert ours.best["cv_accuracy"] == plain.best_score_


@pytest.mark.parametrize("within_folds", [False, True])
@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize(
    ("classifier", "estimator"), [("svm-rbf", SVC()), ("svm-linear", exact())], ids=str
)
def test_the_searches_of_svms_are_those_of_plain_scikit_learn(
    classifier, estimator, classes, within_folds
):
    data = corpus(classes=classes)
    ours, plain = ours_and_plain(classifier, estimator, data, within_folds=within_folds)
    assert_same_search(ours, plain)
    assert len(set(plain.cv_results_["mean_test_score"])) > 1


@pytest.mark.parametrize(
    ("classifier", "estimator"),
    [
        ("logistic-regression", LogisticRegression(max_iter=1000)),
        ("lda", LinearDiscriminantAnalysis(solver="lsqr")),
        ("gradient-boosting", HistGradientBoostingClassifier(max_bins=63, random_state=3)),
        (
            "mlp",
            MLPClassifier(
                learning_rate_init=1e-4, batch_size=32, early_stopping=True, random_state=3
            ),
        ),
    ],
    ids=str,
)
def test_the_other_searches_are_those_of_plain_scikit_learn(classifier, estimator):
    assert_same_search(*ours_and_plain(classifier, estimator, corpus(), seed=3))


def test_the_linear_search_is_the_same_with_more_dimensions_than_tracks():
    wide, grid = corpus(dimensions=400, spread=0.15), {"C": [1e-4, 1e-3, 0.1]}
    assert_same_search(*ours_and_plain("svm-linear", exact(), wide, grid=grid))


@pytest.mark.parametrize(
    ("classifier", "estimator"),
    [("svm-rbf", SVC(class_weight="balanced")), ("svm-linear", exact(class_weight="balanced"))],
)
@pytest.mark.parametrize("classes", [2, 4])
def test_balanced_weights_are_those_of_plain_scikit_learn(classifier, estimator, classes):
    x, genres, parts, ids = corpus(tracks=320, classes=classes)
    keep = (genres != "Folk") | (np.arange(len(x)) % 3 == 0)
    data = x[keep], genres[keep], parts[keep], ids[keep]
    ours, plain = ours_and_plain(classifier, estimator, data, class_weight="balanced")
    assert_same_search(ours, plain)
    unweighted = classify(*data, classifier=classifier, folds=5)
    assert unweighted.search.accuracies.tolist() != ours.search.accuracies.tolist()


@pytest.mark.parametrize(
    ("classifier", "grid"),
    [("mlp", {"hidden_layer_sizes": [[32]], "learning_rate_init": [0.01]}), ("lda", None)],
)
def test_balanced_weights_reach_classifiers_without_that_parameter(classifier, grid):
    x, genres, parts, ids = corpus(tracks=600, classes=2, spread=0.15)
    keep = (genres != "Folk") | (np.arange(len(x)) % 6 == 0)
    data = x[keep], genres[keep], parts[keep], ids[keep]
    plain, balanced = (
        classify(*data, classifier=classifier, grid=grid, folds=3, class_weight=weight).predictions
        for weight in (None, "balanced")
    )
    assert (balanced["predicted"] == "Folk").sum() > 1.5 * (plain["predicted"] == "Folk").sum()


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("classifier", estimators.known())
def test_the_prediction_is_the_classifiers_own_and_has_the_largest_probability(classifier, classes):
    data = corpus(classes=classes)
    result = classify(*data, classifier=classifier, grid=SMALL.get(classifier), folds=5)
    table = result.predictions
    names = GENRES[:classes].tolist()
    assert table.columns.tolist() == [
        "track_id", "part", "genre", "predicted", *(f"p_{name}" for name in names)
    ]  # fmt: skip
    assert table["track_id"].tolist() == data[3].tolist()
    assert table["genre"].tolist() == data[1].tolist()
    assert table["part"].tolist() == data[2].tolist()
    np.testing.assert_array_equal(table["predicted"], result.model.pipeline.predict(data[0]))
    probabilities = table.filter(like="p_").to_numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(np.array(names)[probabilities.argmax(axis=1)], table["predicted"])


@pytest.mark.parametrize("classes", [2, 4])
def test_probabilities_are_those_of_scikit_learns_temperature_scaling(classes):
    data = corpus(classes=classes)
    result = classify(*data, classifier="svm-linear", grid={"C": [0.1]}, folds=5)
    x, names, y = learnt(*data[:3])
    scaler = StandardScaler().fit(x)
    cv = plain_folds(grid_search.make_folds(y, None, names, n_splits=5, seed=0))
    reference = CalibratedClassifierCV(exact(C=0.1), method="temperature", cv=cv, ensemble=False)
    reference.fit(scaler.transform(x), y)
    np.testing.assert_allclose(
        result.predictions.filter(like="p_"),
        reference.predict_proba(scaler.transform(data[0])),
        atol=1e-3,
    )


def test_groups_reach_the_folds():
    """Two copies of each noise track share an artist: only grouped folds see through it."""
    rng = np.random.default_rng(0)
    x = np.repeat(rng.normal(size=(60, 20)), 2, axis=0).astype(np.float32)
    genres = np.repeat(GENRES[rng.permutation(np.arange(60) % 4)], 2)
    artists = np.repeat(np.arange(60), 2)
    parts, ids = np.full(120, "training"), [str(number) for number in range(120)]
    scores = [
        classify(
            x, genres, parts, ids, classifier="svm-rbf", grid={"C": [10], "gamma": [0.1]},
            folds=5, groups=groups,
        ).best["cv_accuracy"]
        for groups in (None, artists)
    ]  # fmt: skip
    assert scores[0] > 0.7
    assert scores[1] < 0.5


def test_nothing_but_the_parts_fitted_on_has_a_say():
    x, genres, parts, ids = corpus()
    held_out = parts != "training"
    other = x.copy()
    other[held_out] *= 1000
    flipped = np.where(held_out, "Rock", genres)
    first = classify(x, genres, parts, ids, classifier="svm-linear", folds=3)
    second = classify(other, flipped, parts, ids, classifier="svm-linear", folds=3)
    np.testing.assert_array_equal(first.model.pipeline[-1].coef_, second.model.pipeline[-1].coef_)
    assert first.model.inverse_temperature == second.model.inverse_temperature

    both = classify(
        x, genres, parts, ids, classifier="svm-linear", folds=3, fit_on=("training", "validation")
    )
    scaler = StandardScaler().fit(x[parts != "test"])
    np.testing.assert_array_equal(both.model.pipeline[0].mean_, scaler.mean_)


def test_the_search_on_components_is_that_of_plain_scikit_learn_within_folds_too():
    data = corpus()
    x, names, y = learnt(*data[:3])
    cv = plain_folds(grid_search.make_folds(y, None, names, n_splits=5, seed=0))
    inside = [("scaler", StandardScaler()), ("pca", PCA(0.9, svd_solver="full")), ("it", SVC())]
    grid = {f"it__{key}": values for key, values in GRIDS["svm-rbf"].items()}
    plain = GridSearchCV(Pipeline(inside), grid, cv=cv).fit(x, y)
    fitted = preprocessing(x, pca=0.9)
    for prepared in (None, fitted):
        ours = classify(
            *data, classifier="svm-rbf", folds=5, pca=0.9, prepared=prepared, within_folds=True
        )
        assert_same_search(ours, plain)
    outside = classify(*data, classifier="svm-rbf", folds=5, pca=0.9)
    assert outside.search.accuracies.tolist() != ours.search.accuracies.tolist()
    assert outside.best["components"] == fitted["pca"].n_components_ < outside.best["dimensions"]
    ready = classify(*data, classifier="svm-rbf", folds=5, pca=0.9, prepared=fitted)
    pd.testing.assert_frame_equal(outside.predictions, ready.predictions)


@pytest.mark.parametrize("classifier", estimators.known())
def test_a_seed_fixes_the_tables_whatever_the_number_of_threads(classifier):
    grid = SMALL.get(classifier)
    first, second = (
        classify(*corpus(), classifier=classifier, grid=grid, folds=3, seed=7, threads=threads)
        for threads in (1, 2)
    )
    pd.testing.assert_frame_equal(first.predictions, second.predictions, check_exact=True)
    pd.testing.assert_frame_equal(first.search.table, second.search.table)


def test_progress_ends_with_all_fits():
    seen = []
    classify(*corpus(), classifier="svm-rbf", folds=3, progress=lambda *done: seen.append(done))
    assert [total for _, total in seen] == [54] * len(seen)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (54, 54)
    assert len(seen) > 3


def test_fits_that_stop_early_are_told_once(caplog):
    grid = {"hidden_layer_sizes": [[8]], "max_iter": [1, 2]}
    with caplog.at_level(logging.WARNING, logger="genreflow"):
        classify(*corpus(), classifier="mlp", grid=grid, folds=3)
    assert [record.message for record in caplog.records] == [
        "MLPClassifier: 6 of 6 fits stopped before they converged",
        "MLPClassifier: 1 of 1 fits stopped before they converged",
    ]


def test_as_many_folds_as_the_rarest_genre_fills(caplog):
    data = corpus(tracks=24, classes=3)
    learn = data[2] == "training"
    y = np.unique(data[1][learn], return_inverse=True)[1]
    fewest = np.bincount(y).min()
    with caplog.at_level(logging.WARNING, logger="genreflow"):
        ours = classify(*data, classifier="svm-linear", folds=10)
    assert f"{fewest} folds instead of 10: genre" in caplog.text
    asked = classify(*data, classifier="svm-linear", folds=int(fewest))
    pd.testing.assert_frame_equal(ours.predictions, asked.predictions)
    assert ours.best == asked.best


@pytest.mark.parametrize(("tracks", "classes"), [(16, 2), (24, 4)])
def test_an_mlp_holds_out_a_track_of_each_genre_where_a_tenth_is_less(tracks, classes):
    x, genres, _, ids = corpus(tracks=tracks + 4, classes=classes)
    parts = np.where(np.arange(tracks + 4) < tracks, "training", "test")
    result = classify(x, genres, parts, ids, classifier="mlp", grid=SMALL["mlp"], folds=3)
    share = result.model.pipeline[-1].validation_fraction
    assert np.ceil(share * tracks) == classes


def test_a_model_refuses_features_of_another_size():
    data = corpus()
    model = classify(*data, classifier="svm-linear", folds=3).model
    with pytest.raises(GenreflowError, match=r"fitted on 30 dimensions"):
        model.predict(data[0][:, :29])


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "model.skops"
    with pytest.raises(GenreflowError, match="no such model file"):
        load(path)
    skops.io.dump({"pipeline": 1, "inverse_temperature": 2}, path)
    whole = path.read_bytes()
    for content in (whole, whole[:-100], b"no zip at all"):
        path.write_bytes(content)
        with pytest.raises(GenreflowError, match=r"model\.skops: not a whole model file"):
            load(path)


def test_the_first_of_equal_candidates_wins():
    result = classify(*corpus(), classifier="svm-rbf", grid={"C": [5, 1, 5.0], "gamma": [1e-9]})
    assert len(set(result.search.accuracies)) == 1
    assert result.best["parameters"] == {"C": 5, "gamma": 1e-9}


def test_values_that_are_not_finite_are_named():
    x, *others = corpus()
    x[[3, 8], [0, 1]] = np.nan, np.inf
    with pytest.raises(GenreflowError, match=r"2 of 240 tracks have .* not finite: t003, t008"):
        classify(x, *others, classifier="svm-linear")


@pytest.mark.parametrize(
    ("classifier", "grid", "message"),
    [
        ("svm-rbf", {"c": [1]}, "the grid of svm-rbf has the key 'c'"),
        ("svm-rbf", {"C": [1], "gamma": ["scale"]}, "for 'gamma': expected a list of numbers"),
        ("svm-rbf", {"C": [1]}, "has None for 'gamma': expected a list of numbers"),
        ("svm-linear", {"tol": [1]}, "the grid of svm-linear has None for 'C'"),
    ],
)
def test_a_grid_that_does_not_fit_its_classifier_is_refused(classifier, grid, message):
    with pytest.raises(GenreflowError, match=message):
        classify(*corpus(), classifier=classifier, grid=grid)


def scarce(kind):
    x, genres, parts, ids = corpus()
    pops = np.flatnonzero(genres == "Pop")
    if kind == "genre":
        genres[-1] = "Jazz"
    elif kind == "few":
        genres[pops[1:]] = "Rock"
    elif kind == "one":
        genres[:] = "Rock"
    elif kind == "pairs":  # two tracks of each genre, so that a fold learns from one
        parts[:] = "test"
        for genre in GENRES:
            parts[np.flatnonzero(genres == genre)[:2]] = "training"
    return x, genres, parts, ids


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("genre", {}, "no track in training of the genres Jazz"),
        ("few", {}, "genre 'Pop' has 1 tracks to learn from, and two folds need two"),
        ("few", {"groups": np.arange(240) % 2}, r"genre 'Pop' has 1 artists \(groups\)"),
        ("one", {}, "fewer than two genres in training"),
        ("", {}, "svm-rbf on 180 tracks x 30 dimensions needs a matrix of 180 x"),
        ("pairs", {"classifier": "lda"}, "more than 4 tracks to learn 4 genres"),
        ("pairs", {"classifier": "mlp"}, "4 tracks in all, 1 of the rarest genre"),
    ],
)
def test_what_the_data_dont_allow_has_its_reason(monkeypatch, kind, settings, message):
    if not kind:
        monkeypatch.setattr(module, "MAX_TRACKS", 100)
    with pytest.raises(NotPossible, match=message):
        classify(*scarce(kind), **{"classifier": "svm-rbf", **settings})


def test_uneven_groups_make_fewer_folds():
    # Of three folds by artist one would hold both artists of the second genre, or all three.
    y = np.repeat([0, 1], [12, 12])
    groups = np.concatenate([np.arange(12), [20] * 10, [21, 22]])
    folds = grid_search.make_folds(y, groups, ["Folk", "Rock"], n_splits=12, seed=0)
    assert 2 <= len(folds) <= 3
    for train, test in folds:
        assert set(y[train]) == {0, 1}
        assert len(test)
        assert not set(groups[train]) & set(groups[test])
