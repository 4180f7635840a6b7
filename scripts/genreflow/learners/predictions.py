"""The predictions.csv files, in which every learner ends: reading, checking, gathering them."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genreflow import split_names
from genreflow.corpus.tracks import PARTS
from genreflow.errors import GenreflowError
from genreflow.layout import Layout
from genreflow.runtime import outcomes
from genreflow.runtime.files import read_values

LABELS = ("track_id", "part", "genre", "predicted")
"""The columns of predictions.csv before the probabilities."""

_FOLD = re.compile(r"cv-(\d+)x(\d+)-r(\d+)-f(\d+)")
_MEND = "Remove the file and run the workflow again, which makes it anew."


@dataclass(frozen=True, slots=True)
class Entry:
    """The predictions of one learner on one split: a predictions.csv, or what it holds.

    The split may be one fold of a cross-validation, ``cv-5x10-r1-f01``; the seed is None for a
    learner that has none.
    """

    learner: str
    split: str
    seed: int | None
    predictions: pd.DataFrame | str | Path

    @classmethod
    def from_path(cls, path: str | Path, folder: str | Path) -> "Entry":
        """Tell learner, split and seed by ``FOLDER/SPLIT/LEARNER/[seed-N/]predictions.csv``.

        It raises GenreflowError if the path isn't of this form.
        """
        found = Layout(folder).parse(path)
        return cls(found.learner, found.split, found.seed, path)


def marked(name: str, marks: Mapping[str, str] | None) -> str:
    """Return a learner's name with what must stand by its numbers wherever they are shown.

    `marks` are what to say, by a part of the path, of a learner or a feature matrix:
    ``{"vgg16": "random weights"}`` gives ``classify/vgg16/fc2/pca-0.90/svm-rbf (random weights)``.
    """
    mark = mark_of(name, marks)
    return f"{name} ({mark})" if mark else name


def mark_of(name: str, marks: Mapping[str, str] | None) -> str:
    """Return what `marked` puts behind a learner's name; "" if nothing."""
    texts = [text for part, text in (marks or {}).items() if f"/{part}/" in f"/{name}/"]
    return ", ".join(dict.fromkeys(texts))


def read_predictions(path: str | Path) -> pd.DataFrame:
    """Read a predictions.csv, one row per track, and check it.

    It has the columns `LABELS` as text (so that id 000002 stays what it is), then one ``p_GENRE`` a
    genre as float64.

    Raises
    ------
    GenreflowError
        If the file can't be read, a column is missing, a part is none of `PARTS`, a genre or
        a prediction has no probability column, a probability isn't within [0, 1], those of a
        track don't sum to 1 within 0.001, or a track appears twice. The message names file,
        line and track.
    NotPossible
        If the file holds the reason why there are no predictions.
    """
    outcomes.require(path)
    try:
        frame = read_values(
            path, dtype=dict.fromkeys(LABELS, str), keep_default_na=False, index_col=False
        )
    except (OSError, ValueError) as error:
        raise GenreflowError(
            f"{path}: can't be read as predictions ({str(error).strip()}). {_MEND}"
        ) from error
    return _checked(frame, str(path))


def genres_of(frame: pd.DataFrame) -> list[str]:
    """Return the genres of predictions, in the order of their probabilities."""
    return [column.removeprefix("p_") for column in frame.columns if column.startswith("p_")]


def _checked(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the columns of predictions, or raise GenreflowError with `name` in front."""
    probabilities = [column for column in frame.columns if column.startswith("p_")]
    missing = [column for column in LABELS if column not in frame.columns]
    if not probabilities:
        missing.append("p_GENRE for each genre")
    if missing:
        raise GenreflowError(f"{name}: column missing: {', '.join(missing)}. {_MEND}")
    if frame.empty:
        raise GenreflowError(f"{name}: holds no tracks. {_MEND}")

    frame = frame[[*LABELS, *probabilities]].copy()
    frame["track_id"] = frame["track_id"].astype(str)
    # What isn't a number becomes NaN, so that the check below can name its line.
    frame[probabilities] = frame[probabilities].apply(pd.to_numeric, errors="coerce").astype(float)
    genres = genres_of(frame)
    p = frame[probabilities].to_numpy()

    def refuse(wrong: np.ndarray | pd.Series, what: str) -> None:
        rows = np.flatnonzero(wrong)
        if len(rows):
            # The header is line 1.
            track = frame["track_id"].iloc[rows[0]]
            raise GenreflowError(f"{name}, line {rows[0] + 2} (track {track}): {what}. {_MEND}")

    refuse(~frame["part"].isin(PARTS), f"part is none of {', '.join(PARTS)}")
    refuse(~frame["genre"].isin(genres), "genre has no column of probabilities (p_...)")
    refuse(~frame["predicted"].isin(genres), "predicted has no column of probabilities (p_...)")
    refuse(
        ~np.all((p >= 0) & (p <= 1), axis=1), "a probability is no number or not between 0 and 1"
    )
    refuse(np.abs(p.sum(axis=1) - 1) > 1e-3, "the probabilities don't sum to 1 (within 0.001)")
    refuse(frame["track_id"].duplicated(), "the track is there already on a line above")
    return frame


@dataclass(frozen=True, slots=True)
class Group:
    """One learner on one split family (a cross-validation is one).

    Genres are in the order of the files. There is a row for each seed, repeat, fold and track:
    track_id, part, genre, predicted, seed, repeat, fold; correct (bool); confidence, the largest
    probability; loss, minus the logarithm of the true genre's probability; margin, this probability
    less the largest of another genre; and top2 (bool), whether it is one of the two largest.
    """

    learner: str
    split: str
    genres: list[str]
    rows: pd.DataFrame

    @property
    def test(self) -> pd.DataFrame:
        """The rows of the test part."""
        return self.rows[self.rows["part"] == "test"]

    @property
    def tracks(self) -> pd.DataFrame:
        """The distinct test tracks, one row each."""
        return self.test.drop_duplicates("track_id")


def groups(entries: Iterable[Entry]) -> Iterator[Group]:
    """Gather what belongs together and read it, one group after the other to spare memory.

    The folds of a cross-validation must all be there. Groups are sorted by split, then learner;
    there is none for those that `unmade` gives a reason for.

    Raises
    ------
    GenreflowError
        If there are no entries, a file is refused by `read_predictions`, folds are missing or
        overlap, there is nothing to test, or seeds or repeats test different tracks.
    """
    together = _together(entries)
    if not together:
        raise GenreflowError(
            "There are no predictions to evaluate: configure at least one learner and one split."
        )
    for (split, learner), members in sorted(together.items()):
        if not _reason(members):
            yield _group(learner, split, members)


def unmade(entries: Iterable[Entry]) -> dict[tuple[str, str], str]:
    """Return why learners couldn't be made of their data, by split family and learner.

    Whatever file a learner ends in will do in the place of its predictions. One that lacks one of
    its folds or seeds has no row of its own in any table, so that the reason names the first that
    is lacking, unless all are for the same reason.
    """
    reasons = {key: _reason(members) for key, members in sorted(_together(entries).items())}
    return {key: reason for key, reason in reasons.items() if reason}


def with_reasons(table: pd.DataFrame, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Add the column reason, and below the rows of learners that couldn't be made."""
    records = [*table.to_dict("records"), *rows]
    whole = pd.DataFrame(records, columns=[*table.columns, "reason"])
    return whole.astype(table.dtypes.to_dict())


def _together(entries: Iterable[Entry]) -> dict[tuple[str, str], list[Entry]]:
    """Gather entries by split family and learner."""
    together: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        together.setdefault((split_names.family(entry.split), entry.learner), []).append(entry)
    return together


def _reason(entries: list[Entry]) -> str:
    """Return why a learner of these entries couldn't be made, "" if it could."""
    reasons = {
        entry: reason
        for entry in entries
        if not isinstance(entry.predictions, pd.DataFrame)
        and (reason := outcomes.reason_of(entry.predictions))
    }
    if not reasons:
        return ""
    first, reason = next(iter(reasons.items()))
    if len(reasons) == len(entries) and len(set(reasons.values())) == 1:
        return reason
    places = [f"fold {first.split}"] if _FOLD.fullmatch(first.split) else []
    places += [] if first.seed is None else [f"seed {first.seed}"]
    return f"{', '.join(places)}: {reason}" if places else reason


def _group(learner: str, split: str, entries: list[Entry]) -> Group:
    name = f"{learner} on {split}"
    _check_complete(name, entries)
    genres: list[str] = []
    pieces = []
    for entry in entries:
        if isinstance(entry.predictions, pd.DataFrame):
            source = f"predictions of {learner} on {entry.split}, seed {entry.seed}"
            frame = _checked(entry.predictions, source)
        else:
            source = str(entry.predictions)
            frame = read_predictions(source)
        own = genres_of(frame)
        genres = genres or own
        if own != genres:
            raise GenreflowError(
                f"{source}: its genres are {', '.join(own)}, but other predictions of {name} have "
                f"{', '.join(genres)}. {_MEND}"
            )
        _, _, repeat, fold = _place(entry.split)
        # Categories, for a large corpus comes again with every fold of every repeat.
        piece = frame[["track_id"]].assign(
            part=pd.Categorical(frame["part"], PARTS),
            genre=pd.Categorical(frame["genre"], genres),
            predicted=pd.Categorical(frame["predicted"], genres),
            **scored(frame),
            seed=-1 if entry.seed is None else entry.seed,
            repeat=repeat,
            fold=fold,
        )
        pieces.append(piece)
    group = Group(learner, split, genres, pd.concat(pieces, ignore_index=True))
    _check_tests(name, group)
    return group


def scored(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return what is counted of each track of predictions: the scores of `Group.rows`."""
    genres = genres_of(frame)
    p = frame[[f"p_{genre}" for genre in genres]].to_numpy()
    rows = np.arange(len(p))
    true = pd.Categorical(frame["genre"], genres).codes
    own = p[rows, true]
    others = p.copy()
    others[rows, true] = -np.inf
    correct = (frame["genre"] == frame["predicted"]).to_numpy()
    return {
        "correct": correct,
        "confidence": p.max(axis=1),
        # Clipped as scikit-learn does: a probability of 0 would make the mean infinite.
        "loss": -np.log(np.maximum(own, np.finfo(float).eps)),
        "margin": own - others.max(axis=1),
        # Equals count against the true genre, or equal probabilities would always be right.
        "top2": correct | ((others >= own[:, np.newaxis]).sum(axis=1) < 2),
    }


def _place(split: str) -> tuple[int, int, int, int]:
    """Return how many repeats and folds a split is of, and its own repeat and fold."""
    fold = _FOLD.fullmatch(split)
    return tuple(map(int, fold.groups())) if fold else (1, 1, 1, 1)


def _check_complete(name: str, entries: list[Entry]) -> None:
    """Refuse a learner that is there twice, or a cross-validation in which folds are missing."""
    counts = Counter((entry.seed, *_place(entry.split)[2:]) for entry in entries)
    repeats, folds, _, _ = _place(entries[0].split)
    seeds = dict.fromkeys(entry.seed for entry in entries)
    for seed, repeat, fold in product(seeds, range(1, repeats + 1), range(1, folds + 1)):
        if counts[seed, repeat, fold] != 1:
            raise GenreflowError(
                f"{name}, seed {seed}: expected the predictions of repeat {repeat}, fold {fold}"
                f" once, found them {counts[seed, repeat, fold]} times. Run the workflow until all"
                " folds are done."
            )


def _check_tests(name: str, group: Group) -> None:
    """Refuse runs that don't test the same tracks with the same genres, each once."""
    reference = None
    for (seed, repeat), run in group.test.groupby(["seed", "repeat"]):
        twice = run["track_id"].duplicated()
        if twice.any():
            track = run.loc[twice, "track_id"].iloc[0]
            raise GenreflowError(
                f"{name}: track {track} is tested in more than one fold of repeat {repeat}. "
                "Make the splits anew and run the workflow again."
            )
        genres = dict(zip(run["track_id"], run["genre"], strict=True))
        reference = genres if reference is None else reference
        if genres != reference:
            track = min(dict(genres.items() ^ reference.items()))
            raise GenreflowError(
                f"{name}: the test tracks or their genres differ between seeds or repeats "
                f"(track {track}; found at seed {seed}, repeat {repeat}). The predictions come "
                "from different versions of the corpus: run the workflow again."
            )
    if reference is None:
        raise GenreflowError(f"{name}: no track is in the part test. Check the split.")
