"""The resampled WAVs: reading them, and the audit that finds the ones of no use."""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from genreflow.errors import GenreflowError

if TYPE_CHECKING:
    import pandas as pd

FULL_SCALE = 32768
"""What 1.0 is in 16-bit samples."""


STUCK = 0.9
"""A larger share of samples at the lowest value is no sound: ffmpeg writes it for NaN."""


def read_wav(path: str | Path, *, sample_rate: int) -> np.ndarray:
    """Read a 16-bit mono WAV.

    Parameters
    ----------
    path
        The WAV.
    sample_rate
        The rate that it must have [Hz].

    Returns
    -------
    numpy.ndarray of int16, shape (n_samples,)

    Raises
    ------
    GenreflowError
        If it isn't a whole WAV in that form.
    """
    try:
        size = Path(path).stat().st_size
        with Path(path).open("rb") as head:
            declared = int.from_bytes(head.read(8)[4:], "little") + 8
        with soundfile.SoundFile(path) as file:
            form = (file.samplerate, file.channels, file.subtype)
            samples = file.read(dtype="int16")
    except (soundfile.LibsndfileError, OSError) as error:
        raise GenreflowError(f"{path}: not a readable WAV ({error}); {_REMAKE}") from None
    if form != (sample_rate, 1, "PCM_16"):
        raise GenreflowError(
            f"{path}: expected {sample_rate} Hz, 1 channel, PCM_16; found {form[0]} Hz, "
            f"{form[1]} channel(s), {form[2]}; {_REMAKE}"
        )
    if size != declared:  # libsndfile takes a WAV that was cut off for a shorter one
        raise GenreflowError(
            f"{path}: its header says {declared} bytes, but it has {size}; {_REMAKE}"
        )
    return samples


_REMAKE = "delete it and run again: it is made anew"
_OWN = "left out: "


def audit(
    tracks: Iterable[tuple[str, Path, Path]],
    *,
    sample_rate: int,
    min_duration: float,
    silence_level: float,
    min_sounding: float,
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

    Returns
    -------
    pandas.DataFrame
        One row a track: track_id, frames (samples), sha256 (of the samples), reason ("" where it
        can be used; unreadable, too short, silent), detail.
    """
    import pandas as pd

    rows = []
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


def _why(log: Path) -> str:
    """Return what wav.sh said, or ffmpeg first, without its memory addresses: they differ."""
    text = log.read_text(errors="replace") if log.exists() else ""
    lines = [line.split("] ", 1)[-1].strip() for line in text.splitlines() if line.strip()]
    own = [line.removeprefix(_OWN) for line in lines if line.startswith(_OWN)]
    return [*own, *lines, "it holds no audio"][0]
