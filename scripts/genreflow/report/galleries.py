"""Galleries of log-mel images, as SVG with the images in it.

All are grids of images on the same axes, which stand at the lowest image alone. The images are
shrunk to what can be seen, so that a gallery stays small however long the clips are.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from textwrap import fill

import h5py
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from PIL import Image

from genreflow.errors import GenreflowError
from genreflow.features.spectrograms import Settings, open_images
from genreflow.report.drawing import GREY, drawing
from genreflow.runtime import lazy_librosa as librosa

READING = "Frequency on the mel scale, low at the bottom; loud is dark."

_PIXELS = 300_000  # of all images of a gallery: some 100 an inch
_LEVELS = 32  # of grey: more can't be told apart, but fill the file with noise
_WIDTH = 7.8  # of all images beside each other [inches]
_WIDEST = 2.4  # image [inches]
_KILOHERTZ = (0.5, 1, 2, 4, 8, 16)


Rows = dict[str, list[tuple[str, np.ndarray]]]
"""What stands before each row of a gallery -> its images with what stands above each.

Images are uint8, shape (n_mels, frames), with as many columns as shall be drawn.
"""


def genres(images: str | Path, *, count: int = 6, seed: int = 0) -> Rows:
    """Return some clips of each genre, which show how much they differ.

    `images` is what `features.spectrograms.join` or `write_shard` wrote, of which only the rows
    that are drawn are read. `count` is the number of clips of each genre, or all if there are
    fewer. Which are drawn depends on the seed and their ids, so that a track more or less changes
    one clip at most. GenreflowError is raised if the file isn't one of images, or has none.
    """
    with open_images(images) as file:
        chosen = _tracks(file, seed).sort_values("lot").groupby("genre").head(count)
        rows = {
            genre: [(track.track_id, _audible(file, track)) for track in own.itertuples()]
            for genre, own in chosen.groupby("genre")
        }
    _require(rows, images)
    return rows


def copies(
    images: str | Path, shards: Sequence[str | Path], *, count: int = 4, seed: int = 0
) -> Rows:
    """Return tracks of some genres, each as it is and then its masked copies.

    `images` has the originals, as for `genres`, and `shards` are what
    `learners.masked_copies.write_copies` wrote. `count` is the number of tracks, each of another
    genre; fewer if there are fewer genres. The seed chooses among the tracks that have copies, as
    in `genres`; short ones come last. GenreflowError is raised if a file isn't one of images, there
    are no copies, or an original is missing.
    """
    tables = []
    for shard in shards:
        with open_images(shard) as file:
            tables.append(_tracks(file, seed).assign(shard=shard, copy=file["copy"][:]))
    _require(tables, images)
    copied = pd.concat(tables)
    rows = {}
    with open_images(images) as originals:
        places = _tracks(originals, seed).set_index("track_id")
        for track_id in _one_of_each(copied, count)["track_id"]:
            own = copied[copied["track_id"] == track_id].sort_values("copy")
            shard = own["shard"].iloc[0]
            if track_id not in places.index:
                raise GenreflowError(
                    f"{images}: the original of track {track_id} is missing, of which {shard} has "
                    "copies. Run the workflow again."
                )
            shown = [("original", _audible(originals, places.loc[track_id]))]
            with open_images(shard) as file:
                shown += [(f"copy {one.copy}", _audible(file, one)) for one in own.itertuples()]
            rows[f"{own['genre'].iloc[0]} {track_id}"] = shown
    _require(rows, *shards)
    return rows


def online(
    images: str | Path,
    training: Collection[str],
    changes: Mapping[str, Callable[[np.ndarray], np.ndarray]],
    *,
    count: int = 4,
    seed: int = 0,
) -> Rows:
    """Return tracks of some genres, each as it is and then what augmentation makes of it.

    `training` are the ids of the tracks to choose from, `count` and `seed` are as in `copies`.
    `changes` are the functions of `learners.augmentation.examples`, by the names that stand above
    their images; the repetitions of short clips are there, for they take them for audio.
    GenreflowError is raised if the file isn't one of images, or has none of the tracks.
    """
    with open_images(images) as file:
        tracks = _tracks(file, seed)
        chosen = _one_of_each(tracks[tracks["track_id"].isin(set(training))], count)
        _require(chosen.index, images)
        batch = np.stack([file["images"][row] for row in chosen["row"]])[..., np.newaxis]
    shown = {"original": batch} | {
        name: np.rint(np.clip(change(batch), 0, 255)).astype(np.uint8)
        for name, change in changes.items()
    }
    return {
        label: [(name, levels[place, ..., 0]) for name, levels in shown.items()]
        for place, label in enumerate(chosen["genre"] + " " + chosen["track_id"])
    }


def gallery(
    rows: Rows, path: str | Path, *, settings: Settings, title: str, note: str = ""
) -> None:
    """Draw rows of images, one at least; they may have different lengths.

    The images were made with `settings`, which tell what their axes mean.
    """
    columns = max(map(len, rows.values()))
    shown = sum(map(len, rows.values()))
    width = min(_WIDEST, _WIDTH / columns)
    height = max(0.75, 0.42 * width)
    pixels = np.sqrt(_PIXELS / (shown * width * height))  # an inch
    labels = [fill(label, 14) for label in rows]
    margin = 0.9 + 0.085 * max(len(line) for label in labels for line in label.split("\n"))
    size = margin + columns * (width + 0.1), 0.4 + len(rows) * (height + 0.25)
    with drawing(path, *size, title=title, note=f"{READING} {note}") as figure:
        panels = figure.subplots(len(rows), columns, sharex=True, sharey=True, squeeze=False)
        for line, row, label in zip(panels, rows.values(), labels, strict=True):
            for axes in line:
                axes.tick_params(length=0, labelleft=False, labelbottom=False)
                axes.spines[:].set_visible(False)
            for axes, (caption, image) in zip(line, row, strict=False):
                _show(axes, image, settings, pixels=pixels, shape=(height, width))
                axes.set_title(caption, fontsize=7, pad=2, color=GREY)
            line[0].set_ylabel(label, rotation=0, ha="right", va="center")
        _scale(panels[-1, 0], settings)
        figure.align_ylabels(panels[:, 0])


def _show(
    axes: Axes, image: np.ndarray, settings: Settings, *, pixels: float, shape: tuple[float, float]
) -> None:
    """Draw an image of as many pixels an inch, if it has so many, in a panel of this shape."""
    n_mels, whole = settings.shape
    height = min(n_mels, round(pixels * shape[0]))
    width = min(image.shape[1], max(1, round(pixels * shape[1] * image.shape[1] / whole)))
    small = Image.fromarray(image).resize((width, height), Image.Resampling.BOX)
    coarse = np.rint(np.asarray(small) * ((_LEVELS - 1) / 255))
    axes.imshow(
        coarse,
        cmap="gray" if settings.invert else "gray_r",
        vmin=0,
        vmax=_LEVELS - 1,
        aspect="auto",
        # As many pixels as there are, whatever the resolution of the figure.
        interpolation="none",
        extent=(0, image.shape[1] * settings.hop_length / settings.sample_rate, 0, n_mels),
    )
    axes.set_xlim(0, whole * settings.hop_length / settings.sample_rate)


def _scale(axes: Axes, settings: Settings) -> None:
    """Label the axes of one image for all of them."""
    low, high = librosa.hz_to_mel(settings.f_min), librosa.hz_to_mel(settings.f_max)
    mel = {kilohertz: librosa.hz_to_mel(1000 * kilohertz) for kilohertz in _KILOHERTZ}
    share = {k: (place - low) / (high - low) for k, place in mel.items() if low < place <= high}
    # The bands' centres divide the range into one part more than there are bands.
    axes.set_yticks(
        [min((settings.n_mels + 1) * part - 0.5, settings.n_mels) for part in share.values()],
        [f"{kilohertz:g} kHz" for kilohertz in share],
        fontsize=7,
    )
    end = axes.get_xlim()[1]
    # No label at the end, where it would reach over the edge.
    seconds = [
        time
        for time in MaxNLocator(3, steps=(1, 2, 5, 10)).tick_values(0, end)
        if 0 <= time < 0.9 * end
    ]
    axes.set_xticks(seconds, [f"{time:g} s" for time in seconds], fontsize=7)
    axes.tick_params(length=2, labelleft=True, labelbottom=True)


def _tracks(file: h5py.File, seed: int) -> pd.DataFrame:
    """Return track_id, genre, frames and row of all images; those of the lowest lots are drawn."""
    table = pd.DataFrame({name: file[name].asstr()[:] for name in ("track_id", "genre")})
    table["frames"] = file["frames"][:]
    table["row"] = table.index
    lots = [
        hashlib.sha256(f"{seed} {track_id}".encode()).digest() for track_id in table["track_id"]
    ]
    return table.assign(lot=lots)


def _one_of_each(tracks: pd.DataFrame, count: int) -> pd.DataFrame:
    """Choose one track of each genre, of as many genres; none that is short, if there are others.

    Short ones show little.
    """
    longest = tracks.groupby("genre")["frames"].transform("max")
    long = tracks[tracks["frames"] >= 0.9 * longest]
    return long.sort_values(["genre", "lot"]).drop_duplicates("genre").head(count)


def _audible(file: h5py.File, track) -> np.ndarray:
    """Return an image without the repetitions of a short clip."""
    return file["images"][track.row][:, : track.frames]


def _require(found: Collection, *files: str | Path) -> None:
    if not len(found):
        raise GenreflowError(
            f"{', '.join(map(str, files))}: there is no image to be drawn. Check that the corpus "
            "has usable tracks, in the training part for augmentation, and run again."
        )
