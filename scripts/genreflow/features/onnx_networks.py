"""Networks in ONNX, trained on audio or on anything else, run by OpenVINO in float32."""

import hashlib
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import Message

from genreflow.errors import GenreflowError, in_a_line, nearest_first
from genreflow.features import engines, front_ends
from genreflow.features.engines import openvino

FILE = "network.onnx"
"""What a network is called in the folder where it was made."""

BATCH = 32
"""Patches that a network gets at a time, which bounds the memory for a long clip."""

RANKS = {"waveform": (1, 2, 3), "mel": (3, 4), "image": (3, 4)}
"""How many axes the input may have."""


class Network:
    """A network in ONNX, checked and ready to run.

    Parameters
    ----------
    path
        The file, or the folder where it was made.
    settings
        How it is used, as `features.kinds.onnx_network.Settings` checks them. Waveforms are samples
        within -1 to 1 (batch, samples), (batch, 1, samples) or (samples,); images are log-mel
        images of grey levels 0-255 (batch, n_mels, n_frames), and patches of a mel spectrogram
        (batch, frames, n_mels) or, with mels_first, as images; both may have an axis of one channel
        before or after these.
    threads
        Processor threads to use.

    Raises
    ------
    GenreflowError
        If the file is another one, or no network in ONNX; if it has more than one input, another
        kind of input, or no output of a name.
    """

    def __init__(self, path: str | Path, settings: Mapping[str, Any], *, threads: int):
        path = Path(path)
        self.path = path / FILE if path.is_dir() else path
        self._settings, self._takes = settings, settings["input"]
        if openvino is None:
            raise GenreflowError(f"{self.path} is run by OpenVINO, which isn't installed")
        model = self._read(_content(self.path, settings.get("sha256")))
        self._shape = self._shape_of_input(model)
        self._require_outputs(model)
        self._request = engines.compiled(model, precision="float32", threads=threads)
        if self._takes == "mel":
            self._patches = front_ends.MelPatches(settings["mel"], settings["sample_rate"])

    def _read(self, content: bytes) -> Any:
        """Read the network; one with weights in other files is refused: the hash says nothing."""
        try:
            loaded = onnx.load_model_from_string(content)
            self._graph = loaded.graph
            if any(one.data_location == one.EXTERNAL for one in _tensors(loaded)):
                raise GenreflowError("it has weights in other files; save it in one")
            return openvino.Core().read_model(content)
        except Exception as error:  # OpenVINO's and protobuf's own kinds have no common one
            raise GenreflowError(
                f"{self.path} is no network in ONNX that can be run: {in_a_line(error)}"
            ) from None

    def _shape_of_input(self, model: Any) -> list[int | None]:
        """Return the axes of the only input, None for those of any length."""
        inputs = model.inputs
        if len(inputs) != 1 or inputs[0].element_type != openvino.Type.f32:
            kinds = ", ".join(
                f"{one.any_name} {one.element_type.to_string()} {one.partial_shape}"
                for one in inputs
            )
            raise GenreflowError(
                f"{self.path}: expected one input of float32; its inputs are {kinds}"
            )
        shape = inputs[0].partial_shape
        if shape.rank.is_dynamic or len(shape) not in RANKS[self._takes]:
            raise GenreflowError(
                f"{self.path}: its input {inputs[0].any_name} has the shape {shape}, which "
                f"is no {self._takes}"
            )
        return [axis.get_length() if axis.is_static else None for axis in shape]

    def _require_outputs(self, model: Any) -> None:
        names = [name for output in model.outputs for name in sorted(output.names)]
        for wanted in self._settings["cuts"].values():
            if wanted not in names:
                raise GenreflowError(
                    f"{self.path} has no output {wanted!r}. Its outputs, the nearest names "
                    f"first: {', '.join(nearest_first(wanted, names))}"
                )

    def features(self, clip: Any) -> dict[str, np.ndarray]:
        """Return the features of one track, all cuts from one pass: for each float32 (size,).

        The clip is an image, uint8 (n_mels, n_frames), or a `features.feature_set.Sound` of int16.

        Raises
        ------
        GenreflowError
            If the network doesn't take it.
        """
        values = self._values(clip)
        runs = [self._run(values[row : row + BATCH]) for row in range(0, len(values), BATCH)]
        found = map(np.concatenate, zip(*runs, strict=True))
        return dict(zip(self._settings["cuts"], map(self._pooled, found), strict=True))

    def _values(self, clip: Any) -> np.ndarray:
        """Return what the network takes of a clip: one waveform or image, or several patches."""
        if self._takes == "image":
            return clip.astype(np.float32)[np.newaxis]
        rate, duration = self._settings["sample_rate"], self._settings.get("duration", 0)
        values = front_ends.waveform(*clip, sample_rate=rate, duration=duration)
        return self._patches(values) if self._takes == "mel" else values[np.newaxis]

    def _run(self, values: np.ndarray) -> list[np.ndarray]:
        """Return each output of a batch, (places..., size)."""
        count, size = len(values), self._shape[0]
        if self._takes == "mel" and size not in (None, count):
            return self._in_parts(values, size)
        try:
            self._request.infer([self._shaped(values)], share_inputs=True)
            # Copied: the next batch overwrites the tensors.
            names = self._settings["cuts"].values()
            found = [self._request.get_tensor(name).data.copy() for name in names]
            if not all(one.size for one in found):
                raise RuntimeError("an output would be empty")
        except RuntimeError as error:
            shape = values.shape if self._takes == "mel" else values.shape[1:]
            raise GenreflowError(
                f"{self.path} does not take a {self._takes} of the shape {shape} (its input is "
                f"{self._shape}): {in_a_line(error)}"
            ) from None
        return found

    def _in_parts(self, values: np.ndarray, size: int) -> list[np.ndarray]:
        """Run a network that takes so many patches at a time and no other number."""
        starts = range(0, len(values), size)
        missing = len(starts) * size - len(values)
        filled = np.concatenate([values, np.zeros((missing, *values.shape[1:]), np.float32)])
        runs = [self._run(filled[start : start + size]) for start in starts]
        return [np.concatenate(one)[: len(values)] for one in zip(*runs, strict=True)]

    def _pooled(self, found: np.ndarray) -> np.ndarray:
        if self._settings.get("pooling", "mean") == "mean" and found.ndim > 1:
            # (patches or a batch of one, frames..., size), or (frames, size) without a batch.
            found = found.reshape(-1, found.shape[-1]).mean(axis=0)
        return np.ascontiguousarray(found.reshape(-1), dtype=np.float32)

    def _shaped(self, values: np.ndarray) -> np.ndarray:
        shape = self._shape
        if self._takes == "waveform":
            return values.reshape((1,) * (len(shape) - 1) + (-1,))
        values = np.ascontiguousarray(values)
        if len(shape) == 3:
            return values
        return values[..., np.newaxis] if shape[-1] == 1 else values[:, np.newaxis]

    def parameters(self, output: str) -> int:
        """Return how many weights lie before an output of the network."""
        shapes = onnx.TensorProto.INT64  # what says shapes and axes is no weight
        weights = (one for one in self._graph.initializer if one.data_type != shapes)
        sizes = {one.name: math.prod(one.dims) for one in weights}
        needed = {output}
        for node in reversed(self._graph.node):  # nodes stand behind those that they need
            if needed & set(node.output):
                needed |= set(node.input)
        return sum(size for name, size in sizes.items() if name in needed)


def _tensors(message: Message) -> Iterator[onnx.TensorProto]:
    """Yield all tensors of a network, those of nodes and of graphs within them too."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for one in value if field.is_repeated else [value]:
            if isinstance(one, onnx.TensorProto):
                yield one
            yield from _tensors(one)


def _content(path: Path, sha256: str | None) -> bytes:
    """Read a network's file, which has a known hash unless it was made here."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise GenreflowError(f"cannot read {path}: {error.strerror}") from None
    found = hashlib.sha256(content).hexdigest()
    if sha256 and found != sha256.lower():
        raise GenreflowError(
            f"{path} has the sha256 {found}, expected {sha256}: it is another file, or not whole. "
            "Get it again, or give the hash of the file that you trust"
        )
    return content
