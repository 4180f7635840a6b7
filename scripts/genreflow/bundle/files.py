"""Predict many files: other processes decode ahead, and one that can't be used stops nothing."""

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

import numpy as np
from threadpoolctl import threadpool_limits

from genreflow.audio import collect
from genreflow.bundle import bundles
from genreflow.bundle.predicted import DIGITS, Prediction, Predictions, escaped
from genreflow.bundle.prediction import Clips, Predictor, prepare
from genreflow.errors import GenreflowError
from genreflow.runtime import extras

AHEAD = 16
"""Files that are prepared ahead, at most."""


def predict(
    bundle: str | Path,
    paths: Sequence[str | Path],
    *,
    hop: float | None = None,
    whole: bool = True,
    threads: int = 1,
    jobs: int = 0,
    report: Callable[[str], None] = print,
) -> Predictions:
    """Predict files, folders and lists by a bundle.

    `bundle` is its folder, `paths` are as for `audio.collect.asked_for`; `hop`, `whole` and
    `report` are as for `predict_files`. So many other processes as there are `jobs` decode and make
    images or hand-crafted features; 0 for none. GenreflowError is raised if the bundle can't be
    used, or there is nothing to predict.
    """
    asked = collect.asked_for(paths)
    files = asked.files
    if asked.passed_over:
        report(collect.describe(asked.passed_over.values()))
    if not files:
        raise GenreflowError("there is nothing to predict: name audio files, a folder or a list")
    read = bundles.read(bundle)
    extras.require(read.extras, f"the learner in {read.folder}")
    if other := read.other_versions():
        report(f"Predictions may differ a little, for versions differ: {', '.join(other)}")
    report(f"By {read.learner}" + (f", trained on {read.corpus}" if read.corpus else ""))
    if read.note:
        report(read.note)
    with _pool(min(jobs, len(files))) as pool:
        work = partial(prepare, read, hop=hop, whole=whole)
        prepared = _ahead(pool, work, files) if pool else None
        if read.uses_keras:
            from genreflow.features import backend

            backend.configure(threads=threads, seed=0)
        predictor = Predictor(read, threads=threads)
        settings = {"hop": hop, "whole": whole, "prepared": prepared}
        found = predict_files(predictor, files, report=report, **settings)
    about = read.learner, read.corpus, read.note, read.clip, read.unsure
    return Predictions(*about, read.genres, found, read.title)


def _ahead(
    pool: ProcessPoolExecutor, work: Callable[[Path], Clips], paths: Iterable[Path]
) -> Iterator[Callable[[], Clips]]:
    """Let other processes prepare files ahead, and return what gives the clips of each in turn.

    They decode the first files while this process loads the models, which takes as long, and later
    ones while it predicts.
    """
    rest = iter(paths)
    waiting = deque(pool.submit(work, path) for path in islice(rest, AHEAD))

    def in_turn() -> Iterator[Callable[[], Clips]]:
        while waiting:
            yield partial(_result, waiting.popleft())
            waiting.extend(pool.submit(work, path) for path in islice(rest, 1))

    return in_turn()


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
    # A process per core: threads of BLAS beside them would wait for each other, at twice the cost.
    alone = partial(threadpool_limits, 1, user_api="blas")
    return ProcessPoolExecutor(jobs, mp_context=get_context("fork"), initializer=alone)


def predict_files(
    predictor: Predictor,
    paths: Sequence[str | Path],
    *,
    hop: float | None = None,
    whole: bool = True,
    prepared: Iterable[Callable[[], Clips]] | None = None,
    report: Callable[[str], None] = print,
) -> list[Prediction]:
    """Predict files, and go on where one can't be used.

    Paths are of audio files; `hop` and `whole` are as for `Predictor.predict`. For each path there
    may be what returns its `prepared` clips, or raises GenreflowError, as `prepare` does; without,
    each is prepared when it is its turn. `report` is called with a line of text on each file; those
    that can't be used have a reason.
    """
    if prepared is None:
        prepared = (
            partial(prepare, predictor.bundle, path, hop=hop, whole=whole) for path in paths
        )
    found = []
    for number, (path, clips) in enumerate(zip(paths, prepared, strict=True), start=1):
        try:
            one = predictor.of_clips(path, clips())
            count = len(one.starts)
            said = f"{_first_two(one)} ({count} window{'s' * (count > 1)})"
        except GenreflowError as error:
            said = escaped(str(error))
            one = Prediction.without(str(path), predictor.bundle.genres, said)
        report(f"{number} of {len(paths)}: {one.name}: {escaped(said)}")
        found.append(one)
    return found


def _first_two(one: Prediction) -> str:
    """Return the two most probable genres, and whether the first is unsure."""
    shares = np.sort(one.probabilities)[::-1]
    shown = zip(one.best[:2], shares, strict=False)
    said = ", ".join(f"{genre} {share:.{DIGITS}f}" for genre, share in shown)
    return f"unsure: {said}" if one.unsure else said
