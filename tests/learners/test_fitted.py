"""Fitted objects from a stranger's file: nothing is used that isn't what a fit leaves.

Without the checks, most of what is refused here reads memory that isn't the model's, or crashes.
"""

import copy
import functools
import json
import zipfile

import numpy as np
import pytest
import skops.io
from genreflow.errors import GenreflowError
from genreflow.learners import classifiers, ensembles, estimators
from genreflow.learners.fitted import Fixed
from made.archives import rewrite
from made.predictions import GENRES
from sklearn.decomposition import PCA, IncrementalPCA
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

SMALL = {
    "gradient-boosting": {"max_iter": [3], "min_samples_leaf": [5]},
    "mlp": {"hidden_layer_sizes": [[6, 4]], "max_iter": [2]},
}


@functools.cache
def fitted_once(name, genres=3, pca=None):
    rng = np.random.default_rng(0)
    y = np.repeat(GENRES[:genres], 12)
    x = (rng.normal(size=(len(y), 4)) + 2 * np.eye(3, 4).repeat(12, axis=0)[: len(y)]).astype("f4")
    grid = SMALL.get(name) or {key: one[:1] for key, one in estimators.known()[name].GRID.items()}
    columns = (y, ["training"] * len(y), [str(n) for n in range(len(y))])
    return x, classifiers.classify(x, *columns, classifier=name, grid=grid, folds=2, pca=pca).model


def fitted(name, **settings):
    """Return features and a model of one's own to damage."""
    return copy.deepcopy(fitted_once(name, **settings))


@pytest.fixture
def load(tmp_path):
    """Return what saves a model, and loads it."""

    def load(model):
        classifiers.save(model, tmp_path / "m.skops")
        return classifiers.load(tmp_path / "m.skops")

    return load


def refuses(load, model, said="not a whole model file"):
    with pytest.raises(GenreflowError, match=rf"m\.skops: {said}") as caught:
        load(model)
    assert len(str(caught.value)) < 1000
    return str(caught.value)


CLASSIFIERS = list(estimators.known())


@pytest.mark.parametrize("pca", [None, 0.9])
@pytest.mark.parametrize("genres", [2, 3])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_what_a_fit_leaves_is_loaded_and_predicts_the_same(load, name, genres, pca):
    x, model = fitted(name, genres=genres, pca=pca)
    again = load(model)
    for found, expected in zip(again.predict(x), model.predict(x), strict=True):
        np.testing.assert_array_equal(found, expected)


def arrays(name):
    """Name what is read of a classifier that is an array, or a list of arrays."""
    for key, what in estimators.known()[name].fitted(3, 4).items():
        if isinstance(what, tuple) or (isinstance(what, list) and isinstance(what[0], tuple)):
            yield key


@pytest.mark.parametrize(
    ("name", "key"), [(name, key) for name in CLASSIFIERS for key in arrays(name)]
)
def test_an_array_of_another_shape_or_kind_is_refused(load, name, key):
    _, model = fitted(name)
    whole = getattr(model.pipeline[-1], key)
    first = whole[0] if isinstance(whole, list) else whole
    wrong = [first[..., :-1], first[:-1], first[None], first.astype(object), first.astype(str), 1]
    for one in wrong:
        setattr(model.pipeline[-1], key, [one, *whole[1:]] if isinstance(whole, list) else one)
        refuses(load, model)
    delattr(model.pipeline[-1], key)
    refuses(load, model)


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize("key", ["mean_", "scale_", "components_", "explained_variance_"])
def test_a_scaler_or_pca_of_another_shape_is_refused(load, step, key):
    _, model = fitted("lda", pca=0.9)
    if hasattr(model.pipeline[step], key):
        setattr(model.pipeline[step], key, getattr(model.pipeline[step], key)[..., :-1])
        refuses(load, model)


@pytest.mark.parametrize("classes", [["a", "b"], ["a", "a", "b"], [1, 2, 3], ["a"], [["a", "b"]]])
def test_other_classes_than_the_genres_of_its_arrays_are_refused(load, classes):
    _, model = fitted("svm-rbf")
    model.pipeline[-1].classes_ = np.array(classes)
    refuses(load, model)


def test_a_single_class_is_refused(load):
    _, model = fitted("lda", genres=2)
    model.pipeline[-1].classes_ = np.array(["a"])
    refuses(load, model)


@pytest.mark.parametrize("gamma", ["1", None, [1.0], np.ones(1)])
def test_what_is_a_number_is_no_text_or_array(load, gamma):
    _, model = fitted("svm-rbf")
    model.pipeline[-1]._gamma = gamma
    refuses(load, model)


@pytest.mark.parametrize(
    "coefs",
    [
        *(tuple, lambda coefs: dict(enumerate(coefs))),
        *(lambda coefs: [*coefs, coefs[-1]], lambda coefs: coefs[:-1]),
    ],
)
def test_layers_are_a_list_of_those_that_fit_each_other(load, coefs):
    _, model = fitted("mlp")
    model.pipeline[-1].coefs_ = coefs(model.pipeline[-1].coefs_)
    refuses(load, model)


@pytest.mark.parametrize("counts", [[-1, 18, 19], [12, 12, 13], [0, 0, 0]])
def test_an_svm_of_more_vectors_than_it_has_is_refused(load, counts):
    _, model = fitted("svm-rbf")
    model.pipeline[-1]._n_support = np.array(counts, np.int32)
    refuses(load, model)


@pytest.mark.parametrize(
    ("field", "value"),
    [("left", 10**6), ("right", 0), ("feature_idx", 4), ("feature_idx", -1), ("is_categorical", 1)],
)
def test_trees_that_refer_to_what_isnt_there_are_refused(load, field, value):
    _, model = fitted("gradient-boosting")
    nodes = model.pipeline[-1]._predictors[-1][-1].nodes
    assert not nodes[0]["is_leaf"]
    nodes[field][0] = value
    refuses(load, model)


def disguised(tree):
    """Return something else that has all that is read of a tree."""
    other = StandardScaler()
    vars(other).update(nodes=tree.nodes)
    return other


def as_floats(nodes):
    return nodes.astype([(name, "f8") for name in nodes.dtype.names])


@pytest.mark.parametrize(
    "damage",
    [
        lambda trees: trees[0].pop(),
        lambda trees: trees.clear(),
        lambda trees: trees[0].__setitem__(0, disguised(trees[0][0])),
        lambda trees: setattr(trees[0][0], "nodes", as_floats(trees[0][0].nodes)),
        lambda trees: setattr(trees[0][0], "nodes", trees[0][0].nodes[None]),
        lambda trees: setattr(trees[0][0], "nodes", np.zeros(3)),
        lambda trees: setattr(trees[0][0], "nodes", trees[0][0].nodes[:0]),
    ],
)
def test_what_is_no_trees_is_refused(load, damage):
    _, model = fitted("gradient-boosting")
    damage(model.pipeline[-1]._predictors)
    refuses(load, model)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("kernel", "precomputed"),
        ("kernel", np.sin),
        ("degree", -1),
        ("gamma", StandardScaler()),
        ("coef0", [[StandardScaler()]]),
        ("tol", np.array(["a"])),
        ("random_state", np.random.RandomState(0)),
    ],
)
def test_parameters_are_plain_and_what_scikit_learn_takes(load, key, value):
    _, model = fitted("svm-rbf")
    setattr(model.pipeline[-1], key, value)
    refuses(load, model, "not (a whole model file|loaded, since it could run code)")


def nested(steps):
    return [*steps[:-1], ("classifier", Pipeline([("classifier", steps[-1][1])]))]


@pytest.mark.parametrize(
    "steps",
    [
        nested,
        lambda steps: [("scaler", Pipeline(steps[:1])), steps[1]],
        lambda steps: [("scaler", FunctionTransformer()), steps[1]],
        lambda steps: [*steps[:1], ("pca", FunctionTransformer()), steps[1]],
        lambda steps: [*steps[:1], ("pca", IncrementalPCA(4).fit(np.eye(4))), steps[1]],
        lambda steps: [*steps[:1], *[("pca", PCA(4).fit(np.eye(4)))] * 2, steps[1]],
        lambda steps: [("other", steps[0][1]), steps[1]],
        lambda steps: steps[:1],
        lambda steps: steps[1:],
        lambda _: [],
        lambda _: [1, 2],
    ],
)
@pytest.mark.parametrize("name", ["gradient-boosting", "lda"])
def test_other_steps_than_those_of_the_workflow_are_refused(load, steps, name):
    _, model = fitted(name)
    model.pipeline.steps = steps(model.pipeline.steps)
    refuses(load, model)


def test_a_classifier_of_no_module_is_refused(load):
    x, model = fitted("lda")
    other = KNeighborsClassifier().fit(x, np.repeat(GENRES, 12))
    model.pipeline.steps[-1] = ("classifier", other)
    refuses(load, model, "")


def test_what_isnt_listed_is_left_behind(load):
    x, model = fitted("gradient-boosting")
    expected = model.predict(x)[1]
    model.pipeline[-1]._preprocessor = model.pipeline[-1].is_categorical_ = StandardScaler()
    model.pipeline[-1]._bin_mapper.is_categorical_ = np.ones(10**6, np.uint8)
    again = load(model)
    np.testing.assert_array_equal(again.predict(x)[1], expected)
    wanted = estimators.known()["gradient-boosting"].fitted(3, 4)
    assert isinstance(wanted["_preprocessor"], Fixed)
    assert again.pipeline[-1]._preprocessor is None


@pytest.mark.parametrize("factor", [float("nan"), -1.0, "1", [1.0]])
def test_the_temperature_is_a_positive_number(load, factor):
    _, model = fitted("lda")
    refuses(load, classifiers.Model(model.pipeline, factor))


@pytest.mark.parametrize(
    "change",
    [
        {"members": ["a"]},
        {"members": "ab"},
        {"genres": ["x", "y"]},
        {"genres": [1, 2, 3]},
        {"model": Pipeline([])},
    ],
)
def test_a_combiner_of_other_members_or_genres_is_refused(tmp_path, change):
    rng = np.random.default_rng(0)
    model = LogisticRegression().fit(rng.normal(size=(30, 6)), np.arange(30) % 3)
    good = {"members": ["a", "b"], "genres": ["x", "y", "z"], "model": model}
    for content in (good, good | change):
        skops.io.dump(content, tmp_path / "m.skops")
        if content is good:
            assert ensembles.load(tmp_path / "m.skops").members == ["a", "b"]
    with pytest.raises(GenreflowError, match="not a whole model file"):
        ensembles.load(tmp_path / "m.skops")


# The archive itself


def rewritten(path, change, *, compression=zipfile.ZIP_STORED, **more):
    """Change the schema of a skops file."""

    def changed(members):
        schema = change(json.loads(members.pop("schema.json")))
        text = schema if isinstance(schema, str) else json.dumps(schema)
        return {"schema.json": text, **members, **more}

    rewrite(path, changed, compression)


def leaf(content):
    return {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode"} | {
        "content": content
    }


def listed(items, number=None):
    kind = {"__class__": "list", "__module__": "builtins", "__loader__": "ListNode"}
    return kind | {"__id__": number, "content": items}


def doubling(schema):
    """Make lists of two references to the one before: 2 ** 64 to look at."""
    one = leaf("1")
    for number in range(64):
        one = listed([one, {**listed([]), "__id__": 1000 + number - 1}], 1000 + number)
    return {**one, "protocol": schema["protocol"]}


def deep(schema):
    one = leaf("1")
    for _ in range(400):
        one = listed([one])
    return {**one, "protocol": schema["protocol"]}


@pytest.mark.parametrize(
    ("change", "more"),
    [
        (lambda _: "[" * 10**5, {}),
        (lambda schema: {**leaf("[" * 10**5), "protocol": schema["protocol"]}, {}),
        (lambda schema: {**leaf("9" * 10**6), "protocol": schema["protocol"]}, {}),
        (deep, {}),
        (doubling, {}),
        (lambda schema: schema, {"bomb": bytes(7 * 10**7)}),
        (lambda _: "[]", {}),
        (lambda _: "{}", {}),
        (lambda schema: {**schema, "__loader__": "CachedNode"}, {}),
    ],
    ids=["brackets", "within", "digits", "nodes", "doubling", "bomb", "list", "empty", "cached"],
)
def test_a_file_that_takes_more_than_its_size_is_refused(tmp_path, change, more):
    path = tmp_path / "m.skops"
    classifiers.save(fitted_once("lda")[1], path)
    rewritten(path, change, compression=zipfile.ZIP_DEFLATED, **more)
    assert path.stat().st_size < 10**6
    with pytest.raises(GenreflowError, match=r"m\.skops: not "):
        classifiers.load(path)


def test_texts_of_a_file_dont_reach_the_terminal_raw(tmp_path, recwarn):
    path = tmp_path / "m.skops"
    model = fitted("lda")[1]
    classifiers.save(model, path)

    def change(schema):
        text = json.dumps(schema)
        assert '"_sklearn_version"' in text
        return text.replace(json.dumps(json.dumps(skl)), json.dumps(json.dumps("1\x1b[2J")))

    import sklearn

    skl = sklearn.__version__
    rewritten(path, change)
    assert "1\\" in zipfile.ZipFile(path).read("schema.json").decode()
    classifiers.load(path)
    assert not recwarn.list
    model.pipeline.steps[0] = ("a\x1b[2J", model.pipeline[0])
    model.pipeline[-1].coef_ = np.zeros(3)
    classifiers.save(model, path)
    with pytest.raises(GenreflowError) as caught:
        classifiers.load(path)
    assert str(caught.value).isprintable()
