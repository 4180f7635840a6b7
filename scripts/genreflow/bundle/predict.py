"""Genres of new audio, by a pack: ``python -m genreflow.bundle.predict PACK FILE...``.

Audio goes the way that the tracks of the corpus went: `wav.sh`, the log-mel images or the
hand-crafted features, the model. So a track of the corpus gets the probabilities that stand in
predictions.csv. What is longer than a clip is cut into windows, each is predicted as a clip, and
the probabilities are averaged; windows of silence are left out. A rest shorter than
`SHORTEST_REST` has no window: a clip of 30 s is one clip of 29.7 s, as in the corpus.

Nothing from a pack runs as code. Keras loads its models in safe mode, with the layers of this
project registered; skops takes the types that `learners.skops_files` trusts.
"""

import argparse
import json
import os
import sys
import unicodedata
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from itertools import chain, islice
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genreflow.audio import collect
from genreflow.audio.audit import sounding_share
from genreflow.audio.decode import native
from genreflow.audio.resample import resampled
from genreflow.audio.wav import FULL_SCALE
from genreflow.bundle import bundles
from genreflow.errors import GenreflowError
from genreflow.runtime.files import atomic

if TYPE_CHECKING:
    import pandas as pd

SHORTEST_REST = 2.0
"""What is left behind the last window has a window of its own if it has this much [s]."""

BATCH = 16
"""Windows that a network gets at a time, which bounds the memory for a long file."""

AHEAD = 16
"""Files that are prepared ahead, at most."""


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


@dataclass(frozen=True)
class Clips:
    """The windows of a file as models take them.

    Attributes
    ----------
    starts, ends : (windows,) float64
        Of each window [s].
    images : (windows, n_mels, n_frames) uint8, or None
        Log-mel images, if the pack needs them.
    handcrafted : (windows, dimensions) float32 each
        By what `key_of` gives for the settings of hand-crafted features.
    """

    starts: np.ndarray
    ends: np.ndarray
    images: np.ndarray | None
    handcrafted: dict[str, np.ndarray]

    def part(self, first: int, count: int) -> "Clips":
        """Return some of the windows."""
        rows = slice(first, first + count)
        images = None if self.images is None else self.images[rows]
        handcrafted = {key: found[rows] for key, found in self.handcrafted.items()}
        return Clips(self.starts[rows], self.ends[rows], images, handcrafted)


def prepare(
    pack: bundles.Pack, path: str | Path, *, hop: float | None = None, whole: bool = True
) -> Clips:
    """Turn a file into what the models of a pack take. No model is needed for it.

    Parameters
    ----------
    pack
        The pack.
    path, hop, whole
        As for `Predictor.predict`.

    Raises
    ------
    GenreflowError
        As `Predictor.predict`.
    """
    if hop is not None and not hop > 0:
        raise GenreflowError(f"hop is {hop}: expected seconds, more than 0")
    sources = {
        key_of(source.settings): source.settings
        for model in pack.models
        for source in model.features
        if source.kind == "handcrafted"
    }
    wav = source = None
    if pack.images is not None:
        log_mel = _log_mel(pack)
        rate = log_mel.settings.sample_rate
        wav = _Samples(resampled(path, sample_rate=rate), rate)
    if sources:
        source = _Samples(*native(path))
    sound = wav or source
    starts = windows(sound.seconds, length=pack.clip, hop=hop or pack.clip)
    starts = _sounding(sound, starts if whole else starts[:1], pack)
    return Clips(
        np.array(starts),
        np.minimum(np.array(starts) + pack.clip, sound.seconds),
        _images(wav, starts, log_mel) if wav else None,
        {key: _handcrafted(source, starts, **settings) for key, settings in sources.items()},
    )


def key_of(settings: Mapping[str, Any]) -> str:
    """Return what stands for the settings of hand-crafted features in `Clips`."""
    return json.dumps(settings, sort_keys=True)


@dataclass(frozen=True)
class _Samples:
    """The samples of a file, int16 or float32 (full scale 1), and their rate."""

    samples: np.ndarray
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate

    def window(self, start: float, length: float) -> np.ndarray:
        first = round(start * self.rate)
        return self.samples[first : first + round(length * self.rate)]

    def level_of(self, start: float, length: float) -> np.ndarray:
        """Return a window in the scale of 16 bits."""
        window = self.window(start, length)
        return window if window.dtype == np.int16 else window * np.float32(FULL_SCALE)


def _sounding(sound: _Samples, starts: list[float], pack: bundles.Pack) -> list[float]:
    """Return the windows that the corpus's audit would not leave out."""
    wanted = pack.audit
    if sound.seconds < wanted.min_duration:
        raise GenreflowError(
            f"too short: {sound.seconds:.2f} s; at least {wanted.min_duration:g} s are needed"
        )
    judged = {"sample_rate": sound.rate, "level": wanted.silence_level}
    found = [
        start
        for start in starts
        if sounding_share(sound.level_of(start, pack.clip), **judged) >= wanted.min_sounding
    ]
    if not found:
        raise GenreflowError("silent: there is next to no sound in it")
    return found


@cache
def _made(settings: Any) -> Any:
    """Return what makes images; its filters take some time."""
    from genreflow.features import spectrograms

    return spectrograms.LogMel(settings)


def _log_mel(pack: bundles.Pack) -> Any:
    from genreflow.features import spectrograms

    try:
        return _made(spectrograms.Settings(**pack.images))
    except TypeError as error:
        raise GenreflowError(
            f"{pack.folder}: its settings of images aren't whole ({error})"
        ) from None


def _images(wav: _Samples, starts: list[float], log_mel: Any) -> np.ndarray:
    length = log_mel.settings.duration
    return np.stack([log_mel.image(wav.window(start, length))[0] for start in starts])


def _handcrafted(
    source: _Samples, starts: list[float], *, features: Sequence[str], rates: str, duration: float
) -> np.ndarray:
    from genreflow.features import handcrafted

    settings = {"features": features, "rates": rates}
    rows = [
        handcrafted.extract(source.window(start, duration), source.rate, **settings)
        for start in starts
    ]
    return np.array(rows, dtype=np.float32)


class Predictor:
    """A pack that is loaded and ready.

    If the pack `uses_keras`, call `features.backend.configure` before.

    Parameters
    ----------
    pack
        Its folder, or what `bundle.bundles.read` returned.
    threads
        Processor threads for the networks whose outputs are features.

    Raises
    ------
    GenreflowError
        If the pack is damaged, or a member of it isn't what it should be or would run code.
    """

    def __init__(self, pack: bundles.Pack | str | Path, *, threads: int = 1):
        self.pack = pack if isinstance(pack, bundles.Pack) else bundles.read(pack)
        folder = self.pack.folder
        if self.pack.images is not None:
            _log_mel(self.pack)
        self._models = [(model, load_model(folder / model.file)) for model in self.pack.models]
        self._networks = {
            name: load_network(folder / name, threads=threads)
            for name in _networks_of(self.pack.models)
        }
        self._combiner = None
        if self.pack.combiner is not None:
            from genreflow.learners import ensembles

            self._combiner = ensembles.load(folder / self.pack.combiner)

    def predict(
        self, path: str | Path, *, hop: float | None = None, whole: bool = True
    ) -> Prediction:
        """Predict the genre of a file.

        Parameters
        ----------
        path
            Any format that ffmpeg reads.
        hop
            From window to window [s]; None for the length of a clip.
        whole
            Look at the whole file; if not, at its first clip, as the corpus's tracks were.

        Raises
        ------
        GenreflowError
            If the file can't be decoded, is too short or silent.
        """
        return self.of_clips(path, prepare(self.pack, path, hop=hop, whole=whole))

    def of_clips(self, path: str | Path, clips: Clips) -> Prediction:
        """Predict the genre of a file that `prepare` made clips of."""
        found = [
            self._probabilities(clips.part(first, BATCH))
            for first in range(0, len(clips.starts), BATCH)
        ]
        genres = self.pack.genres
        return Prediction(str(path), genres, clips.starts, clips.ends, np.concatenate(found))

    def _probabilities(self, clips: Clips) -> np.ndarray:
        cuts = {name: run(clips.images) for name, run in self._networks.items()}
        by_learner: dict[str, list[np.ndarray]] = {}
        for model, loaded in self._models:
            x = input_of(model, clips, cuts)
            by_learner.setdefault(model.learner, []).append(probabilities_of(loaded, x, model))
        means = {name: np.mean(found, axis=0) for name, found in by_learner.items()}
        if self._combiner is not None:
            return self._combiner.combine(means)
        (found,) = means.values()
        return found


def input_of(
    model: bundles.Model, clips: Clips, cuts: Mapping[str, Mapping[str, np.ndarray]]
) -> np.ndarray:
    """Return what a model takes.

    Parameters
    ----------
    model
        The model.
    clips
        What `prepare` returned.
    cuts
        By folder of a network, what `load_network` made of the images.

    Returns
    -------
    numpy.ndarray
        The features side by side, float32 (n, dimensions); for a network that takes images, those,
        uint8 (n, n_mels, n_frames, 1).
    """
    if not model.features:
        return clips.images[..., np.newaxis]
    found = []
    for source in model.features:
        known = source.settings
        if source.kind == "handcrafted":
            found.append(clips.handcrafted[key_of(known)])
        else:  # rounded as they were when stored for the training
            found.append(cuts[known["folder"]][known["cut"]].astype(known["dtype"]))
    return np.concatenate(found, axis=1, dtype=np.float32)


def probabilities_of(loaded: Any, x: np.ndarray, model: bundles.Model) -> np.ndarray:
    """Return the probabilities of a model that `load_model` loaded, float64 (n, genres)."""
    if model.file.endswith(".skops"):
        return loaded.predict(x)[1]
    if not model.crop_frames:
        return _called(loaded, x)
    from genreflow.learners.cnn import crop_starts

    starts = crop_starts(x.shape[2], model.crop_frames, model.crops)
    crops = [x[:, :, start : start + model.crop_frames] for start in starts]
    return np.mean([_called(loaded, crop) for crop in crops], axis=0)


def _called(network: Any, x: np.ndarray) -> np.ndarray:
    # Never a batch of one: the product of a single row with a matrix is rounded in another way.
    batch = x if len(x) > 1 else np.repeat(x, 2, axis=0)
    return np.asarray(network.predict_on_batch(batch), dtype=np.float64)[: len(x)]


def load_network(folder: Path, *, threads: int) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """Load a prepared network; return what gives its cuts of any number of images."""
    from genreflow.features import engines

    run = engines.load(folder, threads=threads, padded=False)
    cuts, size = list(engines.describe(folder).cuts), engines.BATCH_SIZE

    def features(images: np.ndarray) -> dict[str, np.ndarray]:
        batches = [run(images[first : first + size]) for first in range(0, len(images), size)]
        found = map(np.concatenate, zip(*batches, strict=True))
        return dict(zip(cuts, found, strict=True))

    return features


def _networks_of(models: Iterable[bundles.Model]) -> list[str]:
    sources = [source for model in models for source in model.features]
    return list(dict.fromkeys(s.settings["folder"] for s in sources if s.kind == "network"))


def load_model(path: Path) -> Any:
    """Load a ``.skops`` or ``.keras`` file; no code of its runs.

    Raises
    ------
    GenreflowError
        If it isn't a model, is damaged, or would run code.
    """
    if path.suffix == ".skops":
        from genreflow.learners import classifiers

        model = classifiers.load(path)
        _check_trees(path, model.pipeline[-1])
        return model
    return _load_keras(path)


def _check_trees(path: Path, classifier: Any) -> None:
    """Refuse trees that refer to what isn't there: scikit-learn would read beyond their memory."""
    for tree in chain.from_iterable(getattr(classifier, "_predictors", [])):
        inner = np.flatnonzero(tree.nodes["is_leaf"] == 0)
        nodes = tree.nodes[inner]
        children = np.stack([nodes["left"], nodes["right"]]).astype(np.int64)
        # Children come after their parents, so that there is no way round in a circle.
        inside = (children > inner).all() and (children < len(tree.nodes)).all()
        known = (nodes["feature_idx"] < classifier.n_features_in_).all()
        if not (len(tree.nodes) and inside and known and not nodes["is_categorical"].any()):
            raise GenreflowError(f"{path}: its trees are damaged; get the pack again")


def _load_keras(path: Path) -> Any:
    import keras

    from genreflow.learners import augmentation  # noqa: F401 (registers the layers that networks may have)

    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises all kinds for what it doesn't know or refuses
        raise GenreflowError(
            f"{path} can't be loaded: {' '.join(str(error).split())[:500]}. Only models made of "
            "Keras's own layers and those of genreflow are taken, for others would run code of "
            "their own when loaded"
        ) from None


def windows(seconds: float, *, length: float, hop: float) -> list[float]:
    """Return where the windows of a file start [s].

    Parameters
    ----------
    seconds
        Length of the file.
    length
        Of a window; a shorter file has one window.
    hop
        From one to the next. The last window ends with the file, unless the rest behind the one
        before is shorter than `SHORTEST_REST`.
    """
    count = 1 + max(0, int((seconds - length) / hop + 1e-9))
    starts = [number * hop for number in range(count)]
    if seconds - (starts[-1] + length) >= SHORTEST_REST:
        starts.append(seconds - length)
    return starts


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

    Parameters
    ----------
    predictor
        What predicts.
    paths
        Audio files.
    hop, whole
        As for `Predictor.predict`.
    prepared
        For each path what returns its clips, or raises GenreflowError, as `prepare` does; None to
        prepare each when it is its turn.
    report
        Called with a line of text on each file.

    Returns
    -------
    list of Prediction
        One a file; those that can't be used have a reason.
    """
    if prepared is None:
        prepared = (partial(prepare, predictor.pack, path, hop=hop, whole=whole) for path in paths)
    found = []
    for number, (path, clips) in enumerate(zip(paths, prepared, strict=True), start=1):
        try:
            one = predictor.of_clips(path, clips())
            said = f"{one.predicted} ({one.probabilities.max():.2f}, {_many(len(one.starts))})"
        except GenreflowError as error:
            nothing = np.empty(0)
            reason = said = safe(str(error))
            one = Prediction(
                str(path), predictor.pack.genres, nothing, nothing, np.empty((0, 0)), reason
            )
        report(f"{number} of {len(paths)}: {safe(str(path))}: {safe(said)}")
        found.append(one)
    return found


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


def _many(count: int) -> str:
    return f"{count} window{'s' if count > 1 else ''}"


def table(predictions: Iterable[Prediction]) -> "pd.DataFrame":
    """Return one row a file.

    Returns
    -------
    pandas.DataFrame
        file, predicted, p_GENRE for each genre, windows (how many), strongest (the window that
        speaks most for the predicted genre, as m:ss-m:ss), reason (why there is no prediction).
        Texts are `safe`.
    """
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "file": safe_path(one.file),
                "predicted": safe(one.predicted),
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
        (1 for the window that speaks most for it). Texts are `safe`.
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
                "file": safe_path(one.file),
                "start": round(float(one.starts[window]), 3),
                "end": round(float(one.ends[window]), 3),
                **_columns(one.genres, one.by_window[window]),
                "predicted": safe(one.predicted),
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


def safe(text: str) -> str:
    """Return a text that a terminal and a spreadsheet show as it is.

    Control characters and bytes that aren't UTF-8 are written as escapes. What a spreadsheet would
    take for a formula gets an apostrophe in front.
    """
    plain = _printable(text)
    return f"'{plain}" if _begins_formula(plain) else plain


def safe_path(path: str) -> str:
    """Return a path as `safe` does, but with ``./`` in front, so that it stays the same path."""
    plain = _printable(path)
    return f"./{plain}" if _begins_formula(plain) else plain


def _printable(text: str) -> str:
    text = os.fsencode(text).decode("utf-8", "backslashreplace")
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def _begins_formula(text: str) -> bool:
    # Wide forms of the signs too, which spreadsheets in East Asian languages take.
    return unicodedata.normalize("NFKC", text[:1]) in ("=", "+", "-", "@")


def run(
    pack: str | Path,
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
    """Predict files, folders and lists by a pack, and write the tables.

    Parameters
    ----------
    pack
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
        If the pack can't be used, or there is nothing to predict.
    """
    asked = collect.asked_for(paths)
    files = asked.files
    if asked.passed_over:
        report(collect.said(asked.passed_over))
    if not files:
        raise GenreflowError("there is nothing to predict: name audio files, a folder or a list")
    read = bundles.read(pack)
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
        The exit status: 0 if at least one file was predicted, 1 if none could be, 2 if the pack or
        the arguments can't be used.
    """
    parser = argparse.ArgumentParser(
        prog="python -m genreflow.bundle.predict",
        description="Predict the genre of music by an exported learner.",
        epilog="Exit status: 0 if at least one file was predicted, 1 if none could be, 2 if the "
        "pack or the arguments can't be used.",
    )
    parser.add_argument("pack", help="folder of the exported learner")
    parser.add_argument("files", nargs="+", help="audio files, folders, or lists (.txt, .m3u)")
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
            given.pack,
            given.files,
            output=given.output,
            segments_to=given.segments,
            hop=given.hop,
            whole=not given.first_clip,
            threads=given.threads,
            jobs=given.threads,
            report=lambda line: print(line, file=sys.stderr, flush=True),
        )
    except GenreflowError as error:
        print(error, file=sys.stderr)
        return 2
    if given.output is None:
        print(shown(found))
    return 0 if (found["reason"] == "").any() else 1


def shown(found: "pd.DataFrame") -> str:
    """Return a table of `table` in columns for a terminal."""
    probabilities = found.filter(regex="^p_")
    rows = found[["file", "predicted", "windows", "strongest", "reason"]]
    rows.insert(
        2, "probability", probabilities.max(axis=1).map("{:.3f}".format, na_action="ignore")
    )
    return rows.fillna("").to_string(index=False)


if __name__ == "__main__":
    sys.exit(main())
