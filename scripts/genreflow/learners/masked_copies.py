"""SpecAugment: copies of log-mel images with bands and stretches of time masked.

After Park et al., "SpecAugment: A Simple Data Augmentation Method for Automatic Speech
Recognition" (Interspeech 2019, arXiv 1904.08779), without time warping. As there, widths and
positions are uniform; widths include the largest.
"""

import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from genreflow.features.spectrograms import open_images, repeated
from genreflow.runtime.files import atomic


def silence(*, invert: bool) -> int:
    """Return the grey level of silence, in images that are inverted or not."""
    return 255 if invert else 0


def draw_masks(
    rng: np.random.Generator, *, size: int, widest: int, masks: int
) -> list[tuple[int, int]]:
    """Draw masks along an axis of some size: first index of each, and the first behind it.

    Widths are uniform in [0, widest], but no larger than the axis; places are uniform among those
    where the mask fits.
    """
    widths = rng.integers(0, min(widest, size), masks, endpoint=True)
    starts = rng.integers(0, size - widths, endpoint=True)
    return list(zip(starts.tolist(), (starts + widths).tolist(), strict=True))


def masked(
    image: np.ndarray,
    *,
    track_id: str,
    copy: int,
    frames: int,
    frequency_mask: int,
    time_mask: float,
    masks: int,
    fill: str,
    invert: bool,
    seed: int,
) -> np.ndarray:
    """Return a masked copy of an image, the same for the same track, copy and seed.

    Parameters
    ----------
    image : uint8, shape (n_mels, n_frames)
    frames
        Columns of the clip; these are masked, and the rest repeats them.
    frequency_mask, time_mask
        Largest widths of a mask [mel bands], and as a share of the clip's columns.
    masks
        How many masks of each kind.
    fill
        ``mean``, the audio's mean level before it is masked, or ``zero``, silence.
    invert
        Whether loud is dark.
    """
    # A hash of the id, not the track's place, so that other tracks don't change the copy.
    rng = np.random.default_rng([seed, zlib.crc32(track_id.encode()), copy])
    audio = image[:, :frames].copy()
    level = silence(invert=invert) if fill == "zero" else np.rint(audio.mean())
    bands = draw_masks(rng, size=audio.shape[0], widest=frequency_mask, masks=masks)
    stretches = draw_masks(rng, size=frames, widest=round(time_mask * frames), masks=masks)
    for start, stop in bands:
        audio[start:stop] = level
    for start, stop in stretches:
        audio[:, start:stop] = level
    return repeated(audio, image.shape[1])


def write_copies(
    path: str | Path, shard: str | Path, training: Collection[str], *, copies: int, **settings: Any
) -> int:
    """Write masked copies of a shard's training tracks, in the format of a shard.

    The file has one more dataset than a shard, ``copy``: the number of each copy, from 1. The
    settings stand beside those of the shard as attributes.

    The shard is what `features.spectrograms.write_shard` wrote, and GenreflowError is raised if it
    is damaged. `training` are the ids of the split's training tracks, in this shard or not; no
    other track is copied. It returns how many copies were written.
    """
    with open_images(shard) as source, atomic(path) as part, h5py.File(part, "w") as file:
        images, track_ids = source["images"], source["track_id"].asstr()[:]
        wanted = set(training)
        rows = [row for row, track_id in enumerate(track_ids) if track_id in wanted]
        copied = file.create_dataset(
            "images",
            (len(rows) * copies, *images.shape[1:]),
            maxshape=(None, *images.shape[1:]),
            dtype=images.dtype,
            chunks=images.chunks,
            compression=images.compression,
            compression_opts=images.compression_opts,
        )
        for number, row in enumerate(rows):
            own = {
                "track_id": track_ids[row],
                "frames": int(source["frames"][row]),
                "invert": bool(source.attrs["invert"]),
            }
            for copy in range(1, copies + 1):
                changed = masked(images[row], copy=copy, **own, **settings)
                copied[number * copies + copy - 1] = changed
        for name in ("track_id", "genre", "frames"):
            column = source[name]
            file.create_dataset(name, data=np.repeat(column[:][rows], copies), dtype=column.dtype)
        file["copy"] = np.tile(np.arange(1, copies + 1, dtype=np.int32), len(rows))
        file.attrs.update({**source.attrs, "copies": copies, **settings})
    return len(rows) * copies
