"""Front ends of networks: values as librosa's, and how a clip becomes patches."""

import librosa
import numpy as np
import pytest
import soxr
from genreflow.errors import GenreflowError
from genreflow.features import front_ends
from genreflow.features.kinds.onnx_network import Mel
from made import clips

RATE = 16000
MUSICNN = {"log": "log10", "gain": 10000, "offset": 1, "padding": "reflect"}


def settings(**changes):
    small = {"n_fft": 512, "hop_length": 256, "n_mels": 40, "patch_frames": 20}
    return Mel(**small | changes).model_dump(exclude_none=True)


def patches(samples, **changes):
    return front_ends.MelPatches(settings(**changes), RATE)(samples)


def by_librosa(samples, taken):
    """Return the whole spectrogram (n_mels, frames)."""
    mel = librosa.feature.melspectrogram(
        y=samples,
        sr=RATE,
        n_fft=taken["n_fft"],
        hop_length=taken["hop_length"],
        n_mels=taken["n_mels"],
        fmin=taken["f_min"],
        fmax=taken.get("f_max"),
        htk=taken["scale"] == "htk",
        norm=None if taken["norm"] == "none" else taken["norm"],
        window=taken["window"],
        power=taken["power"],
        center=taken["padding"] != "none",
        pad_mode={"zeros": "constant"}.get(taken["padding"], "reflect"),
    )
    if taken["log"] == "db":
        mel = librosa.power_to_db(mel, amin=taken["floor"], top_db=None)
    else:
        mel = np.maximum(taken["gain"] * mel + taken["offset"], taken["floor"])
        mel = {"none": np.abs, "log10": np.log10, "ln": np.log}[taken["log"]](mel)
    return (mel - taken["mean"]) / taken["deviation"]


@pytest.mark.parametrize(
    "changes",
    [
        MUSICNN,
        {"log": "db", "f_min": 50, "f_max": 7000, "n_fft": 1024, "hop_length": 480},
        {"power": 1, "log": "ln", "offset": 0.001, "scale": "htk", "norm": "none"},
        {"padding": "none", "window": "hamming", "mean": 3, "deviation": 0.5},
        {"n_fft": 400, "hop_length": 160, "power": 1.5},
    ],
    ids=str,
)
def test_patches_are_parts_of_librosas_spectrogram(changes):
    samples = clips.music(RATE, 2.1)
    found = patches(samples, **changes)
    expected = by_librosa(samples, settings(**changes))
    assert found.dtype == np.float32
    assert found.shape == (expected.shape[1] // 20, 20, 40)
    side_by_side = found.reshape(-1, 40).T
    np.testing.assert_allclose(side_by_side, expected[:, : side_by_side.shape[1]], atol=2e-3)


def test_patches_may_overlap_and_the_rest_may_have_one_of_its_own():
    samples = clips.music(RATE, 1)  # 63 frames
    whole = patches(samples, patch_frames=63)[0]
    for changes, starts in (
        ({}, [0, 20, 40]),
        ({"patch_hop": 9}, [0, 9, 18, 27, 36]),
        ({"rest": "overlap"}, [0, 20, 40, 43]),
        ({"rest": "overlap", "patch_hop": 43}, [0, 43]),
    ):
        expected = [whole[start : start + 20] for start in starts]
        np.testing.assert_array_equal(patches(samples, **changes), expected)
        turned = patches(samples, mels_first=True, **changes)
        np.testing.assert_array_equal(turned, np.swapaxes(expected, 1, 2))


@pytest.mark.parametrize("padding", ["reflect", "none"])
@pytest.mark.parametrize("length", [1, 100, 4000])
def test_a_short_clip_is_repeated_until_it_fills_a_patch(length, padding):
    samples = clips.music(RATE, 1)[1000 : 1000 + length]
    long = np.concatenate([samples] * (6000 // length + 1))
    needed = 19 * 256 + (512 if padding == "none" else 0)
    found = patches(samples, padding=padding)
    np.testing.assert_array_equal(found, patches(long[:needed], padding=padding))
    assert found.shape == (1, 20, 40)
    silence = patches(samples, padding=padding, short="zeros")
    padded = np.pad(samples, (0, max(0, needed - length)))
    np.testing.assert_array_equal(silence, patches(padded, padding=padding))


def test_a_waveform_is_resampled_and_brought_to_a_length():
    samples = clips.noise(0.5)
    found = front_ends.waveform(samples, 8000, sample_rate=RATE)
    expected = soxr.resample(samples.astype(np.float32) / 32768, 8000, RATE)
    np.testing.assert_array_equal(found, expected)
    for duration in (0.25, 1):
        cut = front_ends.waveform(samples, 8000, sample_rate=RATE, duration=duration)
        padded = np.pad(expected, (0, RATE))[: round(duration * RATE)]
        np.testing.assert_array_equal(cut, padded)


def test_settings_that_would_fill_the_memory_are_refused():
    samples = np.zeros(10 * RATE, np.float32)
    for changes in (
        {"hop_length": 1, "n_mels": 1024},
        {"hop_length": 16, "patch_frames": 5000, "patch_hop": 1},
        {"hop_length": 65536, "patch_frames": 100000},
    ):
        with pytest.raises(GenreflowError, match="would have more than"):
            patches(samples, **changes)
