"""Outputs of networks in ONNX, trained on audio or on anything else."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from genreflow.config.base import Number, Positive, Problem, Text, matching
from genreflow.config.features import Backbone, Cuts
from genreflow.features import feature_set
from genreflow.features.feature_set import IMAGE, WAV, Clips, FeatureSet, Planned

if TYPE_CHECKING:
    import numpy as np

    from genreflow.features.onnx_networks import Network


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


class Settings(feature_set.Settings):
    """How the network is used; the keys of the configuration, and how features are stored."""

    cuts: Annotated[
        dict[
            Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,200}\z")],
            Annotated[str, Field(min_length=1, max_length=200)],
        ],
        Field(min_length=1, max_length=1),
    ]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}\z")]
    input: Literal["waveform", "image"]
    sample_rate: Annotated[int, Field(ge=1, le=192_000)] | None = None
    duration: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] | None = None
    pooling: Literal["mean", "flatten"] | None = None
    dtype: Literal["float16", "float32"]

    @model_validator(mode="after")
    def _rate_of_waveforms(self) -> Self:
        if self.input == "waveform" and self.sample_rate is None:
            raise ValueError("expected the sample_rate of the waveform")
        return self


class OnnxNetwork(FeatureSet):
    """A network in ONNX: its file is the ``network``."""

    kind = "onnx"
    Settings: ClassVar = Settings
    has_network = True

    @classmethod
    def planned(cls, name: str, backbone: Mapping[str, Any], config: Mapping[str, Any]) -> Planned:
        """Return what a backbone of the configuration asks for."""
        keys = ("cuts", "input", "sample_rate", "duration", "pooling")
        sha256, path = backbone["sha256"].lower(), backbone["network"]
        downloads = []
        if path.startswith("http"):
            path = f"{config['transfer']['folder']}/onnx/{sha256}.onnx"
            downloads = [{"path": path, "url": backbone["network"], "sha256": sha256}]
        settings = {key: backbone[key] for key in keys if key in backbone}
        settings |= {"sha256": sha256, "dtype": config["transfer"]["dtype"]}
        return Planned(
            cls(name, settings, path),
            outputs=list(backbone["cuts"]),
            files={"network": path},
            downloads=downloads,
        )

    @property
    def needs(self) -> str:
        """An image, or the resampled audio."""
        return IMAGE if self.settings["input"] == "image" else WAV

    def clips(self, tracks: Sequence[str], files: Sequence[str], *, sample_rate: int) -> Clips:
        """Yield the images of a shard, or the audio of the WAVs."""
        from genreflow.features import image_clips, wav_clips

        if self.needs == IMAGE:
            return image_clips.images(*files)
        return wav_clips.wavs(zip(tracks, files, strict=True), sample_rate=sample_rate)

    @property
    def about(self) -> dict[str, Any]:
        """What runs the network."""
        return {"network": self._network.path.name, "engine": "onnxruntime", "precision": "float32"}

    @cached_property
    def _network(self) -> "Network":
        from genreflow.features import onnx_networks

        return onnx_networks.Network(self.network, self.settings, threads=self.threads)

    def extract(self, clips: Sequence[Any]) -> dict[str, "np.ndarray"]:
        """Compute the features of images, uint8 (n_mels, n_frames), or of sounds of int16."""
        import numpy as np

        (cut,) = self.settings["cuts"]
        return {cut: np.stack([self._network.features(self._taken(clip)) for clip in clips])}

    def _taken(self, clip: Any) -> "np.ndarray":
        if self.needs == IMAGE:
            return clip.astype("float32")
        return self._network.waveform(clip.samples, clip.rate)
