"""How a learner ends: with what it declares, or with the reason why the data don't allow it.

A job that can't make a learner of its data writes the reason into all of its files, so that what
depends on them comes to the same reason, and no half-made model passes for one.
"""

import csv
from collections.abc import Callable, Iterable
from pathlib import Path

from genreflow.errors import NotPossible
from genreflow.runtime.cells import guarded, unguarded
from genreflow.runtime.files import atomic

COLUMN = "reason"
"""The only column of a file that stands for a learner that couldn't be made."""


def write_reason(path: str | Path, reason: str) -> None:
    """Write a CSV of one cell, the reason, in the place of what couldn't be made."""
    with atomic(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(
            [[COLUMN], [guarded(" ".join(reason.split()))]]
        )


def reason_of(path: str | Path) -> str:
    """Return why a file couldn't be made; "" if it is there, or if there is none."""
    path = Path(path)
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        if file.readline(len(COLUMN) + 2).rstrip(b"\r\n") != COLUMN.encode():
            return ""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    return unguarded(rows[1][0]) if len(rows) == 2 and rows[1] else ""


def require(path: str | Path) -> None:
    """Raise NotPossible with the reason if that is all that a file holds."""
    if reason := reason_of(path):
        raise NotPossible(reason)


def end(outputs: Iterable[str | Path], error: NotPossible, say: Callable[[str], None]) -> None:
    """Write the reason into all files that a job declares, and say it.

    Parameters
    ----------
    outputs
        The files. The folder of the first one is what is said not to be possible.
    error
        Holds the reason.
    say
        Called with a line of text.
    """
    outputs = list(outputs)
    for path in outputs:
        write_reason(path, str(error))
    say(f"{Path(outputs[0]).parent} can't be made of these data: {error}")
