"""What bundle.json says of a bundle, and the check of every value in it.

A bundle may come from a stranger. What is read here ends up in shapes of arrays, in paths and in
ffmpeg's arguments, so nothing passes that isn't of the type, range and form that `export` writes.
"""

import reprlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError

from genreflow.errors import GenreflowError
from genreflow.features.feature_set import IMAGE, SOURCE, Part, checked_settings, known_kinds
from genreflow.names import CONTROLS

FORMAT = 2
"""Of bundle.json; a bundle of another one is refused."""

MAX_BYTES = 2**22
"""Of bundle.json; one of a stacked ensemble with ten seeds has some 20 kB."""

MAX_PIXELS = 2**26
"""Of an image, which is made in memory for each window of a file."""

MAX_SAMPLES = 3600 * 48_000
"""Of a clip, which a network is tried on before it gets any."""


def _printable(text: str) -> str:
    if CONTROLS.search(text):
        raise ValueError("expected no control characters")
    return text


def _inside(path: str) -> str:
    if any(part.startswith(".") or not part for part in path.split("/")) or set(path) & set("\\:"):
        raise ValueError(
            "expected a file of the bundle, as models/1/model.keras; this may lie outside of it"
        )
    return path


def _unique(values: tuple | list) -> tuple | list:
    if len(set(values)) < len(values):
        raise ValueError("expected no value twice")
    return values


_Version = Annotated[str, Field(max_length=200), AfterValidator(_printable)]
_Text = Annotated[_Version, Field(min_length=1)]
_File = Annotated[_Text, AfterValidator(_inside)]
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}\z")]
# A clip has at least a tenth, or a file would have windows without number.
_Seconds = Annotated[float, Field(ge=0.1, le=3600)]
_Hertz = Annotated[float, Field(ge=0)]
_STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True)
class Audit:
    """Which audio can't be used.

    What is shorter than `min_duration` [s], and what has a smaller share that sounds than
    `min_sounding`: a tenth of a second below `silence_level` [dB of full scale, RMS] is silent.
    """

    min_duration: Annotated[float, Field(ge=0, le=3600)]
    silence_level: Annotated[float, Field(ge=-1000, le=0)]
    min_sounding: Annotated[float, Field(ge=0, le=1)]
    __pydantic_config__ = _STRICT


@dataclass(frozen=True)
class _Strict(Part):
    """A part with the types of its texts."""

    kind: _Text
    name: _Text
    output: _Version
    settings: dict[str, Any]
    network: Annotated[_Version, AfterValidator(lambda path: path and _inside(path))] = ""
    __pydantic_config__ = _STRICT


def _of_its_kind(part: _Strict) -> Part:
    settings = checked_settings(part.kind, part.settings)
    for place, text in _texts("settings", settings):
        if not 0 < len(text) <= 200 or CONTROLS.search(text):
            raise ValueError(f"{place}: expected 1 to 200 characters, none a control character")
    # One without its network would look for it outside of the bundle.
    if bool(part.network) != known_kinds()[part.kind].has_network:
        raise ValueError("network: expected a file or folder of the bundle, and none without need")
    return Part(**asdict(part) | {"settings": settings})


def _texts(place: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield the texts within a value that is checked otherwise, each with its place."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _texts(f"{place}.{key}", inner)


_Part = Annotated[_Strict, AfterValidator(_of_its_kind)]


@dataclass(frozen=True)
class BundledModel:
    """A model of a bundle.

    The seeds of one learner share its name. The file lies within the bundle; features are what it
    takes, side by side, empty for a network that takes images, which predicts by so many `crops`
    of a length of `crop_frames`; 0 for whole images.
    """

    learner: _Text
    file: Annotated[_File, Field(pattern=r"\.(keras|skops)\z")]
    features: Annotated[tuple[_Part, ...], Field(max_length=100)] = ()
    crop_frames: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    crops: Annotated[int, Field(ge=1, le=1000)] = 1
    __pydantic_config__ = _STRICT

    @property
    def needs(self) -> set[str]:
        """What of a clip it needs, as feature sets say it."""
        return {part.feature_set().needs for part in self.features} or {IMAGE}


@dataclass(frozen=True)
class _Images:
    """`features.spectrograms.Settings`, in the ranges of the configuration."""

    sample_rate: Annotated[int, Field(ge=4000, le=192_000)]
    duration: _Seconds
    n_fft: Annotated[int, Field(ge=64, le=65_536)]
    hop_length: Annotated[int, Field(ge=16)]
    n_mels: Annotated[int, Field(ge=8, le=1024)]
    f_min: _Hertz
    f_max: _Hertz
    invert: bool
    __pydantic_config__ = _STRICT

    @property
    def frames(self) -> int:
        return 1 + round(self.duration * self.sample_rate) // self.hop_length


def _possible(images: _Images) -> dict[str, Any]:
    if not images.f_min < images.f_max <= images.sample_rate / 2:
        raise ValueError("expected f_min below f_max, and f_max at most half of sample_rate")
    if images.hop_length > images.n_fft:
        raise ValueError("expected a hop_length of at most n_fft")
    if images.n_mels * images.frames > MAX_PIXELS:
        raise ValueError(f"expected images of at most {MAX_PIXELS} pixels")
    if images.duration * images.sample_rate > MAX_SAMPLES:
        raise ValueError(f"expected clips of at most {MAX_SAMPLES} samples")
    return asdict(images)


@dataclass(frozen=True)
class Description:
    """What bundle.json holds.

    Attributes
    ----------
    learner, split, seed, title
        What was bundled; the seed is None for a learner without, the title what people call it.
    genres
        In the order of the probabilities.
    clip
        How much audio a model looks at [s].
    images
        `features.spectrograms.Settings` as plain values; None if no model needs images.
    models, combiner
        One, or the members of an ensemble and the file of what makes one learner of them.
    versions, members
        Of the packages that the bundle was made with, and the SHA-256 of each file.
    unsure
        Below this probability of the first genre a prediction is unsure: on validation the learner
        was wrong more often than right there. None if validation can't tell.
    corpus, note
        What it was trained on, and what must stand by every number of that; "" if nothing.
    """

    learner: _Text
    split: _Text
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None
    genres: Annotated[
        tuple[_Text, ...], Field(min_length=2, max_length=10_000), AfterValidator(_unique)
    ]
    clip: _Seconds
    audit: Audit
    images: Annotated[_Images, AfterValidator(_possible)] | None
    models: Annotated[tuple[BundledModel, ...], Field(min_length=1, max_length=1000)]
    combiner: _File | None
    versions: Annotated[dict[_Text, _Version], Field(max_length=100)]
    members: Annotated[dict[_File, _Sha256], Field(max_length=10_000)]
    format: Literal[FORMAT]
    title: _Version = ""
    unsure: Annotated[float, Field(ge=0, le=1)] | None = None
    corpus: _Version = ""
    note: _Version = ""
    __pydantic_config__ = _STRICT


def _whole(bundle: Description) -> Description:
    if len(bundle.models) > 1 and bundle.combiner is None:
        raise ValueError("there are several models and no combiner")
    if bundle.images is None and any(model.needs - {SOURCE} for model in bundle.models):
        raise ValueError("there are models of images or resampled audio and no settings of images")
    if bundle.images is not None and bundle.clip != bundle.images["duration"]:
        raise ValueError("expected clip to be the duration of the images")
    return bundle


@cache
def adapter() -> TypeAdapter[Description]:
    """Return what checks a description."""
    return TypeAdapter(Annotated[Description, AfterValidator(_whole)])


def parse(path: Path) -> Description:
    """Read and check a bundle.json.

    Raises
    ------
    GenreflowError
        If it can't be read, or a value isn't what it should be; it names the key.
    """
    try:
        if path.is_symlink() or not path.is_file():
            raise GenreflowError(f"{path}: no bundle is described there (it is not a file)")
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise GenreflowError(f"{path}: no bundle is described there ({error.strerror})") from None
    if len(text) > MAX_BYTES:
        raise GenreflowError(f"{path}: no bundle is described there (more than {MAX_BYTES} bytes)")
    try:
        return adapter().validate_json(text)
    except ValidationError as error:
        raise GenreflowError(f"{path}: {_first(error)}") from None


def _first(error: ValidationError) -> str:
    """Say what is wrong first; a wrong format is the cause of all else."""
    found = error.errors(include_url=False, include_context=False)
    one = next((one for one in found if one["loc"] == ("format",)), found[0])
    kind, key = one["type"], ".".join(map(_shown, one["loc"]))
    if kind == "json_invalid":
        return f"no bundle is described there ({one['msg']})"
    if kind == "missing":
        return f"the key {key} is missing; get the bundle again"
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"the key {key} is unknown; get the bundle again"
    said = one["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    if key == "format":
        hint = "use the version of genreflow that made the bundle, or export it anew"
    else:
        hint = "get the bundle again"
    value = f"; found {reprlib.repr(one['input'])}" if key else ""
    return f"{key or 'the bundle'}: {said}{value}; {hint}"


def _shown(part: str | int) -> str:
    """Show a part of a key without what would change the terminal."""
    return reprlib.repr(part)[1:-1] if isinstance(part, str) else str(part)
