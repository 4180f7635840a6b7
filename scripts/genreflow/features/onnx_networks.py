"""Backbones in ONNX: networks trained on audio, or any other, run by onnxruntime.

Their features end in the same shards as those of image backbones, so that
`features.network_shards.gather` joins them.
"""

import difflib
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import soxr

from genreflow.audio.wav import FULL_SCALE, read_wav
from genreflow.errors import GenreflowError
from genreflow.features import engines, network_shards, spectrograms

INPUTS = ("waveform", "image")
"""What a network takes: samples within -1 to 1 (batch, samples), (batch, 1, samples) or
(samples,); or a log-mel image of grey levels 0-255 (batch, n_mels, n_frames), with an axis of one
channel before or after it."""

POOLING = ("mean", "flatten")
"""What becomes of an output that is a sequence of frames (batch, frames, size)."""


@dataclass(frozen=True)
class Settings:
    """How a network is used.

    Attributes
    ----------
    input
        One of `INPUTS`.
    output
        Name of the output.
    sample_rate
        Of the waveform that the network takes [Hz]; not used for images.
    duration
        Length of the waveform: longer ones are cut, shorter ones padded with silence [s]. 0 leaves
        each as it is.
    pooling
        One of `POOLING`.
    """

    input: str
    output: str
    sample_rate: int = 0
    duration: float = 0
    pooling: str = "mean"


class Network:
    """A network in ONNX, checked and ready to run.

    Parameters
    ----------
    path
        The file.
    sha256
        Its hash, in hexadecimal digits.
    settings
        How it is used.
    threads
        Processor threads to use.

    Raises
    ------
    GenreflowError
        If the file is another one, or no network in ONNX; if it has more than one input, another
        kind of input, or no output of that name.
    """

    def __init__(self, path: str | Path, *, sha256: str, settings: Settings, threads: int):
        self.settings, self._path = settings, Path(path)
        _require_hash(self._path, sha256)
        self.about = asdict(settings) | {"weights": self._path.name, "sha256": sha256.lower()}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
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
                f"{self._path}: expected one input of float32; its inputs are {kinds}"
            )
        ranks = (1, 2, 3) if self.settings.input == "waveform" else (3, 4)
        if len(inputs[0].shape) not in ranks:
            raise GenreflowError(
                f"{self._path}: its input {inputs[0].name} has the shape {inputs[0].shape}, which "
                f"is no {self.settings.input}"
            )
        return inputs[0]

    def _require_output(self) -> None:
        names = [output.name for output in self._session.get_outputs()]
        if self.settings.output not in names:
            near = difflib.get_close_matches(self.settings.output, names, len(names), 0)
            raise GenreflowError(
                f"{self._path} has no output {self.settings.output!r}. Its outputs, the nearest "
                f"names first: {', '.join(near)}"
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
            (found,) = self._session.run(
                [self.settings.output], {self._input.name: self._shaped(values)}
            )
        except Exception as error:
            raise GenreflowError(
                f"{self._path} does not take a {self.settings.input} of the shape "
                f"{values.shape} (its input is {self._input.shape}): {error}"
            ) from None
        if self.settings.pooling == "mean" and found.ndim > 1:
            # (batch of one, frames..., size), or (frames, size) where there is no batch.
            found = found.reshape(-1, found.shape[-1]).mean(axis=0)
        return np.ascontiguousarray(found.reshape(-1), dtype=np.float32)

    def _shaped(self, values: np.ndarray) -> np.ndarray:
        shape = self._input.shape
        if self.settings.input == "waveform":
            return values.reshape((1,) * (len(shape) - 1) + (-1,))
        if len(shape) == 3:
            return values[np.newaxis]
        return values[np.newaxis, ..., np.newaxis] if shape[-1] == 1 else values[None, None]


def _require_hash(path: Path, sha256: str) -> None:
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise GenreflowError(f"cannot read {path}: {error.strerror}") from None
    if found != sha256.lower():
        raise GenreflowError(
            f"{path} has the sha256 {found}, expected {sha256}: it is another file, or not whole. "
            "Get it again, or give the hash of the file that you trust"
        )


def extract_waveforms(
    path: str | Path,
    tracks: Iterable[tuple[str, str | Path]],
    network: Network,
    *,
    name: str,
    cut: str,
    sample_rate: int,
    dtype: str = "float16",
) -> int:
    """Write the features of a shard's tracks by a network that takes waveforms.

    Parameters
    ----------
    path
        The HDF5 file, as `features.network_shards.extract_shard` writes it, with one cut.
    tracks
        Track id and WAV of each. A WAV without frames has no features.
    network
        The network.
    name, cut
        What tables call the network and its output.
    sample_rate
        Of the WAVs [Hz]. They are resampled to the network's own by soxr.
    dtype
        One of `features.network_shards.DTYPES`.

    Returns
    -------
    int
        How many tracks have features.

    Raises
    ------
    GenreflowError
        If a WAV is damaged, or the network doesn't take it.
    """
    wanted = network.settings

    def read() -> Iterator[tuple[str, np.ndarray]]:
        for track_id, wav in tracks:
            samples = read_wav(wav, sample_rate=sample_rate)
            if len(samples):
                yield track_id, _waveform(samples, sample_rate, wanted)

    silence = np.zeros(round((wanted.duration or 1) * wanted.sample_rate), np.float32)
    return _extract(path, read(), network, silence, name=name, cut=cut, dtype=dtype)


def _waveform(samples: np.ndarray, sample_rate: int, wanted: Settings) -> np.ndarray:
    values = samples.astype(np.float32) / FULL_SCALE
    if wanted.sample_rate != sample_rate:
        values = soxr.resample(values, sample_rate, wanted.sample_rate, quality="HQ")
    if wanted.duration:
        length = round(wanted.duration * wanted.sample_rate)
        values = np.pad(values[:length], (0, max(0, length - len(values))))
    return values


def extract_images(
    path: str | Path,
    shard: str | Path,
    network: Network,
    *,
    name: str,
    cut: str,
    dtype: str = "float16",
) -> int:
    """Write the features of a shard's tracks by a network that takes log-mel images.

    Parameters
    ----------
    path, network, name, cut, dtype
        As for `extract_waveforms`.
    shard
        Log-mel images.

    Returns
    -------
    int
        How many tracks there are.

    Raises
    ------
    GenreflowError
        If the shard is damaged, or the network doesn't take its images.
    """

    def read(images: Any, track_ids: list[str]) -> Iterator[tuple[str, np.ndarray]]:
        for row, track_id in enumerate(track_ids):
            yield track_id, images[row].astype(np.float32)

    with spectrograms.open_images(shard) as file:
        track_ids = file["track_id"].asstr()[:].tolist()
        values = read(file["images"], track_ids)
        blank = np.zeros(file["images"].shape[1:], np.float32)
        return _extract(path, values, network, blank, name=name, cut=cut, dtype=dtype)


def _extract(
    path: str | Path,
    values: Iterable[tuple[str, np.ndarray]],
    network: Network,
    empty: np.ndarray,
    *,
    name: str,
    cut: str,
    dtype: str,
) -> int:
    """Write features; those of `empty` tell their size where there is no track."""
    found = [(track_id, network.features(one)) for track_id, one in engines.ahead(values)]
    size = len(found[0][1] if found else network.features(empty))
    for track_id, features in found:
        if len(features) != size:
            raise GenreflowError(
                f"{name}: the features of track {track_id} have {len(features)} dimensions, those "
                f"of track {found[0][0]} {size}. Set pooling to mean, or give a duration"
            )
    ids = [track_id for track_id, _ in found]
    about = {
        **network.about,
        "network": name,
        "engine": "onnxruntime",
        "precision": "float32",
        "parameters": [0],  # not known
    }
    with network_shards.writing_shard(path, ids, {cut: size}, about, dtype=dtype) as write:
        if found:
            write(0, [np.stack([features for _, features in found])])
    return len(found)
