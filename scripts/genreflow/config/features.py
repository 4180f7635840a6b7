"""The sections on features."""

from collections.abc import Collection, Iterator
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from genreflow import names
from genreflow.config.base import (
    Flag,
    Number,
    Positive,
    Problem,
    Section,
    Set,
    Text,
    Word,
    chosen,
    expected,
    refuse,
    whole,
)
from genreflow.config.learners import Classifier

TAKEN = ("handcrafted", "table", "joined")
"""What features of other kinds are called, or begin with."""

Rate = whole(ge=12_801, le=192_000)


class Handcrafted(Section):
    """The hand-crafted features, from the source audio at its own rate."""

    source: Literal["audio", "published"] = "audio"
    """audio: computed by the workflow; published: read from the table below."""
    table: str = ""
    """published: FMA's features.csv, or another table as of feature_tables."""
    features: Annotated[Set[str], Field(min_length=1)] = [
        *("chroma_cens", "chroma_cqt", "chroma_stft", "mfcc", "rmse", "spectral_bandwidth"),
        *("spectral_centroid", "spectral_contrast", "spectral_rolloff", "tonnetz", "zcr"),
    ]
    """Which features; FMA's 518 columns are the ones below, and there are mfcc_delta, mfcc_delta2,
    onset_rate and tempo."""
    rates: Annotated[
        Literal["native", "reference"] | Rate, expected("native, reference or a rate from 12801 on")
    ] = "native"
    """native: at each file's own rate. A number: all files are resampled to it first, so that those
    of several rates can be compared [Hz]. reference: five features as if every file had 22,050 Hz,
    which is what the code behind FMA's table did."""
    duration: Number = Field(30.0, gt=0, le=3600)
    """What comes later in a file is not looked at [seconds]."""

    def problems(self) -> Iterator[Problem]:
        """Tell whether a table lacks."""
        if self.source == "published" and not self.table:
            yield ("table",), "handcrafted.source is published, so it must name the table"


class Backbone(Section):
    """What all backbones may set, whatever they are run by."""

    decided_by: ClassVar[str] = "kind"

    license: str | None = None
    """What the network's licence is called (SPDX); it stands in the card of a bundle."""
    commercial_use: Flag | None = None
    """false: the licence forbids commercial use."""
    citation: str | None = None
    """Who made the network; it stands in the card of a bundle, too."""

    @classmethod
    def names(cls) -> Collection[str]:
        """Return the networks that this kind knows by name and no other kind does."""
        return ()

    def complete(self, name: str, weights: str) -> None:
        """Fill in what the backbone leaves to its name or to all of them."""


def list_of_cuts(cuts: Any) -> Any:
    """Read a list of cuts, each named like its layer: block1/conv is block1_conv."""
    if not isinstance(cuts, list):
        return cuts
    named = {names.plain(str(cut)): cut for cut in cuts}
    if len(named) < len(cuts):
        refuse([((), f"something stands twice in {cuts}, or has the same name without signs")])
    return named


Cuts = Annotated[dict[Word, Text], Field(min_length=1), BeforeValidator(list_of_cuts)]


def _by_name(backbones: Any) -> Any:
    """Read backbones of which nothing but cuts is given, and find the kinds that know networks."""
    if not isinstance(backbones, dict):
        return backbones
    kinds = {name: kind for kind in Backbone.__subclasses__() for name in kind.names()}
    found = {}
    for name, given in backbones.items():
        backbone = {"cuts": given} if isinstance(given, list) else given
        network = backbone.get("network", name) if isinstance(backbone, dict) else None
        if network in kinds:
            kind = kinds[network].model_fields["kind"].default
            backbone = {"kind": kind, "network": network, **backbone}
        found[name] = backbone
    return found


class Transfer(Section):
    """Features of networks that were trained on something else (backbones): on images or music."""

    backbones: Annotated[
        dict[Word, Annotated[Backbone, chosen(Backbone, "keras")]], BeforeValidator(_by_name)
    ] = {}
    """Each backbone with its cuts; its features are called name/cut, the name in small letters."""
    accept_noncommercial: Flag = False
    """Whether networks may be used whose licence forbids commercial use."""
    weights: Text = "random"
    """imagenet (downloaded once), random (for trials: the numbers then say nothing about networks
    that have learned), or the path of a weights file."""
    engine: Literal["auto", "keras", "openvino"] = "auto"
    """What runs them: openvino, keras, or auto: OpenVINO where it agrees with Keras, the fastest
    first."""
    dtype: Literal["float16", "float32"] = "float16"
    """How features are stored: float16 or float32."""
    threads: Positive = 1
    """Threads of a shard's pass. Where cores are few, shards side by side are faster."""
    joined: dict[Word, Annotated[list[str], Field(min_length=2)]] = {}
    """Several feature matrices side by side; those of NAME are called joined/NAME."""
    folder: Text = "resources"
    """Where downloaded networks and weights are kept."""
    run: Set[Classifier] = ["svm-linear", "svm-rbf", "mlp"]
    """Which classifiers are fitted on the features of backbones."""

    def problems(self) -> Iterator[Problem]:
        """Tell which backbones are called like other features, or may not be used."""
        lowered = [name.lower() for name in self.backbones]
        for name in self.backbones:
            if lowered.count(name.lower()) > 1:
                yield ("backbones", name), "another backbone has this name in small letters"
            if name.lower() in TAKEN:
                yield ("backbones", name), "other features are called so; give it another name"
        for name, backbone in self.backbones.items():
            if backbone.commercial_use is False and not self.accept_noncommercial:
                told = (
                    f"its licence ({backbone.license}) forbids commercial use; if yours is none, "
                    "set transfer.accept_noncommercial to true"
                )
                yield ("backbones", name), told

    def features(self) -> list[str]:
        """Return the names of the backbones' feature matrices."""
        pairs = ((name, cut) for name, backbone in self.backbones.items() for cut in backbone.cuts)
        return [f"{name.lower()}/{cut}" for name, cut in pairs]

    @model_validator(mode="after")
    def _in_full(self) -> Self:
        """Name backbones as in paths, with the settings that they leave to others."""
        for name, backbone in self.backbones.items():
            backbone.complete(name, self.weights)
        self.backbones = {name.lower(): backbone for name, backbone in self.backbones.items()}
        return self
