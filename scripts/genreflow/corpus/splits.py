"""Splits: which tracks a learner is trained, watched and tested on."""

import math
import re
from fractions import Fraction

import numpy as np
import pandas as pd

from genreflow import split_names
from genreflow.corpus import groups
from genreflow.corpus.tracks import PARTS
from genreflow.errors import GenreflowError

_LEFT_OUT = ""
_TRIES = 10


def make(
    name: str,
    tracks: pd.DataFrame,
    *,
    validation: float,
    test: float,
    seed: int,
    training: int = 0,
) -> pd.DataFrame:
    """Divide the tracks of a corpus into training, validation and test.

    ``official``
        What the corpus itself says. If it has no validation part, one is taken out of the
        training part, stratified by genre, with no component (see `groups.components`) on both
        sides.
    ``grouped``
        No component is in two parts. The shares of the parts, in all and in each genre, come
        as near to those asked for as the components allow.
    ``lowest-ids``
        The lowest ``floor(test * n)`` of the `n` track ids of each genre are tested: with 0.2
        the study's 1596 of the 7994 readable tracks of FMA small. Numbers in the ids count as
        numbers (9 before 10). The study trains on all others; here a validation part is taken
        out of them, stratified by genre. Artists and albums are on both sides.
    ``cv-REPEATSxFOLDS-rREPEAT-fFOLD``
        As ``grouped``, but the tracks are divided into folds of equal share, one of which is
        tested; a validation part is taken out of the others. In a repeat each track is tested
        exactly once; repeats differ by their seeds.

    Tracks with identical audio never are in two parts. Where the parts are given (``official``,
    ``lowest-ids``), they stay only in the most protected part that has one of them (test, then
    validation, then training); the others have no row in the result.

    Parameters
    ----------
    name
        One of what `split_names.expand` returns.
    tracks
        Columns ``track_id``, ``genre``, ``split``, ``artist_id``, ``album_id``,
        ``duplicate_of``, all strings; "" if unknown. Track ids are unique; ``duplicate_of`` is
        the id of the first track with identical audio.
    validation
        Share of the validation part, more than 0: of all tracks for ``grouped``, otherwise of
        those that are not tested.
    test
        Share of the test part (``grouped``, ``lowest-ids``), more than 0.
    seed
        Not negative. The same seed gives each track the same part, in whatever order they come.
    training
        At most so many training tracks of each genre are kept, those of a smaller number among
        them; the others have no row. 0 keeps all.

    Returns
    -------
    pandas.DataFrame
        Columns ``track_id`` and ``part`` (one of `corpus.tracks.PARTS`), in the order of
        `tracks`.

    Raises
    ------
    GenreflowError
        If there is no such split, the corpus says nothing (``official``), there are fewer than
        two genres, or a part would lack a genre.
    """
    split_names.check(name)
    assert tracks["track_id"].is_unique
    _check_genres(name, tracks["genre"])

    # The order of the rows must not matter.
    rows = tracks.sort_values("track_id", ignore_index=True)
    rng = np.random.default_rng(seed)
    if name == "official":
        part = _official(rows, validation, rng)
    elif name == "grouped":
        part = _grouped(rows, validation, test, rng)
    elif name == "lowest-ids":
        part = _lowest_ids(rows, validation, test, rng)
    else:
        part = _fold(name, rows, validation, seed)

    if training:
        part = _with_fewer(rows["genre"], part, training, np.random.default_rng(seed))
    _check_parts(name, rows["genre"], part, PARTS)
    split = pd.DataFrame({"track_id": rows["track_id"], "part": part.astype(str)})
    split = tracks[["track_id"]].merge(split, on="track_id", how="left")
    return split[split["part"] != _LEFT_OUT].reset_index(drop=True)


def summary(split: pd.DataFrame, tracks: pd.DataFrame) -> str:
    """Say in a line how large the parts are, and how far test is independent of training."""
    part = tracks["track_id"].map(split.set_index("track_id")["part"])
    sizes = ", ".join(f"{(part == one).sum()} {one}" for one in PARTS)
    count = groups.shared_with_training(split, tracks)
    shared = "artists and albums are not known, so they may be on both sides"
    if count:
        shared = f"{count['either']} of the test tracks share an artist or album with training"
    left_out = part.isna().sum()
    return f"{sizes}; {shared}" + (
        f"; {left_out} left out, as duplicates or beyond split.training" if left_out else ""
    )


# --- the kinds of splits: the part of each track, _LEFT_OUT for those left out -----------------


def _official(tracks: pd.DataFrame, validation: float, rng: np.random.Generator) -> np.ndarray:
    _check_official(tracks)
    part = _without_duplicates(tracks, tracks["split"].to_numpy(object))
    _check_parts("official", tracks["genre"], part, ("training", "test"))
    if (part == "validation").any():
        return part
    return _with_validation("official", tracks, part, groups.components(tracks), validation, rng)


def _grouped(
    tracks: pd.DataFrame, validation: float, test: float, rng: np.random.Generator
) -> np.ndarray:
    group = groups.components(tracks)
    _check_groups("grouped", tracks["genre"], group, len(PARTS), ", ".join(PARTS))
    shares = [1 - validation - test, validation, test]
    return np.array(PARTS, object)[_allocate(tracks["genre"], group, shares, rng)]


def _lowest_ids(
    tracks: pd.DataFrame, validation: float, test: float, rng: np.random.Generator
) -> np.ndarray:
    part = np.full(len(tracks), "training", object)
    for rows in tracks.groupby("genre").indices.values():
        ordered = sorted(rows, key=lambda row: _natural_order(tracks["track_id"][row]))
        # As a decimal fraction: 100 * 0.29 is less than 29 in floating point.
        part[ordered[: math.floor(len(ordered) * Fraction(str(test)))]] = "test"
    part = _without_duplicates(tracks, part)
    return _with_validation("lowest-ids", tracks, part, groups.recordings(tracks), validation, rng)


def _fold(name: str, tracks: pd.DataFrame, validation: float, seed: int) -> np.ndarray:
    folds, repeat, fold = (int(n) for n in re.findall("[0-9]+", name)[1:])
    group = groups.components(tracks)
    _check_groups(name, tracks["genre"], group, folds, f"{folds} folds")
    rng = np.random.default_rng([seed, repeat])
    fold_of = _allocate(tracks["genre"], group, [1 / folds] * folds, rng)
    part = np.where(fold_of == fold - 1, "test", "training").astype(object)
    rng = np.random.default_rng([seed, repeat, fold])
    return _with_validation(name, tracks, part, group, validation, rng)


def _natural_order(track_id: str) -> tuple:
    """Return a key by which "9" comes before "10"."""
    pieces = re.split("([0-9]+)", track_id)
    pieces[1::2] = map(int, pieces[1::2])
    return pieces, track_id


def _with_validation(
    name: str,
    tracks: pd.DataFrame,
    part: np.ndarray,
    group: np.ndarray,
    share: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Turn a share of the training part into the validation part."""
    rest = part == "training"
    genre, group = tracks["genre"][rest], group[rest]
    _check_groups(name, genre, group, 2, "training and validation", "outside the test part")
    part = part.copy()
    part[rest] = np.array(PARTS, object)[_allocate(genre, group, [1 - share, share], rng)]
    return part


def _with_fewer(
    genre: pd.Series, part: np.ndarray, number: int, rng: np.random.Generator
) -> np.ndarray:
    """Keep so many training tracks of each genre, the first ones of a random order."""
    order = pd.Series(rng.permutation(len(part)))
    place = order.where(part == "training").groupby(genre).rank()
    return np.where(place > number, _LEFT_OUT, part).astype(object)


def _without_duplicates(tracks: pd.DataFrame, part: np.ndarray) -> np.ndarray:
    """Leave out the tracks with a duplicate in a more protected part."""
    rank = pd.Series(part).map(PARTS.index)
    highest = rank.groupby(groups.recordings(tracks)).transform("max")
    return np.where(rank == highest, part, _LEFT_OUT).astype(object)


# --- stratified allocation of groups ------------------------------------------------------------


def _allocate(
    genre: pd.Series, group: np.ndarray, shares: list[float], rng: np.random.Generator
) -> np.ndarray:
    """Put whole groups into parts so that each part has its share of all tracks and of each genre.

    Groups with the same number of tracks of each genre are of one kind. Each kind is allocated at
    random by the shares; then a local search moves single groups. As the allocation is fair, a
    large group gets into each part about as often as its share says, which an order by size would
    not give (scikit-learn's StratifiedGroupKFold has one, and knows equal shares only). The best of
    several tries is taken. Returned is the number of each track's part, from 0.
    """
    genre_number, genres = pd.factorize(genre, sort=True)
    unique, group_number = np.unique(group, return_inverse=True)
    counts = np.zeros((len(unique), len(genres) + 1))
    np.add.at(counts, (group_number, genre_number), 1)
    counts[:, -1] = counts.sum(axis=1)  # the size of a part is balanced like one more genre
    kinds, kind, sizes = np.unique(counts, axis=0, return_inverse=True, return_counts=True)

    shares = np.array(shares)
    tries = [_local_search(kinds, _drawn(sizes, shares, rng), shares) for _ in range(_TRIES)]
    _, allocated = min(tries, key=lambda result: result[0])

    by_kind = rng.permutation(len(unique))
    by_kind = by_kind[np.argsort(kind[by_kind], kind="stable")]
    part = np.empty(len(unique), int)
    part[by_kind] = np.repeat(np.tile(np.arange(len(shares)), len(kinds)), allocated.ravel())
    return part[group_number]


def _drawn(sizes: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw how many groups of each kind come into each part: the share, rounded up or down."""
    # One random number a kind (systematic sampling) keeps the expectation exact.
    edges = np.floor(np.outer(sizes, np.cumsum(shares)) + rng.random((len(sizes), 1)))
    edges[:, -1] = sizes
    return np.diff(edges, axis=1, prepend=0).astype(int)


def _local_search(
    kinds: np.ndarray, allocated: np.ndarray, shares: np.ndarray
) -> tuple[float, np.ndarray]:
    """Move single groups, the most useful first, until no move brings the counts nearer.

    The distance is Pearson's chi-squared of the counts against those the shares ask for, summed
    over parts and genres; a part that lacks a genre outweighs everything else. The distance that is
    left is returned, and the groups after the moves.

    Parameters
    ----------
    kinds : numpy.ndarray, shape (kinds, genres + 1)
        Tracks of each genre, and of all, in a group of each kind.
    allocated : numpy.ndarray of int, shape (kinds, parts)
        Groups of each kind in each part.
    shares : numpy.ndarray, shape (parts,)
        The share of each part.
    """
    allocated = allocated.copy()
    total = allocated.sum(axis=1) @ kinds
    wanted = np.outer(shares, total)
    lack = 2 * total[-1] / shares.min()  # no chi-squared can be larger
    has = kinds > 0
    square = kinds**2 @ (1 / wanted).T
    while True:
        there = allocated.T @ kinds
        linear = 2 * kinds @ (there / wanted - 1).T
        enter = square + linear - lack * (has @ (there == 0).T.astype(float))
        kind, old = np.nonzero(allocated)
        last = ((there[old] == kinds[kind]) & has[kind]).sum(axis=1)
        leave = square[kind, old] - linear[kind, old] + lack * last
        # Rounded, so that ties fall the same way on every processor.
        change = np.round(leave[:, None] + enter[kind], 6)
        move, new = np.unravel_index(change.argmin(), change.shape)
        if change[move, new] >= 0:
            distance = ((there - wanted) ** 2 / wanted).sum() + lack * (there == 0).sum()
            return round(float(distance), 6), allocated
        allocated[kind[move], old[move]] -= 1
        allocated[kind[move], new] += 1


# --- checks -------------------------------------------------------------------------------------


def _check_genres(name: str, genre: pd.Series) -> None:
    if genre.nunique() < 2:
        found = ", ".join(f"{g!r} with {_tracks(n)}" for g, n in genre.value_counts().items())
        raise GenreflowError(
            f"split {name!r}: at least two genres are needed, there is {found or 'none'}; add "
            "tracks of another genre"
        )


def _check_official(tracks: pd.DataFrame) -> None:
    wrong = tracks[~tracks["split"].isin(PARTS)]
    if len(wrong):
        track_id, said = wrong.iloc[0][["track_id", "split"]]
        raise GenreflowError(
            f"split 'official': {len(wrong)} of {_tracks(len(tracks))} have no part of the "
            f"corpus's own split, first {track_id!r} (split is {said!r}, must be one of "
            f"{', '.join(PARTS)}); add it, or use 'grouped', 'lowest-ids' or "
            "'cv-REPEATSxFOLDS', which need none"
        )


def _check_groups(
    name: str, genre: pd.Series, group: np.ndarray, least: int, of: str, where: str = ""
) -> None:
    groups = genre.to_frame().assign(group=group).drop_duplicates()["genre"].value_counts()
    few = groups[groups < least].sort_index()
    if few.empty:
        return
    tracks = genre.value_counts()
    where = where and f" {where}"
    found = ", ".join(
        f"genre {g!r} has {_tracks(tracks[g])}{where}"
        + (f", of which only {n} independent" if n < tracks[g] else "")
        for g, n in few.items()
    )
    fewer = "use fewer folds, " if "folds" in of else ""
    raise GenreflowError(
        f"split {name!r}: {found}; {of} need at least {least}: add tracks, {fewer}or leave the "
        "genre out (tracks that share an artist, an album or their audio are not independent)"
    )


def _check_parts(name: str, genre: pd.Series, part: np.ndarray, parts: tuple[str, ...]) -> None:
    for p in parts:
        missing = sorted(set(genre) - set(genre[part == p]))
        if missing:
            having = _tracks((genre == missing[0]).sum())
            raise GenreflowError(
                f"split {name!r}: the {p} part has {_tracks((part == p).sum())} and none of genre "
                f"{missing[0]!r}, which has {having} in all; add tracks, change the shares, use "
                "another split, or leave the genre out"
            )


def _tracks(number: int) -> str:
    return f"{number} track" if number == 1 else f"{number} tracks"
