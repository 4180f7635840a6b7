"""Groups of tracks that belong together, for they share an artist, an album or their audio."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

KINDS = ("artist", "album")
"""What tracks may share, beside their audio."""


def joined(spaces: Iterable[Iterable[tuple[str, ...]]]) -> list[int]:
    """Give a number, from 0 as they come, to each group of rows that share a value.

    They may do so by way of others. Each space has the values of every row in some columns. Values
    are compared within a space: the artist "7" is not the album "7", but what is a duplicate of "7"
    is joined with the track "7". "" joins nothing.
    """
    parent: list[int] = []

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = row = parent[parent[row]]
        return row

    for space in spaces:
        first: dict[str, int] = {}
        for row, values in enumerate(space):
            if row == len(parent):
                parent.append(row)
            for value in values:
                if value:
                    one, other = root(first.setdefault(value, row)), root(row)
                    parent[max(one, other)] = min(one, other)
    numbers: dict[int, int] = {}
    return [numbers.setdefault(root(row), len(numbers)) for row in range(len(parent))]


def components(tracks: pd.DataFrame) -> np.ndarray:
    """Find the groups of tracks joined by artists, albums or identical audio: their numbers from 0.

    Two tracks that share an artist, an album or their audio are in one group, and so are all that
    can be reached from them in such steps. What is unknown ("") joins nothing. The columns
    ``track_id``, ``artist_id``, ``album_id``, ``duplicate_of`` are strings.
    """
    return _joined_by(tracks, [("artist_id",), ("album_id",), ("track_id", "duplicate_of")])


def known_components(tracks: pd.DataFrame) -> np.ndarray | None:
    """Return the `components` of tracks; None if each is one of its own, so nothing is known."""
    import numpy as np

    numbers = components(tracks)
    return None if len(np.unique(numbers)) == len(numbers) else numbers


def shared_with_training(split: pd.DataFrame, tracks: pd.DataFrame) -> dict[str, int]:
    """Count the test tracks that share an artist or an album with training, directly.

    Parameters
    ----------
    split
        Columns ``track_id``, ``part``: one split, or one fold.
    tracks
        As for `components`.

    Returns
    -------
    dict of str to int
        By those of `KINDS` of which any is known, the tracks that share that; by "either"
        those that share one of the two. Empty if neither is known.
    """
    part = split.set_index("track_id")["part"]
    rows = tracks[tracks["track_id"].isin(part.index[part != "validation"])]
    test = rows["track_id"].map(part) == "test"
    shared = {}
    for kind in KINDS:
        own = rows[f"{kind}_id"]
        if (tracks[f"{kind}_id"] != "").any():
            shared[kind] = test & (own != "") & own.isin(own[~test])
    either = {"either": sum(shared.values()) > 0} if shared else {}
    return {kind: int(found.sum()) for kind, found in (shared | either).items()}


def recordings(tracks: pd.DataFrame) -> np.ndarray:
    """Find the groups of tracks with identical audio, as `components` does."""
    return _joined_by(tracks, [("track_id", "duplicate_of")])


def _joined_by(tracks: pd.DataFrame, spaces: list[tuple[str, ...]]) -> np.ndarray:
    """Find the groups of tracks that share a value in one of several sets of columns."""
    import numpy as np

    columns = [zip(*(tracks[name] for name in names), strict=True) for names in spaces]
    return np.array(joined(columns), int)
