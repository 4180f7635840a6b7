"""Genres of new audio, by a bundle.

Audio goes the way that the tracks of the corpus went: `wav.sh`, the log-mel images or the
hand-crafted features, the model. So a track of the corpus gets the probabilities that stand in
predictions.csv. What is longer than a clip is cut into windows, each is predicted as a clip, and
the probabilities are averaged. All windows count the same but the last: it ends with the file, and
counts by what the one before had not. Windows of silence are left out. A rest shorter than
`SHORTEST_REST` has no window: a clip of 30 s is one clip of 29.7 s, as in the corpus.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from genreflow.audio.audit import cause_of_silence, sounding_share
from genreflow.audio.decode import native
from genreflow.audio.resample import resampled
from genreflow.audio.wav import FULL_SCALE
from genreflow.bundle import bundles
from genreflow.bundle.predicted import Prediction
from genreflow.errors import GenreflowError, in_a_line
from genreflow.features.feature_set import IMAGE, SOURCE, WAV, FeatureSet, Part, Sound
from genreflow.learners import models

SHORTEST_REST = 2.0
"""What is left behind the last window has a window of its own if it has this much [s]."""

NEARLY = 0.01
"""Probabilities may sum to 1 and so much more or less: those of networks are rounded."""

BATCH = 16
"""Windows that a network gets at a time, which bounds the memory for a long file."""


@dataclass(frozen=True)
class Clips:
    """The windows of a file as feature sets and models take them.

    Starts, ends and counts, float64 (windows,), are of each window, and how much of the file it
    stands for [s]. `needed` is what is needed of each, by what feature sets call it; `features` are
    those of feature sets without a network, by `set_key` and output: they need no model, so that
    other processes compute them. `seconds` is the length of the file.
    """

    starts: np.ndarray
    ends: np.ndarray
    counts: np.ndarray
    needed: dict[str, Sequence[Any]]
    features: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    seconds: float = 0.0

    def part(self, first: int, count: int) -> "Clips":
        """Return some of the windows."""
        rows = slice(first, first + count)
        return Clips(
            self.starts[rows],
            self.ends[rows],
            self.counts[rows],
            {key: found[rows] for key, found in self.needed.items()},
            {
                key: {output: x[rows] for output, x in found.items()}
                for key, found in self.features.items()
            },
        )


def set_key(part: Part) -> str:
    """Return what stands for a feature set; its outputs have the same."""
    return json.dumps({**asdict(part), "output": ""}, sort_keys=True)


def parts_of(read: Iterable[bundles.BundledModel]) -> dict[str, Part]:
    """Return a part of each feature set that models take."""
    return {set_key(part): part for model in read for part in model.features}


def prepare(
    bundle: bundles.Bundle, path: str | Path, *, hop: float | None = None, whole: bool = True
) -> Clips:
    """Turn a file into what the models of a bundle take, as far as no network is needed for it.

    `path`, `hop` and `whole` are as for `Predictor.predict`, which raises the same.
    """
    if hop is not None and not hop > 0:
        raise GenreflowError(f"hop is {hop}: expected seconds, more than 0")
    if Path(path).is_dir():
        raise GenreflowError("a folder without audio files")
    needs = {one for model in bundle.models for one in model.needs}
    parts = parts_of(bundle.models).values()
    sounds = _decoded(bundle, path, needs)
    sound = sounds.get(WAV) or sounds[SOURCE]
    hop = hop or bundle.clip
    every = windows(sound.seconds, length=bundle.clip, hop=hop)
    counts = dict(zip(every, np.diff(every, prepend=-hop).clip(max=bundle.clip), strict=True))
    starts = _sounding(path, sound, every if whole else every[:1], bundle)
    # Features of the source audio may look further than an image does: 30 s, not 29.7 s.
    longest = max([bundle.clip, *(one.feature_set().seconds for one in parts if not one.network)])
    lengths = {WAV: bundle.clip, SOURCE: longest}
    needed: dict[str, Sequence[Any]] = {
        kind: [one.window(start, lengths[kind]) for start in starts] for kind, one in sounds.items()
    }
    if IMAGE in needs:
        make = _log_mel(bundle)
        needed[IMAGE] = np.stack([make.image(clip.samples)[0] for clip in needed[WAV]])
    found, later = {}, {IMAGE}
    for one in parts:
        features = one.feature_set()
        if one.network:
            later.add(features.needs)
        else:
            made = [features.features([clip]) for clip in needed[features.needs]]
            found[set_key(one)] = side_by_side(made)
    return Clips(
        np.array(starts),
        np.minimum(np.array(starts) + bundle.clip, sound.seconds),
        np.array([counts[start] for start in starts]),
        {kind: clips for kind, clips in needed.items() if kind in later},
        found,
        sound.seconds,
    )


def _decoded(bundle: bundles.Bundle, path: str | Path, needs: set[str]) -> "dict[str, _Samples]":
    """Decode a file: resampled, and at its own rate, as far as each is needed."""
    found = {}
    if needs - {SOURCE}:
        rate = bundle.images["sample_rate"]
        found[WAV] = _Samples(resampled(path, sample_rate=rate), rate)
    if SOURCE in needs:
        found[SOURCE] = _Samples(*native(path))
    return found


def side_by_side(rows: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Put the features of single windows below each other, output by output."""
    return {output: np.concatenate([row[output] for row in rows]) for output in rows[0]}


@dataclass(frozen=True)
class _Samples:
    """The samples of a file, int16 or float32 (full scale 1), and their rate."""

    samples: np.ndarray
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate

    def window(self, start: float, length: float) -> Sound:
        first = round(start * self.rate)
        return Sound(self.samples[first : first + round(length * self.rate)], self.rate)

    def level_of(self, start: float, length: float) -> np.ndarray:
        """Return a window in the scale of 16 bits."""
        window = self.window(start, length).samples
        return window if window.dtype == np.int16 else window * np.float32(FULL_SCALE)


def _sounding(
    path: str | Path, sound: _Samples, starts: list[float], bundle: bundles.Bundle
) -> list[float]:
    """Return the windows that the corpus's audit would not leave out."""
    wanted = bundle.audit
    if sound.seconds < wanted.min_duration:
        raise GenreflowError(
            f"too short: {sound.seconds:.2f} s; at least {wanted.min_duration:g} s are needed"
        )
    judged = {"sample_rate": sound.rate, "level": wanted.silence_level}
    found = [
        start
        for start in starts
        if sounding_share(sound.level_of(start, bundle.clip), **judged) >= wanted.min_sounding
    ]
    if not found:
        cause = cause_of_silence(path, seconds=sound.seconds, level=wanted.silence_level)
        raise GenreflowError(f"silent: {cause or 'there is next to no sound in it'}")
    return found


@cache
def _made(settings: Any) -> Any:
    """Return what makes images; its filters take some time."""
    from genreflow.features import spectrograms

    return spectrograms.LogMel(settings)


def _log_mel(bundle: bundles.Bundle) -> Any:
    from genreflow.features import spectrograms

    return _made(spectrograms.Settings(**bundle.images))


def _tried(part: Part, bundle: bundles.Bundle, threads: int) -> FeatureSet:
    """Return a feature set whose network has run once, on silence: what can't is refused here."""
    one = part.feature_set(threads=threads, folder=str(bundle.folder))
    rate = bundle.images["sample_rate"]
    silence = Sound(np.zeros(round(bundle.clip * rate), np.int16), rate)
    try:
        one.features(
            [_log_mel(bundle).image(silence.samples)[0] if one.needs == IMAGE else silence]
        )
    except Exception as error:  # Keras raises all kinds for what it doesn't know or refuses
        raise GenreflowError(
            f"{bundle.folder / part.network} can't be run: {in_a_line(error)}. Get the bundle again"
        ) from None
    return one


class Predictor:
    """A bundle that is loaded and ready.

    It may be given by its folder. If it `uses_keras`, call `features.backend.configure` before; the
    threads are for the networks whose outputs are features. GenreflowError is raised if it is
    damaged, or a member of it isn't what it should be or would run code.
    """

    def __init__(self, bundle: bundles.Bundle | str | Path, *, threads: int = 1):
        self.bundle = bundle if isinstance(bundle, bundles.Bundle) else bundles.read(bundle)
        folder = self.bundle.folder
        if self.bundle.images is not None:
            _log_mel(self.bundle)
        self._models = [
            (model, load_model(folder / model.file, model)) for model in self.bundle.models
        ]
        self._sets = {
            key: _tried(part, self.bundle, threads)
            for key, part in parts_of(self.bundle.models).items()
            if part.network
        }
        self._combiner = None
        if self.bundle.combiner is not None:
            from genreflow.learners import ensembles

            self._combiner = ensembles.load(folder / self.bundle.combiner)
        self._require_genres()

    def predict(
        self, path: str | Path, *, hop: float | None = None, whole: bool = True
    ) -> Prediction:
        """Predict the genre of a file.

        Windows are a hop apart [s], by default as long as a clip. If not at the `whole` file, it
        looks at its first clip, as the corpus's tracks were. GenreflowError is raised if the file
        can't be decoded, is too short or silent.
        """
        return self.of_clips(path, prepare(self.bundle, path, hop=hop, whole=whole))

    def of_clips(self, path: str | Path, clips: Clips) -> Prediction:
        """Predict the genre of a file that `prepare` made clips of; raise as `predict` does."""
        batches = [clips.part(first, BATCH) for first in range(0, len(clips.starts), BATCH)]
        try:
            found = [self._probabilities(batch) for batch in batches]
        except GenreflowError:
            raise
        except Exception as error:  # what a network gives for one file, it may not for another
            raise GenreflowError(
                f"{self.bundle.folder} can't be run on it: {in_a_line(error)}. Get the bundle again"
            ) from error
        where = clips.starts, clips.ends, np.concatenate(found), clips.counts
        about = {"seconds": clips.seconds, "unsure_below": self.bundle.unsure or 0.0}
        return Prediction(str(path), self.bundle.genres, *where, **about)

    def _probabilities(self, clips: Clips) -> np.ndarray:
        computed = {key: one.features(clips.needed[one.needs]) for key, one in self._sets.items()}
        by_learner: dict[str, list[np.ndarray]] = {}
        for model, loaded in self._models:
            one = loaded.predict_proba(input_of(model, clips.needed, clips.features | computed))
            self._require_probabilities(model.file, one, len(clips.starts))
            by_learner.setdefault(model.learner, []).append(one)
        means = {name: np.mean(found, axis=0) for name, found in by_learner.items()}
        if self._combiner is None:
            (found,) = means.values()
            return found
        found = self._combiner.combine(means)
        self._require_probabilities(self.bundle.combiner, found, len(clips.starts))
        return found

    def _require_genres(self) -> None:
        """Refuse a classifier or a combiner of other genres; what a network gives has no names."""
        of = {model.file: loaded.genres for model, loaded in self._models}
        if self._combiner is not None:
            of[self.bundle.combiner] = self._combiner.genres
        for file, genres in of.items():
            if genres not in (None, list(self.bundle.genres)):
                raise GenreflowError(
                    f"{self.bundle.folder / file} was made for other genres than the bundle: "
                    "get the bundle again"
                )

    def _require_probabilities(self, file: str, found: np.ndarray, windows: int) -> None:
        """Refuse what a model gives if it isn't a probability for each genre of the bundle."""
        expected = (windows, len(self.bundle.genres))
        sums = found.sum(axis=-1)
        if found.shape != expected or not (found >= 0).all() or not (abs(sums - 1) < NEARLY).all():
            raise GenreflowError(
                f"{self.bundle.folder / file} gives an array of {found.shape}, expected the "
                f"probabilities of {expected[1]} genres, with a sum of 1: get the bundle again"
            )


def load_model(path: str | Path, model: bundles.BundledModel) -> models.LoadedLearner:
    """Load a model of a bundle from where it lies."""
    crops = {"crop_frames": model.crop_frames, "crops": model.crops} if model.crop_frames else {}
    return models.load(path, **crops)


def input_of(
    model: bundles.BundledModel,
    needed: dict[str, Sequence[Any]],
    features: dict[str, dict[str, np.ndarray]],
) -> np.ndarray:
    """Return what a model takes.

    `needed` and `features` are as of `Clips`. It is the features side by side, float32 (n,
    dimensions); for a network that takes images those, uint8 (n, n_mels, n_frames, 1).

    Raises
    ------
    GenreflowError
        If a feature set has no such output.
    """
    if not model.features:
        return needed[IMAGE][..., np.newaxis]
    found = []
    for part in model.features:
        computed = features[set_key(part)]
        if part.output not in computed:
            raise GenreflowError(
                f"the features {part.name} have no output {part.output!r}, only "
                f"{', '.join(map(repr, computed))}: get the bundle again"
            )
        found.append(computed[part.output])
    return np.concatenate(found, axis=1, dtype=np.float32)


def windows(seconds: float, *, length: float, hop: float) -> list[float]:
    """Return where the windows of a file start [s].

    Windows have a length, and a hop from one to the next; a shorter file has one. The last window
    ends with the file, unless the rest behind the one before is shorter than `SHORTEST_REST`.
    """
    count = 1 + max(0, int((seconds - length) / hop + 1e-9))
    starts = [number * hop for number in range(count)]
    if seconds - (starts[-1] + length) >= SHORTEST_REST:
        starts.append(seconds - length)
    return starts
