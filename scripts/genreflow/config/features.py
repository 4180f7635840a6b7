"""The sections on features."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from genreflow.config.base import (
    Number,
    Positive,
    Preprocessing,
    Problem,
    Section,
    Set,
    Text,
    Word,
    chosen,
    matching,
    nearest,
    refuse,
)
from genreflow.config.learners import Classifier


class Handcrafted(Section):
    """The hand-crafted features, from the source audio at its own rate."""

    source: Literal["audio", "published"] = "audio"
    """audio: computed by the workflow; published: read from the table below."""
    table: str = ""
    """published: FMA's features.csv, or another table in its format (three header rows)."""
    features: Annotated[Set[str], Field(min_length=1)] = [
        *("chroma_cens", "chroma_cqt", "chroma_stft", "mfcc", "rmse", "spectral_bandwidth"),
        *("spectral_centroid", "spectral_contrast", "spectral_rolloff", "tonnetz", "zcr"),
    ]
    """Which features; FMA's 518 columns are the ones below, and there are mfcc_delta, mfcc_delta2,
    onset_rate and tempo."""
    rates: Literal["native", "reference"] = "native"
    """native: at each file's own rate. reference: five features as if every file had 22,050 Hz,
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


def _list_of_cuts(cuts: Any) -> Any:
    """Read a list of cuts, each of which is named like the layer."""
    if not isinstance(cuts, list):
        return cuts
    if len(set(map(str, cuts))) < len(cuts):
        refuse([((), f"something stands twice in {cuts}")])
    return {str(cut): cut for cut in cuts}


Cuts = Annotated[dict[Word, Text], Field(min_length=1), BeforeValidator(_list_of_cuts)]


class KerasBackbone(Backbone):
    """An image network of keras.applications, or of a .keras file."""

    kind: Literal["keras"] = "keras"
    """What runs it."""
    network: str = ""
    """The network: one of keras.applications by its name there (default: the backbone's name), or a
    .keras file."""
    cuts: Annotated[Cuts, WithJsonSchema({"type": "array", "items": {"type": "string"}})]
    """The layers whose outputs are features, all from one pass."""
    weights: str = ""
    """Instead of transfer.weights."""
    preprocessing: Preprocessing = "none"
    """What a network in a .keras file expects of images."""

    def problems(self) -> Iterator[Problem]:
        """Tell which cut isn't named like its layer."""
        for name, layer in self.cuts.items():
            if name != layer:
                yield ("cuts", name), f"a layer is a cut by its own name, {layer}"


class OnnxBackbone(Backbone):
    """A network in ONNX, on images or on audio."""

    kind: Literal["onnx"] = "onnx"
    """What runs it."""
    network: Text
    """The network: a file or an address."""
    sha256: matching("^[0-9a-fA-F]{64}$", "64 hexadecimal digits")
    """The SHA-256 of the network's file."""
    cuts: Cuts
    """The output whose values are features, by its name in paths: {NAME: OUTPUT}."""
    input: Literal["waveform", "image"]
    """What the network takes: waveform or image."""
    sample_rate: Positive | None = None
    """Of the waveform [Hz]."""
    duration: Number | None = Field(None, ge=0)
    """Length that the waveform is cut or padded to [seconds] (0: left as it is)."""
    pooling: Literal["mean", "flatten"] | None = None
    """How outputs with several places become one row: mean or flatten."""

    def problems(self) -> Iterator[Problem]:
        """Tell whether the rate or the one output lacks."""
        if self.input == "waveform" and self.sample_rate is None:
            yield ("sample_rate",), "input is waveform, so it must tell the rate of the waveform"
        if len(self.cuts) > 1:
            yield ("cuts",), f"a network in ONNX has one cut, found {len(self.cuts)}"


def _cuts_alone(backbone: Any) -> Any:
    """Read a backbone of which nothing but cuts is given."""
    return {"cuts": backbone} if isinstance(backbone, list) else backbone


class Transfer(Section):
    """Features of image networks (backbones), of log-mel images resized to what they take."""

    backbones: dict[
        Word, Annotated[Backbone, chosen(Backbone, "keras"), BeforeValidator(_cuts_alone)]
    ] = {}
    """Each backbone with its cuts; its features are called name/cut, the name in small letters."""
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
    """Features of several cuts side by side: NAME: [vgg16/fc2, resnet50/avg_pool]
    is joined/NAME."""
    folder: Text = "resources"
    """Where downloaded networks and weights are kept."""
    run: Set[Classifier] = ["svm-linear", "svm-rbf", "mlp"]
    """Which classifiers are fitted on the features of backbones."""

    def problems(self) -> Iterator[Problem]:
        """Tell which features that are to be joined aren't there, and which names are the same."""
        known = self.features()
        for name, parts in self.joined.items():
            for number, part in enumerate(parts):
                if part not in known:
                    yield ("joined", name, number), f"no features {part!r}{nearest(part, known)}"
        names = [name.lower() for name in self.backbones]
        for name in self.backbones:
            if names.count(name.lower()) > 1:
                yield ("backbones", name), "another backbone has this name in small letters"

    def features(self) -> list[str]:
        """Return the names of the feature matrices that can be joined."""
        pairs = ((name, cut) for name, backbone in self.backbones.items() for cut in backbone.cuts)
        return ["handcrafted", *(f"{name.lower()}/{cut}" for name, cut in pairs)]

    @model_validator(mode="after")
    def _in_full(self) -> Self:
        """Name backbones as in paths, with the settings that they leave to others."""
        for name, backbone in self.backbones.items():
            if isinstance(backbone, KerasBackbone):
                backbone.network = backbone.network or name
                backbone.weights = backbone.weights or self.weights
        self.backbones = {name.lower(): backbone for name, backbone in self.backbones.items()}
        return self
