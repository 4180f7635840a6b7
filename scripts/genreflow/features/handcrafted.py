"""The 518 hand-crafted features of FMA, and some more, from the samples of one clip.

A further feature is one function under `feature`, which takes an `Analysis`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from genreflow.errors import GenreflowError
from genreflow.features.analysis import (
    BINS_PER_OCTAVE,
    FRAME_LENGTH,
    HOP_LENGTH,
    Analysis,
    Rates,
    estimate_tuning,
    fft_frequencies,
)
from genreflow.features.fma_tables import STATISTICS, Column
from genreflow.runtime import lazy_librosa as librosa


@dataclass(frozen=True)
class Feature:
    """A feature by its name."""

    name: str  # the first level of its columns
    dims: int
    compute: Callable[["Analysis"], np.ndarray]  # returns (dims, frames)
    statistics: tuple[str, ...]  # those of the frames that become columns


_REGISTRY: dict[str, Feature] = {}


def feature(name: str, dims: int, *, statistics: tuple[str, ...] = STATISTICS) -> Callable:
    """Register the decorated function as a feature that has a name and some dimensions.

    Which of `STATISTICS` become columns: all of them, or ``("mean",)`` for what has but one value
    per clip.
    """

    def register(compute: Callable[["Analysis"], np.ndarray]) -> Callable:
        _REGISTRY[name] = Feature(name, dims, compute, statistics)
        return compute

    return register


@feature("chroma_cens", 12)
def _chroma_cens(clip: Analysis) -> np.ndarray:
    return clip.chroma_cens


@feature("chroma_cqt", 12)
def _chroma_cqt(clip: Analysis) -> np.ndarray:
    return librosa.feature.chroma_cqt(C=clip.constant_q, bins_per_octave=BINS_PER_OCTAVE)


@lru_cache(maxsize=128)
def _chroma_filters(rate: int, tuning: float) -> np.ndarray:
    return librosa.filters.chroma(sr=rate, n_fft=FRAME_LENGTH, tuning=tuning)


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
    return librosa.feature.delta(clip.mfcc, order=1)


@feature("mfcc_delta2", 20)
def _mfcc_delta2(clip: Analysis) -> np.ndarray:
    return librosa.feature.delta(clip.mfcc, order=2)


@feature("onset_rate", 1, statistics=("mean",))
def _onset_rate(clip: Analysis) -> np.ndarray:
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
    frequency = fft_frequencies(rate)
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
    return librosa.power_to_db(peak) - librosa.power_to_db(valley)


@feature("spectral_rolloff", 1)
def _spectral_rolloff(clip: Analysis) -> np.ndarray:
    below = np.cumsum(clip.magnitude, axis=1)
    reached = below >= 0.85 * below[:, -1:]
    return fft_frequencies(clip.spectral_rate)[reached.argmax(axis=1)][None]


@feature("tempo", 1, statistics=("mean",))
def _tempo(clip: Analysis) -> np.ndarray:
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


_FURTHER = ("mfcc_delta", "mfcc_delta2", "onset_rate", "tempo")
FMA_FEATURES = tuple(name for name in _REGISTRY if name not in _FURTHER)
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

    The number of a column is ``"01"`` for the first dimension.

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
    """Compute the features of one clip, given as for `Analysis`.

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
