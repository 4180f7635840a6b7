"""How well each learner does, from the predictions.csv files and the corpus's list of tracks.

docs/numbers.md says what each number means. What it takes to make them:

- A *run* is one seed on one repeat of a cross-validation (on a split that is no
  cross-validation: one seed). The folds of a run are pooled before anything is counted, so
  that each track is tested exactly once in it; whatever a run yields is then averaged over runs.
- The interval is that of `evaluation.uncertainty`, for the mean accuracy over runs as if it were
  counted once on the distinct test tracks. It speaks of other tracks, not of other trainings: for
  those see the standard deviations over seeds, folds and repeats (ddof 1).
- The true genre's probability is taken for no less than the float64 epsilon (2.2e-16) in the log
  loss, as by scikit-learn.
- The expected calibration error is taken over the predictions of all runs together.
- A learner that couldn't be made (`runtime.outcomes`), or that was left out beforehand, has a row
  with the reason and no numbers, and none in any other table.
"""

from collections.abc import Iterable, Mapping
from itertools import product

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score, precision_recall_fscore_support

from genreflow import split_names
from genreflow.corpus.tracks import PARTS
from genreflow.errors import NotPossible
from genreflow.evaluation import calibration, markdown, published_results, uncertainty
from genreflow.learners.predictions import Entry, Group, groups, mark_of, marked, unmade

_RUN = ["seed", "repeat"]
_COUNTS = ("seeds", "folds", "tracks")
_WHOLE = (*_COUNTS, "groups", "parameters")
_TEXTS = ("split", "learner", "title", "kind", "mark", "interval", "reason")
_FLAGS = ("chosen", "learns_from_validation")
_COLUMNS = (
    *("split", "learner", "title", "kind", "mark", *_COUNTS, "groups"),
    *(f"{part}_accuracy" for part in PARTS),
    *("test_low", "test_high", "interval", *_FLAGS),
    *("seed_sd", "fold_sd", "repeat_sd", "fold_mean", "macro_f1", "log_loss"),
    *("top2_accuracy", "top_genre_accuracy", "calibration_error", "baseline"),
    *("parameters", "latency_seconds", "published", "reason"),
)
_TYPES = {name: float for name in _COLUMNS if name not in _TEXTS}
_TYPES |= dict.fromkeys(_WHOLE, "Int64") | dict.fromkeys(_FLAGS, bool)


def _labels(group: Group) -> list[tuple[pd.Series, pd.Series]]:
    """Return genres and predictions of each run."""
    test = group.test.astype({"genre": str, "predicted": str})
    return [(run["genre"], run["predicted"]) for _, run in test.groupby(_RUN)]


def _top_genre_accuracy(test: pd.DataFrame, tops: Mapping[str, str]) -> float:
    """Return the share of predictions below the right genre; NaN where none lies below another."""
    if not tops:
        return np.nan
    right, given = (test[name].astype(str).replace(tops) for name in ("genre", "predicted"))
    return (right == given).mean()


def _measured(
    group: Group, manifest: pd.DataFrame | None, tops: Mapping[str, str]
) -> dict[str, object]:
    """Return the row of one learner in the comparison."""
    test, tracks = group.test, group.tracks
    artists = uncertainty.artists_of(tracks["track_id"], manifest)
    right = test.groupby("track_id", sort=False)["correct"].mean()[tracks["track_id"]]
    low, high = uncertainty.interval(right.to_numpy(), artists)
    shares = group.rows.groupby(["part", *_RUN], observed=True)["correct"].mean()
    runs = {part: shares[shares.index.get_level_values("part") == part] for part in PARTS}
    accuracy = {part: own.mean() for part, own in runs.items()}
    by_fold = test.groupby(["repeat", "fold", "seed"])["correct"].mean()
    by_fold = by_fold.groupby(["repeat", "fold"]).mean()
    # Over the genres that were there or were predicted.
    f1 = [f1_score(*run, average="macro", zero_division=0) for run in _labels(group)]
    return {
        "split": group.split,
        "learner": group.learner,
        "seeds": test["seed"].nunique(),
        "folds": len(by_fold),
        "tracks": len(tracks),
        "groups": pd.NA if artists is None else len(np.unique(artists)),
        **{f"{part}_accuracy": share for part, share in accuracy.items()},
        "test_low": low,
        "test_high": high,
        "interval": uncertainty.method(artists),
        # NaN where there is one only.
        "seed_sd": runs["test"].groupby("seed").mean().std(ddof=1),
        "fold_sd": by_fold.std(ddof=1),
        "repeat_sd": runs["test"].groupby("repeat").mean().std(ddof=1),
        "fold_mean": by_fold.mean() if len(by_fold) > 1 else np.nan,
        "macro_f1": np.mean(f1),
        # Every run has the same tracks, so the mean over all is the mean over runs.
        "log_loss": test["loss"].mean(),
        "top2_accuracy": test["top2"].mean(),
        "top_genre_accuracy": _top_genre_accuracy(test, tops),
        "calibration_error": calibration.error(
            calibration.bins(test["confidence"], test["correct"])
        ),
        "baseline": tracks["genre"].value_counts(normalize=True).max(),
    }


def comparison(
    entries: Iterable[Entry],
    *,
    fma_small: bool,
    manifest: pd.DataFrame | None = None,
    chosen: tuple[str, str] | None = None,
    marks: Mapping[str, str] | None = None,
    parameters: Mapping[str, int] | None = None,
    latency_seconds: Mapping[str, float] | None = None,
    left_out: Mapping[str, str] | None = None,
    about: Mapping[str, Mapping[str, str]] | None = None,
    tops: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Compare learners, each split by itself.

    Parameters
    ----------
    entries, marks
        As for `learners.predictions.groups`, and for `marked` there, which names go through.
    fma_small
        Whether the corpus is FMA small, on which the study's numbers were measured.
    manifest
        The corpus's tracks: track_id, artist_id, album_id and duplicate_of, "" if unknown. None
        leaves all artists unknown.
    chosen
        Split and learner of what is used for predictions, if that is known.
    parameters, latency_seconds, left_out
        By learner, its name without a mark, as far as known: the number of parameters; the time
        from a decoded clip to its prediction [s]; why it was left out beforehand, on all splits.
    about
        By learner, its name without a mark: what people call it, its title (else its name) and its
        kind, and learns_from_validation.
    tops
        What each genre lies below, as `corpus.genres.tops`; none where genres are all alike.

    Returns
    -------
    pandas.DataFrame
        One row per learner and split (a cross-validation is one split), sorted by split, then
        falling test accuracy, with the columns that docs/numbers.md has for comparison.csv. All
        shares are between 0 and 1. Standard deviations are NaN where there is one only, numbers of
        artists NA if they are unknown; published is there with `fma_small`. A learner that couldn't
        be made comes after the others of its split, and has NA everywhere but in reason.

    Raises
    ------
    GenreflowError
        As `learners.predictions.groups` and `uncertainty.artists_of`.
    """
    entries = list(entries)
    rows = [_measured(group, manifest, tops or {}) for group in groups(entries)]
    for row in rows:
        name = row["learner"]
        row["parameters"] = (parameters or {}).get(name)
        row["latency_seconds"] = (latency_seconds or {}).get(name)
        row["published"] = published_results.value(name, row["split"], "test")
    families = sorted({split_names.family(entry.split) for entry in entries})
    lacking = {place: left_out[place[1]] for place in product(families, left_out or ())}
    rows += [
        {"split": family, "learner": name, "reason": reason}
        for (family, name), reason in (lacking | unmade(entries)).items()
    ]
    for row in rows:
        name = row["learner"]
        said = {"title": name, "kind": ""} | dict((about or {}).get(name, {}))
        row |= {column: said.get(column) for column in ("title", "kind", "learns_from_validation")}
        row["chosen"] = (row["split"], name) == chosen
        row["mark"], row["learner"] = mark_of(name, marks), marked(name, marks)
    table = pd.DataFrame(rows, columns=_COLUMNS).astype(_TYPES)
    return table.drop(columns=[] if fma_small else "published").sort_values(
        ["split", "test_accuracy", "learner"], ascending=[True, False, True], ignore_index=True
    )


def made(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a comparison that have numbers, those of the learners that were made."""
    rows = table[table["test_accuracy"].notna()]
    return rows.astype({name: int for name in _COUNTS if name in rows})


def latency_by_learner(table: pd.DataFrame) -> pd.DataFrame:
    """Return parameters and seconds (the median on the processor, from decoded audio) by learner.

    `table` is what `bundle.latency.measure` returned.
    """
    rows = table[(table["step"] == "clip") & (table["device"] == "cpu")].set_index("name")
    return rows[["parameters", "median"]].rename(columns={"median": "seconds"})


def _recall(group: Group, marks: Mapping[str, str] | None) -> pd.DataFrame:
    scores = [
        precision_recall_fscore_support(*run, labels=group.genres, zero_division=np.nan)
        for run in _labels(group)
    ]
    # Whatever a run leaves undefined is NaN and left out of the mean.
    means = [pd.DataFrame(each).mean().to_numpy() for each in zip(*scores, strict=True)]
    table = pd.DataFrame(dict(zip(("precision", "recall", "f1", "support"), means, strict=True)))
    named = {"split": group.split, "learner": marked(group.learner, marks), "genre": group.genres}
    return table.assign(**named).astype({"support": int})[_OF_GENRES]


_OF_GENRES = ["split", "learner", "genre", "support", "recall", "precision", "f1"]


def recall(entries: Iterable[Entry], *, marks: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Say how well each genre is found.

    `entries` and `marks` are as for `comparison`, which raises the same.

    Returns
    -------
    pandas.DataFrame
        One row per split, learner and genre. Columns: split, learner, genre, support (distinct
        test tracks), recall, precision, f1 (test part, means over runs). Recall is NaN for a
        genre without test tracks, precision for one that was never predicted.
    """
    tables = [_recall(group, marks) for group in groups(entries)]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=_OF_GENRES)


def confusion(entries: Iterable[Entry]) -> pd.DataFrame:
    """Count which genres one learner takes for which others.

    `entries` are all of one learner and split (for a cross-validation: of all folds).

    Returns
    -------
    pandas.DataFrame
        Shape (genres, genres), int: tracks of the test part, genre down, predicted across.
        The sum over folds, repeats and seeds: with three seeds each track counts three times.

    Raises
    ------
    NotPossible
        If the learner couldn't be made; else as `comparison`.
    """
    entries = list(entries)
    for reason in unmade(entries).values():
        raise NotPossible(reason)
    (group,) = groups(entries)
    # Both are categories, so that genres without a track are there.
    return pd.crosstab(group.test["genre"], group.test["predicted"], dropna=False)


# Column of a table -> its heading for readers and how a value is written. The order is theirs.
_SHOWN = {
    "title": ("Learner", markdown.escape),
    "learner": ("Name", markdown.escape),
    "test": ("Test accuracy, % (95 % interval)", str),
    "chosen": ("Used for predictions", lambda chosen: "yes" if chosen else ""),
    "reason": ("Why it couldn't be made", markdown.escape),
    "fold_mean": ("Mean over folds, %", markdown.percent),
    "published": ("Published, %", lambda value: f"{100 * value:.2f}"),
    "baseline": ("Chance, %", markdown.percent),
    "macro_f1": ("Macro F1, %", markdown.percent),
    "top2_accuracy": ("Top-2 accuracy, %", markdown.percent),
    "top_genre_accuracy": ("Top genre right, %", markdown.percent),
    "log_loss": ("Log loss, nat", lambda value: f"{value:.3f}"),
    "calibration_error": ("Calibration error, %", markdown.percent),
    "validation_accuracy": ("Validation, %", markdown.percent),
    "training_accuracy": ("Training, %", markdown.percent),
    "seed_sd": ("SD over seeds, points", markdown.percent),
    "fold_sd": ("SD over folds, points", markdown.percent),
    "repeat_sd": ("SD over repeats, points", markdown.percent),
    "parameters": ("Parameters", lambda value: f"{value:,}"),
    "latency_seconds": ("Latency, ms per clip", markdown.milliseconds),
    "seeds": ("Seeds", str),
    "folds": ("Folds", str),
    "tracks": ("Test tracks", str),
    "groups": ("Artists", lambda count: f"{count:.0f}"),
    "interval": ("Interval", markdown.escape),
}

_BY_NAME = {"learner": ("Learner", markdown.escape)}


def to_markdown(table: pd.DataFrame, *, note: str = "") -> str:
    """Write a table of `comparison` for reading, as `markdown.by_split`.

    Shares are in percent, to one decimal; published ones to two. Columns that a split leaves empty
    aren't shown. Names are escaped.
    """
    shown = made(table)
    ends = zip(shown["test_accuracy"], shown["test_low"], shown["test_high"], strict=True)
    test = [f"{markdown.percent(own)} ({markdown.interval(*interval)})" for own, *interval in ends]
    table = table.assign(
        test=pd.Series(test, index=shown.index, dtype=object),
        chosen=table["chosen"].astype(object).where(table["chosen"]),
    )
    columns = _SHOWN
    if (table["title"] == table["learner"]).all():
        table, columns = table.drop(columns="title"), _SHOWN | _BY_NAME
    return markdown.by_split(table, lambda rows: markdown.table(rows, columns), note)
