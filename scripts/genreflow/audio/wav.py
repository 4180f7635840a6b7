"""The resampled WAVs."""

from pathlib import Path

import numpy as np
import soundfile

from genreflow.errors import GenreflowError

FULL_SCALE = 32768
"""What 1.0 is in 16-bit samples."""


def read_wav(path: str | Path, *, sample_rate: int) -> np.ndarray:
    """Read a 16-bit mono WAV, which must have a rate [Hz], as int16, (n_samples,).

    Raises
    ------
    GenreflowError
        If it isn't a whole WAV in that form.
    """
    try:
        size = Path(path).stat().st_size
        with Path(path).open("rb") as head:
            begins = head.read(12)
        # Before libsndfile looks: it would take any of thirty formats, whatever the name.
        if begins[:4] != b"RIFF" or begins[8:] != b"WAVE":
            raise GenreflowError(f"{path}: not a readable WAV (no RIFF); {_REMAKE}")
        declared = int.from_bytes(begins[4:8], "little") + 8
        with soundfile.SoundFile(path) as file:
            form = (file.samplerate, file.channels, file.subtype)
            samples = file.read(dtype="int16")
    except OSError as error:
        raise GenreflowError(f"{path}: can't be read ({error}). Mend that, and run again") from None
    except soundfile.LibsndfileError as error:
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
