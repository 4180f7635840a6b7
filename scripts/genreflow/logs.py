"""Logs of the workflow's jobs."""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from genreflow.errors import GenreflowError

T = TypeVar("T")

PROGRESS_SECONDS = 10
"""A job that takes long says how far it is this often."""


@contextmanager
def logged(path: str | Path) -> Iterator[Callable[[str], None]]:
    """Send all that the block prints to a log, and end a user's error without a traceback.

    Whatever writes to the file descriptors 1 and 2 is caught, libraries in C too.

    Parameters
    ----------
    path
        The log; what it held before is lost.

    Yields
    ------
    callable
        Says a line on the terminal and in the log, for jobs that take long.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    terminal = os.fdopen(os.dup(2), "w", buffering=1)
    with path.open("w", buffering=1) as log:
        for descriptor in (1, 2):
            os.dup2(log.fileno(), descriptor)

    def say(text: str) -> None:
        for stream in (sys.stderr, terminal):
            print(text, file=stream, flush=True)

    try:
        yield say
    except GenreflowError as error:
        print(error, file=sys.stderr)
        sys.exit(1)


def counted(
    items: Iterable[T], total: int, *, unit: str, say: Callable[[str], None]
) -> Iterator[T]:
    """Pass items on, and say every `PROGRESS_SECONDS` how many there were.

    Parameters
    ----------
    items
        What to iterate over.
    total
        How many there are.
    unit
        What they are, for example "clips made".
    say
        What `logged` gives.
    """
    last = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        if time.monotonic() - last > PROGRESS_SECONDS:
            last = time.monotonic()
            say(f"{done} of {total} {unit}")
