"""Whole files at a rate that is asked for, by the script that makes the corpus's WAVs."""

import os
import subprocess
import tempfile
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from genreflow.audio import decode
from genreflow.audio.formats import SAFE, explain
from genreflow.audio.wav import read_wav
from genreflow.errors import GenreflowError

_WAV_SCRIPT = Path(__file__).with_name("wav.sh")


def resampled(path: str | Path, *, sample_rate: int) -> np.ndarray:
    """Decode a whole file as the workflow decodes its tracks, at a rate [Hz].

    Returns
    -------
    numpy.ndarray of int16, shape (n_samples,)
        Mono, at least one sample.

    Raises
    ------
    GenreflowError
        If there is no such file, it can't be decoded, is longer than `decode.longest`, or
        ffmpeg or the disk fails.
    """
    path = decode.existing(path)
    seconds = decode.longest(path)
    most = seconds * sample_rate
    with tempfile.TemporaryDirectory(prefix="genreflow-") as folder:
        wav = Path(folder) / "clip.wav"
        command = ["bash", _WAV_SCRIPT, path.absolute(), wav]
        numbers = (sample_rate, most + 1, seconds + decode.SPARE_SECONDS)
        run = subprocess.run(  # noqa: S603
            [*command, *map(str, numbers), *SAFE],
            env={**os.environ, "FFMPEG": imageio_ffmpeg.get_ffmpeg_exe()},
            capture_output=True,
            check=False,
        )
        said = run.stderr.decode(errors="replace").strip()
        if run.returncode:
            raise GenreflowError(f"not decoded: {said.splitlines()[-1] if said else 'no bash'}")
        samples = read_wav(wav, sample_rate=sample_rate)
    if not len(samples):
        raise GenreflowError(f"unreadable: {explain(said)}")
    if len(samples) > most:
        raise decode.too_long(seconds)
    return samples
