"""The one way from a file to samples: ffmpeg, within limits of formats, time and memory.

Whether at the file's own rate (`native`) or at one that is asked for (`audio.resample`, by the
script that makes the corpus's WAVs): the same program reads the same stream of the file, so that a
file has one length.
"""

import math
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import imageio_ffmpeg
import numpy as np

from genreflow.audio.formats import SAFE, explain
from genreflow.errors import GenreflowError

MAX_RATE = 384_000
"""Hz; the highest that recordings have. Memory grows with it, and damaged headers name any rate."""

MAX_SECONDS = 3 * 3600
"""Of a file that is decoded whole: a few kB can claim to be days of silence."""

MAX_SAMPLES = MAX_SECONDS * 48_000
"""Of the same: at higher rates it may be shorter."""

SPARSE_SECONDS, SPARSE_BYTES = 600, 125
"""What is longer than this has at least so many bytes a second: codecs of speech need more."""

DECODE_SECONDS = 60
"""Processor time beyond a clip's duration after which its decoding is given up: it is damaged."""

SPARE_SECONDS = 2
"""How much more than a clip is read, since the first samples that a file has may come late."""

_AU_HEADER = struct.Struct(">6I")
_READ = 2**20  # samples of all channels that are read at once


def native(path: str | Path, *, duration: float | None = None) -> tuple[np.ndarray, int]:
    """Decode a file at its own rate and take the mean of its channels.

    Parameters
    ----------
    path
        The file.
    duration
        Seconds; what comes after is not read. None for the whole file.

    Returns
    -------
    samples : numpy.ndarray, shape (n,), float32
        Mono, at least one sample.
    rate : int
        Samples a second.

    Raises
    ------
    GenreflowError
        If there is no such file, it can't be decoded, or has no samples; if the whole is longer
        than `longest`, or its rate higher than `MAX_RATE`.
    """
    path = existing(path)
    seconds = longest(path) if duration is None else duration
    patience = DECODE_SECONDS + min(math.ceil(seconds), 600)
    with _decoded(path, seconds + SPARE_SECONDS, patience) as stream:
        if stream.rate > MAX_RATE:
            raise GenreflowError(
                f"unreadable: its sampling rate is {stream.rate} Hz, more than {MAX_RATE} Hz; "
                "convert it to a lower one"
            )
        blocks = list(stream.blocks(min(round(seconds * stream.rate), MAX_SAMPLES)))
        if duration is None and not stream.ended:
            raise too_long(min(seconds, MAX_SAMPLES / stream.rate))
    if not blocks:
        raise GenreflowError("unreadable: it holds no audio")
    return np.concatenate(blocks), stream.rate


def first_channel(path: str | Path, *, seconds: float, rate: int) -> np.ndarray:
    """Decode some seconds of a file's first channel, for a look at what the mix doesn't tell.

    It is resampled to a rate [Hz] and float32, (n,).

    Raises
    ------
    GenreflowError
        If it can't be decoded, in `DECODE_SECONDS` of processor time for instance.
    """
    options = ("-af", "pan=mono|c0=c0", "-ar", str(rate))
    with _decoded(existing(path), seconds, DECODE_SECONDS, *options) as stream:
        blocks = list(stream.blocks(round(seconds * rate)))
    return np.concatenate([np.empty(0, np.float32), *blocks])


def longest(path: Path) -> int:
    """Return how much of a file may be decoded whole [s].

    A few kB at 1 Hz, or of silence, would otherwise become hundreds of MB.
    """
    return min(MAX_SECONDS, max(SPARSE_SECONDS, path.stat().st_size // SPARSE_BYTES))


def too_long(seconds: float) -> GenreflowError:
    """Return the error for a file of more than may be decoded whole [s]."""
    return GenreflowError(
        f"longer than {seconds / 3600:.2g} hours, the most for its size and rate: cut it into "
        "shorter files"
    )


def existing(path: str | Path) -> Path:
    """Return the path of a file; raise GenreflowError if it isn't there."""
    if not Path(path).is_file():
        raise GenreflowError("there is no such file")
    return Path(path)


class _Stream:
    """What comes through a pipe in the format AU, which holds rate and channels."""

    def __init__(self, pipe: IO[bytes], header: bytes) -> None:
        _, start, _, _, self.rate, self._channels = _AU_HEADER.unpack(header)
        pipe.read(start - len(header))
        self._pipe = pipe
        self.ended = False

    def blocks(self, limit: int) -> Iterator[np.ndarray]:
        """Yield mono samples, so that memory holds one channel, however many there are."""
        # A matrix product takes a hundredth of the time of mean(axis=1).
        share = np.full(self._channels, 1 / self._channels, np.float32)
        step, frame = max(1, _READ // self._channels), 4 * self._channels
        while limit:
            content = self._pipe.read(min(step, limit) * frame)
            content = content[: len(content) // frame * frame]
            if not content:
                break
            block = np.frombuffer(content, ">f4").astype(np.float32).reshape(-1, self._channels)
            yield block @ share
            limit -= len(block)
        self.ended = not self._pipe.read(1)


@contextmanager
def _decoded(path: Path, seconds: float, limit: int, *options: str) -> Iterator[_Stream]:
    """Run ffmpeg on so much of a file, for at most so many seconds of processor time."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-threads", "1", *SAFE]
    command += ["-timelimit", str(limit), "-t", str(seconds), "-i", f"file:{path}"]
    command += ["-map", "0:a:0", *options, "-f", "au", "-c:a", "pcm_f32be", "pipe:1"]
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said)  # noqa: S603
        except OSError as error:
            raise GenreflowError(f"could not run ffmpeg ({command[0]}: {error.strerror})") from None
        with process:
            header = process.stdout.read(_AU_HEADER.size)
            stream = _Stream(process.stdout, header) if len(header) == _AU_HEADER.size else None
            try:
                if stream is not None:
                    yield stream
            finally:
                if stream is not None and not stream.ended:
                    process.kill()
        if stream is None or (stream.ended and process.returncode):
            said.seek(0)
            raise GenreflowError(f"unreadable: {_reason(said.read(), process.returncode, limit)}")


def _reason(said: bytes, status: int, limit: int) -> str:
    # How ffmpeg ends at the limit: by itself, by force, or killed by the system.
    if status in (255, 123, 152, -24, -9):
        return f"decoding takes more than {limit} s of processor time"
    return explain(said.decode(errors="replace"))
