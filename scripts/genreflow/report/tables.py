"""Tables of the report: what stands in their cells, and what they are sorted by."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

LIMIT = 1000
"""A table shows so many rows at most; the rest is in its file."""

_HEADINGS = {
    "baseline": "Chance",
    "published": "Published test accuracy",
    "macro_f1": "Macro F1",
    "top2_accuracy": "Top-2 accuracy",
    "top_genre_accuracy": "Top genre right",
    "pca": "PCA",
    "cv_accuracy": "Cross-validated accuracy",
    "seed_sd": "SD over seeds",
    "fold_sd": "SD over folds",
    "repeat_sd": "SD over repeats",
    "interval": "95 % interval",
    "tracks": "Test tracks",
    "groups": "Artists",
    "chosen": "Used for predictions",
    "support": "Test tracks",
    "latency_seconds": "Latency, s a clip",
    "only_learner": "Only the learner right",
    "only_other": "Only the other right",
    "p": "p",
    "p95": "95th percentile",
    "clip": "From a decoded clip",
    "clip_95th_percentile": "95th percentile of it",
    "file": "From a file",
    "p_corrected": "p, corrected",
    "log_loss": "Log loss, nat",
    "peak_mb": "Peak memory, MiB",
    "seconds": "All jobs, s",
    "longest": "Longest job, s",
    "longest_job": "Which job",
    "track_id": "Track",
}

_TEXT = ("learner", "of", "genre", "track_id", "split", "path", "interval", "longest_job")
"""Columns that are no numbers, even where what they name looks like some."""

_SHARE = re.compile(
    r"(.*_)?(accuracy|recall|precision|f1|share|low|high|sd)|baseline|fold_mean"
    r"|calibration_error|published(_test|_cv)?"
)


@dataclass(frozen=True)
class Cell:
    """What stands in a cell.

    Attributes
    ----------
    text, link
        What is shown, and where it leads, or "".
    value
        The number that the column is sorted by; None sorts by the text.
    bar
        Shares to draw: one as a bar; or the lower end of an interval, its middle, the upper end.
    """

    text: str
    value: float | None = None
    link: str = ""
    bar: tuple[float, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table as the page shows it.

    Attributes
    ----------
    headings
        Of each column, and whether it holds numbers.
    rows
        A cell each; the first names the row.
    total
        How many rows there would be without `LIMIT`.
    """

    caption: str
    headings: Sequence[tuple[str, bool]]
    rows: Sequence[Sequence[Cell]]
    total: int


def table(
    frame: pd.DataFrame,
    *,
    caption: str,
    write: Mapping[str, Callable[[Any], Cell]] | None = None,
) -> Table:
    """Lay out any table.

    Parameters
    ----------
    frame
        Text or numbers; columns that are empty throughout are left out.
    write
        How the cells of some columns are written, instead of as follows.

    Returns
    -------
    Table
        Shares (known by the names of their columns) in percent, to one decimal, published ones
        to two; other numbers as they are if all are short, else to three decimals. Each is
        sorted by its full value.
    """
    frame = frame.mask(frame == "").dropna(axis="columns", how="all")
    columns, headings = [], []
    for name, column in frame.items():
        heading = _HEADINGS.get(name) or name.replace("_", " ").capitalize()
        numbers = _numbers(column)
        if numbers is None:
            shown, own = column, lambda value: Cell(str(value))
        else:
            unit, digits = _writing(name, numbers.dropna())
            heading, shown = heading + unit, numbers.astype(float)
            own = lambda value, digits=digits: Cell(digits(value), value)  # noqa: E731
        own = (write or {}).get(name, own)
        cells = zip(shown.head(LIMIT), shown.isna(), strict=False)
        columns.append([Cell("") if empty else own(value) for value, empty in cells])
        headings.append((heading, numbers is not None))
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
