"""The architectures of the CNN branch. TensorFlow starts once."""

import keras
import numpy as np
import pytest
from genreflow.config.learners import Variant
from genreflow.errors import GenreflowError
from genreflow.features import backend
from genreflow.learners import architectures
from made.images import noise

SHAPE = (32, 160)
IMAGE = (16, 50)
STUDY = {"filters": [64, 64, 128, 128], "kernel_size": 5, "dropout": 0.2, "momentum": 0.9}
SMALL = {"filters": [4, 4], "kernel_size": 3, "dropout": 0.1, "momentum": 0.5}
TINY = {"width": 4, "depth": 1, "stages": 2, "dropout": 0.1, "momentum": 0.5}


pytestmark = pytest.mark.usefixtures("seeded")


# the residual network


def test_the_default_network_is_small_and_takes_clips_of_any_length():
    model = architectures.residual(
        (128, 1280), 8, width=16, depth=1, stages=3, dropout=0.2, momentum=0.9
    )
    assert model.count_params() == 79_000
    for frames in (1280, 640, 333):
        assert model.compute_output_shape((5, 128, frames, 1)) == (5, 8)


def test_the_prediction_does_not_depend_on_when_something_happens():
    model = architectures.residual(SHAPE, 3, **TINY)
    # Far from the ends, and shifted by a multiple of the stem's and the pools' strides.
    early, late, other = np.zeros((3, 1, 32, 960, 1), np.uint8)
    first, second = noise(2, (8, 16))
    early[:, 8:16, 400:416] = late[:, 8:16, 464:480] = first
    other[:, 8:16, 400:416] = 255 - second
    predicted = model.predict(np.concatenate([early, late, other]), verbose=0)
    np.testing.assert_allclose(predicted[0], predicted[1], atol=1e-6)
    assert np.abs(predicted[0] - predicted[2]).max() > 1e-4
    np.testing.assert_allclose(predicted.sum(axis=1), 1, atol=1e-6)


# the study's networks

MAPS = {
    "resized": [(62, 62, 64), (29, 29, 64), (12, 12, 128), (4, 4, 128)],
    "full-time": [(64, 256, 64), (32, 51, 64), (16, 10, 128), (8, 2, 128)],
}


@pytest.mark.parametrize("geometry", MAPS)
def test_the_network_of_the_study(geometry):
    model = architectures.simple((128, 1280), 8, geometry=geometry, **STUDY)
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == 735_944
    assert model.count_params() == 736_712
    pools = [layer for layer in model.layers if isinstance(layer, keras.layers.MaxPooling2D)]
    assert [layer.output.shape[1:] for layer in pools] == MAPS[geometry]
    assert model.get_layer("flatten").output.shape == (None, 2048)
    assert model.get_layer("dropout").rate == 0.2
    assert model.input_shape == (None, 128, 1280, 1)
    assert model.output_shape == (None, 8)


def test_grey_levels_enter_from_0_to_1_and_are_resized_bilinearly():
    model = architectures.simple((2, 4), 2, geometry="resized", **SMALL)
    before = keras.Model(model.input, model.get_layer("resizing").output)
    picture = np.array([[0, 0, 255, 255], [0, 0, 255, 255]], np.uint8)[None, ..., None]
    resized = before.predict(picture, verbose=0)[0, ..., 0]
    assert resized.shape == (128, 128)
    np.testing.assert_allclose(resized[:, 0], 0, atol=1e-6)
    np.testing.assert_allclose(resized[:, -1], 1, atol=1e-6)
    # Centres of pixels 1 and 2 lie at 48 and 80 of 128: in between, grey grows evenly.
    np.testing.assert_allclose(resized[0, 48:80], (np.arange(32) + 0.5) / 32, atol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_probabilities_are_float32_at_every_precision(precision):
    backend.configure(threads=1, seed=0, precision=precision)
    model = architectures.simple(IMAGE, 3, geometry="full-time", **SMALL)
    backend.configure(threads=1, seed=0)
    picture = np.random.default_rng(0).integers(0, 255, (5, *IMAGE, 1)).astype(np.uint8)
    probabilities = model.predict(picture, verbose=0)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert model.get_layer("conv_1").compute_dtype == precision.removeprefix("mixed_")


@pytest.mark.parametrize(
    ("filters", "kernel_size", "parameters"),
    [([32, 128, 192, 96], 6, 1_705_160), ([64, 64, 64, 96], 4, 250_472)],
    ids=["tuned", "tuned, augmented"],
)
def test_the_tuned_networks_of_the_study(filters, kernel_size, parameters):
    model = architectures.simple(
        (128, 1280),
        8,
        **{**STUDY, "filters": filters, "kernel_size": kernel_size},
        geometry="resized",
    )
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == parameters


@pytest.mark.parametrize("architecture", architectures.ARCHITECTURES)
def test_the_configuration_has_the_settings_of_each_architecture(architecture):
    (section,) = [kind for kind in Variant.__subclasses__() if kind().architecture == architecture]
    own = set(section.all_keys()) - set(Variant.all_keys()) - {"architecture"}
    assert own == set(architectures.settings_of(architecture))


# fine-tuning


def small_backbone(path):
    """Save an image network of three layers, with batch normalisation among them."""
    image = keras.Input((12, 20, 3), name="picture")
    x = keras.layers.Conv2D(4, 3, name="low")(image)
    x = keras.layers.BatchNormalization(name="norm")(x)
    keras.Model(image, keras.layers.Conv2D(6, 3, name="high")(x)).save(path)
    return str(path)


def finetuned(path, **settings):
    keras.backend.clear_session()
    backend.configure(threads=1, seed=0)
    own = {"network": path, "cut": "high", "preprocessing": "tf", "trainable_from": ""}
    return architectures.finetuned(
        IMAGE, 3, **{**own, "weights": "random", "dropout": 0.2, **settings}
    )


@pytest.mark.parametrize(
    ("trainable_from", "trained"), [("", set()), ("high", {"high"}), ("norm", {"norm", "high"})]
)
def test_only_the_upper_layers_are_trained_further(tmp_path, trainable_from, trained):
    model = finetuned(small_backbone(tmp_path / "net.keras"), trainable_from=trainable_from)
    before = {weight.path: weight.numpy() for weight in model.weights}
    model.compile(keras.optimizers.SGD(0.5), "sparse_categorical_crossentropy")
    model.fit(noise(6, IMAGE), np.arange(6) % 3, epochs=2, verbose=0)
    changed = {w.path.split("/")[-2] for w in model.weights if (w != before[w.path]).numpy().any()}
    assert changed == trained | {"genre"}


def test_a_finetuned_network_starts_as_the_network_in_the_file(tmp_path):
    path = small_backbone(tmp_path / "net.keras")
    model = finetuned(path)
    images = noise(4, IMAGE)
    seen = keras.layers.Resizing(12, 20)(images.astype(np.float32)).numpy()
    high = keras.models.load_model(path).predict(np.repeat(seen, 3, -1) / 127.5 - 1, verbose=0)
    kernel, bias = model.get_layer("genre").get_weights()
    logits = high.mean(axis=(1, 2)) @ kernel + bias
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict(images, verbose=0), expected, atol=1e-5)
    model.save(tmp_path / "again.keras")
    again = keras.models.load_model(tmp_path / "again.keras")
    np.testing.assert_array_equal(
        again.predict(images, verbose=0), model.predict(images, verbose=0)
    )


def test_a_layer_to_train_from_that_is_not_there_is_named(tmp_path):
    with pytest.raises(GenreflowError, match=r"hihg.*high"):
        finetuned(small_backbone(tmp_path / "net.keras"), trainable_from="hihg")
