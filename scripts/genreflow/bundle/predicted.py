"""What is predicted, as tables for people and spreadsheets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import numpy as np

from genreflow.errors import printable
from genreflow.runtime.cells import begins_formula

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Prediction:
    """What is predicted for a file.

    Attributes
    ----------
    file
        As it was given.
    genres
        In the order of the probabilities.
    starts, ends : (windows,) float64
        Of each window [s].
    by_window : (windows, genres) float64
        Their probabilities.
    reason
        Why there are no windows: the file can't be used. "" if there are.
    """

    file: str
    genres: tuple[str, ...]
    starts: np.ndarray
    ends: np.ndarray
    by_window: np.ndarray
    reason: str = ""

    @property
    def probabilities(self) -> np.ndarray:
        """The mean over windows, (genres,) float64; NaN without windows."""
        if self.reason:
            return np.full(len(self.genres), np.nan)
        return self.by_window.mean(axis=0)

    @property
    def predicted(self) -> str:
        """The most probable genre, "" without windows."""
        return "" if self.reason else self.genres[int(self.probabilities.argmax())]

    @property
    def ranked(self) -> np.ndarray:
        """The windows, those first that speak most for the predicted genre."""
        own = self.by_window[:, int(self.probabilities.argmax())] if not self.reason else []
        return np.argsort(-np.asarray(own), kind="stable")


def table(predictions: Iterable[Prediction]) -> "pd.DataFrame":
    """Return one row a file.

    Returns
    -------
    pandas.DataFrame
        file, predicted, p_GENRE for each genre, windows (how many), strongest (the window that
        speaks most for the predicted genre, as m:ss-m:ss), reason (why there is no prediction).
        Texts are `escaped`.
    """
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "file": escaped_path(one.file),
                "predicted": escaped(one.predicted),
                **_columns(one.genres, one.probabilities),
                "windows": len(one.starts),
                "strongest": "" if one.reason else _strongest(one),
                "reason": one.reason,
            }
            for one in predictions
        ]
    )


def segments(predictions: Iterable[Prediction]) -> "pd.DataFrame":
    """Return one row a window.

    Returns
    -------
    pandas.DataFrame
        file, start, end [s], p_GENRE for each genre, predicted (the genre of the whole file), rank
        (1 for the window that speaks most for it). Texts are `escaped`.
    """
    import pandas as pd

    rows = []
    genres: tuple[str, ...] = ()
    for one in predictions:
        genres = one.genres
        rank = np.empty(len(one.starts), dtype=int)
        rank[one.ranked] = np.arange(1, len(rank) + 1)
        rows += [
            {
                "file": escaped_path(one.file),
                "start": round(float(one.starts[window]), 3),
                "end": round(float(one.ends[window]), 3),
                **_columns(one.genres, one.by_window[window]),
                "predicted": escaped(one.predicted),
                "rank": rank[window],
            }
            for window in range(len(rank))
        ]
    names = ["file", "start", "end", *_columns(genres, genres), "predicted", "rank"]
    return pd.DataFrame(rows, columns=names)


def _columns(genres: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    return {f"p_{genre}": value for genre, value in zip(genres, values, strict=True)}


def _strongest(one: Prediction) -> str:
    window = one.ranked[0]
    return f"{_clock(one.starts[window])}-{_clock(one.ends[window])}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(float(seconds)), 60)
    return f"{minutes}:{rest:02d}"


def escaped(text: str) -> str:
    """Return a text that a terminal and a spreadsheet show as it is.

    Control characters and bytes that aren't UTF-8 are written as escapes. What a spreadsheet would
    take for a formula gets an apostrophe in front.
    """
    plain = printable(text)
    return f"'{plain}" if begins_formula(plain) else plain


def escaped_path(path: str) -> str:
    """Return a path as `escaped` does, but with ``./`` in front, so that it stays the same path."""
    plain = printable(path)
    return f"./{plain}" if begins_formula(plain) else plain


def to_text(found: "pd.DataFrame") -> str:
    """Return a table of `table` in columns for a terminal, with long reasons cut."""
    probabilities = found.filter(regex="^p_")
    rows = found[["file", "predicted", "windows", "strongest", "reason"]].copy()
    rows["reason"] = [shorten(reason, 60, placeholder=" ...") for reason in rows["reason"]]
    rows.insert(
        2, "probability", probabilities.max(axis=1).map("{:.3f}".format, na_action="ignore")
    )
    return rows.fillna("").to_string(index=False)
