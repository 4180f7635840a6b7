"""Jobs that end when the run that they belong to does."""

import contextlib
import os
import select
import signal
import threading
import time

RUN = "GENREFLOW_RUN"
"""The environment variable with the process id of the run that starts the jobs."""

INTERVAL = 1.0
"""How often a job looks whether its run is alive [s]."""

GRACE = 4.0
"""What a job may take to clean up after an interrupt [s]."""


def end_with_run() -> None:
    """End this process when the run that started it is gone.

    A killed run does not take its jobs along: they would go on writing the files that a run that is
    started again makes too. Outside a run nothing happens.
    """
    if RUN in os.environ:
        end_with(int(os.environ[RUN]))


def end_with(process: int) -> None:
    """End this process when another one is gone, and soon after an interrupt (Ctrl-C).

    Python's own handling of an interrupt waits for whatever library is at work, which may take
    minutes. Call it in the main thread.

    Parameters
    ----------
    process
        The id of the other process: a parent, or a parent's parent.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    watch = threading.Thread(target=_watch, args=(process, os.getppid(), reader), daemon=True)
    watch.start()


def _watch(process: int, parent: int, reader: int) -> None:
    # A parent that was killed may have an id until its own parent looks; its children have none.
    while os.getppid() == parent and _exists(process):
        arrived, _, _ = select.select([reader], [], [], INTERVAL)
        if arrived and signal.SIGINT in os.read(reader, 64):
            time.sleep(GRACE)
            break
    os.kill(os.getpid(), signal.SIGKILL)


def _exists(process: int) -> bool:
    with contextlib.suppress(PermissionError):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
    return True
