"""Outputs of layers of image networks (backbones): features of log-mel images."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import WithJsonSchema

from genreflow import names
from genreflow.config.base import Preprocessing, Problem
from genreflow.config.features import Backbone, Cuts
from genreflow.errors import GenreflowError
from genreflow.features import feature_set
from genreflow.features.feature_set import IMAGE, Clips, FeatureSet, Planned

if TYPE_CHECKING:
    import numpy as np

    from genreflow.features.engines import Prepared, Run


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
            if name != names.plain(layer):
                yield ("cuts", name), f"a layer is a cut by its own name, {names.plain(layer)}"

    def complete(self, name: str, weights: str) -> None:
        """Take from all backbones what this one leaves to them."""
        self.network = self.network or name
        self.weights = self.weights or weights


class Settings(feature_set.Settings):
    """How features are stored; all else is known to the prepared network."""

    dtype: Literal["float16", "float32"]


class ImageNetwork(FeatureSet):
    """A network that `features.engines` prepared: its folder is the ``network``."""

    kind = "keras"
    plural = "image networks"
    Settings: ClassVar = Settings
    needs = IMAGE
    has_network = True
    batch = 8

    @classmethod
    def planned(cls, name: str, backbone: Mapping[str, Any], config: Mapping[str, Any]) -> Planned:
        """Return what a backbone of the configuration asks for."""
        network, weights = backbone["network"], backbone["weights"]
        own = network.endswith(".keras")
        files = {"network": network} if own else {}
        if path := weights_file(backbone, config["transfer"]["folder"]):
            files["weights"] = path
        by_keras = bool(path) and weights == "imagenet"
        called = "its own" if own else weights if by_keras else Path(weights).name
        return Planned(
            cls(name, {"dtype": config["transfer"]["dtype"]}),
            outputs=list(backbone["cuts"]),
            preparation={
                "network": network,
                "weights": called,
                "preprocessing": backbone["preprocessing"],
                "cuts": list(backbone["cuts"].values()),
                "engine": config["transfer"]["engine"],
                "seed": config["seed"],
            },
            preparer="genreflow.features.preparation",
            files=files,
            downloads=[{"path": path, "network": network}] if by_keras else [],
            is_random=weights == "random" and not own,
            title=network if network.lower() == name else name,
        )

    def clips(self, tracks: Sequence[str], files: Sequence[str], *, sample_rate: int) -> Clips:
        """Yield the images of a shard."""
        from genreflow.features import spectrograms

        return spectrograms.clips(*files)

    @property
    def uses_keras(self) -> bool:
        """Whether Keras runs it."""
        return self._prepared.engine == "keras"

    @property
    def about(self) -> dict[str, Any]:
        """What the network is and what runs it."""
        known = self._prepared
        return {**known.settings, "engine": known.engine, "precision": known.precision}

    def parameters(self, output: str) -> int:
        """Return how many parameters the network has up to a cut."""
        return {names.plain(cut): known for cut, known in self._prepared.cuts.items()}[output][
            "parameters"
        ]

    @cached_property
    def _prepared(self) -> "Prepared":
        from genreflow.features import engines

        return engines.describe(self.network)

    def _loaded(self, count: int) -> "Run":
        """Return what runs the network, loaded for batches like the first one.

        One for whole batches is faster for these, one for any number for less; what they give is
        the same, and two of them would take twice the memory.
        """
        from genreflow.features import engines

        if "_run" not in vars(self):
            run = engines.load(self.network, threads=self.threads, padded=count >= self.batch)
            object.__setattr__(self, "_run", run)
        return self._run

    def extract(self, clips: Sequence["np.ndarray"]) -> dict[str, "np.ndarray"]:
        """Compute the features of images, uint8 (n_mels, n_frames); the same bits in any batch."""
        import numpy as np

        images, expected = np.stack(clips), self._prepared.image_shape
        if images.shape[1:] != expected:
            raise GenreflowError(
                f"{self.network} was prepared for images of {expected}, but these have "
                f"{images.shape[1:]}: delete {self.network} and run again"
            )
        run = self._loaded(len(images))
        batches = [run(images[row : row + self.batch]) for row in range(0, len(images), self.batch)]
        found = map(np.concatenate, zip(*batches, strict=True))
        return dict(zip(map(names.plain, self._prepared.cuts), found, strict=True))


def weights_file(network: Mapping[str, Any], folder: str) -> str:
    """Return the file of the weights of a network, with the keys network and weights; "" for none.

    Downloads are kept in the folder.
    """
    name, weights = network["network"], network["weights"]
    if weights == "random" or name.endswith(".keras"):
        return ""
    return f"{folder}/weights/{name}.h5" if weights == "imagenet" else weights
