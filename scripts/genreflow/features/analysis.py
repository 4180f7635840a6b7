"""The analysis of a clip that hand-crafted features share: spectra, tuning, constant-Q transform.

Every number equals the one that librosa's functions give when called one after another, to
rounding; the difference is the speed. A clip has one short-time Fourier transform and one
constant-Q transform, and each tuning is estimated at spectral peaks only.
"""

from collections.abc import Iterator
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
import scipy.fft
import scipy.signal
import soxr
from numpy.lib.stride_tricks import sliding_window_view

from genreflow.errors import GenreflowError
from genreflow.runtime import lazy_librosa as librosa

FRAME_LENGTH = 2048
"""Samples in a frame of the short-time Fourier transform."""
HOP_LENGTH = 512
"""Samples from one frame to the next."""
REFERENCE_RATE = 22050
"""Hz; what the code behind FMA's table took for the rate of every file in five features."""
MIN_SAMPLES = 4096
"""A shorter clip has fewer frames than the nine that a slope over time is fitted to."""
MIN_RATE = 12801
"""Hz; the highest band of the spectral contrast begins at 6400 Hz, below half the rate."""

BINS_PER_OCTAVE = 12
"""Of the constant-Q transform: one a semitone."""
_OCTAVES = 7
_MAX_SAMPLE = 1e12  # the square of a spectrum of larger ones leaves single precision
_BLOCK = 2**17  # numbers; at double precision so many fit into a processor's cache

Rates = Literal["native", "reference"]


class Analysis:
    """What the features of one clip have in common, each part computed when first asked for.

    Parameters
    ----------
    samples : numpy.ndarray, shape (n,), float32
        The clip, mono, at its own rate.
    rate
        Samples a second.
    rates
        ``"native"``: every feature knows the rate. ``"reference"``: the five features of FMA's
        code that weren't told the rate (`chroma_stft` and the spectral ones) take it for
        22050 Hz, as FMA's published table does.

    Raises
    ------
    GenreflowError
        If the clip is too short, its rate too low, or a sample not finite.
    """

    def __init__(self, samples: np.ndarray, rate: int, *, rates: Rates = "native") -> None:
        if rate < MIN_RATE:
            raise GenreflowError(
                f"The sampling rate is {rate} Hz; the hand-crafted features need at least "
                f"{MIN_RATE} Hz. Convert it to a higher rate, or set handcrafted.rates to one for "
                "all, such as 22050"
            )
        if samples.ndim != 1 or len(samples) < MIN_SAMPLES:
            raise GenreflowError(
                f"The clip has the shape {samples.shape}; the hand-crafted features need one "
                f"channel of at least {MIN_SAMPLES} samples ({MIN_SAMPLES / rate:.2f} s)"
            )
        self.samples = np.ascontiguousarray(samples, dtype=np.float32)
        if not (np.abs(self.samples) < _MAX_SAMPLE).all():
            raise GenreflowError(
                "The clip has samples that are not finite, or too large to be audio; full scale "
                "is 1. Convert it again"
            )
        self.rate = rate
        self.spectral_rate = rate if rates == "native" else REFERENCE_RATE

    @cached_property
    def magnitude(self) -> np.ndarray:
        """Magnitudes of the short-time Fourier transform, float32, (frames, bins)."""
        window = scipy.signal.get_window("hann", FRAME_LENGTH)
        frames = _frames(self.samples, FRAME_LENGTH, HOP_LENGTH)
        magnitude = np.empty((len(frames), FRAME_LENGTH // 2 + 1), np.float32)
        for block in _blocks(frames):
            # At single precision the rounding of loud bins would drown the quiet ones,
            # which the spectral contrast looks at.
            spectrum = scipy.fft.rfft(frames[block] * window)
            np.abs(spectrum.astype(np.complex64), out=magnitude[block])
        return magnitude

    @cached_property
    def power(self) -> np.ndarray:
        """Squared magnitudes, float32, (frames, bins)."""
        return np.square(self.magnitude)

    @cached_property
    def mel_db(self) -> np.ndarray:
        """Power in 128 mel bands, dB, float32, (frames, bands)."""
        return librosa.power_to_db(self.power @ _mel_filters(self.rate))

    @cached_property
    def constant_q(self) -> np.ndarray:
        """Magnitudes of the constant-Q transform, float32, (84, frames)."""
        tuning = estimate_tuning(self.magnitude, self.rate)
        return constant_q(self.samples, self.rate, tuning=tuning)

    @cached_property
    def chroma_cens(self) -> np.ndarray:
        """Chroma energy normalised statistics, float32, (12, frames)."""
        return librosa.feature.chroma_cens(C=self.constant_q, bins_per_octave=BINS_PER_OCTAVE)

    @cached_property
    def spectral_moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the frequency, Hz, weighted by magnitude, (frames,)."""
        frequency = fft_frequencies(self.spectral_rate)
        weights = np.stack([np.ones_like(frequency), frequency, frequency**2], axis=1)
        sums = _double_product(self.magnitude, weights)
        total = np.where(sums[:, 0] > 0, sums[:, 0], 1)
        mean = sums[:, 1] / total
        variance = sums[:, 2] / total - mean**2
        return mean, np.sqrt(np.maximum(variance, 0))

    @cached_property
    def mfcc(self) -> np.ndarray:
        """Mel-frequency cepstral coefficients, (20, frames)."""
        return scipy.fft.dct(self.mel_db, norm="ortho")[:, :20].T

    @cached_property
    def onset_strength(self) -> np.ndarray:
        """Mean rise of the mel bands from frame to frame, (frames,)."""
        return librosa.onset.onset_strength(
            S=self.mel_db.T, sr=self.rate, n_fft=FRAME_LENGTH, hop_length=HOP_LENGTH
        )


def _frames(samples: np.ndarray, length: int, hop: int) -> np.ndarray:
    """Return a view of the frames, (frames, length), centred on multiples of `hop`."""
    return sliding_window_view(np.pad(samples, length // 2), length)[::hop]


def _blocks(rows: np.ndarray) -> Iterator[slice]:
    """Yield slices of rows that fit into a processor's cache."""
    step = max(1, _BLOCK // rows.shape[1])
    for start in range(0, len(rows), step):
        yield slice(start, start + step)


def _double_product(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return ``rows @ matrix`` at double precision, with no whole copy of the rows."""
    product = np.empty((len(rows), matrix.shape[1]))
    for block in _blocks(rows):
        np.matmul(rows[block].astype(np.float64, order="C"), matrix, out=product[block])
    return product


def fft_frequencies(rate: float) -> np.ndarray:
    """Return the frequency of each bin of the short-time Fourier transform, Hz."""
    return librosa.fft_frequencies(sr=rate, n_fft=FRAME_LENGTH)


@lru_cache(maxsize=8)
def _mel_filters(rate: int) -> np.ndarray:
    return librosa.filters.mel(sr=rate, n_fft=FRAME_LENGTH).T


def estimate_tuning(spectrum: np.ndarray, rate: float) -> float:
    """Estimate how far a clip is out of tune.

    The most frequent deviation of the spectral peaks between 150 and 4000 Hz that reach a
    tenth of their frame's maximum, peaks of less than the median strength left out. Peaks are
    interpolated by a parabola [1]_. The values are those of `librosa.estimate_tuning`, which
    looks at every bin.

    Parameters
    ----------
    spectrum : numpy.ndarray, shape (frames, 1025), float32
        Magnitude or power.
    rate
        Samples a second.

    Returns
    -------
    float
        In semitones, a multiple of 0.01 in [-0.5, 0.5); 0 if there is no peak.

    References
    ----------
    .. [1] J. O. Smith, "Spectral Audio Signal Processing", section "Quadratic interpolation
       of spectral peaks".
    """
    low, high = np.searchsorted(fft_frequencies(rate), (150, min(4000, rate / 2)))
    loud = spectrum[:, low:high] > 0.1 * spectrum.max(axis=1, keepdims=True)
    place = np.flatnonzero(loud)
    place = place // (high - low) * spectrum.shape[1] + place % (high - low) + low
    flat = spectrum.ravel()
    peak = (flat[place] > flat[place - 1]) & (flat[place] >= flat[place + 1])
    place = place[peak]
    if not len(place):
        return 0.0
    left, top, right = flat[place - 1], flat[place], flat[place + 1]
    slope = (right - left).astype(np.float64) / 2
    curvature = (right + left) - 2 * top.astype(np.float64)
    inside = np.abs(slope) < np.abs(curvature)
    shift = np.where(inside, -slope / np.where(inside, curvature, 1), 0).astype(np.float32)
    strength = top + np.float32(0.5) * ((right - left) / 2) * shift
    pitch = (place % spectrum.shape[1] + shift.astype(np.float64)) * rate / FRAME_LENGTH
    pitch = pitch[strength >= np.median(strength)].astype(np.float32)
    octave = np.log2(pitch / np.float32(440 / 16))
    deviation = np.mod(BINS_PER_OCTAVE * octave, np.float32(1))
    deviation[deviation >= 0.5] -= 1
    counts, edges = np.histogram(deviation, np.linspace(-0.5, 0.5, 101))
    return float(edges[np.argmax(counts)])


def constant_q(samples: np.ndarray, rate: int, *, tuning: float) -> np.ndarray:
    """Compute the constant-Q transform of seven octaves from C1 up, 12 bins each.

    By recursive halving of the rate [1]_: the filters of all octaves are those of the highest,
    applied to a signal of half the rate each time. The values are those of `librosa.cqt`;
    the filters are applied in the time domain, as one matrix product an octave, where librosa
    takes a Fourier transform of each frame.

    Parameters
    ----------
    samples : numpy.ndarray, shape (n,), float32
        The clip.
    rate
        Samples a second.
    tuning
        Semitones by which the bins are shifted.

    Returns
    -------
    numpy.ndarray, shape (84, frames), float32
        Magnitudes, one column every 512 samples.

    References
    ----------
    .. [1] C. Schörkhuber, A. Klapuri, "Constant-Q transform toolbox for music processing",
       Sound and Music Computing Conference, 2010.
    """
    halvings, kernel, scale = _constant_q_filters(rate, tuning)
    hop = HOP_LENGTH >> halvings
    if halvings:
        samples = _decimate(samples, 2**halvings)
    octaves = []
    for octave in range(_OCTAVES):
        if octave:
            samples, hop = _decimate(samples, 2), hop // 2
        # At single precision, rounding would take values across the thresholds of chroma_cens.
        parts = _double_product(_frames(samples, len(kernel), hop), kernel)
        real, imaginary = parts[:, :BINS_PER_OCTAVE], parts[:, BINS_PER_OCTAVE:]
        octaves.append(np.sqrt((real**2 + imaginary**2).T * 2.0**octave))
    columns = min(response.shape[1] for response in octaves)
    response = np.concatenate([response[:, :columns] for response in reversed(octaves)])
    return (response * scale).astype(np.float32)


@lru_cache(maxsize=128)
def _constant_q_filters(rate: int, tuning: float) -> tuple[int, np.ndarray, np.ndarray]:
    """Return the halvings of the rate before the first octave, its filters, and a scale.

    The filters are real parts, then imaginary parts, (samples, 24); the scale is (84, 1).
    """
    frequency = librosa.cqt_frequencies(
        _OCTAVES * BINS_PER_OCTAVE,
        fmin=librosa.note_to_hz("C1") * 2 ** (tuning / BINS_PER_OCTAVE),
    )
    _, cutoff = librosa.filters.wavelet_lengths(freqs=frequency, sr=rate)
    spare = int(np.ceil(np.log2(rate / 2 / cutoff))) - 2
    # The hop of the lowest octave must stay a whole number of samples.
    halvings = max(0, min(spare, HOP_LENGTH.bit_length() - _OCTAVES))
    rate = rate / 2**halvings
    lengths, _ = librosa.filters.wavelet_lengths(freqs=frequency, sr=rate)
    wavelets, top_lengths = librosa.filters.wavelet(freqs=frequency[-BINS_PER_OCTAVE:], sr=rate)
    size = wavelets.shape[1]
    wavelets *= top_lengths[:, None] / size
    response = scipy.fft.fft(wavelets)[:, : size // 2 + 1]
    sparse = librosa.util.sparsify_rows(response, quantile=0.01).toarray()
    kernel = scipy.fft.fft(sparse.astype(np.complex128), n=size).T
    return halvings, np.hstack([kernel.real, kernel.imag]), 1 / np.sqrt(lengths)[:, None]


def _decimate(samples: np.ndarray, factor: int) -> np.ndarray:
    """Divide the rate by `factor` and keep the energy."""
    low = soxr.resample(samples, factor, 1, quality="HQ")
    low = librosa.util.fix_length(low, size=-(-len(samples) // factor))
    # In silence all that is left is the resampler's rounding, which the chroma features then
    # scale up: only a division to the last bit like librosa's gives the same values there.
    low /= np.sqrt(1 / factor)
    return low
