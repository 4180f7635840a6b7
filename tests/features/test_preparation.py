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
    planned = {"network": "MobileNetV2", "weights": "random", "preprocessing": "none", "seed": 3}
    settings = planned | {"cuts": ["block_1_expand"], "engine": "auto"}
    said = preparation.make(tmp_path / "net", settings, images=vars(IMAGES))
    prepared = engines.describe(tmp_path / "net")
    assert said.startswith(f"{prepared.engine} in {prepared.precision}")
    assert prepared.settings == planned | {"preprocessing": "MobileNetV2"}
