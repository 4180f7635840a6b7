"""FMA's features by librosa's public functions, one after another: slow, and plainly right."""

from collections.abc import Iterator

import librosa
import numpy as np
from scipy import stats

FRAME, HOP = 2048, 512


def steps(y: np.ndarray, rate: int, spectral_rate: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield what FMA's code computes, in turn: intermediates, and the eleven features.

    A feature has one row a dimension and one column a frame. `spectral_rate` is what the five
    features are told that know the rate only from their caller: the clip's own, or 22050 as in
    the code that made FMA's table.
    """
    lf = librosa.feature
    yield "zcr", lf.zero_crossing_rate(y, frame_length=FRAME, hop_length=HOP)
    cqt = np.abs(
        librosa.cqt(y, sr=rate, hop_length=HOP, bins_per_octave=12, n_bins=84, tuning=None)
    )
    yield "constant_q", cqt
    octaves = {"n_chroma": 12, "n_octaves": 7, "bins_per_octave": 12}
    yield "chroma_cqt", lf.chroma_cqt(C=cqt, **octaves)
    cens = lf.chroma_cens(C=cqt, **octaves)
    yield "chroma_cens", cens
    yield "tonnetz", lf.tonnetz(chroma=cens)
    stft = np.abs(librosa.stft(y, n_fft=FRAME, hop_length=HOP))
    yield "magnitude", stft
    yield "chroma_stft", lf.chroma_stft(S=stft**2, sr=spectral_rate, n_chroma=12)
    yield "rmse", lf.rms(S=stft)
    yield "spectral_centroid", lf.spectral_centroid(S=stft, sr=spectral_rate)
    yield "spectral_bandwidth", lf.spectral_bandwidth(S=stft, sr=spectral_rate)
    yield "spectral_contrast", lf.spectral_contrast(S=stft, sr=spectral_rate, n_bands=6)
    yield "spectral_rolloff", lf.spectral_rolloff(S=stft, sr=spectral_rate)
    mel_db = librosa.power_to_db(lf.melspectrogram(sr=rate, S=stft**2))
    yield "mel_db", mel_db
    yield "mfcc", lf.mfcc(S=mel_db, n_mfcc=20)


INTERMEDIATES = ("constant_q", "magnitude", "mel_db")


def statistics(rows: np.ndarray) -> dict[str, np.ndarray]:
    """Return each statistic of the rows.

    They are taken at double precision: at librosa's single one, scipy's skew and kurtosis are
    themselves wrong by more than 1e-4.
    """
    rows = rows.astype(np.float64)
    return {
        "mean": np.mean(rows, axis=1),
        "std": np.std(rows, axis=1),
        "skew": stats.skew(rows, axis=1),
        "kurtosis": stats.kurtosis(rows, axis=1),
        "median": np.median(rows, axis=1),
        "min": np.min(rows, axis=1),
        "max": np.max(rows, axis=1),
    }


def table(y: np.ndarray, rate: int, spectral_rate: int) -> dict[tuple[str, str, str], float]:
    """Return every statistic of every dimension by its (feature, statistic, number)."""
    return {
        (name, statistic, f"{number:02d}"): float(value)
        for name, rows in steps(y, rate, spectral_rate)
        if name not in INTERMEDIATES
        for statistic, values in statistics(rows).items()
        for number, value in enumerate(values, start=1)
    }
