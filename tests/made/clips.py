"""Clips for the tests."""

import os
import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from genreflow.audio import formats

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("GENREFLOW_DATA", ROOT.parent / "shared/data"))
"""Real clips and tables, which not everybody has."""
WAV_SCRIPT = ROOT / "scripts/genreflow/audio/wav.sh"
RATE = 8000


def noise(seconds, amplitude=3000):
    rng = np.random.default_rng(0)
    return rng.integers(-amplitude, amplitude + 1, round(seconds * RATE)).astype(np.int16)


def music(rate: int, seconds: float) -> np.ndarray:
    """Two notes a second, out of tune, with overtones, a beat, and noise."""
    rng = np.random.default_rng(0)
    time = np.arange(int(rate * seconds)) / rate
    beat = time % 0.5
    note = 220 * 2 ** ((np.floor(time / 0.5) * 5 % 12 + 0.23) / 12)
    phase = 2 * np.pi * np.cumsum(note) / rate
    tone = sum(np.sin(k * phase) / k for k in (1, 2, 3, 5)) * np.exp(-3 * beat)
    noise = rng.standard_normal(len(time)) * (0.02 + np.exp(-40 * beat))
    return (0.3 * tone + 0.1 * noise).astype(np.float32)


def encode(path, *arguments):
    """Encode by ffmpeg what libsndfile can't write."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *arguments, path]
    subprocess.run(command, check=True)
    return path


def write_wav(source, target, *, rate, seconds):
    """Decode as the rule `wav` does; return where it is."""
    numbers = [str(rate), str(round(rate * seconds)), str(seconds + 2)]
    subprocess.run(
        ["bash", WAV_SCRIPT, source, target, *numbers, *formats.SAFE],
        env={**os.environ, "FFMPEG": imageio_ffmpeg.get_ffmpeg_exe()},
        check=True,
    )
    return str(target)
