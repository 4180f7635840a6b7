"""Logs of the workflow's jobs."""

import errno
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from genreflow.errors import GenreflowError, NotPossible, printable
from genreflow.runtime import orphans, outcomes
from genreflow.runtime.files import make_anew

PROGRESS_SECONDS = 10
"""A job that takes long says how far it is this often."""

LONGEST = 2000
"""A cause is cut behind so many characters."""

CLEARED = "\r\x1b[K"
"""What empties the line that the cursor stands in, of a terminal."""

TAIL = 8192
"""So much of a log is looked at, from its end [bytes]."""

_SHARE = re.compile(r"(?:^|\bepoch )(\d+) of (?:at most )?(\d+)\b")

ERROR = "Error: "
"""How a user's error begins in a log; all lines from there on are of it."""

DISK = tuple(map(os.strerror, (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)))
"""What errors say that the disk is to blame for, in whatever library they arise."""


@contextmanager
def logged(
    path: str | Path, *, visible: bool = False, outputs: Iterable[str | Path] = ()
) -> Iterator[Callable[[str], None]]:
    """Send all that the block prints to a log, and end a user's error without a traceback.

    Whatever writes to the file descriptors 1 and 2 is caught, libraries in C too. The block's
    process ends with the run that started it.

    Parameters
    ----------
    path
        The log; what it held before is lost.
    visible
        Leave what is printed on the terminal, for progress bars: the log then holds what is said
        and a user's error only.
    outputs
        Of a job that makes a learner: if the data don't allow it, they get the reason, and the job
        ends well. Without them that is an error as any other.

    Yields
    ------
    callable
        Says a line on the terminal and in the log, for jobs that take long.
    """
    orphans.end_with_run()
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    make_anew(path)
    terminal = os.fdopen(os.dup(2), "w", buffering=1)
    with path.open("w", buffering=1) as log:
        if not visible:
            for descriptor in (1, 2):
                os.dup2(log.fileno(), descriptor)

        def say(text: str) -> None:
            shown = printable(text, keep="\n\t")
            print(shown, file=log, flush=True)
            print(f"{CLEARED if terminal.isatty() else ''}{shown}", file=terminal, flush=True)

        try:
            yield say
        except GenreflowError as error:
            if isinstance(error, NotPossible) and list(outputs):
                outcomes.end(outputs, error, say)
                return
            print(f"{ERROR}{error}", file=log)
            sys.exit(1)
        except KeyboardInterrupt:
            sys.exit(128 + signal.SIGINT)
        except Exception as error:
            # The log lies on the same disk, so it may stay empty.
            if found := [words for words in DISK if words in str(error)]:
                print(f"{found[0]} for the job of {path}: mend that, and run again", file=terminal)
            raise


@contextmanager
def held_back() -> Iterator[None]:
    """Show what the block writes to the file descriptor 2, in C too, only if it fails."""
    sys.stderr.flush()
    shown = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(shown, held.read())
            raise
        finally:
            os.dup2(shown, 2)
            os.close(shown)


def _lines_at_end(path: str | Path) -> list[str]:
    """Return the last lines of a log that hold something; none if there is no such log."""
    try:
        with Path(path).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    return [printable(line, keep="\t") for line in text.splitlines() if line.strip()]


def last_words(path: str | Path) -> str:
    """Return why a job failed, in a line, as its log says it last; "" if there is none.

    That is a user's error, or else the log's last line, in which a traceback names the exception.
    """
    lines = _lines_at_end(path)
    begun = [number for number, line in enumerate(lines) if line.startswith(ERROR)]
    said = " ".join(line.strip() for line in lines[begun[-1] if begun else -1 :])
    return said.removeprefix(ERROR)[:LONGEST]


def share_done(path: str | Path) -> float:
    """Return which share of a job is done by what its log says last, as "3 of 9 epochs"; else 0."""
    for line in reversed(_lines_at_end(path)):
        if (found := _SHARE.search(line)) and 0 < int(found[1]) <= int(found[2]):
            return int(found[1]) / int(found[2])
    return 0.0


def paced(say: Callable[[str], None], what: str) -> Callable[[int, int], None]:
    """Return a function of the numbers done and in all that says how far a job is.

    Parameters
    ----------
    say
        What `logged` gives. Called every `PROGRESS_SECONDS` at most.
    what
        What there are so many of, for example "clips made".
    """
    last = time.monotonic()

    def progress(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last > PROGRESS_SECONDS:
            last = time.monotonic()
            say(f"{done} of {total} {what}")

    return progress
