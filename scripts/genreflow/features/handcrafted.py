"""The 518 hand-crafted features of FMA, and some more, from the samples of one clip.

Every number equals the one that librosa's functions give when called one after another, to
rounding; the difference is the speed. A clip has one short-time Fourier transform and one
constant-Q transform, each tuning is estimated at spectral peaks only, and the statistics are
taken over whole arrays.

A further feature is one function under `feature`, which takes an `Analysis`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Literal

import librosa.filters
import librosa.util
import numpy as np
import scipy.fft
import scipy.ndimage
import scipy.signal
import soxr
from numpy.lib.stride_tricks import sliding_window_view

from genreflow.errors import GenreflowError
from genreflow.features.fma_tables import STATISTICS, Column

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

_BINS_PER_OCTAVE = 12
_OCTAVES = 7
_MAX_SAMPLE = 1e12  # the square of a spectrum of larger ones leaves single precision
_BLOCK = 2**17  # numbers; at double precision so many fit into a processor's cache

Rates = Literal["native", "reference"]


@dataclass(frozen=True)
class Feature:
    """A feature by its name.

    Attributes
    ----------
    name
        The first level of its columns.
    dims
        The number of its dimensions.
    compute
        Takes an `Analysis`, returns an array of shape (dims, frames).
    statistics
        The statistics of the frames that become columns.
    """

    name: str
    dims: int
    compute: Callable[["Analysis"], np.ndarray]
    statistics: tuple[str, ...]


_REGISTRY: dict[str, Feature] = {}


def feature(name: str, dims: int, *, statistics: tuple[str, ...] = STATISTICS) -> Callable:
    """Register the decorated function as a feature.

    Parameters
    ----------
    name
        What users write, and the first level of the columns.
    dims
        How many rows the function returns.
    statistics
        Which of `STATISTICS` become columns: all of them, or ``("mean",)`` for what has but
        one value a clip.
    """

    def register(compute: Callable[["Analysis"], np.ndarray]) -> Callable:
        _REGISTRY[name] = Feature(name, dims, compute, statistics)
        return compute

    return register


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
        if rates not in ("native", "reference"):
            raise GenreflowError(f"rates is '{rates}'; it must be 'native' or 'reference'")
        if rate < MIN_RATE:
            raise GenreflowError(
                f"The sampling rate is {rate} Hz; the hand-crafted features need at least "
                f"{MIN_RATE} Hz. Leave the clip out, or convert it to a higher rate"
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
                "is 1. Leave the clip out, or convert it again"
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
        return _power_to_db(self.power @ _mel_filters(self.rate))

    @cached_property
    def constant_q(self) -> np.ndarray:
        """Magnitudes of the constant-Q transform, float32, (84, frames)."""
        tuning = estimate_tuning(self.magnitude, self.rate)
        return constant_q(self.samples, self.rate, tuning=tuning)

    @cached_property
    def cq_chroma(self) -> np.ndarray:
        """Constant-Q magnitudes summed over the octaves, float32, (12, frames)."""
        return _octave_sum(len(self.constant_q)) @ self.constant_q

    @cached_property
    def chroma_cens(self) -> np.ndarray:
        """Chroma energy normalised statistics, float32, (12, frames)."""
        share = librosa.util.normalize(self.cq_chroma, norm=1)
        steps = np.array([0.4, 0.2, 0.1, 0.05], np.float32)
        quantised = (share[..., None] > steps).sum(axis=-1, dtype=np.float32) / len(steps)
        window = scipy.signal.get_window("hann", 41 + 2, fftbins=False)
        smooth = scipy.ndimage.convolve1d(quantised, window / window.sum(), mode="constant")
        return librosa.util.normalize(smooth, norm=2)

    @cached_property
    def spectral_moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the frequency, Hz, weighted by magnitude, (frames,)."""
        frequency = _fft_frequencies(self.spectral_rate)
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
        import librosa.onset  # loads numba's compiled functions, which nothing else here needs

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


def _fft_frequencies(rate: float) -> np.ndarray:
    return np.fft.rfftfreq(FRAME_LENGTH, 1 / rate)


@lru_cache(maxsize=8)
def _mel_filters(rate: int) -> np.ndarray:
    return librosa.filters.mel(sr=rate, n_fft=FRAME_LENGTH).T


@lru_cache(maxsize=128)
def _chroma_filters(rate: int, tuning: float) -> np.ndarray:
    return librosa.filters.chroma(sr=rate, n_fft=FRAME_LENGTH, tuning=tuning)


@lru_cache(maxsize=1)
def _octave_sum(bins: int) -> np.ndarray:
    return librosa.filters.cq_to_chroma(bins, bins_per_octave=_BINS_PER_OCTAVE)


def _power_to_db(power: np.ndarray) -> np.ndarray:
    """Return dB, nothing below 100 dB under 1 nor more than 80 dB below the loudest value."""
    level = 10 * np.log10(np.maximum(power, power.dtype.type(1e-10)))
    return np.maximum(level, level.max() - 80)


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
    low, high = np.searchsorted(_fft_frequencies(rate), (150, min(4000, rate / 2)))
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
    deviation = np.mod(_BINS_PER_OCTAVE * octave, np.float32(1))
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
        real, imaginary = parts[:, :_BINS_PER_OCTAVE], parts[:, _BINS_PER_OCTAVE:]
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
        _OCTAVES * _BINS_PER_OCTAVE,
        fmin=librosa.note_to_hz("C1") * 2 ** (tuning / _BINS_PER_OCTAVE),
    )
    _, cutoff = librosa.filters.wavelet_lengths(freqs=frequency, sr=rate)
    spare = int(np.ceil(np.log2(rate / 2 / cutoff))) - 2
    # The hop of the lowest octave must stay a whole number of samples.
    halvings = max(0, min(spare, HOP_LENGTH.bit_length() - _OCTAVES))
    rate = rate / 2**halvings
    lengths, _ = librosa.filters.wavelet_lengths(freqs=frequency, sr=rate)
    wavelets, top_lengths = librosa.filters.wavelet(freqs=frequency[-_BINS_PER_OCTAVE:], sr=rate)
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


@feature("chroma_cens", 12)
def _chroma_cens(clip: Analysis) -> np.ndarray:
    return clip.chroma_cens


@feature("chroma_cqt", 12)
def _chroma_cqt(clip: Analysis) -> np.ndarray:
    return librosa.util.normalize(clip.cq_chroma)


@feature("chroma_stft", 12)
def _chroma_stft(clip: Analysis) -> np.ndarray:
    tuning = estimate_tuning(clip.power, clip.spectral_rate)
    filters = _chroma_filters(clip.spectral_rate, tuning)
    return librosa.util.normalize(filters @ clip.power.T)


@feature("mfcc", 20)
def _mfcc(clip: Analysis) -> np.ndarray:
    return clip.mfcc


@feature("mfcc_delta", 20)
def _mfcc_delta(clip: Analysis) -> np.ndarray:
    return scipy.signal.savgol_filter(clip.mfcc, 9, polyorder=1, deriv=1)


@feature("mfcc_delta2", 20)
def _mfcc_delta2(clip: Analysis) -> np.ndarray:
    return scipy.signal.savgol_filter(clip.mfcc, 9, polyorder=2, deriv=2)


@feature("onset_rate", 1, statistics=("mean",))
def _onset_rate(clip: Analysis) -> np.ndarray:
    import librosa.onset

    onsets = librosa.onset.onset_detect(
        onset_envelope=clip.onset_strength, sr=clip.rate, hop_length=HOP_LENGTH
    )
    return np.array([[len(onsets) * clip.rate / len(clip.samples)]])


@feature("rmse", 1)
def _rmse(clip: Analysis) -> np.ndarray:
    weights = np.full(clip.power.shape[1], 2 / FRAME_LENGTH**2, np.float32)
    weights[[0, -1]] /= 2  # all other bins stand for a negative frequency as well
    return np.sqrt(clip.power @ weights)[None]


@feature("spectral_bandwidth", 1)
def _spectral_bandwidth(clip: Analysis) -> np.ndarray:
    return clip.spectral_moments[1][None]


@feature("spectral_centroid", 1)
def _spectral_centroid(clip: Analysis) -> np.ndarray:
    return clip.spectral_moments[0][None]


@lru_cache(maxsize=8)
def _contrast_bands(rate: float) -> list[tuple[int, int, int]]:
    """Return for each band its first bin, the bin after its last, and the bins to average."""
    frequency = _fft_frequencies(rate)
    edges = np.concatenate([[0], 200 * 2.0 ** np.arange(7)])
    bands = []
    for band, (low, high) in enumerate(pairwise(edges)):
        inside = np.flatnonzero((frequency >= low) & (frequency <= high))
        first = inside[0] - (band > 0)
        is_last = band == len(edges) - 2
        last = len(frequency) - 1 if is_last else inside[-1]
        count = max(1, int(np.rint(0.02 * (last + 1 - first))))
        bands.append((int(first), int(last + is_last), count))
    return bands


@feature("spectral_contrast", 7)
def _spectral_contrast(clip: Analysis) -> np.ndarray:
    bands = _contrast_bands(clip.spectral_rate)
    valley = np.empty((len(bands), len(clip.magnitude)))
    peak = np.empty_like(valley)
    for row, (first, end, count) in enumerate(bands):
        band = clip.magnitude[:, first:end]
        if count == 1:
            valley[row], peak[row] = band.min(axis=1), band.max(axis=1)
        else:
            ordered = np.sort(band, axis=1)
            valley[row] = ordered[:, :count].mean(axis=1)
            peak[row] = ordered[:, -count:].mean(axis=1)
    return _power_to_db(peak) - _power_to_db(valley)


@feature("spectral_rolloff", 1)
def _spectral_rolloff(clip: Analysis) -> np.ndarray:
    below = np.cumsum(clip.magnitude, axis=1)
    reached = below >= 0.85 * below[:, -1:]
    return _fft_frequencies(clip.spectral_rate)[reached.argmax(axis=1)][None]


@feature("tempo", 1, statistics=("mean",))
def _tempo(clip: Analysis) -> np.ndarray:
    import librosa.feature

    tempo = librosa.feature.tempo(
        onset_envelope=clip.onset_strength, sr=clip.rate, hop_length=HOP_LENGTH
    )
    return tempo[None]


@feature("tonnetz", 6)
def _tonnetz(clip: Analysis) -> np.ndarray:
    return _tonal_centroids() @ librosa.util.normalize(clip.chroma_cens, norm=1)


@lru_cache(maxsize=1)
def _tonal_centroids() -> np.ndarray:
    """Return the map of chroma to the six tonal centroids, (6, 12).

    Circles of fifths, minor thirds and major thirds, a sine and a cosine each [1]_.

    References
    ----------
    .. [1] C. Harte, M. Sandler, M. Gasser, "Detecting harmonic change in musical audio",
       ACM Workshop on Audio and Music Computing Multimedia, 2006.
    """
    angle = np.outer(np.pi * np.array([7 / 6, 3 / 2, 2 / 3]), np.arange(12))
    radius = np.array([1, 1, 0.5])[:, None]
    return (radius[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)).reshape(6, 12)


@feature("zcr", 1)
def _zcr(clip: Analysis) -> np.ndarray:
    padded = np.pad(clip.samples, FRAME_LENGTH // 2, mode="edge")
    negative = padded < np.float32(-1e-10)  # what is nearer to 0 counts as positive
    crossings = np.flatnonzero(negative[1:] != negative[:-1]) + 1
    first = np.arange(0, len(padded) - FRAME_LENGTH + 1, HOP_LENGTH)
    # A crossing at a frame's first sample lies between two frames, and is not counted.
    before = np.searchsorted(crossings, first, side="right")
    count = np.searchsorted(crossings, first + FRAME_LENGTH) - before
    return count[None] / FRAME_LENGTH


FMA_FEATURES = (
    "chroma_cens",
    "chroma_cqt",
    "chroma_stft",
    "mfcc",
    "rmse",
    "spectral_bandwidth",
    "spectral_centroid",
    "spectral_contrast",
    "spectral_rolloff",
    "tonnetz",
    "zcr",
)
"""The features of FMA: 74 dimensions, 518 columns."""


def available() -> dict[str, Feature]:
    """Return all features that there are, by name."""
    return dict(_REGISTRY)


def _selected(features: Sequence[str]) -> list[Feature]:
    unknown = sorted(set(features) - set(_REGISTRY))
    if unknown or not features:
        raise GenreflowError(
            f"Unknown hand-crafted features: {', '.join(unknown) or '(an empty list)'}. "
            f"There are {', '.join(sorted(_REGISTRY))}"
        )
    return [_REGISTRY[name] for name in sorted(set(features))]


def columns(features: Sequence[str] = FMA_FEATURES) -> list[Column]:
    """List the columns of a feature table in FMA's order, which is the lexicographic one.

    Parameters
    ----------
    features
        Names of features, in any order.

    Returns
    -------
    list of (feature, statistic, number)
        The number is ``"01"`` for the first dimension.

    Raises
    ------
    GenreflowError
        If a name is unknown.
    """
    return [
        (chosen.name, statistic, f"{number:02d}")
        for chosen in _selected(features)
        for statistic in chosen.statistics
        for number in range(1, chosen.dims + 1)
    ]


def extract(
    samples: np.ndarray,
    rate: int,
    *,
    rates: Rates = "native",
    features: Sequence[str] = FMA_FEATURES,
) -> np.ndarray:
    """Compute the features of one clip.

    Parameters
    ----------
    samples : numpy.ndarray, shape (n,), float32
        The clip, mono, at its own rate.
    rate
        Samples a second.
    rates
        See `Analysis`.
    features
        Names of features, in any order.

    Returns
    -------
    numpy.ndarray, shape (columns,), float64
        In the order of `columns`; every value is finite.

    Raises
    ------
    GenreflowError
        If the clip is too short, its rate too low, a sample not finite, or a name unknown.
    """
    chosen = _selected(features)
    clip = Analysis(samples, rate, rates=rates)
    return np.concatenate([statistics(one.compute(clip), one.statistics) for one in chosen])


def statistics(rows: np.ndarray, names: Sequence[str] = STATISTICS) -> np.ndarray:
    """Return the statistics of each row, one statistic of all rows after another.

    A row that does not vary beyond the resolution of single precision has the skew 0 and the
    kurtosis -3, as in FMA's table; dividing by its spread would give noise or no number.
    """
    rows = np.ascontiguousarray(rows, dtype=np.float64)
    mean = rows.mean(axis=1)
    centred = rows - mean[:, None]
    squared = centred**2
    variance = squared.mean(axis=1)
    constant = variance <= (np.finfo(np.float32).eps * mean) ** 2
    scale = np.where(constant, 1, variance)
    third = np.einsum("ij,ij->i", squared, centred) / rows.shape[1]
    fourth = np.einsum("ij,ij->i", squared, squared) / rows.shape[1]
    values = {
        "kurtosis": np.where(constant, 0, fourth / scale**2) - 3,
        "max": rows.max(axis=1),
        "mean": mean,
        "median": np.median(rows, axis=1),
        "min": rows.min(axis=1),
        "skew": np.where(constant, 0, third / scale**1.5),
        "std": np.sqrt(variance),
    }
    return np.concatenate([values[name] for name in names])
