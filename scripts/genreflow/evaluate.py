"""How well each learner does, from the predictions.csv files alone.

The numbers, and what they mean:

- A *run* is one seed on one repeat of a cross-validation (on a split that is no
  cross-validation: one seed). The folds of a run are pooled before anything is counted, so
  that each track is tested exactly once in it; whatever a run yields is then averaged over runs.
- The 95 % interval of the test accuracy is Wilson's for the mean accuracy over runs as if it
  were counted once on the distinct test tracks. Seeds and repeats test the same tracks again
  and so never make the interval narrower. It speaks of other tracks, not of other trainings:
  for those see the standard deviations over seeds, folds and repeats (ddof 1).
- The baseline is what naming the most frequent genre of the test part each time would get.
"""

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix, f1_score, precision_recall_fscore_support
from statsmodels.stats.proportion import proportion_confint

from genreflow import published, splits
from genreflow.errors import GenreflowError
from genreflow.tracks import PARTS

LABELS = ("track_id", "part", "genre", "predicted")
"""The columns of predictions.csv before the probabilities."""

_FOLD = re.compile(
    r"(?P<family>cv-(?P<repeats>\d+)x(?P<folds>\d+))-r(?P<repeat>\d+)-f(?P<fold>\d+)"
)
_MEND = "Remove the file and run the workflow again, which makes it anew."


@dataclass(frozen=True, slots=True)
class Entry:
    """The predictions of one learner on one split.

    Attributes
    ----------
    learner
        For example ``cnn/simple``.
    split
        For example ``official``, or one fold of a cross-validation: ``cv-5x10-r1-f01``.
    seed
        None for a learner that has no seeds.
    predictions
        A predictions.csv, or what it holds.
    """

    learner: str
    split: str
    seed: int | None
    predictions: pd.DataFrame | str | Path

    @classmethod
    def from_path(cls, path: str | Path, folder: str | Path) -> "Entry":
        """Tell learner, split and seed by the place of a predictions.csv.

        Parameters
        ----------
        path
            ``FOLDER/SPLIT/LEARNER/[seed-N/]predictions.csv``
        folder
            The results of one corpus.

        Raises
        ------
        GenreflowError
            If the path isn't of this form.
        """
        split, learner, seed = place(path, folder)
        return cls(learner, split, seed, path)


def place(path: str | Path, folder: str | Path) -> tuple[str, str, int | None]:
    """Tell split, learner and seed by the place of a file that a learner ends in.

    Parameters
    ----------
    path
        ``FOLDER/SPLIT/LEARNER/[seed-N/]NAME``
    folder
        The results of one corpus.

    Returns
    -------
    split, learner : str
    seed : int or None

    Raises
    ------
    GenreflowError
        If the path isn't of this form.
    """
    inside = Path(path).is_relative_to(folder)
    found = inside and re.fullmatch(
        r"(?P<split>[^/]+)/(?P<learner>.+?)(/seed-(?P<seed>\d+))?/[^/]+",
        Path(path).relative_to(folder).as_posix(),
    )
    if not found or "/" not in found["learner"]:
        raise GenreflowError(f"{path}: expected SPLIT/LEARNER/[seed-N/]FILE below {folder}.")
    seed = found["seed"]
    return found["split"], found["learner"], None if seed is None else int(seed)


def marked(name: str, marks: Mapping[str, str] | None) -> str:
    """Return a learner's name with what must stand by its numbers wherever they are shown.

    Parameters
    ----------
    name
        For example ``classify/vgg16/fc2/pca-0.90/svm-rbf``; the name of a feature matrix will do.
    marks
        What to say, by a part of the path: ``{"vgg16": "random weights"}``.

    Returns
    -------
    str
        For example ``classify/vgg16/fc2/pca-0.90/svm-rbf (random weights)``.
    """
    said = [text for part, text in (marks or {}).items() if f"/{part}/" in f"/{name}/"]
    return f"{name} ({', '.join(dict.fromkeys(said))})" if said else name


def read_predictions(path: str | Path) -> pd.DataFrame:
    """Read a predictions.csv and check it.

    Parameters
    ----------
    path
        A CSV with the columns `LABELS` and one ``p_GENRE`` a genre, one row a track.

    Returns
    -------
    pandas.DataFrame
        These columns in this order: the labels as text (so that id 000002 stays what it is),
        the probabilities as float64.

    Raises
    ------
    GenreflowError
        If the file can't be read, a column is missing, a part is none of `PARTS`, a genre or
        a prediction has no probability column, a probability isn't within [0, 1], those of a
        track don't sum to 1 within 0.001, or a track appears twice. The message names file,
        line and track.
    """
    try:
        frame = pd.read_csv(
            path, dtype=dict.fromkeys(LABELS, str), keep_default_na=False, index_col=False
        )
    except (OSError, ValueError) as error:
        raise GenreflowError(
            f"{path}: can't be read as predictions ({str(error).strip()}). {_MEND}"
        ) from error
    return _checked(frame, str(path))


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
    genres = [column.removeprefix("p_") for column in probabilities]
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
class _Group:
    """One learner on one split family.

    `rows` holds a row for each seed, repeat, fold and track; `genres` are in the order of
    the files.
    """

    learner: str
    split: str
    genres: list[str]
    rows: pd.DataFrame

    @property
    def test(self) -> pd.DataFrame:
        return self.rows[self.rows["part"] == "test"]

    @property
    def tracks(self) -> pd.DataFrame:
        """The distinct test tracks, one row each."""
        return self.test.drop_duplicates("track_id")


def _groups(entries: Iterable[Entry]) -> Iterator[_Group]:
    """Gather what belongs together and read it, one group after the other to spare memory."""
    together: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        together.setdefault((splits.family(entry.split), entry.learner), []).append(entry)
    if not together:
        raise GenreflowError(
            "There are no predictions to evaluate: configure at least one learner and one split."
        )
    for (split, learner), members in sorted(together.items()):
        yield _group(learner, split, members)


def _group(learner: str, split: str, entries: list[Entry]) -> _Group:
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
        own = [column.removeprefix("p_") for column in frame.columns.drop(list(LABELS))]
        genres = genres or own
        if own != genres:
            raise GenreflowError(
                f"{source}: its genres are {', '.join(own)}, but other predictions of {name} have "
                f"{', '.join(genres)}. {_MEND}"
            )
        fold = _FOLD.fullmatch(entry.split)
        # Categories, for a large corpus comes again with every fold of every repeat.
        piece = frame[["track_id"]].assign(
            part=pd.Categorical(frame["part"], PARTS),
            genre=pd.Categorical(frame["genre"], genres),
            predicted=pd.Categorical(frame["predicted"], genres),
            correct=frame["genre"] == frame["predicted"],
            seed=-1 if entry.seed is None else entry.seed,
            repeat=int(fold["repeat"]) if fold else 1,
            fold=int(fold["fold"]) if fold else 1,
        )
        pieces.append(piece)
    group = _Group(learner, split, genres, pd.concat(pieces, ignore_index=True))
    _check_tests(name, group)
    return group


def _check_complete(name: str, entries: list[Entry]) -> None:
    """Refuse a learner that is there twice, or a cross-validation in which folds are missing."""
    seen = [(entry.seed, entry.split) for entry in entries]
    twice = {key for key in seen if seen.count(key) > 1}
    if twice:
        seed, split = min(twice, key=str)
        raise GenreflowError(
            f"{name}: predictions are given twice for split {split}, seed {seed}. Give them once."
        )
    fold = _FOLD.fullmatch(entries[0].split)
    if not fold:
        return
    wanted = {
        (repeat, number)
        for repeat in range(1, int(fold["repeats"]) + 1)
        for number in range(1, int(fold["folds"]) + 1)
    }
    for seed in sorted({seed for seed, _ in seen}, key=str):
        folds = (_FOLD.fullmatch(split) for own, split in seen if own == seed)
        found = {(int(fold["repeat"]), int(fold["fold"])) for fold in folds}
        if found != wanted:
            repeat, number = min(found ^ wanted)
            raise GenreflowError(
                f"{name}, seed {seed}: expected the folds 1 to {fold['folds']} of the repeats 1 to "
                f"{fold['repeats']}; repeat {repeat}, fold {number} is "
                f"{'missing' if (repeat, number) in wanted else 'too many'}. Run the workflow "
                "until all folds are done."
            )


def _check_tests(name: str, group: _Group) -> None:
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


def _spread(values: pd.Series) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else np.nan


def _part_accuracy(rows: pd.DataFrame, part: str) -> float:
    """Mean over runs of the share that is right; NaN where the part is empty."""
    runs = rows[rows["part"] == part].groupby(["seed", "repeat"])["correct"].mean()
    return float(runs.mean())


def _macro_f1(test: pd.DataFrame) -> float:
    """Mean over runs of the macro F1 over the genres that were there or were predicted."""
    return float(
        np.mean(
            [
                f1_score(
                    run["genre"].astype(str),
                    run["predicted"].astype(str),
                    average="macro",
                    zero_division=0,
                )
                for _, run in test.groupby(["seed", "repeat"])
            ]
        )
    )


def _measured(group: _Group) -> dict[str, object]:
    """Return the row of one learner in the comparison."""
    test, tracks = group.test, group.tracks
    accuracy = {f"{part}_accuracy": _part_accuracy(group.rows, part) for part in PARTS}
    runs = test.groupby(["seed", "repeat"])["correct"].mean()
    folds = test.groupby(["seed", "repeat", "fold"])["correct"].mean()
    # Wilson, E. B. (1927), J. Am. Stat. Assoc. 22 (158), 209-212.
    low, high = proportion_confint(
        accuracy["test_accuracy"] * len(tracks), len(tracks), alpha=0.05, method="wilson"
    )
    return {
        "split": group.split,
        "learner": group.learner,
        "seeds": test["seed"].nunique(),
        "folds": len(test[["repeat", "fold"]].drop_duplicates()),
        "tracks": len(tracks),
        **accuracy,
        "test_low": float(low),
        "test_high": float(high),
        "seed_sd": _spread(runs.groupby("seed").mean()),
        "fold_sd": _spread(folds.groupby(["repeat", "fold"]).mean()),
        "repeat_sd": _spread(runs.groupby("repeat").mean()),
        "macro_f1": _macro_f1(test),
        "baseline": float(tracks["genre"].value_counts(normalize=True).max()),
    }


def comparison(
    entries: Iterable[Entry], *, fma_small: bool, marks: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Compare learners, each split by itself.

    Parameters
    ----------
    entries
        Predictions of any learners, splits and seeds. The folds of a cross-validation must
        all be there.
    fma_small
        Whether the corpus is FMA small, on which the study's numbers were measured.
    marks
        As for `marked`, which the learners' names go through.

    Returns
    -------
    pandas.DataFrame
        One row a learner and split (a cross-validation is one split), sorted by split, then
        falling test accuracy. Columns: split, learner; seeds, folds, tracks (numbers of
        seeds, of folds in all repeats, of distinct test tracks); training_accuracy,
        validation_accuracy, test_accuracy (means over runs); test_low, test_high (95 %
        interval); seed_sd, fold_sd, repeat_sd (standard deviation of the test accuracy, NaN
        where there is one only); macro_f1 (test), baseline; and with `fma_small` published,
        the study's test accuracy on this very split, or NaN. All shares between 0 and 1.

    Raises
    ------
    GenreflowError
        If there are no entries, a file is refused by `read_predictions`, folds are missing or
        overlap, there is nothing to test, or seeds or repeats test different tracks.
    """
    table = pd.DataFrame([_measured(group) for group in _groups(entries)])
    if fma_small:
        numbers = [published.accuracy(row.learner, row.split, "test") for row in table.itertuples()]
        table["published"] = pd.Series(numbers, dtype=float)
    table["learner"] = [marked(learner, marks) for learner in table["learner"]]
    return table.sort_values(
        ["split", "test_accuracy", "learner"], ascending=[True, False, True], ignore_index=True
    )


def _recall(group: _Group) -> pd.DataFrame:
    runs = [
        precision_recall_fscore_support(
            run["genre"].astype(str),
            run["predicted"].astype(str),
            labels=group.genres,
            zero_division=np.nan,
        )
        for _, run in group.test.groupby(["seed", "repeat"])
    ]
    support = runs[0][3]
    # Whatever a run leaves undefined is NaN and left out of the mean.
    precision, recall, f1 = (
        pd.DataFrame([run[place] for run in runs]).mean().to_numpy() for place in range(3)
    )
    return pd.DataFrame(
        {
            "split": group.split,
            "learner": group.learner,
            "genre": group.genres,
            "support": support,
            "recall": recall,
            "precision": precision,
            "f1": f1,
        }
    )


def recall(entries: Iterable[Entry], *, marks: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Say how well each genre is found.

    Parameters
    ----------
    entries, marks
        As for `comparison`.

    Returns
    -------
    pandas.DataFrame
        One row a split, learner and genre. Columns: split, learner, genre, support (distinct
        test tracks), recall, precision, f1 (test part, means over runs). Recall is NaN for a
        genre without test tracks, precision for one that was never predicted.

    Raises
    ------
    GenreflowError
        As `comparison`.
    """
    table = pd.concat([_recall(group) for group in _groups(entries)], ignore_index=True)
    table["learner"] = [marked(learner, marks) for learner in table["learner"]]
    return table


def confusion(entries: Iterable[Entry]) -> pd.DataFrame:
    """Count which genres one learner takes for which others.

    Parameters
    ----------
    entries
        All entries of one learner and split (for a cross-validation: of all folds).

    Returns
    -------
    pandas.DataFrame
        Shape (genres, genres), int: tracks of the test part, genre down, predicted across.
        The sum over folds, repeats and seeds: with three seeds each track counts three times.

    Raises
    ------
    GenreflowError
        As `comparison`.
    ValueError
        If the entries are of more than one learner or split.
    """
    groups = list(_groups(entries))
    if len(groups) > 1:
        raise ValueError("confusion takes the entries of one learner on one split")
    (group,) = groups
    test = group.test
    counts = confusion_matrix(
        test["genre"].astype(str), test["predicted"].astype(str), labels=group.genres
    )
    return pd.DataFrame(
        counts,
        index=pd.Index(group.genres, name="genre"),
        columns=pd.Index(group.genres, name="predicted"),
    )


def _text(value: str) -> str:
    """Escape a name so that Markdown and HTML show it as it is."""
    plain = html.escape(" ".join(value.split()), quote=False)
    return re.sub(r"([\\`*\[\]|~])", r"\\\1", plain)


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


# Column of a table -> its heading for readers and how a value is written. The order is theirs.
_SHOWN = {
    "learner": ("Learner", _text),
    "genre": ("Genre", _text),
    "test": ("Test accuracy, % (95 % interval)", str),
    "published": ("Published, %", lambda value: f"{100 * value:.2f}"),
    "baseline": ("Chance, %", _percent),
    "macro_f1": ("Macro F1, %", _percent),
    "recall": ("Recall, %", _percent),
    "precision": ("Precision, %", _percent),
    "f1": ("F1, %", _percent),
    "validation_accuracy": ("Validation, %", _percent),
    "training_accuracy": ("Training, %", _percent),
    "seed_sd": ("SD over seeds, points", _percent),
    "fold_sd": ("SD over folds, points", _percent),
    "repeat_sd": ("SD over repeats, points", _percent),
    "seeds": ("Seeds", str),
    "folds": ("Folds", str),
    "tracks": ("Test tracks", str),
    "support": ("Test tracks", str),
}


def _interval(low: float, high: float) -> str:
    return f"{_percent(low)}-{_percent(high)}"


def _readable(table: pd.DataFrame) -> pd.DataFrame:
    """Write every cell as text, leave out the columns that are empty throughout."""
    table = table.dropna(axis="columns", how="all")
    if "test_accuracy" in table:
        table = table.assign(
            test=[
                f"{_percent(row.test_accuracy)} ({_interval(row.test_low, row.test_high)})"
                for row in table.itertuples()
            ]
        )
    return pd.DataFrame(
        {
            heading: ["" if pd.isna(value) else write(value) for value in table[column]]
            for column, (heading, write) in _SHOWN.items()
            if column in table
        }
    )


def to_markdown(table: pd.DataFrame, *, note: str = "", level: int = 2) -> str:
    """Write a table of `comparison` or `recall` for reading.

    Parameters
    ----------
    table
        What `comparison` or `recall` returned.
    note
        A line below each table that says what its numbers are worth, for example that the
        corpus is synthetic.
    level
        Of the headings, one a split.

    Returns
    -------
    str
        Markdown, ending with a line break. Shares are in percent, to one decimal; published
        ones to two. Columns that a split leaves empty aren't shown. Names are escaped.
    """
    blocks = []
    for split, rows in table.groupby("split", sort=False):
        blocks.append(f"{'#' * level} Split {_text(split)}")
        # Without disable_numparse tabulate would rewrite numbers: 40.0 to 40.
        blocks.append(_readable(rows).to_markdown(index=False, disable_numparse=True))
        if note:
            blocks.append(f"*{_text(note)}*")
    return "\n\n".join(blocks) + "\n"


def _said(rows: pd.DataFrame) -> str:
    """Say in words which learner of one split is ahead, and whether that means anything."""
    first, others = rows.iloc[0], rows.iloc[1:]
    tied = others[others["test_high"] >= first["test_low"]]
    if others.empty:
        lead = "test accuracy"
    elif tied.empty:
        lead = "best test accuracy"
    else:
        lead = "highest test accuracy"
    said = (
        f"{first['split']}: {lead} {_percent(first['test_accuracy'])} % (95 % interval "
        f"{_interval(first['test_low'], first['test_high'])} %) by {first['learner']} "
        f"on {first['tracks']} tracks; naming the most frequent "
        f"genre each time gets {_percent(first['baseline'])} % (chance)."
    )
    if first["test_low"] <= first["baseline"]:
        said += " That can't be told from chance."
    if not tied.empty:
        said += (
            f" The intervals of {len(tied)} of {len(others)} other learners overlap it, so that "
            "it isn't shown to be the best."
        )
    return said


def summary(table: pd.DataFrame, *, note: str = "") -> str:
    """Say in a few words what a comparison shows.

    Parameters
    ----------
    table
        What `comparison` returned.
    note
        A line put below.

    Returns
    -------
    str
        One line a split: the learner with the highest test accuracy, its interval and chance.
        It is called best only if no other learner's interval overlaps its own.
    """
    lines = [_said(rows) for _, rows in table.groupby("split", sort=False)]
    return "\n".join([*lines, note] if note else lines)
