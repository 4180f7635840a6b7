"""Predict the genres of files: ``python -P -m genreflow.bundle.predict BUNDLE FILE...``."""

import argparse
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from importlib import import_module
from itertools import islice
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path
from typing import TYPE_CHECKING

from genreflow.audio import collect
from genreflow.bundle import bundles
from genreflow.bundle.predicted import segments, table, to_text
from genreflow.bundle.prediction import Clips, Predictor, predict_files, prepare
from genreflow.errors import GenreflowError, printable
from genreflow.runtime.files import atomic

if TYPE_CHECKING:
    import pandas as pd

AHEAD = 16
"""Files that are prepared ahead, at most."""


class _Ahead:
    """What returns the clips of files, which other processes prepare ahead.

    They decode the first files while this process loads the models, which takes as long, and later
    ones while it predicts.
    """

    def __init__(
        self, pool: ProcessPoolExecutor, work: Callable[[Path], Clips], paths: Iterable[Path]
    ):
        self._pool, self._work, self._paths = pool, work, iter(paths)
        self._waiting: deque[Future[Clips]] = deque()
        for _ in range(AHEAD):
            self._submit()

    def _submit(self) -> None:
        for path in islice(self._paths, 1):
            self._waiting.append(self._pool.submit(self._work, path))

    def __iter__(self) -> Iterator[Callable[[], Clips]]:
        while self._waiting:
            yield partial(_result, self._waiting.popleft())
            self._submit()


def _result(future: "Future[Clips]") -> Clips:
    try:
        return future.result()
    except BrokenProcessPool:
        raise GenreflowError(
            "the process that decoded it, or a file beside it, was ended by the system, likely for "
            "want of memory: predict it alone"
        ) from None


def _pool(jobs: int) -> AbstractContextManager[ProcessPoolExecutor | None]:
    """Start other processes, where that is safe: not once TensorFlow runs threads in this one."""
    if not jobs or "fork" not in get_all_start_methods() or "tensorflow" in sys.modules:
        return nullcontext()
    # What both sides need is imported once, before they part.
    import_module("pandas")
    import_module("scipy.signal")
    return ProcessPoolExecutor(jobs, mp_context=get_context("fork"))


def run(
    bundle: str | Path,
    paths: Sequence[str | Path],
    *,
    output: str | Path | None = None,
    segments_to: str | Path | None = None,
    hop: float | None = None,
    whole: bool = True,
    threads: int = 1,
    jobs: int = 0,
    report: Callable[[str], None] = print,
) -> "pd.DataFrame":
    """Predict files, folders and lists by a bundle, and write the tables.

    Parameters
    ----------
    bundle
        Its folder.
    paths
        As for `audio.collect.asked_for`.
    output, segments_to
        The CSVs to write, of `table` and `segments`; None for none.
    hop, whole, report
        As for `predict_files`.
    threads
        Processor threads to use.
    jobs
        Other processes that decode and make images or hand-crafted features; 0 for none.

    Returns
    -------
    pandas.DataFrame
        As `table`.

    Raises
    ------
    GenreflowError
        If the bundle can't be used, or there is nothing to predict.
    """
    asked = collect.asked_for(paths)
    files = asked.files
    if asked.passed_over:
        report(collect.describe(asked.passed_over.values()))
    if not files:
        raise GenreflowError("there is nothing to predict: name audio files, a folder or a list")
    read = bundles.read(bundle)
    if other := read.other_versions():
        report(f"Predictions may differ a little, for versions differ: {', '.join(other)}")
    with _pool(min(jobs, len(files))) as pool:
        work = partial(prepare, read, hop=hop, whole=whole)
        prepared = _Ahead(pool, work, files) if pool else None
        if read.uses_keras:
            from genreflow.features import backend

            backend.configure(threads=threads, seed=0)
        predictor = Predictor(read, threads=threads)
        settings = {"hop": hop, "whole": whole, "prepared": prepared}
        found = predict_files(predictor, files, report=report, **settings)
    by_file = table(found)
    for path, rows in ((output, by_file), (segments_to, segments(found))):
        if path is not None:
            with atomic(path) as part:
                rows.to_csv(part, index=False)
    return by_file


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns
    -------
    int
        The exit status: 0 if at least one file was predicted, 1 if none could be, 2 if the bundle
        or the arguments can't be used.
    """
    parser = argparse.ArgumentParser(
        prog="python -P -m genreflow.bundle.predict",
        description="Predict the genre of music by an exported learner.",
        epilog="Exit status: 0 if at least one file was predicted, 1 if none could be, 2 if the "
        "bundle or the arguments can't be used.",
    )
    parser.add_argument("bundle", help="folder of the exported learner")
    parser.add_argument(
        "files", nargs="+", help="audio files, folders, or lists (.txt, .m3u, .pls)"
    )
    parser.add_argument("--output", help="CSV to write; without it a table is shown")
    parser.add_argument("--segments", help="CSV to write of all windows of all files")
    parser.add_argument("--hop", type=float, help="seconds from window to window")
    parser.add_argument(
        "--first-clip", action="store_true", help="look at the first clip of each file only"
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of the processor")
    given = parser.parse_args(arguments)
    try:
        found = run(
            given.bundle,
            given.files,
            output=given.output,
            segments_to=given.segments,
            hop=given.hop,
            whole=not given.first_clip,
            threads=given.threads,
            jobs=given.threads,
            report=lambda line: print(printable(line), file=sys.stderr, flush=True),
        )
    except GenreflowError as error:
        print(error, file=sys.stderr)
        return 2
    if given.output is None:
        print(to_text(found))
    return 0 if (found["reason"] == "").any() else 1


if __name__ == "__main__":
    sys.exit(main())
