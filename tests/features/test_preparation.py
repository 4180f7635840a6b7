import numpy as np
import pytest
from genreflow.features import engines, preparation, spectrograms


def test_images_to_try_engines_on_are_those_of_music():
    settings = spectrograms.Settings(
        sample_rate=16000,
        duration=4.0,
        n_fft=1024,
        hop_length=512,
        n_mels=32,
        f_min=0,
        f_max=8000,
        invert=True,
    )
    images = preparation.trial_images(settings)
    assert (images.dtype, images.shape) == (np.uint8, (engines.BATCH_SIZE, *settings.shape))
    assert len({image.tobytes() for image in images}) == len(images)
    # Loud is dark: music has its most energy in the lower half, where the image ends.
    assert images[:, 16:].mean() < images[:, :16].mean()
    np.testing.assert_array_equal(preparation.trial_images(settings), images)


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
