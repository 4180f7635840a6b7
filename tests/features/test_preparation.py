import numpy as np
import pytest
from genreflow.features import engines, preparation
from made.trained_corpus import IMAGES


def test_images_to_try_engines_on_are_those_of_music():
    images = preparation.trial_images(IMAGES)
    assert (images.dtype, images.shape) == (np.uint8, (engines.BATCH_SIZE, *IMAGES.shape))
    assert len({image.tobytes() for image in images}) == len(images)
    # Loud is dark: music has its most energy in the lower half, where the image ends.
    assert images[:, 8:].mean() < images[:, :8].mean()
    np.testing.assert_array_equal(preparation.trial_images(IMAGES), images)


@pytest.mark.slow
def test_what_a_network_was_made_of_is_kept(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 40), dtype=np.uint8)
    prepared = preparation.prepare(
        tmp_path / "net", images, "MobileNetV2", ["block_1_expand"], weights="random", seed=3
    )
    assert prepared.settings == {
        "network": "MobileNetV2",
        "weights": "random",
        "seed": 3,
        "preprocessing": "MobileNetV2",
    }
