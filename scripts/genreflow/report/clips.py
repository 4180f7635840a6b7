"""What the report says of single test tracks, for the script of its page to read."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

LIMIT = 1000
"""So many test tracks of a split are listed at most, and so many of a page have an image."""


def chosen(track_ids: Iterable[str], limit: int) -> set[str]:
    """Choose as many tracks: those with the lowest hashes, so that all learners list the same."""
    ids = set(track_ids)
    return set(sorted(ids, key=lambda name: hashlib.sha256(name.encode()).digest())[:limit])


def predicted(
    runs: Sequence[pd.DataFrame], genres: Sequence[str], listed: Collection[str]
) -> list[list[Any]]:
    """Gather what one learner says of single test tracks.

    Parameters
    ----------
    runs, genres
        Its predictions on one split, as `learners.predictions.read_predictions` returns them: one
        table a seed and fold. Only test tracks count, and of these those whose ids are `listed`.

    Returns
    -------
    list of [track_id, genre, [predicted, ...], [probability, ...]]
        Sorted by id. Genres are places in `genres`; there is a prediction from each run that
        tests the track. Probabilities in thousandths, means over these runs.
    """
    tested = pd.concat([run[run["part"] == "test"] for run in runs], ignore_index=True)
    by_track = tested[tested["track_id"].isin(set(listed))].groupby("track_id")
    place = {genre: number for number, genre in enumerate(genres)}
    said = [[place[genre] for genre in own] for own in by_track["predicted"].agg(list)]
    true = by_track["genre"].first().map(place)
    means = by_track[[f"p_{genre}" for genre in genres]].mean().to_numpy()
    thousandths = np.rint(1000 * means).astype(int).tolist()
    return [list(row) for row in zip(true.index, true.tolist(), said, thousandths, strict=True)]


def described(
    tracks: pd.DataFrame, images: Mapping[str, str], listed: Collection[str]
) -> dict[str, list[str]]:
    """Return title, artist and image (a data URI) of the tracks that are listed, by their ids.

    What isn't known is "".
    """
    own = tracks[tracks["track_id"].isin(set(listed))].sort_values("track_id")
    named = zip(own["track_id"], own["title"], own["artist"], strict=True)
    return {
        track_id: [title, artist, images.get(track_id, "")] for track_id, title, artist in named
    }
