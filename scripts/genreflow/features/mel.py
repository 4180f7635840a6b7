"""Mel spectrograms: from samples to energies in mel bands, for images and for networks alike."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.fft
import scipy.signal
import scipy.sparse

BLOCK = 32
"""Frames that are transformed at once: few enough to stay in the processor's cache."""


@dataclass(frozen=True)
class MelSpectrogram:
    """What turns samples into energies in mel bands, as librosa's ``melspectrogram`` does."""

    sample_rate: int  # [Hz]
    n_fft: int  # [samples]
    hop_length: int  # [samples]
    n_mels: int
    f_min: float  # [Hz]
    f_max: float  # [Hz]
    window: str = "hann"  # one of `scipy.signal.get_window`
    scale: str = "slaney"  # or htk
    norm: str = "slaney"  # each band has the same area; none: each reaches 1
    power: float = 2.0  # exponent of the magnitudes: 2 for energies
    padding: str = "zeros"  # or reflect, before and after, so that frames are centred; or none

    @cached_property
    def _window(self) -> np.ndarray:
        return scipy.signal.get_window(self.window, self.n_fft).astype(np.float32)

    @cached_property
    def _filters(self) -> scipy.sparse.csr_array:
        """The mel filters, without the frequencies above the highest band."""
        # A second, once a job. It needs none of what `runtime.lazy_librosa` loads for another one.
        from librosa.filters import mel

        filters = mel(
            sr=self.sample_rate,
            n_fft=self.n_fft,
            n_mels=self.n_mels,
            fmin=self.f_min,
            fmax=self.f_max,
            htk=self.scale == "htk",
            norm=None if self.norm == "none" else self.norm,
        )
        used = 1 + np.flatnonzero(filters.any(axis=0)).max(initial=0)
        return scipy.sparse.csr_array(filters[:, :used].astype(np.float32))

    def samples_of(self, frames: int) -> int:
        """Return how many samples so many frames need, at least."""
        return (frames - 1) * self.hop_length + (self.n_fft if self.padding == "none" else 0)

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Return the mel spectrogram.

        Parameters
        ----------
        samples : float32, shape (n_samples,)
            At least `samples_of` one frame, and one.

        Returns
        -------
        numpy.ndarray of float32, shape (n_mels, frames)
            1 + n_samples // hop_length frames, fewer without padding.
        """
        if self.padding != "none":
            mode = {"zeros": "constant", "reflect": "reflect"}[self.padding]
            samples = np.pad(samples, self.n_fft // 2, mode=mode)
        frames = np.lib.stride_tricks.sliding_window_view(samples, self.n_fft)
        frames = frames[:: self.hop_length]
        used = self._filters.shape[1]
        mel = np.empty((self.n_mels, len(frames)), dtype=np.float32)
        for start in range(0, len(frames), BLOCK):
            block = slice(start, start + BLOCK)
            spectrum = scipy.fft.rfft(frames[block] * self._window, axis=1)[:, :used]
            energy = np.square(spectrum.real)
            energy += np.square(spectrum.imag)
            if self.power != 2:
                energy **= self.power / 2
            mel[:, block] = self._filters @ energy.T
        return mel
