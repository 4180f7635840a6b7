"""Feature sets: what turns a clip into numbers, for a corpus, for new audio and for timing alike.

Each kind is a module of `features.kinds`, found by being there; nothing else asks which kinds there
are. At import a kind needs no library that computes, for every job reads the configuration.
"""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict, TypeAdapter

from genreflow.errors import GenreflowError
from genreflow.features import kinds

if TYPE_CHECKING:
    import numpy as np

IMAGE, WAV, SOURCE = "image", "wav", "source"
"""What a feature set may need of a clip: its log-mel image, uint8 (n_mels, n_frames); its resampled
audio, a `Sound` of int16; its audio at the file's own rate, a `Sound` of float32."""


class Sound(NamedTuple):
    """Mono audio: samples, (n,) int16 or float32 (full scale 1), and their rate [Hz]."""

    samples: np.ndarray
    rate: int


Clips = Iterator[tuple[str, Callable[[], Any]]]
"""Track ids, each with what returns the clip, or raises `Unusable`."""


class Settings(BaseModel):
    """What features depend on beside a network. They stand in bundles, so types are strict."""

    model_config = ConfigDict(strict=True, extra="forbid")


@dataclass(frozen=True)
class FeatureSet(ABC):
    """What turns clips into features.

    Attributes
    ----------
    name
        Of a user's choice, in small letters; with outputs its matrices are called NAME/OUTPUT.
    settings
        Plain values, as the kind's ``Settings`` checks them.
    network
        The file or folder of the network that it runs; "" for none.
    threads
        Processor threads to use.
    """

    name: str
    settings: Mapping[str, Any]
    network: str = ""
    threads: int = 1

    kind: ClassVar[str]
    plural: ClassVar[str]
    """What people call sets of this kind: ``image networks``."""
    Settings: ClassVar[type[Settings]]
    batch: ClassVar[int] = 1
    """Clips that are faster together."""
    has_network: ClassVar[bool] = False
    """Whether it runs a network."""
    from_audio: ClassVar[bool] = True
    """Whether new audio can be turned into such features."""
    memory_mb: ClassVar[int] = 3000
    """What extraction may take."""

    @property
    @abstractmethod
    def needs(self) -> str:
        """What it takes of a clip: `IMAGE`, `WAV` or `SOURCE`."""

    @abstractmethod
    def clips(self, tracks: Sequence[str], files: Sequence[str], *, sample_rate: int) -> Clips:
        """Yield the clips of a shard's tracks.

        Parameters
        ----------
        tracks
            Track ids.
        files
            What it `needs` of them: the shard of images, or for each track its WAV or its source.
        sample_rate
            Of WAVs [Hz].
        """

    def column_names(self, output: str, size: int) -> list[str]:
        """Return the names of the columns of an output that has so many."""
        return [f"{self.name}/{output} {number}" for number in range(size)]

    @abstractmethod
    def extract(self, clips: Sequence[Any]) -> dict[str, np.ndarray]:
        """Compute the features of clips.

        Parameters
        ----------
        clips
            What it `needs` of each, at least one.

        Returns
        -------
        dict of numpy.ndarray
            For each output float32 (clips, size), before they are rounded to `dtype`.

        Raises
        ------
        Unusable
            If the clip, one alone, has no such features.
        GenreflowError
            If the network isn't whole, or doesn't take clips of this kind.
        """

    @property
    def dtype(self) -> str:
        """How features are stored and learned from: ``float16`` or ``float32``."""
        return self.settings.get("dtype", "float32")

    @property
    def seconds(self) -> float:
        """How much of a clip it looks at [s]; 0 for all."""
        return self.settings.get("duration", 0)

    @property
    def uses_keras(self) -> bool:
        """Whether Keras is to be configured before it extracts."""
        return False

    @property
    def about(self) -> dict[str, Any]:
        """What else is known of its features, as plain values for people."""
        return {}

    def parameters(self, output: str) -> int | None:
        """Return how many parameters its network has up to an output; None if that isn't known."""
        return None

    def require_audio(self) -> None:  # noqa: B027 (of most kinds it can)
        """Raise GenreflowError if new audio can't be turned into such features."""

    def features(self, clips: Sequence[Any]) -> dict[str, np.ndarray]:
        """Return what `extract` does, rounded as it is stored.

        Raises
        ------
        GenreflowError
            As `extract` does, and if a feature isn't finite.
        """
        found = {key: rows.astype(self.dtype) for key, rows in self.extract(clips).items()}
        for key, rows in found.items():
            if not abs(rows).max(initial=0) < float("inf"):  # nor is what isn't a number
                name = f"{self.name}/{key}" if key else self.name
                raise GenreflowError(f"its features {name} are not finite")
        return found


@dataclass(frozen=True)
class Planned:
    """A feature set that a configuration asks for.

    Attributes
    ----------
    feature_set
        The object; its network may not be there yet.
    outputs
        What each is called below the name; [""] for one output that has the name of the set.
    preparation
        What the network is made of; None if it is one as it is.
    preparer
        The module whose ``make`` does so, by its name.
    files
        What the preparation, or else the extraction, reads.
    downloads
        Those of the files that are downloaded: path, and network (Keras publishes its weights), or
        url and sha256, or package (on PyPI, with its version) and sha256.
    is_random
        Whether its network has learned nothing.
    credit
        The network's licence and who made it, for people; "" where that isn't known.
    title
        What people call the set: ``VGG16``; "" for its name.
    """

    feature_set: FeatureSet
    outputs: Sequence[str] = ("",)
    preparation: Mapping[str, Any] | None = None
    preparer: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    downloads: Sequence[Mapping[str, str]] = ()
    is_random: bool = False
    credit: str = ""
    title: str = ""

    @property
    def matrices(self) -> list[str]:
        """The names of its feature matrices."""
        name = self.feature_set.name
        return [f"{name}/{output}" if output else name for output in self.outputs]

    @property
    def titles(self) -> dict[str, str]:
        """What people call its feature matrices, by their names: ``VGG16 fc2``."""
        title = self.title or self.feature_set.name
        named = (f"{title} {output}".rstrip() for output in self.outputs)
        return dict(zip(self.matrices, named, strict=True))


@cache
def known_kinds() -> dict[str, type[FeatureSet]]:
    """Return the class of each kind by its name."""
    for module in pkgutil.iter_modules(kinds.__path__):
        importlib.import_module(f"{kinds.__name__}.{module.name}")
    return {one.kind: one for one in FeatureSet.__subclasses__()}


@dataclass(frozen=True)
class Part:
    """Where some columns of a matrix come from; enough to compute them elsewhere.

    Attributes
    ----------
    kind, name, settings
        Of the feature set.
    output
        Which one it is.
    network
        The file or folder of the network that is needed; "" for none.
    """

    kind: str
    name: str
    output: str
    settings: dict[str, Any]
    network: str = ""

    def feature_set(self, *, threads: int = 1, folder: str = "") -> FeatureSet:
        """Return what computes the columns; the network's path is relative to the folder."""
        network = f"{folder}/{self.network}" if folder and self.network else self.network
        return known_kinds()[self.kind](self.name, self.settings, network, threads)


def checked_settings(kind: str, settings: Any) -> dict[str, Any]:
    """Return settings from a bundle, in the types and ranges of a kind.

    Raises
    ------
    ValueError
        If the kind isn't known; pydantic's own if a value isn't right.
    """
    known = {name: one for name, one in known_kinds().items() if one.from_audio}
    if kind not in known:
        raise ValueError(f"expected one of {', '.join(known)}")
    return TypeAdapter(known[kind].Settings).validate_python(settings).model_dump(exclude_none=True)
