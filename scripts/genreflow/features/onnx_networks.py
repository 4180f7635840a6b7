"""Networks in ONNX, trained on audio or on anything else, run by onnxruntime."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import soxr

from genreflow.audio.wav import FULL_SCALE
from genreflow.errors import GenreflowError, nearest_first


class Network:
    """A network in ONNX, checked and ready to run.

    Parameters
    ----------
    path
        The file.
    settings
        How it is used, as `features.kinds.onnx_network.Settings` checks them. Waveforms are samples
        within -1 to 1 (batch, samples), (batch, 1, samples) or (samples,); images are log-mel
        images of grey levels 0-255 (batch, n_mels, n_frames), with an axis of one channel before or
        after it.
    threads
        Processor threads to use.

    Raises
    ------
    GenreflowError
        If the file is another one, or no network in ONNX; if it has more than one input, another
        kind of input, or no output of that name.
    """

    def __init__(self, path: str | Path, settings: Mapping[str, Any], *, threads: int):
        self.path, self._settings, self._takes = Path(path), settings, settings["input"]
        (self._output,) = settings["cuts"].values()
        content = _content(self.path, settings["sha256"])
        options = onnxruntime.SessionOptions()
        # It raises its errors; what it prints has names of the file as they are.
        options.log_severity_level = 4
        # The hash says nothing of weights in other files, so there is no folder to find them in.
        options.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", os.devnull
        )
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        try:
            self._session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own kinds have no common one
            raise GenreflowError(f"{path} is no network in ONNX that can be run: {error}") from None
        self._input = self._only_input()
        self._require_output()

    def _only_input(self) -> Any:
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(float)":
            kinds = ", ".join(f"{one.name} {one.type} {one.shape}" for one in inputs)
            raise GenreflowError(
                f"{self.path}: expected one input of float32; its inputs are {kinds}"
            )
        ranks = (1, 2, 3) if self._takes == "waveform" else (3, 4)
        if len(inputs[0].shape) not in ranks:
            raise GenreflowError(
                f"{self.path}: its input {inputs[0].name} has the shape {inputs[0].shape}, which "
                f"is no {self._takes}"
            )
        return inputs[0]

    def _require_output(self) -> None:
        names = [output.name for output in self._session.get_outputs()]
        if self._output not in names:
            raise GenreflowError(
                f"{self.path} has no output {self._output!r}. Its outputs, the nearest names "
                f"first: {', '.join(nearest_first(self._output, names))}"
            )

    def features(self, values: np.ndarray) -> np.ndarray:
        """Return the features of one track.

        Parameters
        ----------
        values : float32, shape (n_samples,) or (n_mels, n_frames)
            Samples at the network's rate, or grey levels.

        Returns
        -------
        numpy.ndarray of float32, shape (size,)

        Raises
        ------
        GenreflowError
            If the network doesn't take it.
        """
        try:
            (found,) = self._session.run([self._output], {self._input.name: self._shaped(values)})
        except Exception as error:
            raise GenreflowError(
                f"{self.path} does not take a {self._takes} of the shape "
                f"{values.shape} (its input is {self._input.shape}): {error}"
            ) from None
        if self._settings.get("pooling", "mean") == "mean" and found.ndim > 1:
            # (batch of one, frames..., size), or (frames, size) where there is no batch.
            found = found.reshape(-1, found.shape[-1]).mean(axis=0)
        return np.ascontiguousarray(found.reshape(-1), dtype=np.float32)

    def waveform(self, samples: np.ndarray, rate: int) -> np.ndarray:
        """Return samples as the network takes them.

        Parameters
        ----------
        samples : int16, shape (n,)
            Mono.
        rate
            Of the samples [Hz]. They are resampled by soxr.

        Returns
        -------
        numpy.ndarray of float32, shape (n_samples,)
            Within -1 to 1, of the network's rate and length.
        """
        wanted = self._settings["sample_rate"]
        values = samples.astype(np.float32) / FULL_SCALE
        if wanted != rate:
            values = soxr.resample(values, rate, wanted, quality="HQ")
        if length := round(self._settings.get("duration", 0) * wanted):
            values = np.pad(values[:length], (0, max(0, length - len(values))))
        return values

    def _shaped(self, values: np.ndarray) -> np.ndarray:
        shape = self._input.shape
        if self._takes == "waveform":
            return values.reshape((1,) * (len(shape) - 1) + (-1,))
        if len(shape) == 3:
            return values[np.newaxis]
        return values[np.newaxis, ..., np.newaxis] if shape[-1] == 1 else values[None, None]


def _content(path: Path, sha256: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise GenreflowError(f"cannot read {path}: {error.strerror}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != sha256.lower():
        raise GenreflowError(
            f"{path} has the sha256 {found}, expected {sha256}: it is another file, or not whole. "
            "Get it again, or give the hash of the file that you trust"
        )
    return content
