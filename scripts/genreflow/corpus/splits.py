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
    name: str, tracks: pd.DataFrame, *, validation: float, test: float, seed: int
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
        Share of the validation part: of all tracks for ``grouped``, otherwise of those that are
        not tested. With 0 there is none, unless the corpus itself has one.
    test
        Share of the test part (``grouped``, ``lowest-ids``).
    seed
        Not negative. The same seed gives each track the same part, in whatever order they come.

    Returns
    -------
    pandas.DataFrame
        Columns ``track_id`` and ``part`` (one of `corpus.tracks.PARTS`), in the order of
        `tracks`.

    Raises
    ------
    GenreflowError
        If there is no such split, the shares leave nothing to train on, the corpus says nothing
        (``official``), there are fewer than two genres, or a part would lack a genre.
    """
    split_names.check(name)
    _check_shares(validation, test)
    assert tracks["track_id"].is_unique
    _check_genres(name, tracks["genre"])

    # The order of the rows must not matter.
    rows = tracks.sort_values("track_id", ignore_index=True)
    if name == "official":
        part = _official(rows, validation, np.random.default_rng(seed))
    elif name == "grouped":
        part = _grouped(rows, validation, test, np.random.default_rng(seed))
    elif name == "lowest-ids":
        part = _lowest_ids(rows, validation, test, np.random.default_rng(seed))
    else:
        part = _fold(name, rows, validation, seed)

    parts = [p for p in PARTS if p != "validation" or validation > 0 or (part == p).any()]
    _check_parts(name, rows["genre"], part, parts)
    split = pd.DataFrame({"track_id": rows["track_id"], "part": part.astype(str)})
    split = tracks[["track_id"]].merge(split, on="track_id", how="left")
    return split[split["part"] != _LEFT_OUT].reset_index(drop=True)


def describe(split: pd.DataFrame, tracks: pd.DataFrame) -> pd.DataFrame:
    """Count the tracks of each genre in each part.

    Parameters
    ----------
    split
        What `make` returns.
    tracks
        Columns ``track_id`` and ``genre``.

    Returns
    -------
    pandas.DataFrame of int
        One row a genre, sorted; one column a part, in the order of `corpus.tracks.PARTS`.
    """
    joined = split.merge(tracks[["track_id", "genre"]], on="track_id")
    counts = pd.crosstab(joined["genre"], joined["part"])
    genres = pd.Index(sorted(tracks["genre"].unique()), name="genre")
    columns = pd.Index(PARTS, name="part")
    return counts.reindex(index=genres, columns=columns, fill_value=0)


def crossing(split: pd.DataFrame, tracks: pd.DataFrame) -> dict[str, int]:
    """Count the test tracks that are not independent of the training part.

    Parameters
    ----------
    split
        What `make` returns.
    tracks
        As for `groups.components`.

    Returns
    -------
    dict of str to int
        ``test``: tracks in the test part; ``artist``: those of them whose artist also is in the
        training part; ``component``: those whose component (see `groups.components`) is.
    """
    part = tracks["track_id"].map(split.set_index("track_id")["part"])
    tested, trained = part == "test", part == "training"
    artist = tracks["artist_id"]
    component = pd.Series(groups.components(tracks), index=tracks.index)
    known = artist != ""
    return {
        "test": int(tested.sum()),
        "artist": int((tested & known & artist.isin(artist[trained])).sum()),
        "component": int((tested & component.isin(component[trained])).sum()),
    }


def summary(split: pd.DataFrame, tracks: pd.DataFrame) -> str:
    """Say in a line how large the parts are, and how far test is independent of training.

    Parameters
    ----------
    split
        What `make` returns.
    tracks
        As for `groups.components`.
    """
    counts = split["part"].value_counts()
    sizes = ", ".join(f"{counts.get(part, 0)} {part}" for part in PARTS)
    if (tracks[["artist_id", "album_id"]] == "").all(axis=None):
        shared = "artists and albums are not known, so they may be on both sides"
    else:
        crossed = crossing(split, tracks)["component"]
        shared = f"{crossed} of the test tracks share an artist or album with training"
    left_out = len(tracks) - len(split)
    return f"{sizes}; {shared}" + (f"; {left_out} duplicates left out" if left_out else "")


# --- the kinds of splits: the part of each track, _LEFT_OUT for those left out -----------------


def _official(tracks: pd.DataFrame, validation: float, rng: np.random.Generator) -> np.ndarray:
    _check_official(tracks)
    part = _uncrossed(tracks, tracks["split"].to_numpy(object))
    if not (part == "validation").any():
        part = _carve("official", part, tracks["genre"], groups.components(tracks), validation, rng)
    return part


def _grouped(
    tracks: pd.DataFrame, validation: float, test: float, rng: np.random.Generator
) -> np.ndarray:
    shares = {"training": 1 - validation - test, "validation": validation, "test": test}
    shares = {part: share for part, share in shares.items() if share > 0}
    group = groups.components(tracks)
    _check_groups("grouped", tracks["genre"], group, len(shares), ", ".join(shares))
    placed = _stratified(tracks["genre"], group, list(shares.values()), rng)
    return np.array(list(shares), object)[placed]


def _lowest_ids(
    tracks: pd.DataFrame, validation: float, test: float, rng: np.random.Generator
) -> np.ndarray:
    part = np.full(len(tracks), "training", object)
    for places in tracks.groupby("genre").indices.values():
        ordered = sorted(places, key=lambda place: _natural(tracks["track_id"][place]))
        # As a decimal fraction: 100 * 0.29 is less than 29 in floating point.
        part[ordered[: math.floor(len(ordered) * Fraction(str(test)))]] = "test"
    part = _uncrossed(tracks, part)
    return _carve("lowest-ids", part, tracks["genre"], groups.recordings(tracks), validation, rng)


def _fold(name: str, tracks: pd.DataFrame, validation: float, seed: int) -> np.ndarray:
    folds, repeat, fold = (int(n) for n in re.findall("[0-9]+", name)[1:])
    group = groups.components(tracks)
    _check_groups(name, tracks["genre"], group, folds, f"{folds} folds")
    rng = np.random.default_rng([seed, repeat])
    placed = _stratified(tracks["genre"], group, [1 / folds] * folds, rng)
    part = np.where(placed == fold - 1, "test", "training").astype(object)
    rng = np.random.default_rng([seed, repeat, fold])
    return _carve(name, part, tracks["genre"], group, validation, rng)


def _natural(track_id: str) -> tuple:
    pieces = re.split("([0-9]+)", track_id)
    pieces[1::2] = map(int, pieces[1::2])
    return pieces, track_id


def _carve(
    name: str,
    part: np.ndarray,
    genre: pd.Series,
    group: np.ndarray,
    share: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Turn a share of the training part into the validation part."""
    if share == 0:
        return part
    rest = part == "training"
    _check_groups(
        name, genre[rest], group[rest], 2, "training and validation", "outside the test part"
    )
    placed = _stratified(genre[rest], group[rest], [1 - share, share], rng)
    part = part.copy()
    part[rest] = np.array(["training", "validation"], object)[placed]
    return part


def _uncrossed(tracks: pd.DataFrame, part: np.ndarray) -> np.ndarray:
    """Leave out the tracks with a duplicate in a more protected part."""
    rank = pd.Series(part).map(PARTS.index)
    highest = rank.groupby(groups.recordings(tracks)).transform("max")
    return np.where(rank == highest, part, _LEFT_OUT).astype(object)


# --- stratified division of groups --------------------------------------------------------------


def _stratified(
    genre: pd.Series, group: np.ndarray, shares: list[float], rng: np.random.Generator
) -> np.ndarray:
    """Place whole groups so that each place has its share of all tracks and of each genre.

    Groups with the same number of tracks of each genre are of one kind. Each kind is dealt out
    by the shares; then single groups are moved as long as that brings the counts nearer (see
    `_settle`). As the dealing is fair, a large group gets into each place about as often as
    its share says, which an order by size would not give. The best of several tries is taken.

    Parameters
    ----------
    genre
        Of each track.
    group : numpy.ndarray of int, shape (tracks,)
        Of each track.
    shares
        Positive; their sum is 1.
    rng
        What the dealing is drawn from.

    Returns
    -------
    numpy.ndarray of int, shape (tracks,)
        The place of each track, from 0.
    """
    genre_number, genres = pd.factorize(genre, sort=True)
    groups, group_number = np.unique(group, return_inverse=True)
    counts = np.zeros((len(groups), len(genres) + 1))
    np.add.at(counts, (group_number, genre_number), 1)
    counts[:, -1] = counts.sum(axis=1)  # the size of a part is balanced like one more genre
    kinds, kind, members = np.unique(counts, axis=0, return_inverse=True, return_counts=True)

    shares = np.array(shares)
    tries = [_settle(kinds, _deal(members, shares, rng), shares) for _ in range(_TRIES)]
    _, placed = min(tries, key=lambda result: result[0])

    by_kind = rng.permutation(len(groups))
    by_kind = by_kind[np.argsort(kind[by_kind], kind="stable")]
    place = np.empty(len(groups), int)
    place[by_kind] = np.repeat(np.tile(np.arange(len(shares)), len(kinds)), placed.ravel())
    return place[group_number]


def _deal(members: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Deal the members of each kind out by the shares, rounded up or down at random."""
    # One random number a kind (systematic sampling) keeps the expectation exact.
    edges = np.floor(np.outer(members, np.cumsum(shares)) + rng.random((len(members), 1)))
    edges[:, -1] = members
    return np.diff(edges, axis=1, prepend=0).astype(int)


def _settle(kinds: np.ndarray, placed: np.ndarray, shares: np.ndarray) -> tuple[float, np.ndarray]:
    """Move single groups, the most useful first, until no move brings the counts nearer.

    The distance is Pearson's chi-squared of the counts against those the shares ask for,
    summed over places and genres; a place that lacks a genre outweighs everything else.

    Parameters
    ----------
    kinds : numpy.ndarray, shape (kinds, genres + 1)
        Tracks of each genre, and of all, in a group of each kind.
    placed : numpy.ndarray of int, shape (kinds, places)
        Groups of each kind in each place.
    shares : numpy.ndarray, shape (places,)
        The share of each place.

    Returns
    -------
    float
        The distance that is left.
    numpy.ndarray of int, shape (kinds, places)
        The groups after the moves.
    """
    placed = placed.copy()
    total = placed.sum(axis=1) @ kinds
    wanted = np.outer(shares, total)
    lack = 2 * total[-1] / shares.min()  # no chi-squared can be larger
    has = kinds > 0
    square = kinds**2 @ (1 / wanted).T
    while True:
        there = placed.T @ kinds
        linear = 2 * kinds @ (there / wanted - 1).T
        enter = square + linear - lack * (has @ (there == 0).T.astype(float))
        kind, old = np.nonzero(placed)
        last = ((there[old] == kinds[kind]) & has[kind]).sum(axis=1)
        leave = square[kind, old] - linear[kind, old] + lack * last
        # Rounded, so that ties fall the same way on every processor.
        change = np.round(leave[:, None] + enter[kind], 6)
        move, new = np.unravel_index(change.argmin(), change.shape)
        if change[move, new] >= 0:
            distance = ((there - wanted) ** 2 / wanted).sum() + lack * (there == 0).sum()
            return round(float(distance), 6), placed
        placed[kind[move], old[move]] -= 1
        placed[kind[move], new] += 1


# --- checks -------------------------------------------------------------------------------------


def _check_shares(validation: float, test: float) -> None:
    if not (validation >= 0 and test > 0 and validation + test < 1):
        raise GenreflowError(
            f"shares of the split: validation is {validation}, test is {test}; validation must "
            "not be negative, test must be more than 0, and their sum less than 1"
        )


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
    for part in ("training", "test"):
        if not (tracks["split"] == part).any():
            raise GenreflowError(
                f"split 'official': the corpus's own split puts none of {_tracks(len(tracks))} "
                f"into {part}; add some, or use 'grouped', 'lowest-ids' or 'cv-REPEATSxFOLDS', "
                "which need no split of the corpus"
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


def _check_parts(name: str, genre: pd.Series, part: np.ndarray, parts: list[str]) -> None:
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
