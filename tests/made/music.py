"""Audio files with nasty names, and predictions of them, without a learner."""

import os
from pathlib import Path

import numpy as np
import soundfile
from genreflow.bundle.predicted import Prediction, Predictions

GENRES = ("Blues", "</script><script>alert(1)</script>", "Drum & \"Bass\" 'n' <b>Co</b>", "Folk")
NAMES = (
    b"plain.wav",
    b"<img src=x onerror=\"document.title='hacked'\">.wav",
    b"two\nlines.wav",
    b"caf\xe9.wav",
    b"#1 100%25 & more?.wav",
    b" blanks .wav",
    b"javascript:alert(1).wav",
    "Пісня \u202ereversed.wav".encode(),
)
SECONDS, CLIP, HOP = 12.0, 4.0, 2.0
REASON = "<marquee>too short</marquee>"
RATE = 8000
UNSURE = 0.57
"""Some of the files are below it."""


def write(folder):
    """Write a file of each name, some in a folder of their own; return their paths."""
    paths = []
    for number, name in enumerate(NAMES):
        inner = Path(folder, "music", f"album {number % 2}")
        inner.mkdir(parents=True, exist_ok=True)
        path = inner / os.fsdecode(name)
        tone = np.sin(2 * np.pi * (300 + 50 * number) * np.arange(SECONDS * RATE) / RATE) / 20
        with path.open("wb") as file:  # libsndfile takes no such names
            soundfile.write(file, tone, RATE, format="WAV")
        paths.append(str(path))
    return paths


def predictions(paths, *, seconds=SECONDS, note=""):
    """Predict each file: a genre up to half of it, the next one from there on.

    The genre is that of the file's number, and the more certain, the higher that is.
    """
    rng = np.random.default_rng(0)
    found = []
    for number, path in enumerate(paths):
        starts = np.arange(0, seconds - CLIP + 1e-9, HOP)
        middles = starts + CLIP / 2
        found_by_window = 0.05 * rng.random((len(starts), len(GENRES)))
        genres = np.where(middles <= seconds / 2, number, number + 1) % len(GENRES)
        found_by_window[np.arange(len(starts)), genres] += 1 + number / len(paths)
        found_by_window /= found_by_window.sum(axis=1, keepdims=True)
        found.append(
            Prediction(
                path,
                GENRES,
                starts,
                starts + CLIP,
                found_by_window,
                np.full(len(starts), HOP),
                seconds=float(seconds),
                unsure_below=UNSURE,
            )
        )
    failed = Prediction.without(str(Path(paths[0]).with_name("<b>bad<i>.mp3")), GENRES, REASON)
    about = "classify/<i>x</i>/lda", "demo", note, CLIP, UNSURE
    return Predictions(*about, GENRES, [*found, failed])
