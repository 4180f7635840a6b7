"""Backbones: networks of keras.applications and of users' files, cut where asked."""

import io
import os
import pickle

import keras
import numpy as np
import pytest
from genreflow.errors import GenreflowError
from genreflow.features import image_networks
from made.archives import rewrite

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 128, 320), dtype=np.uint8)


def small(channels=3, size=(32, 32)):
    return keras.Sequential(
        [
            keras.Input((*size, channels)),
            keras.layers.Conv2D(4, 3, strides=2, activation="relu", name="conv"),
            keras.layers.GlobalAveragePooling2D(name="pool"),
            keras.layers.Dense(3, name="genre"),
        ]
    )


def features(backbone, images):
    outputs = backbone.on_images(images.shape[1:]).predict(images, verbose=0)
    return outputs if isinstance(outputs, list) else [outputs]


@pytest.mark.parametrize(
    ("network", "cut", "size", "parameters"),
    [
        ("VGG16", "block5_pool", 25_088, 14_714_688),
        ("ResNet50", "conv5_block1_2_relu", 25_088, 11_477_888),
        ("ResNet50", "avg_pool", 2048, 23_587_712),
        ("MobileNetV2", "out_relu", 62_720, 2_257_984),
    ],
)
def test_the_cuts_of_the_study_have_the_sizes_and_parameters_that_it_prints(
    network, cut, size, parameters
):
    backbone = image_networks.build(network, [cut])
    assert backbone.cuts == {cut: {"size": size, "parameters": parameters}}
    # The network ends there: whatever comes after is gone.
    assert backbone.network.count_params() == parameters
    assert backbone.network.layers[-1].name == cut


def test_a_network_ends_at_its_deepest_cut_whatever_the_order():
    backbone = image_networks.build("ResNet50", ["conv5_block1_2_relu", "conv2_block1_out"])
    assert list(backbone.cuts) == ["conv5_block1_2_relu", "conv2_block1_out"]
    assert backbone.network.count_params() == 11_477_888
    names = {layer.name for layer in backbone.network.layers}
    assert "conv5_block1_3_conv" not in names


@pytest.mark.parametrize(
    ("network", "cuts", "top"),
    [
        ("VGG16", ["block5_pool"], False),
        ("VGG16", ["block5_pool", "fc2"], True),
        ("ResNet50", ["avg_pool"], True),
        ("InceptionV3", ["mixed10", "conv2d_93"], False),
    ],
)
def test_the_top_is_there_only_where_a_cut_needs_it(network, cuts, top):
    assert image_networks.needs_top(network, cuts) is top
    # Names that Keras numbers must not depend on what was built before.
    assert image_networks.needs_top(network, cuts) is top


@pytest.mark.parametrize(
    ("network", "cut"), [("MobileNetV2", "block_1_expand"), ("Xception", "block2_pool")]
)
def test_an_image_is_resized_repeated_and_preprocessed_as_keras_documents(network, cut):
    backbone = image_networks.build(network, [cut])
    whole = getattr(keras.applications, network)(weights=None)
    module = {"MobileNetV2": "mobilenet_v2", "Xception": "xception"}[network]
    x = np.repeat(IMAGES[..., np.newaxis], 3, axis=-1).astype(np.float32)
    x = keras.layers.Resizing(*whole.input_shape[1:3], interpolation="bilinear")(x)
    x = getattr(keras.applications, module).preprocess_input(np.array(x))
    expected = backbone.network.predict(x, verbose=0)
    (found,) = features(backbone, IMAGES)
    np.testing.assert_allclose(
        found.reshape(expected.shape), expected, rtol=1e-3, atol=1e-4 * expected.std()
    )
    assert found.std() > 0


def test_random_weights_come_from_the_seed_alone():
    one, other, third = (
        image_networks.build("MobileNetV2", ["block_1_expand"], seed=seed).network.get_weights()
        for seed in (1, 1, 2)
    )
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert not np.array_equal(one[0], third[0])


def test_a_layer_that_is_not_there_is_answered_with_those_that_are_nearest_first():
    with pytest.raises(GenreflowError) as caught:
        image_networks.build("VGG16", ["block5_pool", "FC_1"])
    message = str(caught.value)
    assert "VGG16 has no layer 'FC_1'" in message
    assert "first: fc1, fc2, " in message
    assert all(f"block{number}_pool" in message for number in range(1, 6))


@pytest.mark.parametrize("network", ["vgg16", "VGG", "imagenet_utils"])
def test_a_network_that_is_not_there_is_answered_with_those_that_are(network):
    with pytest.raises(GenreflowError, match=rf"no network '{network}'.*VGG16.*\.keras"):
        image_networks.build(network, ["fc1"])


@pytest.mark.parametrize("channels", [1, 3, 2])
def test_a_file_of_ones_own_has_its_own_size_and_channels(tmp_path, channels):
    model = small(channels, size=(20, 50))
    model.save(tmp_path / "own.keras")
    backbone = image_networks.build(str(tmp_path / "own.keras"), ["conv", "pool"])
    assert backbone.cuts["conv"]["size"] == 9 * 24 * 4
    assert backbone.cuts["pool"] == {"size": 4, "parameters": 9 * channels * 4 + 4}
    grey = keras.ops.image.resize(IMAGES[..., np.newaxis].astype(np.float32), (20, 50))
    layer = keras.Model(model.inputs, model.get_layer("pool").output)
    expected = layer.predict(np.repeat(grey, channels, axis=-1), verbose=0)
    np.testing.assert_allclose(features(backbone, IMAGES)[1], expected, rtol=1e-4)


@pytest.mark.parametrize("mode", ["tf", "torch", "caffe"])
def test_a_file_of_ones_own_is_preprocessed_as_asked(tmp_path, mode):
    inputs = keras.Input((128, 320, 3))
    outputs = keras.layers.Activation("linear", name="same")(inputs)
    keras.Model(inputs, outputs).save(tmp_path / "same.keras")
    backbone = image_networks.build(str(tmp_path / "same.keras"), ["same"], preprocessing=mode)
    x = np.repeat(IMAGES[..., np.newaxis], 3, axis=-1).astype(np.float32)
    expected = keras.applications.imagenet_utils.preprocess_input(x, mode=mode)
    (found,) = features(backbone, IMAGES)
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=1e-5, atol=1e-5)


def test_a_network_of_any_size_gets_the_image_as_it_is(tmp_path):
    inputs = keras.Input((None, None, 1))
    pooled = keras.layers.GlobalAveragePooling2D(name="mean")(inputs)
    keras.Model(inputs, pooled).save(tmp_path / "any.keras")
    backbone = image_networks.build(str(tmp_path / "any.keras"), ["mean"])
    np.testing.assert_allclose(
        features(backbone, IMAGES)[0][:, 0], IMAGES.mean(axis=(1, 2)), rtol=1e-5
    )


# --- files that are not to be trusted


class Touch:
    """Pickled, it makes a file when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def refused(path, words):
    with pytest.raises(GenreflowError, match=words) as caught:
        image_networks.build(str(path), ["pool"])
    assert str(path) in str(caught.value)


def test_pickled_weights_are_refused_without_loading_them(tmp_path):
    trace = tmp_path / "trace"
    small().save(tmp_path / "evil.keras")
    pickled = io.BytesIO()
    np.savez(pickled, **{"layers/conv2d/vars": np.array([Touch(trace)], dtype=object)})
    pickle.loads(pickle.dumps(Touch(trace)))
    assert trace.is_dir()  # it would run
    trace.rmdir()

    def edit(members):
        del members["model.weights.h5"]
        return members | {"model.weights.npz": pickled.getvalue()}

    rewrite(tmp_path / "evil.keras", edit)
    refused(tmp_path / "evil.keras", "can't be loaded")
    assert not trace.exists()


def test_files_that_are_no_models_are_named(tmp_path):
    whole = r"can't be loaded: there is no whole \.keras file"
    refused(tmp_path / "none.keras", whole)
    (tmp_path / "pickle.keras").write_bytes(pickle.dumps(Touch(tmp_path / "trace")))
    refused(tmp_path / "pickle.keras", whole)
    assert not (tmp_path / "trace").exists()
    small().save(tmp_path / "cut.keras")
    content = (tmp_path / "cut.keras").read_bytes()
    (tmp_path / "cut.keras").write_bytes(content[: len(content) // 2])
    refused(tmp_path / "cut.keras", whole)
    keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)]).save(tmp_path / "flat.keras")
    refused(tmp_path / "flat.keras", r"its inputs are \(None, 5\)")
