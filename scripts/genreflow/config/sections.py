"""The whole configuration, and how its sections must fit each other.

The text below each key is its meaning; docs/configuration.md is made from it. Nothing here needs a
library that computes: every job of a run reads the configuration again.
"""

from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from genreflow import split_names
from genreflow.config.base import Natural, Positive, Section, Set, nearest, refuse
from genreflow.config.corpus import Audio, Augment, Corpus, Spectrogram, Split
from genreflow.config.features import Handcrafted, Transfer
from genreflow.config.learners import Classify, Cnn, Ensembles, Ffnn
from genreflow.errors import GenreflowError


class Latency(Section):
    """How long a prediction takes: measured on clips, one at a time."""

    clips: Natural = 20
    """How many clips are timed; 0 measures nothing."""
    threads: Positive = 2
    """Processor threads."""


class Predict(Section):
    """Prediction of new audio: `snakemake predict --config predict=PATH`."""

    path: str = ""
    """A file, a folder or a list of files (.txt, .m3u, .m3u8, .pls)."""
    learner: str = ""
    """Which learner is bundled by `export`; empty: the best on validation."""


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
    ffnn: Ffnn = Ffnn()
    transfer: Transfer = Transfer()
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

    @field_validator("classify")
    @classmethod
    def _features_are_made(cls, classify: Classify, checked: ValidationInfo) -> Classify:
        transfer = checked.data.get("transfer")
        if transfer:
            known = [*transfer.features(), *(f"joined/{name}" for name in transfer.joined)]
            refuse(
                (("features", name), f"no such feature matrix{nearest(name, known)}")
                for name in classify.features
                if name not in known
            )
        return classify
