"""Predictions of known quality, for tests."""

import itertools

import numpy as np
import pandas as pd
from genreflow.corpus.tracks import PARTS
from genreflow.learners.predictions import Entry

GENRES = ["Folk", "Hip-Hop", "Old-Time / Historic"]


def predictions(genres, predicted, parts, ids=None, names=GENRES):
    """Make predictions in which the predicted genre has the highest probability."""
    rest = 0.4 / (len(names) - 1)
    frame = pd.DataFrame(
        {
            "track_id": ids if ids is not None else [f"{n:06d}" for n in range(len(genres))],
            "part": parts,
            "genre": genres,
            "predicted": predicted,
        }
    )
    for name in names:
        frame[f"p_{name}"] = [0.6 if name == own else rest for own in predicted]
    return frame


def random_predictions(seed, tracks=120, hit=0.5, names=GENRES):
    """Make predictions over tracks whose genres and parts are the same for every seed."""
    fixed = np.random.default_rng(0)
    weights = np.arange(1, len(names) + 1) / np.arange(1, len(names) + 1).sum()
    genres = fixed.choice(names, tracks, p=weights)
    parts = fixed.choice(PARTS, tracks, p=[0.5, 0.1, 0.4])
    own = np.random.default_rng(seed)
    predicted = np.where(own.random(tracks) < hit, genres, own.choice(names, tracks))
    return predictions(genres, predicted, parts, names=names)


def drawn_predictions(seed, tracks=150, sharpness=1.0, names=GENRES):
    """Make predictions with probabilities of all sizes, over the same tracks for every seed."""
    fixed = np.random.default_rng(0)
    genres = fixed.choice(names, tracks)
    parts = fixed.choice(PARTS, tracks, p=[0.3, 0.2, 0.5])
    logits = np.random.default_rng([7, seed]).normal(0, 1, (tracks, len(names)))
    logits += genres[:, np.newaxis] == np.array(names)
    p = np.exp(sharpness * logits)
    p /= p.sum(axis=1, keepdims=True)
    frame = predictions(genres, np.array(names)[p.argmax(axis=1)], parts, names=names)
    frame[[f"p_{name}" for name in names]] = p
    return frame


def cross_validation(repeats, folds, seeds=(None,), tracks=61):
    """Make entries in which each track is tested once a repeat, folds being of unequal size."""
    rng = np.random.default_rng(1)
    genres = rng.choice(GENRES, tracks, p=[0.6, 0.3, 0.1])
    entries = []
    for seed, repeat in itertools.product(seeds, range(1, repeats + 1)):
        fold_of = rng.permutation(np.arange(tracks) % folds + 1)
        # Unequal sizes, so that the mean over folds isn't the pooled share.
        fold_of[fold_of == folds] = np.where(rng.random((fold_of == folds).sum()) < 0.5, 1, folds)
        for fold in range(1, folds + 1):
            predicted = np.where(rng.random(tracks) < 0.6, genres, rng.choice(GENRES, tracks))
            parts = np.where(fold_of == fold, "test", "training")
            frame = predictions(genres, predicted, parts)
            entries.append(
                Entry("cnn/simple", f"cv-{repeats}x{folds}-r{repeat}-f{fold:02d}", seed, frame)
            )
    return entries


def part_of(frame, part="test"):
    rows = frame[frame["part"] == part]
    return rows["genre"], rows["predicted"]
