"""Which clips can be used, and how long they are: the audit of the resampled WAVs."""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genreflow.audio.decode import first_channel
from genreflow.audio.formats import explain
from genreflow.audio.wav import FULL_SCALE, read_wav
from genreflow.errors import GenreflowError
from genreflow.runtime.files import read_table

if TYPE_CHECKING:
    import pandas as pd

STUCK = 0.9
"""A larger share of samples at the lowest value is no sound: ffmpeg writes it for NaN."""

SHORTER = 0.05
"""A length that nearly all clips have is one that no larger share falls short of."""

NEARLY = 0.99
"""A clip with a smaller share of the length of images is shorter than they are."""


def audit(
    tracks: Iterable[tuple[str, Path, Path]],
    *,
    sample_rate: int,
    min_duration: float,
    silence_level: float,
    min_sounding: float,
    sources: Mapping[str, str] | None = None,
) -> "pd.DataFrame":
    """Find out for each track whether its audio can be used.

    Parameters
    ----------
    tracks
        Track id, WAV, and the log of the WAV's job, which says why it has no frames.
    sample_rate
        Rate of the WAVs [Hz].
    min_duration
        Clips with less are too short [s].
    silence_level
        A tenth of a second below this level is silent [dB of full scale, RMS].
    min_sounding
        A clip of which a smaller share sounds is silent.
    sources
        The audio file of each track, to be looked at for why a clip is silent, or nearly.

    Returns
    -------
    pandas.DataFrame
        One row per track: track_id, frames (samples), sha256 (of the samples), reason ("" where it
        can be used; unreadable, too short, silent), detail.
    """
    import pandas as pd

    rows = []
    sources = sources or {}
    for track_id, wav, log in tracks:
        samples = read_wav(wav, sample_rate=sample_rate)
        sounding = sounding_share(samples, sample_rate=sample_rate, level=silence_level)
        seconds = len(samples) / sample_rate
        reason = detail = ""
        if not len(samples):
            reason, detail = "unreadable", _why(log)
        elif np.mean(samples == -FULL_SCALE) > STUCK:
            reason, detail = "unreadable", "its samples are no numbers, or far out of range"
        elif seconds < min_duration:
            reason, detail = "too short", f"{seconds:.2f} s; at least {min_duration:g} s are needed"
        elif sounding < min_sounding:
            reason, detail = "silent", f"{100 * (1 - sounding):.2f} % of it is silence"
        is_quiet = track_id in sources and _rms(samples / np.float32(FULL_SCALE)) < QUIET
        if is_quiet and reason in ("", "silent"):
            settings = {"seconds": seconds, "level": silence_level, "mix": samples}
            if cause := cause_of_silence(sources[track_id], **settings):
                reason, detail = "silent", cause
        rows.append((track_id, len(samples), sha256(samples.tobytes()).hexdigest(), reason, detail))
    return pd.DataFrame(rows, columns=["track_id", "frames", "sha256", "reason", "detail"])


def sounding_share(samples: np.ndarray, *, sample_rate: int, level: float) -> float:
    """Return the share of tenths of a second whose RMS about their mean reaches a level.

    What doesn't change has no sound, however far from zero it is: samples that are not numbers
    end as such.

    Parameters
    ----------
    samples : shape (n_samples,), int16
    sample_rate
        [Hz]
    level
        [dB of full scale]
    """
    block = max(1, sample_rate // 10)
    if not len(samples):
        return 0.0
    padded = np.pad(samples.astype(np.float32) / FULL_SCALE, (0, -len(samples) % block))
    power = padded.reshape(-1, block).var(axis=1)
    return float(np.mean(power >= 10 ** (level / 10)))


def clip_length(
    audits: Iterable[str | Path], *, sample_rate: int, duration: float, fit: bool
) -> dict[str, float]:
    """Find how long the images of a corpus's clips are to be, and how many clips are shorter.

    Parameters
    ----------
    sample_rate
        Of the WAVs [Hz].
    duration
        Their length, if they are not shorter [s].
    fit
        Whether to take the length that all but `SHORTER` of the clips have, if it is less.

    Returns
    -------
    dict
        seconds: the length; clips; shorter: how many are; repeated: the share of the images that
        is repetition.
    """
    import pandas as pd

    found = pd.concat([read_table(path) for path in audits])
    seconds = found.loc[found["reason"] == "", "frames"].astype(int).to_numpy() / sample_rate
    length = duration
    if fit and len(seconds):
        common = np.sort(seconds)[int(SHORTER * len(seconds))]
        # Rounded, so that a few clips more seldom change the images of all.
        length = min(duration, max(0.1, np.floor(10 * common) / 10))
    own = np.minimum(seconds, length) / length
    return {
        "seconds": float(length),
        "clips": len(own),
        "shorter": int((own < NEARLY).sum()),
        "repeated": float(1 - own.mean()) if len(own) else 0.0,
    }


def describe_length(found: Mapping[str, float]) -> str:
    """Say in a line what `clip_length` found."""
    return (
        f"Images are of {found['seconds']:g} s; {found['shorter']:,} of {found['clips']:,} clips "
        f"are shorter and repeated to fill theirs: {found['repeated']:.1%} of all"
    )


QUIET = 0.01
"""Mixes below this have their cause looked for [RMS, full scale 1]."""
_SEARCHED, _RATE = 600, 8000  # so much of a file is searched for sound [s], at this rate [Hz]


def cause_of_silence(
    path: str | Path, *, seconds: float, level: float, mix: np.ndarray | None = None
) -> str:
    """Say why a clip's mono mix is silent though its file isn't; "" if that can't be said.

    Parameters
    ----------
    path
        The file.
    seconds
        Length of the clip, from the beginning of the file.
    level
        What is below is silent [dB of full scale].
    mix : shape (n_samples,), int16
        The mono mix, if it may be more than silence: the noise that is left of channels that nearly
        cancel each other out.
    """
    try:
        first = first_channel(path, seconds=_SEARCHED, rate=_RATE)
    except GenreflowError:
        return ""
    within = first[: round(seconds * _RATE)]
    left = 0.0 if mix is None else _rms(mix / np.float32(FULL_SCALE))
    if len(within) and _rms(within) > max(10 ** (level / 20), 10 * left):
        return (
            "its channels cancel each other out in the mono mix, as left = -right does: turn the "
            "sign of one channel, or keep one only"
        )
    sounds = np.flatnonzero(np.abs(first[len(within) :]) > 10 ** (level / 20))
    if len(sounds) and left < 10 ** (level / 20):
        begin = (len(within) + sounds[0]) / _RATE
        return f"nothing sounds in its first {begin:.0f} s: cut the silence off"
    return ""


def _rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0


def _why(log: Path) -> str:
    return explain(log.read_text(errors="replace") if log.exists() else "")
