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
    "pca": "PCA",
    "cv_accuracy": "Cross-validated accuracy",
    "seed_sd": "SD over seeds",
    "fold_sd": "SD over folds",
    "repeat_sd": "SD over repeats",
    "interval": "95 % interval",
    "tracks": "Test tracks",
    "support": "Test tracks",
    "inference_seconds": "Inference, s a clip",
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

_TEXT = (
    "learner",
    "of",
    "device",
    "step",
    "other",
    "better",
    "genre",
    "predicted",
    "track_id",
    "split",
    "path",
    "interval",
    "longest_job",
    "reason",
)
"""Columns that are no numbers, whatever their names look like."""

_SHARE = re.compile(
    r"(.*_)?(accuracy|recall|precision|f1|share|low|high|sd)|baseline|fold_mean"
    r"|calibration_error|published(_test|_cv)?"
)


@dataclass(frozen=True)
class Cell:
    """What stands in a cell.

    Attributes
    ----------
    text
        What is shown.
    value
        The number that the column is sorted by; None sorts by the text.
    link
        Where the text leads, or "".
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
    caption
        Says what it is.
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
    caption
        Says what it is.
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
    for name in frame.columns:
        cells, heading, numeric = _column(frame[name], (write or {}).get(name))
        columns.append(cells)
        headings.append((heading, numeric))
    rows = list(zip(*columns, strict=True))
    return Table(caption, headings, rows, total=len(frame))


def _column(column: pd.Series, write: Callable[[Any], Cell] | None) -> tuple[list[Cell], str, bool]:
    """Return the cells of a column, its heading, and whether it holds numbers."""
    name = str(column.name)
    heading = _HEADINGS.get(name) or name.replace("_", " ").capitalize()
    shown = column.head(LIMIT)
    numbers = _numbers(column)
    if numbers is None:
        write = write or (lambda value: Cell(str(value)))
        return [Cell("") if _empty(value) else write(value) for value in shown], heading, False
    if _SHARE.fullmatch(name) and numbers.dropna().between(0, 1).all():
        heading += ", %"
        write = write or (lambda value: Cell(_percent(value, name), value))
    elif not write:
        digits = _writer(numbers)
        write = lambda value: Cell(digits(value), value)  # noqa: E731
    numbers = numbers.head(LIMIT).astype(float)
    return [Cell("") if _empty(value) else write(value) for value in numbers], heading, True


def _empty(value: object) -> bool:
    return isinstance(value, float) and pd.isna(value)


def _numbers(column: pd.Series) -> pd.Series | None:
    """Return a column as numbers, NaN where it is empty; None if it holds anything else."""
    if column.name in _TEXT or pd.api.types.is_bool_dtype(column):
        return None
    numbers = pd.to_numeric(column, errors="coerce")
    return None if (numbers.isna() & column.notna()).any() else numbers


def _percent(share: float, name: str) -> str:
    return f"{100 * share:.{2 if name.startswith('published') else 1}f}"


def _writer(numbers: pd.Series) -> Callable[[float], str]:
    known = numbers.dropna()
    if (known % 1 == 0).all():
        return "{:,.0f}".format
    if all(len(f"{number:g}") <= 5 and float(f"{number:g}") == number for number in known):
        return "{:g}".format
    return _decimals


def _decimals(number: float) -> str:
    small = number and abs(number) < 0.001
    return f"{number:.1e}" if small else f"{number:,.3f}"
