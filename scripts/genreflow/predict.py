"""Genres of new audio, by a pack: ``python -m genreflow.predict PACK FILE...``.

Audio goes the way that the tracks of the corpus went: `wav.sh`, the log-mel images or the
hand-crafted features, the model. So a track of the corpus gets the probabilities that stand in
predictions.csv. What is longer than a clip is cut into windows, each is predicted as a clip, and
the probabilities are averaged; windows of silence are left out. A rest shorter than
`SHORTEST_REST` has no window: a clip of 30 s is one clip of 29.7 s, as in the corpus.

Nothing from a pack runs as code. Keras loads its models in safe mode, with the layers of this
project registered; skops takes the types that `genreflow.skops_files` trusts.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genreflow import audio, packs
from genreflow.errors import GenreflowError
from genreflow.files import atomic
from genreflow.sources import SUFFIXES

if TYPE_CHECKING:
    import pandas as pd

SHORTEST_REST = 2.0
"""What is left behind the last window has a window of its own if it has this much [s]."""

LISTS = {".txt", ".m3u", ".m3u8"}
"""Files with these endings are lists: a path a line, relative to the list; # begins a comment."""

BATCH = 16
"""Windows that a network gets at a time, which bounds the memory for a long file."""

_WAV_SCRIPT = Path(__file__).parents[1] / "wav.sh"
_ALL = 10**12
"""For wav.sh, samples and seconds: no file is longer."""


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


class Predictor:
    """A pack that is loaded and ready.

    If the pack `uses_keras`, call `genreflow.backend.configure` before.

    Parameters
    ----------
    pack
        Its folder, or what `genreflow.packs.read` returned.
    threads
        Processor threads for the networks whose outputs are features.

    Raises
    ------
    GenreflowError
        If the pack is damaged, or a member of it isn't what it should be or would run code.
    """

    def __init__(self, pack: packs.Pack | str | Path, *, threads: int = 1):
        self.pack = pack if isinstance(pack, packs.Pack) else packs.read(pack)
        self._threads = threads
        self._learners = [
            (model.learner, _learner(self.pack.folder, model)) for model in self.pack.models
        ]
        self.networks = {
            folder: self._network(folder) for folder in _folders_of_networks(self.pack.models)
        }
        self.log_mel = None
        if self.pack.images is not None:
            from genreflow import spectrograms

            settings = _settings(spectrograms.Settings, self.pack)
            self.log_mel = spectrograms.LogMel(settings)
        self._combiner = None
        if self.pack.combiner is not None:
            from genreflow import ensembles

            self._combiner = ensembles.load(self.pack.folder / self.pack.combiner)

    def _network(self, folder: str) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
        from genreflow import engines

        run = engines.load(self.pack.folder / folder, threads=self._threads)
        cuts = list(engines.describe(self.pack.folder / folder).cuts)

        def features(images: np.ndarray) -> dict[str, np.ndarray]:
            batches = [
                run(images[start : start + engines.BATCH_SIZE])
                for start in range(0, len(images), engines.BATCH_SIZE)
            ]
            return {
                cut: np.concatenate(found)
                for cut, found in zip(cuts, zip(*batches, strict=True), strict=True)
            }

        return features

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
        if hop is not None and not hop > 0:
            raise GenreflowError(f"hop is {hop}: expected seconds, more than 0")
        sound = self._sound(Path(path))
        starts = windows(sound.seconds, length=self.pack.clip, hop=hop or self.pack.clip)
        starts = self._sounding(sound, starts if whole else starts[:1])
        found = [
            self._probabilities(sound, starts[first : first + BATCH])
            for first in range(0, len(starts), BATCH)
        ]
        return Prediction(
            str(path),
            self.pack.genres,
            np.array(starts),
            np.minimum(np.array(starts) + self.pack.clip, sound.seconds),
            np.concatenate(found),
        )

    def _sound(self, path: Path) -> "_Sound":
        needs_source = any(
            source.kind == "handcrafted" for m in self.pack.models for source in m.features
        )
        wav = source = None
        if self.pack.images is not None:
            rate = self.pack.images["sample_rate"]
            wav = _Samples(decode(path, sample_rate=rate), rate)
        if needs_source:
            from genreflow import handcrafted

            source = _Samples(*handcrafted.load(path))
        sound = _Sound(wav, source)
        shortest = self.pack.audit.min_duration
        if sound.seconds < shortest:
            raise GenreflowError(
                f"too short: {sound.seconds:.2f} s; at least {shortest:g} s are needed"
            )
        return sound

    def _sounding(self, sound: "_Sound", starts: list[float]) -> list[float]:
        """Leave out the windows that the corpus's audit would call silent."""
        wanted = self.pack.audit
        found = [
            start
            for start in starts
            if audio.sounding_share(
                sound.judged.window(start, self.pack.clip),
                sample_rate=sound.judged.rate,
                level=wanted.silence_level,
            )
            >= wanted.min_sounding
        ]
        if not found:
            raise GenreflowError("silent: there is next to no sound in it")
        return found

    def _probabilities(self, sound: "_Sound", starts: list[float]) -> np.ndarray:
        clips = _Clips(self, sound, starts)
        by_learner: dict[str, list[np.ndarray]] = {}
        for name, learner in self._learners:
            by_learner.setdefault(name, []).append(learner(clips))
        means = {name: np.mean(found, axis=0) for name, found in by_learner.items()}
        if self._combiner is not None:
            return self._combiner.combine(means)
        (found,) = means.values()
        return found


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


@dataclass(frozen=True)
class _Sound:
    """A file as the WAV of the workflow, as it is, or both, as the models need it."""

    wav: _Samples | None
    source: _Samples | None

    @property
    def seconds(self) -> float:
        return (self.wav or self.source).seconds

    @cached_property
    def judged(self) -> _Samples:
        """What is judged to be silent or not, in the scale of 16 bits."""
        if self.wav is not None:
            return self.wav
        return _Samples(self.source.samples * np.float32(audio.FULL_SCALE), self.source.rate)


class _Clips:
    """Windows of a file as models take them; what several models need is made once."""

    def __init__(self, predictor: Predictor, sound: _Sound, starts: list[float]):
        self._predictor, self._sound, self._starts = predictor, sound, starts
        self._of_network: dict[str, dict[str, np.ndarray]] = {}

    @cached_property
    def images(self) -> np.ndarray:
        """Log-mel images, uint8 (n, n_mels, n_frames)."""
        log_mel, wav = self._predictor.log_mel, self._sound.wav
        length = log_mel.settings.duration
        return np.stack([log_mel.image(wav.window(start, length))[0] for start in self._starts])

    def features(self, sources: Sequence[packs.Source]) -> np.ndarray:
        """Return features side by side, float32 (n, dimensions)."""
        found = [
            self._handcrafted(**source.settings)
            if source.kind == "handcrafted"
            else self._cut(**source.settings)
            for source in sources
        ]
        return found[0] if len(found) == 1 else np.concatenate(found, axis=1)

    def _handcrafted(self, features: Sequence[str], rates: str, duration: float) -> np.ndarray:
        from genreflow import handcrafted

        source = self._sound.source
        rows = [
            handcrafted.extract(
                source.window(start, duration), source.rate, features=features, rates=rates
            )
            for start in self._starts
        ]
        return np.array(rows, dtype=np.float32)

    def _cut(self, folder: str, cut: str, dtype: str, engine: str) -> np.ndarray:
        if folder not in self._of_network:
            self._of_network[folder] = self._predictor.networks[folder](self.images)
        # As they were stored for the training.
        return self._of_network[folder][cut].astype(dtype).astype(np.float32)


def _settings(kind: type, pack: packs.Pack) -> Any:
    try:
        return kind(**pack.images)
    except TypeError as error:
        raise GenreflowError(
            f"{pack.folder}: its settings of images aren't whole ({error})"
        ) from None


def _folders_of_networks(models: Iterable[packs.Model]) -> list[str]:
    sources = [source for model in models for source in model.features]
    return list(dict.fromkeys(s.settings["folder"] for s in sources if s.kind == "network"))


def _learner(folder: Path, model: packs.Model) -> Callable[[_Clips], np.ndarray]:
    """Load a model; return what gives its probabilities, float64 (n, genres)."""
    path = folder / model.file
    if path.suffix == ".skops":
        from genreflow import classify

        loaded = classify.load(path)
        return lambda clips: loaded.predict(clips.features(model.features))[1]
    network = _load_keras(path)
    if model.features:
        return lambda clips: _called(network, clips.features(model.features))
    return lambda clips: _mean_of_crops(network, clips.images[..., np.newaxis], model)


def _load_keras(path: Path) -> Any:
    import keras

    from genreflow import online  # noqa: F401 (registers the layers that networks may have)

    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises all kinds for what it doesn't know or refuses
        raise GenreflowError(
            f"{path} can't be loaded: {' '.join(str(error).split())[:500]}. Only models made of "
            "Keras's own layers and those of genreflow are taken, for others would run code of "
            "their own when loaded"
        ) from None


def _called(network: Any, x: np.ndarray) -> np.ndarray:
    # Never a batch of one: the product of a single row with a matrix is rounded in another way.
    batch = x if len(x) > 1 else np.repeat(x, 2, axis=0)
    return np.asarray(network.predict_on_batch(batch), dtype=np.float64)[: len(x)]


def _mean_of_crops(network: Any, images: np.ndarray, model: packs.Model) -> np.ndarray:
    if not model.crop_frames:
        return _called(network, images)
    from genreflow.cnn import crop_starts

    starts = crop_starts(images.shape[2], model.crop_frames, model.crops)
    crops = [images[:, :, start : start + model.crop_frames] for start in starts]
    return np.mean([_called(network, crop) for crop in crops], axis=0)


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


def decode(path: str | Path, *, sample_rate: int) -> np.ndarray:
    """Decode a whole file as the workflow decodes its tracks.

    Parameters
    ----------
    path
        The file.
    sample_rate
        [Hz]

    Returns
    -------
    numpy.ndarray of int16, shape (n_samples,)
        At least one sample.

    Raises
    ------
    GenreflowError
        If there is no such file, it can't be decoded, or ffmpeg or the disk fails.
    """
    import imageio_ffmpeg

    if not Path(path).is_file():
        raise GenreflowError("there is no such file")
    with tempfile.TemporaryDirectory(prefix="genreflow-") as folder:
        wav = Path(folder) / "clip.wav"
        command = ["bash", _WAV_SCRIPT, Path(path).absolute(), wav]
        run = subprocess.run(  # noqa: S603
            [*map(str, command), str(sample_rate), str(_ALL), str(_ALL // 10**5)],
            env={**os.environ, "FFMPEG": imageio_ffmpeg.get_ffmpeg_exe()},
            capture_output=True,
            check=False,
        )
        said = run.stderr.decode(errors="replace").strip()
        if run.returncode:
            raise GenreflowError(f"not decoded: {said.splitlines()[-1] if said else 'no bash'}")
        samples = audio.read_wav(wav, sample_rate=sample_rate)
    if not len(samples):
        lines = [line.split("] ", 1)[-1] for line in said.splitlines()]
        raise GenreflowError(f"unreadable: {lines[0] if lines else 'it holds no audio'}")
    return samples


def files_of(paths: Iterable[str | Path]) -> list[Path]:
    """Return the audio files that are asked for.

    Parameters
    ----------
    paths
        Files; folders, of which all audio files are taken, those in sub-folders too; and lists
        (`LISTS`). A file that isn't there is kept, to be listed with that as the reason.

    Raises
    ------
    GenreflowError
        If a folder has no audio, or a list can't be read.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            found += _audio_of(path)
        elif path.suffix.lower() in LISTS:
            found += _listed(path)
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def _audio_of(folder: Path) -> list[Path]:
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")
    ]
    if not found:
        raise GenreflowError(
            f"{safe(str(folder))} has no audio files: expected {', '.join(sorted(SUFFIXES))}"
        )
    return found


def _listed(path: Path) -> Iterator[Path]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise GenreflowError(
            f"{safe(str(path))}: can't be read as a list of files, one a line, in UTF-8 ({error})"
        ) from None
    for line in map(str.strip, lines):
        if line and not line.startswith("#"):
            yield path.parent / line


def predict_files(
    predictor: Predictor,
    paths: Sequence[str | Path],
    *,
    hop: float | None = None,
    whole: bool = True,
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
    report
        Called with a line of text on each file.

    Returns
    -------
    list of Prediction
        One a file; those that can't be used have a reason.
    """
    found = []
    for number, path in enumerate(paths, start=1):
        started = time.perf_counter()
        try:
            one = predictor.predict(path, hop=hop, whole=whole)
            said = f"{one.predicted} ({one.probabilities.max():.2f}, {_many(len(one.starts))})"
        except GenreflowError as error:
            nothing = np.empty(0)
            reason = said = safe(str(error))
            one = Prediction(
                str(path), predictor.pack.genres, nothing, nothing, np.empty((0, 0)), reason
            )
        seconds = time.perf_counter() - started
        report(f"{number} of {len(paths)}, {seconds:.1f} s: {safe(str(path))}: {safe(said)}")
        found.append(one)
    return found


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
    report: Callable[[str], None] = print,
) -> "pd.DataFrame":
    """Predict files, folders and lists by a pack, and write the tables.

    Parameters
    ----------
    pack
        Its folder.
    paths
        As for `files_of`.
    output, segments_to
        The CSVs to write, of `table` and `segments`; None for none.
    hop, whole, report
        As for `predict_files`.
    threads
        Processor threads to use.

    Returns
    -------
    pandas.DataFrame
        As `table`.

    Raises
    ------
    GenreflowError
        If the pack can't be used, or there is nothing to predict.
    """
    files = files_of(paths)
    if not files:
        raise GenreflowError("there is nothing to predict: name audio files, a folder or a list")
    read = packs.read(pack)
    if other := read.other_versions():
        report(f"Predictions may differ a little, for versions differ: {', '.join(other)}")
    if read.uses_keras:
        from genreflow import backend

        backend.configure(threads=threads, seed=0)
    predictor = Predictor(read, threads=threads)
    found = predict_files(predictor, files, hop=hop, whole=whole, report=report)
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
        prog="python -m genreflow.predict",
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
