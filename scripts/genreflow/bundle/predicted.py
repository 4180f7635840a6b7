"""What is predicted, as tables for people and spreadsheets, and as JSON for programs."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import numpy as np

from genreflow.errors import GenreflowError, printable
from genreflow.pages.links import followed, link
from genreflow.runtime.cells import begins_formula
from genreflow.runtime.files import atomic, write_text

if TYPE_CHECKING:
    import pandas as pd

_ABOUT = ("learner", "title", "corpus", "note", "clip", "unsure")
"""What is said of all files together."""

DIGITS = 4
"""Of probabilities that are written."""


@dataclass(frozen=True)
class Prediction:
    """What is predicted for a file.

    Attributes
    ----------
    file, genres
        As they were given; genres are in the order of the probabilities.
    starts, ends, counts : (windows,) float64
        Of each window, and how much of the file it stands for [s].
    by_window : (windows, genres) float64
        Their probabilities.
    reason
        Why there are no windows: the file can't be used. "" if there are.
    seconds
        Length of the file; 0 without windows.
    unsure_below
        As the bundle's `unsure`; 0 if it has none.
    """

    file: str
    genres: tuple[str, ...]
    starts: np.ndarray
    ends: np.ndarray
    by_window: np.ndarray
    counts: np.ndarray
    reason: str = ""
    seconds: float = 0.0
    unsure_below: float = 0.0

    @classmethod
    def without(cls, file: str, genres: tuple[str, ...], reason: str) -> "Prediction":
        """Return what is said of a file that can't be used."""
        nothing = np.empty(0)
        return cls(file, genres, nothing, nothing, np.empty((0, len(genres))), nothing, reason)

    @property
    def name(self) -> str:
        """The file's name, as it can be shown."""
        return printable(Path(self.file).name)

    @property
    def probabilities(self) -> np.ndarray:
        """The mean over windows by `counts`, (genres,) float64; NaN without windows."""
        if self.reason:
            return np.full(len(self.genres), np.nan)
        return np.average(self.by_window, axis=0, weights=self.counts)

    @property
    def unsure(self) -> bool:
        """Whether the first genre is less probable than `unsure_below`."""
        return bool(self.predicted and self.probabilities.max() < self.unsure_below)

    @property
    def best(self) -> list[str]:
        """The genres, the most probable one first; none without windows."""
        if self.reason:
            return []
        return [self.genres[place] for place in np.argsort(-self.probabilities, kind="stable")]

    @property
    def predicted(self) -> str:
        """The most probable genre, "" without windows."""
        return self.best[0] if self.best else ""

    @property
    def by_itself(self) -> list[str]:
        """The most probable genre of each window."""
        return [self.genres[place] for place in self.by_window.argmax(axis=1)]

    @property
    def ranks(self) -> list[int]:
        """The rank of each window, 1 for the one that speaks most for the predicted genre."""
        if self.reason:
            return []
        own = self.by_window[:, int(self.probabilities.argmax())]
        return (np.argsort(np.argsort(-own, kind="stable")) + 1).tolist()


@dataclass(frozen=True)
class Predictions:
    """What one learner predicts for files.

    The learner, its title, the corpus that it was trained on, the note that must stand by all that
    it says, the length of a window [s], the genres in the order of the probabilities, and below
    which probability a prediction is unsure, are those of its bundle.
    """

    learner: str
    corpus: str
    note: str
    clip: float
    unsure: float | None
    genres: tuple[str, ...]
    files: list[Prediction]
    title: str = ""


def _plain(one: Prediction) -> dict[str, Any]:
    windows = zip(one.starts, one.ends, one.counts, one.by_itself, one.by_window, strict=True)
    return {
        "file": printable(one.file),
        "name": one.name,
        "seconds": round(one.seconds, 3),
        "predicted": one.predicted,
        "unsure": one.unsure,
        "probabilities": [] if one.reason else _rounded(one.probabilities),
        "windows": [
            {
                "start": round(float(start), 3),
                "end": round(float(end), 3),
                "counts": round(float(counts), 3),
                "predicted": own,
                "probabilities": _rounded(found),
            }
            for start, end, counts, own, found in windows
        ],
        "reason": one.reason,
    }


def _rounded(probabilities: np.ndarray) -> list[float]:
    return [round(value, DIGITS) for value in probabilities.tolist()]


def write_json(found: Predictions, path: str | Path) -> None:
    """Write plain values, each file in a line and with a link to it."""
    about = {key: getattr(found, key) for key in (*_ABOUT, "genres")}
    links = [{"link": link(one.file, Path(path).parent)} for one in found.files]
    plain = zip(map(_plain, found.files), links, strict=True)
    files = ",\n".join(json.dumps(one | place) for one, place in plain)
    write_text(path, f'{json.dumps(about)[:-1]}, "files": [\n{files}\n]}}')


def read_json(path: str | Path) -> Predictions:
    """Read what `write_json` wrote.

    Raises
    ------
    GenreflowError
        If it is something else.
    """
    try:
        plain = json.loads(Path(path).read_text(encoding="utf-8"))
        genres = tuple(plain["genres"])
        about = {key: plain[key] for key in _ABOUT}
        place = Path(path).parent, about["unsure"] or 0.0
        files = [_prediction(one, genres, *place) for one in plain["files"]]
    except (ValueError, KeyError, TypeError) as error:
        raise GenreflowError(
            f"{path}: no predictions in JSON ({type(error).__name__}: {error}); predict again"
        ) from None
    return Predictions(**about, genres=genres, files=files)


def _prediction(
    plain: dict[str, Any], genres: tuple[str, ...], folder: Path, unsure_below: float
) -> Prediction:
    file, windows = followed(plain["link"], folder), plain["windows"]
    if plain["reason"]:
        return Prediction.without(file, genres, plain["reason"])
    where = (
        np.array([one[key] for one in windows])
        for key in ("start", "end", "probabilities", "counts")
    )
    about = {"seconds": plain["seconds"], "unsure_below": unsure_below}
    return Prediction(file, genres, *where, **about)


def table(predictions: Iterable[Prediction]) -> "pd.DataFrame":
    """Return one row a file.

    Returns
    -------
    pandas.DataFrame
        file, name (of the file, without folders), predicted, second (the next most probable genre),
        unsure ("unsure" or ""), p_GENRE for each genre, windows (how many), strongest (the window
        that speaks most for the predicted genre, as m:ss-m:ss), reason (why there is no
        prediction). Texts are `escaped`.
    """
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "file": escaped_path(one.file),
                "name": escaped(one.name),
                "predicted": escaped(one.predicted),
                "second": escaped("".join(one.best[1:2])),
                "unsure": "unsure" if one.unsure else "",
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
        file, start, end, counts (how much of the file it stands for) [s], p_GENRE for each genre,
        window_predicted (the genre of the window
        alone), predicted (the genre of the whole file), rank (1 for the window that speaks most for
        it). Texts are `escaped`.
    """
    import pandas as pd

    predictions = list(predictions)
    rows = [
        {
            "file": escaped_path(one.file),
            "start": round(float(one.starts[window]), 3),
            "end": round(float(one.ends[window]), 3),
            "counts": round(float(one.counts[window]), 3),
            **_columns(one.genres, one.by_window[window]),
            "window_predicted": escaped(one.by_itself[window]),
            "predicted": escaped(one.predicted),
            "rank": rank,
        }
        for one in predictions
        for window, rank in enumerate(one.ranks)
    ]
    genres = [f"p_{genre}" for one in predictions[:1] for genre in one.genres]
    columns = ["file", "start", "end", "counts", *genres]
    return pd.DataFrame(rows, columns=[*columns, "window_predicted", "predicted", "rank"])


def write_tables(
    found: Predictions,
    *,
    by_file: str | Path | None = None,
    by_window: str | Path | None = None,
    plain: str | Path | None = None,
) -> None:
    """Write `table` and `segments` as CSV, and `write_json`; None for what isn't wanted."""
    for path, make in ((by_file, table), (by_window, segments)):
        if path is not None:
            with atomic(path) as part:
                make(found.files).to_csv(part, index=False)
    if plain is not None:
        write_json(found, plain)


def _columns(genres: Sequence[str], values: np.ndarray) -> dict[str, float]:
    names = (f"p_{genre}" for genre in genres)
    return dict(zip(names, _rounded(values), strict=True))


def _strongest(one: Prediction) -> str:
    window = one.ranks.index(1)
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
    """Return a table of `table` in columns for a terminal, shorter.

    Names stand for files where all differ, the two most probable genres have their probabilities,
    and long reasons are cut.
    """
    rows = found[["name" if found["name"].is_unique else "file"]].copy()
    probabilities = np.sort(found.filter(regex="^p_").to_numpy(float), axis=1)
    for place, genre in enumerate(("predicted", "second"), start=1):
        rows[genre] = found[genre]
        shown = [
            f"{value:.{DIGITS}f}" if math.isfinite(value) else ""
            for value in probabilities[:, -place]
        ]
        rows[f"p_{genre}"] = shown
    if found["unsure"].any():
        rows["unsure"] = found["unsure"]
    rows[["windows", "strongest"]] = found[["windows", "strongest"]]
    rows["reason"] = [shorten(reason, 60, placeholder=" ...") for reason in found["reason"]]
    return rows.to_string(index=False)
