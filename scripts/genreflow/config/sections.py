"""The whole configuration, and how its sections must fit each other.

The text below each key is its meaning; docs/configuration.md is made from it. Nothing here needs a
library that computes: every job of a run reads the configuration again.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from genreflow import split_names
from genreflow.config.base import (
    Natural,
    Number,
    Positive,
    Problem,
    Section,
    Set,
    Text,
    Word,
    nearest,
    refuse,
)
from genreflow.config.corpus import Audio, Augment, Corpus, Spectrogram, Split
from genreflow.config.features import Handcrafted, Transfer
from genreflow.config.learners import Classify, Cnn, Ensembles, Ffnn
from genreflow.errors import GenreflowError


class Latency(Section):
    """How long a prediction takes: measured on clips, one at a time."""

    clips: Natural = 10
    """How many clips are timed; 0 measures nothing."""
    threads: Positive = 2
    """Processor threads."""


class Predict(Section):
    """Prediction of new audio: `snakemake predict --config predict=PATH`."""

    path: str = ""
    """A file, a folder or a list of files (.txt, .m3u, .m3u8, .pls)."""
    learner: str = ""
    """Which learner is bundled by `export`; empty: the best on validation."""
    hop: Annotated[Number, Field(ge=0, le=3600)] = 0
    """Seconds from the start of a window to that of the next; 0: windows side by side. A fifth of a
    window shows best when the genre changes, and takes five times as long."""


def _known_splits(names: list[str]) -> list[str]:
    try:
        split_names.expand(name for name in names if name != split_names.AUTO)
    except GenreflowError as error:
        refuse([((), str(error))])
    return names


class Configuration(Section):
    """All sections, in the order in which they are checked: each may look at those before it."""

    renamed: ClassVar = {"inference": "latency"}

    corpus: Corpus = Corpus()
    splits: Annotated[Set[str], Field(min_length=1), AfterValidator(_known_splits)] = ["official"]
    """Splits to evaluate on, side by side: official (the corpus's own), grouped (no artist or album
    on both sides), lowest-ids (the study's), cv-REPEATSxFOLDS (cross-validation), auto (grouped
    where its test part has 100 tracks or more, else cv-1x5, or cv-1x4 where a genre has only
    four)."""
    split: Split = Split()
    seed: Natural = 0
    """Seed of everything random but the networks."""
    seeds: Annotated[Set[Natural], Field(min_length=1)] = [0]
    """One training of each network for every seed."""
    audio: Audio = Audio()
    spectrogram: Spectrogram = Spectrogram()
    augment: Augment = Augment()
    cnn: Cnn = Cnn()
    handcrafted: Handcrafted = Handcrafted()
    feature_tables: dict[Word, Text] = {}
    """Features that others computed: NAME: FILE is table/NAME. A CSV or Parquet with a row per
    track, a column track_id or path (or filename), and numbers; or FMA's features.csv."""
    transfer: Transfer = Transfer()
    ffnn: Ffnn = Ffnn()
    classify: Classify = Classify()
    latency: Latency = Latency()
    ensembles: Ensembles = Ensembles()
    predict: Predict = Predict()

    @field_validator("splits", mode="before")
    @classmethod
    def _split_alone(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("predict", mode="before")
    @classmethod
    def _path_alone(cls, value: Any) -> Any:
        if not isinstance(value, str | dict | Predict):
            said = f"the path was read as {value!r}, for Snakemake takes some names for numbers"
            refuse([(("path",), f"{said}: put ./ before it, as in predict=./2020_01_01")])
        return {"path": value} if isinstance(value, str) else value

    @field_validator("spectrogram")
    @classmethod
    def _below_nyquist(cls, spectrogram: Spectrogram, checked: ValidationInfo) -> Spectrogram:
        audio = checked.data.get("audio")
        nyquist = audio.sample_rate / 2 if audio else spectrogram.f_max
        if spectrogram.f_max > nyquist:
            above = f"{spectrogram.f_max:g} Hz lies above half of audio.sample_rate, {nyquist:g} Hz"
            refuse([(("f_max",), above)])
        return spectrogram

    @field_validator("transfer")
    @classmethod
    def _parts_are_made(cls, transfer: Transfer, checked: ValidationInfo) -> Transfer:
        known = _matrices(checked.data | {"transfer": transfer})
        joined = transfer.joined.items()
        refuse(one for name, parts in joined for one in _unmade(parts, known, ("joined", name)))
        return transfer

    @field_validator("ffnn", "classify")
    @classmethod
    def _features_are_made(cls, section: Ffnn | Classify, checked: ValidationInfo) -> Any:
        known = _matrices(checked.data)
        joined = [f"joined/{name}" for name in checked.data["transfer"].joined] if known else []
        refuse(_unmade(section.features, known + joined, ("features",)))
        return section


def _matrices(checked: Mapping[str, Any]) -> list[str]:
    """Return the feature matrices that can be joined; none where a section was refused."""
    if not checked.keys() >= {"transfer", "feature_tables"}:
        return []
    tables = [f"table/{name}" for name in checked["feature_tables"]]
    return ["handcrafted", *tables, *checked["transfer"].features()]


def _unmade(names: Iterable[str], known: list[str], place: tuple[str, ...]) -> Iterator[Problem]:
    """Tell which feature matrices aren't known, if any are."""
    unknown = [name for name in names if known and name not in known]
    yield from ((place, f"no features {name!r}{nearest(name, known)}") for name in unknown)
