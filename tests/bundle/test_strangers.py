"""Bundles of strangers: no code of theirs runs, and what can't be right is refused in our words."""

import json
import os
import shutil
from dataclasses import replace

import keras
import numpy as np
import onnx
import pytest
import skops.io
from genreflow.bundle import bundles
from genreflow.bundle.files import predict_files
from genreflow.bundle.prediction import Predictor
from genreflow.errors import GenreflowError
from genreflow.learners import classifiers, ensembles
from made.archives import rewrite
from made.networks import write_onnx
from made.trained_corpus import IMAGES, LOGISTIC
from sklearn.linear_model import LogisticRegression

EAR, JOINT = "classify/ear/bands/all/lda", "classify/joined/all/all/svm-rbf"
TINY = "classify/tiny/pool/all/svm-linear"


def changed(bundle, target, change):
    """Copy a bundle, and change its description."""
    bundle = shutil.copytree(bundle, target)
    content = json.loads((bundle / "bundle.json").read_text())
    change(bundle, content)
    (bundle / "bundle.json").write_text(json.dumps(content))
    return bundle


def poisoned(bundle, target, make, file=""):
    """Copy a bundle, put another model in the place of its own, and adjust the hash."""

    def change(bundle, content):
        member = file or content["models"][0]["file"]
        make(bundle / member)
        content["members"][member] = bundles.sha256(bundle / member)

    return changed(bundle, target, change)


def with_lambda(path, mark):
    place = str(mark)
    layer = keras.layers.Lambda(lambda x: (__import__("pathlib").Path(place).touch(), x)[1])
    keras.Sequential([keras.Input((3,)), layer]).save(path)
    mark.unlink()
    keras.saving.load_model(path, safe_mode=False)
    mark.unlink()  # loading it does run code where that is allowed


def with_lambda_within(path, mark):
    """Save a model with a Lambda in a model in a wrapper in a model."""
    place = str(mark)
    code = keras.layers.Lambda(lambda x: (__import__("pathlib").Path(place).touch(), x)[1])
    inner = keras.Sequential([keras.Input((3,)), keras.Sequential([keras.Input((3,)), code])])
    keras.Sequential([keras.Input((2, 3)), keras.layers.TimeDistributed(inner)]).save(path)
    mark.unlink()


def with_function(path, mark):
    """Save a model that names a function of a module as the activation of a layer."""
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, "relu")]).save(path)

    def change(members):
        config = json.loads(members["config.json"])
        dense = config["config"]["layers"][1]
        called = {"module": "os", "class_name": "function", "config": "system"}
        dense["config"]["activation"] = {**called, "registered_name": "function"}
        dense["module"], dense["class_name"], dense["registered_name"] = "os", "system", None
        dense["config"] = {"command": f"touch {mark}"}
        return members | {"config.json": json.dumps(config)}

    rewrite(path, change)


@pytest.mark.parametrize("poison", [with_lambda, with_lambda_within, with_function])
def test_a_keras_model_cant_run_code(bundled, tmp_path, poison):
    mark = tmp_path / "ran"
    bundle = poisoned(bundled("cnn/whole"), tmp_path / "bundle", lambda path: poison(path, mark))
    with pytest.raises(GenreflowError, match=r"model\.keras can't be loaded"):
        Predictor(bundle)
    network = "networks/slow/network.keras"
    bundle = poisoned(bundled(JOINT), tmp_path / "b", lambda path: poison(path, mark), network)
    with pytest.raises(GenreflowError, match=r"networks/slow can't be run"):
        Predictor(bundle)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("name", "file"), [(LOGISTIC, "models/1/model.skops"), ("ensemble/mean", "combiner.skops")]
)
def test_a_skops_file_cant_run_code(bundled, tmp_path, name, file):
    mark = tmp_path / "ran"

    class Poison:
        def __reduce__(self):
            return os.system, (f"touch {mark}",)

    def dump(path):
        content = {"pipeline": Poison(), "inverse_temperature": None, "members": Poison()}
        skops.io.dump(content, path)

    bundle = poisoned(bundled(name), tmp_path / "bundle", dump, file)
    with pytest.raises(GenreflowError, match=rf"{file}: not loaded.*run code"):
        Predictor(bundle)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("name", "file"),
    [
        *(("cnn/whole", "models/1/model.keras"), (LOGISTIC, "models/1/model.skops")),
        *((EAR, "networks/ear.onnx"), (JOINT, "networks/tiny/network.xml")),
    ],
)
def test_a_member_that_is_no_model_is_refused(bundled, tmp_path, name, file):
    bundle = poisoned(bundled(name), tmp_path / "b", lambda path: path.write_bytes(b"x" * 99), file)
    with pytest.raises(GenreflowError, match=file.removesuffix("/network.xml")):
        Predictor(bundle)


def network_that_gives(values):
    """Return what saves a network that gives these values for each image."""

    def make(path):
        start = keras.initializers.Constant(np.array(values))
        last = keras.layers.Dense(len(values), kernel_initializer="zeros", bias_initializer=start)
        inputs = keras.Input((*IMAGES.shape, 1))
        keras.Model(inputs, last(keras.layers.GlobalAveragePooling2D()(inputs))).save(path)

    return make


@pytest.mark.parametrize(
    ("values", "fine"),
    [
        *(([0.2, 0.5, 0.3], True), ([0.201, 0.5, 0.3], True), ([0.5, 0.5], False)),
        *(([0.2, 0.5, 0.2, 0.1], False), ([1, -0.5, 0.5], False), ([1, 1, 1], False)),
        *(([0, 0, 0], False), ([0.2, np.nan, 0.3], False), ([np.inf, 0, 0], False)),
    ],
)
def test_what_a_model_gives_are_probabilities_of_the_genres(
    bundled, corpus, tmp_path, values, fine
):
    other = poisoned(bundled("cnn/whole"), tmp_path / "b", network_that_gives(values))
    (one,) = predict_files(Predictor(other), corpus.files[:1], report=lambda _: None)
    if fine:
        np.testing.assert_allclose(one.probabilities, values, rtol=1e-6)
    else:
        assert "model.keras gives an array of" in one.reason and "of 3 genres" in one.reason
        assert np.isnan(one.probabilities).all()


def test_warnings_of_a_model_dont_reach_the_terminal(bundled, corpus, tmp_path, recwarn):
    def save(path):
        inputs = keras.Input((*IMAGES.shape, 1), name="a\x1b[2J")
        pooled = keras.layers.GlobalAveragePooling2D()(inputs)
        last = keras.layers.Dense(3, activation="softmax")(pooled)
        keras.Model({"a\x1b[2J": inputs}, last).save(path)

    predictor = Predictor(poisoned(bundled("cnn/whole"), tmp_path / "b", save))
    recwarn.clear()
    predictor.predict(corpus.files[0])
    assert not recwarn.list


def test_a_network_that_gives_one_row_for_several_windows_is_refused(
    bundled, long_file, corpus, tmp_path
):
    def by_keras(bundle, content):
        folder = "networks/tiny"
        for name in ("network.xml", "network.bin"):
            (bundle / folder / name).unlink()
            del content["members"][f"{folder}/{name}"]
        images = keras.Input(IMAGES.shape, dtype="uint8")
        row = keras.ops.mean(keras.ops.cast(images, "float32"), axis=0)[None, :3, 0]
        keras.Model(images, [row, row]).save(bundle / folder / "network.keras")
        known = json.loads((bundle / folder / "network.json").read_text())
        (bundle / folder / "network.json").write_text(json.dumps(known | {"engine": "keras"}))
        for name in ("network.json", "network.keras"):
            content["members"][f"{folder}/{name}"] = bundles.sha256(bundle / folder / name)

    predictor = Predictor(changed(bundled(TINY), tmp_path / "b", by_keras))
    assert predictor.predict(corpus.files[0]).reason == ""
    (one,) = predict_files(predictor, [long_file], report=lambda _: None)
    assert "gives an array of (1, 3)" in one.reason


def test_a_network_that_fails_for_some_files_is_a_reason(bundled, long_file, corpus, tmp_path):
    """It gives as many numbers as samples are above zero: windows don't have the same features."""
    make = onnx.helper.make_node

    def change(bundle, content):
        nodes = [
            make("Greater", ["samples", "zero"], ["above"]),
            make("Cast", ["above"], ["ones"], to=onnx.TensorProto.INT64),
            make("ReduceSum", ["ones"], ["sum"]),
            make("Reshape", ["sum", "one"], ["count"]),
            make("Add", ["count", "one"], ["size"]),
            make("Concat", ["one", "size"], ["shape"], axis=0),
            make("Expand", ["zeros", "shape"], ["frames"]),
        ]
        path, one = bundle / "networks/ear.onnx", np.array([1])
        constants = [("zero", np.float32(0)), ("one", one), ("zeros", np.zeros((1, 1), "f4"))]
        write_onnx(path, nodes, [("samples", ["b", 1, "n"])], [("frames", [1, "size"])], constants)
        digest = bundles.sha256(path)
        content["members"]["networks/ear.onnx"] = digest
        content["models"][0]["features"][0]["settings"]["sha256"] = digest

    predictor = Predictor(changed(bundled(EAR), tmp_path / "b", change))
    (one,) = predict_files(predictor, [long_file], report=lambda _: None)
    assert "b can't be run on it" in one.reason and "Get the bundle again" in one.reason


def test_a_model_of_other_genres_is_refused(bundled, tmp_path):
    def of_others(path):
        model = classifiers.load(path)
        model.pipeline[-1].classes_ = np.array(["a", "b", "c"])
        classifiers.save(model, path)

    other = poisoned(bundled(LOGISTIC), tmp_path / "a", of_others)
    with pytest.raises(GenreflowError, match=r"model\.skops was made for other genres"):
        Predictor(other)


def with_combiner(bundle, target, **changes):
    def change(path):
        ensembles.save(replace(ensembles.load(path), **changes), path)

    return poisoned(bundle, target, change, "combiner.skops")


def test_a_combiner_of_other_genres_or_of_no_probabilities_is_refused(bundled, corpus, tmp_path):
    ensemble, x = bundled("ensemble/mean"), np.random.default_rng(0).normal(size=(9, 12))
    other = with_combiner(ensemble, tmp_path / "a", genres=["a", "b", "c"])
    with pytest.raises(GenreflowError, match=r"combiner\.skops was made for other genres"):
        Predictor(other)
    stack = LogisticRegression().fit(x, np.arange(9) % 3)
    for name, wrong in (("b", False), ("c", True)):
        stack.coef_ = stack.coef_ * (np.nan if wrong else 1)
        other = with_combiner(ensemble, tmp_path / name, model=stack)
        (one,) = predict_files(Predictor(other), corpus.files[:1], report=lambda _: None)
        assert ("combiner.skops gives an array" in one.reason) is wrong
        assert np.isnan(one.probabilities).any() == wrong


def test_an_output_that_a_network_does_not_have_is_a_reason(bundled, corpus, tmp_path):
    other = changed(
        bundled(EAR),
        tmp_path / "bundle",
        lambda _, content: content["models"][0]["features"][0].update({"output": "more"}),
    )
    (one,) = predict_files(Predictor(other), corpus.files[:1], report=lambda _: None)
    assert "ear have no output 'more', only 'bands'" in one.reason
