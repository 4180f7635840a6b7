"""Tables of the report: what stands in their cells, and what they are sorted by."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

LIMIT = 1000
"""A table shows so many rows at most; the rest is in its file."""

_HEADINGS = {
    "bounds": "Test accuracy, %",
    "published": "Published test accuracy",
    "macro_f1": "Macro F1",
    "top2_accuracy": "Top-2 accuracy",
    "top_genre_accuracy": "Top genre right",
    "pca": "PCA",
    "cv_accuracy": "Cross-validated accuracy",
    "seed_sd": "SD over seeds",
    "fold_sd": "SD over folds",
    "repeat_sd": "SD over repeats",
    "fold_mean": "Mean over folds",
    "tracks": "Test tracks",
    "groups": "Artists",
    "support": "Test tracks",
    "only_learner": "Only the learner right",
    "only_other": "Only the other right",
    "p": "p",
    "p95": "95th percentile",
    "clip": "From a decoded clip",
    "clip_95th_percentile": "95th percentile of it",
    "file": "From a file",
    "p_corrected": "p, corrected",
    "log_loss": "Log loss, nat",
    "milliseconds": "Time per clip, ms",
    "against": "Differs from the first",
    "peak_mb": "Peak memory, MiB",
    "seconds": "All jobs, s",
    "longest": "Longest job, s",
    "longest_job": "Which job",
    "track_id": "Track",
}

MEANINGS = {
    "bounds": "share of the test tracks whose genre was named",
    "against": "whether a paired test on the same test tracks, corrected for the number of pairs, "
    "finds a difference from the learner with the highest test accuracy",
    "validation_accuracy": "share of the validation tracks whose genre was named",
    "training_accuracy": "share of the training tracks whose genre was named",
    "macro_f1": "mean over genres of the F1 score, each genre counting the same",
    "log_loss": "mean of minus the natural logarithm of the true genre's probability",
    "top2_accuracy": "share of tracks whose genre has one of the two largest probabilities",
    "calibration_error": "expected calibration error in ten bins of equal width: the mean distance "
    "between how sure a learner is and how often it is right, weighted by tracks",
    "milliseconds": "median time from a decoded clip to its prediction, one clip at a time",
    "parameters": "weights that a network has learned; of a classifier, those of the networks that "
    "its features come from, up to the cut",
    "seed_sd": "standard deviation of the test accuracy over seeds",
    "fold_sd": "standard deviation of the test accuracy over folds",
    "repeat_sd": "standard deviation of the test accuracy over repeats",
    "fold_mean": "mean over folds, each counting the same however many tracks it has",
    "published": "the study's number for this learner on this very split, on FMA small only",
}
"""What the columns of the ranking mean, as docs/numbers.md says it."""

_TEXT = ("learner", "of", "genre", "track_id", "split", "path", "against", "longest_job")
"""Columns that are no numbers, even where what they name looks like some."""

_SHARE = re.compile(
    r"(.*_)?(accuracy|recall|precision|f1|share|low|high|sd)|fold_mean"
    r"|calibration_error|published(_test|_cv)?"
)


class Heading(NamedTuple):
    """What stands above a column: whether it holds numbers, and what it means, or ""."""

    text: str
    is_number: bool
    meaning: str = ""


@dataclass(frozen=True)
class Cell:
    """What stands in a cell: a text, which may be a link.

    `value` is the number that the column is sorted by; None sorts by the text. `range` is an
    interval to draw, in shares: its lower end, its middle, its upper end; `shade` is a share that
    colours the cell. Behind the text stand `badges`, words in frames, and a line in `small`
    letters.
    """

    text: str
    value: float | None = None
    link: str = ""
    range: tuple[float, ...] = ()
    shade: float | None = None
    badges: Sequence[str] = ()
    small: str = ""


@dataclass(frozen=True)
class Table:
    """A table as the page shows it: the first cell names its row.

    `total` is how many rows there would be without `LIMIT`.
    """

    caption: str
    headings: Sequence[Heading]
    rows: Sequence[Sequence[Cell]]
    total: int


def table(
    frame: pd.DataFrame,
    *,
    caption: str,
    write: Mapping[str, Callable[[Any], Cell]] | None = None,
    names: Collection[str] = (),
) -> Table:
    """Lay out any table.

    It holds text, numbers or whole cells; columns that are empty throughout are left out. Shares
    (known by the names of their columns) are in percent, to one decimal, published ones to two;
    other numbers as they are if all are short, else to three decimals; unless `write` says how the
    cells of a column are written. Each is sorted by its full value. Columns called by `names` keep
    them.
    """
    frame = frame.mask(frame == "").dropna(axis="columns", how="all")
    columns, headings = [], []
    for name, column in frame.items():
        heading, meaning = str(name), ""
        if name not in names:
            heading = _HEADINGS.get(heading) or heading.replace("_", " ").capitalize()
            meaning = MEANINGS.get(str(name), "")
        if isinstance(column.dropna().iloc[0], Cell):
            columns.append([Cell("") if cell != cell else cell for cell in column.head(LIMIT)])
            is_number = any(cell.value is not None for cell in columns[-1])
            headings.append(Heading(heading, is_number, meaning))
            continue
        numbers = _numbers(column)
        if numbers is None:
            shown, own = column, lambda value: Cell(str(value))
        else:
            unit, digits = _writing(str(name), numbers.dropna())
            heading, shown = heading + unit, numbers.astype(float)
            own = lambda value, digits=digits: Cell(digits(value), value)  # noqa: E731
        own = (write or {}).get(name, own)
        cells = zip(shown.head(LIMIT), shown.isna(), strict=False)
        columns.append([Cell("") if empty else own(value) for value, empty in cells])
        headings.append(Heading(heading, numbers is not None, meaning))
    return Table(caption, headings, list(zip(*columns, strict=True)), total=len(frame))


def _numbers(column: pd.Series) -> pd.Series | None:
    """Return a column as numbers, NaN where it is empty; None if it holds anything else."""
    if column.name in _TEXT or pd.api.types.is_bool_dtype(column):
        return None
    numbers = pd.to_numeric(column, errors="coerce")
    return None if (numbers.isna() & column.notna()).any() else numbers


def _writing(name: str, known: pd.Series) -> tuple[str, Callable[[float], str]]:
    """Return the unit of a column of numbers, and how they are written."""
    if _SHARE.fullmatch(name) and known.between(0, 1).all():
        decimals = 2 if name.startswith("published") else 1
        return ", %", lambda share: f"{100 * share:.{decimals}f}"
    if (known % 1 == 0).all():
        return "", "{:,.0f}".format
    if all(len(f"{number:g}") <= 5 and float(f"{number:g}") == number for number in known):
        return "", "{:g}".format
    return "", lambda number: f"{number:.1e}" if 0 < abs(number) < 0.001 else f"{number:,.3f}"
