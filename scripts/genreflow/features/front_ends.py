"""Front ends: from a clip's samples to what a network that was trained on audio takes.

What a network takes is data, the settings of `features.kinds.onnx_network.Mel`; this is all that
stands behind them.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import soxr

from genreflow.audio.wav import FULL_SCALE
from genreflow.errors import GenreflowError
from genreflow.features.mel import MelSpectrogram

LARGEST = 2**26
"""How many numbers a waveform or the patches of a clip may have: the settings of a bundle may be a
stranger's."""

LOGARITHMS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "none": lambda x: x,
    "log10": np.log10,
    "ln": np.log,
    "db": lambda x: 10 * np.log10(x),
}
"""By the names that settings have for them."""


def waveform(
    samples: np.ndarray, rate: int, *, sample_rate: int, duration: float = 0
) -> np.ndarray:
    """Return samples at a network's rate, float32 within -1 to 1.

    Parameters
    ----------
    samples : int16, shape (n,)
        Mono.
    rate, sample_rate
        Of the samples, and the network's [Hz]. They are resampled by soxr.
    duration
        What they are cut or padded to [s]; 0 leaves them as they are.

    Raises
    ------
    GenreflowError
        If they would be more than `LARGEST`.
    """
    if (length := round(duration * sample_rate)) > LARGEST:
        raise GenreflowError(
            f"{duration} s at {sample_rate} Hz are more than {LARGEST} samples: give another "
            "duration or sample_rate in the settings of the network"
        )
    values = samples.astype(np.float32) / FULL_SCALE
    if sample_rate != rate:
        values = soxr.resample(values, rate, sample_rate, quality="HQ")
    if length:
        values = np.pad(values[:length], (0, max(0, length - len(values))))
    return values


class MelPatches:
    """Turn samples at a rate [Hz] into patches of a mel spectrogram.

    The settings are those of `features.kinds.onnx_network.Mel`, in full but for f_max and
    patch_hop.
    """

    def __init__(self, settings: Mapping[str, Any], sample_rate: int):
        self._settings = settings
        keys = ("n_fft", "hop_length", "n_mels", "f_min", "window", "scale", "norm", "power")
        self._mel = MelSpectrogram(
            sample_rate=sample_rate,
            f_max=settings.get("f_max") or sample_rate / 2,
            padding=settings["padding"],
            **{key: settings[key] for key in keys},
        )

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Return the patches of a clip of at least one sample, float32.

        Returns
        -------
        numpy.ndarray of float32, shape (patches, frames, n_mels); with ``mels_first``
        (patches, n_mels, frames)

        Raises
        ------
        GenreflowError
            If they have more than `LARGEST` numbers.
        """
        settings = self._settings
        length = settings["patch_frames"]
        hop = settings.get("patch_hop") or length
        needed = self._mel.samples_of(length)
        frames = max(length, 1 + len(samples) // settings["hop_length"])
        numbers = settings["n_mels"] * max(frames, (2 + (frames - length) // hop) * length)
        if max(needed, numbers) > LARGEST:
            raise GenreflowError(
                f"a clip of {len(samples)} samples would have more than {LARGEST} values in "
                f"patches of {length} frames: give others in the settings of the spectrogram"
            )
        if (missing := needed - len(samples)) > 0:
            repeated = settings["short"] == "repeat"
            samples = np.resize(samples, needed) if repeated else np.pad(samples, (0, missing))
        spectrogram = self._scaled(self._mel(samples))
        last = spectrogram.shape[1] - length
        starts = list(range(0, last + 1, hop))
        if settings["rest"] == "overlap" and starts[-1] < last:
            starts.append(last)
        every = np.lib.stride_tricks.sliding_window_view(spectrogram, length, axis=1)
        return every[:, starts].transpose((1, 0, 2) if settings["mels_first"] else (1, 2, 0))

    def _scaled(self, mel: np.ndarray) -> np.ndarray:
        settings = self._settings
        # Whole numbers beside float32 would make it float64 in none of these.
        gain, offset, floor, mean, deviation = (
            np.float32(settings[key]) for key in ("gain", "offset", "floor", "mean", "deviation")
        )
        mel = LOGARITHMS[settings["log"]](np.maximum(gain * mel + offset, floor))
        return (mel - mean) / deviation
