"""Augmentation while training. TensorFlow starts once."""

import keras
import numpy as np
import pytest
from genreflow.features import backend
from genreflow.learners import architectures, augmentation, training
from keras import ops
from made.images import noise

SHAPE = (32, 160)
TINY = {"width": 4, "depth": 1, "stages": 2, "dropout": 0.1, "momentum": 0.5}
LAYERS = (augmentation.SpecMask, augmentation.TimeShift, augmentation.Gain)


pytestmark = pytest.mark.usefixtures("seeded")


def applied(layer, images):
    return ops.convert_to_numpy(layer(images, training=True))


def learnable(n, seed):
    """Make images of three classes that differ in where a bright band is."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    images = rng.integers(0, 120, (n, *SHAPE, 1))
    for image, label in zip(images, labels, strict=True):
        image[10 * label : 10 * label + 8] += 100
    return images.astype(np.uint8), labels


def batched(images, labels, size=6):
    return training.Batches(images, labels, batch_size=size)


def fitted():
    """Train with everything: layers, mixup, schedule, weight decay, label smoothing."""
    keras.backend.clear_session()
    backend.configure(threads=1, seed=0)
    model = augmentation.behind(
        architectures.residual(SHAPE, 3, **TINY),
        [
            augmentation.TimeShift(),
            augmentation.Gain(),
            augmentation.SpecMask(frequency_mask=5, time_mask=0.25),
        ],
        n_mels=SHAPE[0],
    )
    batches = augmentation.MixUp(batched(*learnable(36, 0)), 3, alpha=0.2)
    rate = training.schedule("cosine", learning_rate=0.02, steps=8 * len(batches), warmup=6)
    model.compile(
        training.optimizer(rate, weight_decay=0.01),
        keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
    )
    model.fit(batches, epochs=8, verbose=0, shuffle=False)
    return model


@pytest.mark.slow
def test_all_of_it_trains_a_network_that_can_be_saved_and_trained_again(tmp_path):
    model = fitted()
    images, labels = learnable(30, 1)
    predicted = model.predict(images, verbose=0)
    assert np.mean(predicted.argmax(axis=1) == labels) >= 0.9
    training.save(model, tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(images, verbose=0), predicted)
    for ours, theirs in zip(model.get_weights(), fitted().get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_augmentation_before_a_network_leaves_its_predictions():
    model = architectures.residual(SHAPE, 3, **TINY)
    wrapped = augmentation.behind(model, [layer() for layer in LAYERS], n_mels=SHAPE[0])
    images = noise()
    np.testing.assert_array_equal(
        wrapped.predict(images, verbose=0), model.predict(images, verbose=0)
    )
    assert wrapped.count_params() == model.count_params()
    assert (applied(wrapped, images) != applied(model, images)).any()


# layers


@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_does_nothing_at_inference_or_without_strength(kind):
    images = noise()
    np.testing.assert_array_equal(kind()(images), images)
    np.testing.assert_array_equal(kind()(images, training=False), images)
    np.testing.assert_array_equal(kind(strength=0.0)(images, training=True), images)
    assert (applied(kind(), images) != images).any()


@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_draws_from_its_seed(kind):
    images = noise()
    layer = kind(seed=3)
    first, second = applied(layer, images), applied(layer, images)
    assert (first != second).any()
    again = kind.from_config(layer.get_config())
    np.testing.assert_array_equal(applied(again, images), first)
    np.testing.assert_array_equal(applied(again, images), second)
    assert (applied(kind(seed=4), images) != first).any()


@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_works_in_half_precision_and_on_unknown_lengths(kind):
    image = keras.Input((SHAPE[0], None, 1))
    layer = kind(dtype="mixed_bfloat16")
    model = keras.Model(image, layer(image))
    assert model.output.shape == (None, SHAPE[0], None, 1)
    images = noise()
    changed = np.asarray(ops.cast(model(images, training=True), "float32"))
    assert changed.shape == images.shape
    assert changed.min() >= 0
    assert changed.max() <= 255
    np.testing.assert_array_equal(ops.cast(model(images), "float32"), images)


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("fill", ["mean", "zero"])
def test_masks_cover_bands_and_stretches(fill, invert):
    images = noise(400, (32, 60))
    layer = augmentation.SpecMask(frequency_mask=10, time_mask=1 / 3, fill=fill, invert=invert)
    changed = applied(layer, images)
    differs = (changed != images)[..., 0]
    bands, stretches = differs.all(axis=2), differs.all(axis=1)
    np.testing.assert_array_equal(differs, bands[:, :, None] | stretches[:, None])
    levels = images.mean(axis=(1, 2, 3)) if fill == "mean" else np.full(400, 255.0 * invert)
    expected = np.where(differs[..., None], levels[:, None, None, None], images)
    np.testing.assert_allclose(changed, expected, rtol=1e-5)
    for covered, widest in ((bands, 10), (stretches, 20)):
        edges = np.diff(np.pad(covered.astype(int), ((0, 0), (1, 1))), axis=1)
        assert ((edges == 1).sum(axis=1) <= 1).all()  # one mask
        widths = covered.sum(axis=1)
        assert (widths.min(), widths.max()) == (0, widest)
        assert abs(widths.mean() - widest / 2) < widest / 10
        places = covered.mean(axis=0)
        assert places[[0, -1]].min() > 0  # masks reach both ends
        assert places[len(places) // 2] > places[[0, -1]].max()


def test_masks_grow_with_strength_and_number():
    images = noise(200)

    def share(**settings):
        layer = augmentation.SpecMask(frequency_mask=8, time_mask=0.5, **settings)
        return np.mean(applied(layer, images) != images)

    assert share(strength=0.25) < 0.5 * share() < 0.5 * share(masks=3)


def test_masks_are_no_wider_than_an_image():
    layer = augmentation.SpecMask(frequency_mask=1000, time_mask=0)
    covered = (applied(layer, noise(300)) != noise(300)).all(axis=(2, 3)).sum(axis=1)
    assert set(covered) == set(range(33))


@pytest.mark.parametrize(("strength", "most"), [(1.0, 80), (0.25, 20)])
def test_shifts_rotate_images_either_way(strength, most):
    images = noise(300)
    changed = applied(augmentation.TimeShift(strength=strength), images)
    shifts = []
    for image, other in zip(images, changed, strict=True):
        found = [s for s in range(-80, 80) if (np.roll(image, s, axis=1) == other).all()]
        assert len(found) == 1
        shifts += found
    assert np.abs(shifts).max() <= most
    assert min(shifts) < -0.8 * most
    assert max(shifts) > 0.8 * most
    assert abs(np.mean(shifts)) < most / 8


@pytest.mark.parametrize(("strength", "most"), [(1.0, 20), (0.5, 10)])
def test_gain_is_one_offset_an_image(strength, most):
    images = noise(300)
    offsets = applied(augmentation.Gain(levels=20, strength=strength), images) - images
    np.testing.assert_allclose(np.ptp(offsets, axis=(1, 2, 3)), 0, atol=1e-4)
    offsets = offsets[:, 0, 0, 0]
    assert -most <= offsets.min() < -0.9 * most
    assert 0.9 * most < offsets.max() <= most
    assert abs(offsets.mean()) < most / 8


def test_gain_stays_within_the_grey_levels():
    images = np.tile(np.array([0, 255], np.uint8), (300, 4, 4, 1)).reshape(300, 4, 8, 1)
    changed = applied(augmentation.Gain(levels=50), images)
    assert (changed.min(), changed.max()) == (0, 255)


# mixup


def test_mixup_mixes_images_and_labels_alike():
    labels = np.arange(200) % 8
    images = np.broadcast_to(30 * labels[:, None, None, None], (200, 2, 3, 1)).astype(np.uint8)
    mixed, shares = augmentation.MixUp(batched(images, labels, 200), 8, alpha=0.4)[0]
    assert (mixed.dtype, mixed.shape, shares.shape) == (np.uint8, images.shape, (200, 8))
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(mixed[:, 0, 0, 0], 30 * (shares @ np.arange(8)), atol=0.51)
    own = shares[np.arange(200), labels]
    assert own.min() >= 0.5
    # E[min(b, 1 - b)] of Beta(0.4, 0.4) is 0.199; an eighth of the others are of the own genre.
    assert abs((1 - own).mean() - 0.199 * 7 / 8) < 0.04


def test_mixup_scales_by_strength():
    batches = batched(noise(50), np.arange(50) % 8, 50)
    own = {
        strength: augmentation.MixUp(batches, 8, alpha=0.4, strength=strength)[0][1].max(axis=1)
        for strength in (0.5, 1.0)
    }
    np.testing.assert_allclose(1 - own[0.5], (1 - own[1.0]) / 2, atol=1e-6)


@pytest.mark.parametrize("off", [{"alpha": 0.0}, {"alpha": 0.4, "strength": 0.0}], ids=str)
def test_mixup_can_be_off(off):
    labels = np.array([2, 0, 1, 1, 2, 0])
    images, shares = augmentation.MixUp(batched(noise(6), labels), 3, **off)[0]
    np.testing.assert_array_equal(images, noise(6))
    np.testing.assert_array_equal(shares, np.eye(3)[labels])


def test_mixup_depends_on_seed_epoch_and_batch_alone():
    def mixed(seed=0, epoch=0):
        mixup = augmentation.MixUp(batched(noise(12), np.arange(12) % 3), 3, alpha=1.0, seed=seed)
        for _ in range(epoch):
            mixup.on_epoch_end()
        assert len(mixup) == 2
        late, early = mixup[1], mixup[0]
        return np.concatenate([early[1], late[1]])

    np.testing.assert_array_equal(mixed(), mixed())
    assert (mixed() != mixed(seed=1)).any()
    assert (mixed() != mixed(epoch=1)).any()
    assert (mixed()[:6] != mixed()[6:]).any()


# what is seen of an image


@pytest.mark.parametrize("invert", [False, True])
def test_a_dynamic_range_keeps_the_loudest_levels(invert):
    loudness = np.array([0, 100, 127.5, 191.25, 255], np.float32)
    image = (255 - loudness if invert else loudness)[None, None, :, None]
    layer = augmentation.DynamicRange(share=0.5, invert=invert)
    for training_now in (False, True):
        seen = ops.convert_to_numpy(layer(image, training=training_now))[0, 0, :, 0]
        expected = np.array([0, 0, 0, 127.5, 255])
        np.testing.assert_allclose(255 - seen if invert else seen, expected, atol=1e-4)
    again = augmentation.DynamicRange.from_config(layer.get_config())
    np.testing.assert_array_equal(again(image), layer(image))


def test_each_kind_of_augmentation_can_be_shown():
    settings = {"frequency_mask": 5, "time_mask": 0.25, "masks": 1, "fill": "mean"}
    settings |= {"time_shift": 0.3, "gain": 10, "mixup": 0.4}
    shown = augmentation.examples(settings, invert=True, seed=0)
    assert list(shown) == ["shifted in time", "other level", "masked", "mixup"]
    images = noise()
    for name, change in shown.items():
        changed = change(images)
        assert changed.shape == images.shape
        assert (changed != images).any(), name
    assert "mixup" not in augmentation.examples({**settings, "mixup": 0}, invert=True, seed=0)
