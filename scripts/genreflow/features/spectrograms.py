"""Log-mel images in HDF5 shards.

A shard holds the datasets ``images`` (n, n_mels, n_frames) uint8, one chunk a track;
``track_id``, ``genre`` (text); ``frames`` (how many columns of the image the clip has; the rest
repeats them, so that nothing learns from padding). The settings that made it are attributes of the
file.
"""

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import h5py
import numpy as np

from genreflow.audio.wav import FULL_SCALE, read_wav
from genreflow.errors import GenreflowError
from genreflow.features.feature_set import Clips
from genreflow.features.mel import MelSpectrogram
from genreflow.runtime import hdf5
from genreflow.runtime.files import atomic

DYNAMIC_RANGE = 80.0
"""Everything further below the loudest value counts as this far below [dB], as in
`librosa.power_to_db`."""

SMALLEST_POWER = 1e-10
"""Floor of the power spectrogram, as in `librosa.power_to_db`."""


@dataclass(frozen=True)
class Settings:
    """What the images depend on."""

    sample_rate: int  # [Hz]
    duration: float  # length of a clip [s]; shorter ones are repeated
    n_fft: int  # [samples]
    hop_length: int  # [samples]
    n_mels: int  # height of the image
    f_min: float  # [Hz]
    f_max: float  # [Hz]
    invert: bool  # whether loud is dark (255 - S)

    @property
    def max_samples(self) -> int:
        """Length of a whole clip [samples]."""
        return round(self.duration * self.sample_rate)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of an image (n_mels, n_frames)."""
        return self.n_mels, 1 + self.max_samples // self.hop_length


class LogMel:
    """Turn samples into log-mel images.

    The values are those of librosa's ``melspectrogram`` (centred Hann frames, Slaney's mel
    scale and norm) and ``power_to_db``, scaled to [0, 255] by the clip's own minimum and maximum,
    with low frequencies at the bottom.
    """

    def __init__(self, settings: Settings):
        self.settings = settings
        keys = ("sample_rate", "n_fft", "hop_length", "n_mels", "f_min", "f_max")
        self.power = MelSpectrogram(**{key: getattr(settings, key) for key in keys})

    def image(self, samples: np.ndarray) -> tuple[np.ndarray, int]:
        """Return the image of a clip and how many of its columns aren't repeated.

        Parameters
        ----------
        samples : int16, shape (n_samples,)
            At least one sample; what is longer than a clip is cut.

        Returns
        -------
        image : numpy.ndarray of uint8, shape `Settings.shape`
        frames : int
        """
        samples = samples[: self.settings.max_samples].astype(np.float32) / FULL_SCALE
        power = self.power(samples)
        level = 10.0 * np.log10(np.maximum(power, SMALLEST_POWER))
        level = np.maximum(level, level.max() - DYNAMIC_RANGE)
        span = level.max() - level.min()
        scaled = (level - level.min()) * (255.0 / span) if span else np.zeros_like(level)
        frames = min(level.shape[1], self.settings.shape[1])
        own = np.rint(np.flipud(scaled[:, :frames])).astype(np.uint8)
        image = repeated(own, self.settings.shape[1])
        return (255 - image if self.settings.invert else image), frames


def repeated(image: np.ndarray, frames: int) -> np.ndarray:
    """Repeat the columns of an image until there are so many, or cut it."""
    return image[:, np.arange(frames) % image.shape[1]]


def write_shard(
    path: str | Path, tracks: Collection[tuple[str, str, str]], settings: Settings
) -> int:
    """Write the images of tracks, each given by its id, genre and WAV; return how many have one.

    A WAV without frames has no image.
    """
    log_mel = LogMel(settings)
    kept: list[tuple[str, str, int]] = []
    with atomic(path) as part, h5py.File(part, "w") as file:
        images = file.create_dataset(
            "images",
            (len(tracks), *settings.shape),
            maxshape=(None, *settings.shape),
            dtype="u1",
            chunks=(1, *settings.shape),
            compression="gzip",
            compression_opts=1,
        )
        for track_id, genre, wav in tracks:
            samples = read_wav(wav, sample_rate=settings.sample_rate)
            if len(samples):
                images[len(kept)], frames = log_mel.image(samples)
                kept.append((track_id, genre, frames))
        images.resize(len(kept), axis=0)
        _write_labels(file, kept)
        file.attrs.update(asdict(settings))
    return len(kept)


def _write_labels(file: h5py.File, labels: list[tuple[str, str, int]]) -> None:
    text = h5py.string_dtype("utf-8")
    for column, (name, dtype) in enumerate([("track_id", text), ("genre", text), ("frames", "i4")]):
        file.create_dataset(name, data=[row[column] for row in labels], dtype=dtype)


def join(path: str | Path, shards: Sequence[str | Path]) -> int:
    """Join shards into one virtual dataset with relative paths; return how many images there are.

    Raises
    ------
    GenreflowError
        If the shards' settings differ, or one is no shard.
    """
    path = Path(path)
    labels: list[tuple[str, str, int]] = []
    sources = []
    attributes: dict = {}
    for shard in shards:
        with open_images(shard) as file:
            images = file["images"]
            found = dict(file.attrs)
            if found != (attributes := attributes or found):
                raise GenreflowError(
                    f"{shard} was made with other settings than {shards[0]}: delete it and run "
                    "again"
                )
            shape = images.shape[1:]
            relative = os.path.relpath(shard, path.parent)
            sources.append(h5py.VirtualSource(relative, "images", images.shape, dtype="u1"))
            ids, genres = file["track_id"].asstr()[:], file["genre"].asstr()[:]
            labels.extend(zip(ids, genres, file["frames"][:], strict=True))
    layout = h5py.VirtualLayout((len(labels), *shape), dtype="u1")
    start = 0
    for source in sources:
        stop = start + source.shape[0]
        if stop > start:
            layout[start:stop] = source
        start = stop
    with atomic(path) as part, h5py.File(part, "w") as file:
        _create_virtual(file, layout)
        _write_labels(file, labels)
        file.attrs.update(attributes)
    return len(labels)


def _create_virtual(file: h5py.File, layout: h5py.VirtualLayout) -> None:
    """Create the virtual dataset ``images`` without the time that h5py stores in such a one."""
    with h5py.File("draft", "w", driver="core", backing_store=False) as draft:
        drafted = draft.create_virtual_dataset("images", layout).id
        properties = drafted.get_create_plist()
        properties.set_obj_track_times(False)
        dtype, space = drafted.get_type(), drafted.get_space()
        h5py.h5d.create(file.id, b"images", dtype, space, dcpl=properties)


@contextmanager
def open_images(path: str | Path) -> Iterator[h5py.File]:
    """Open a shard, or shards that were joined, for reading.

    Raises
    ------
    GenreflowError
        If the file is damaged or isn't one of these.
    """
    needed = ("images", "track_id", "genre", "frames")
    with hdf5.opened(path, "a file of log-mel images", needed) as file:
        _require_sources(file["images"], Path(path))
        yield file


def read_settings(path: str | Path) -> Settings:
    """Return the settings that images were made with; raise GenreflowError as `open_images`."""
    with open_images(path) as file:
        # Copies have further attributes.
        return Settings(**{field.name: file.attrs[field.name].item() for field in fields(Settings)})


def clips(shard: str | Path) -> Clips:
    """Yield the images of a shard, read eight at a time."""
    with open_images(shard) as file:
        track_ids = file["track_id"].asstr()[:].tolist()
        for start in range(0, len(track_ids), 8):
            block = file["images"][start : start + 8]
            for track_id, image in zip(track_ids[start : start + 8], block, strict=True):
                yield track_id, lambda image=image: image


def _require_sources(images: h5py.Dataset, path: Path) -> None:
    """Refuse joined images of which a shard is gone: HDF5 would read zeros for it."""
    if not images.is_virtual:
        return
    for source in images.virtual_sources():
        shard = path.parent / source.file_name
        if not shard.exists():
            raise GenreflowError(f"{path}: its shard {shard} is gone; run again: it is made anew")
