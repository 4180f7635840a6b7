"""Features of image backbones: extracted from log-mel images in shards, one matrix a cut.

A shard of features is HDF5: ``track_id``, and the group ``features`` with a dataset (tracks, size)
for each cut. Its attributes tell the network, its weights and what ran it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import soxr

from genreflow.audio.wav import FULL_SCALE
from genreflow.corpus import synthesis
from genreflow.errors import GenreflowError
from genreflow.features import engines, spectrograms
from genreflow.features import matrices as feature_table
from genreflow.runtime.files import atomic

DTYPES = ("float16", "float32")
"""How features are stored."""

TRIAL_RATE, TRIAL_SECONDS = 22050, 30
"""Sampling rate [Hz] and length [s] of the music that engines are compared on."""

LOSS = 0.01
"""The largest relative error that storing a track's features may cause."""


def prepare(
    folder: str | Path,
    images: np.ndarray,
    network: str,
    cuts: Sequence[str],
    *,
    weights: str,
    weights_file: str | Path | None = None,
    preprocessing: str = "none",
    seed: int = 0,
    engine: str = "auto",
    threads: int = 1,
    report: Callable[[str], None] = print,
) -> engines.Prepared:
    """Build a backbone and choose what runs it, for all shards of a corpus.

    Call `features.backend.configure` before.

    Parameters
    ----------
    folder
        Where the network shall be; `extract_shard` reads it.
    images : uint8, shape (n, n_mels, n_frames)
        What the engines are compared on; `trial_images` makes some.
    network, cuts, preprocessing, seed
        As for `features.image_networks.build`.
    weights
        What tables call them: ``random``, ``imagenet``, or another name.
    weights_file
        Where they are, if they aren't random and `network` isn't a ``.keras`` file, which holds
        its own.
    engine, threads, report
        As for `features.engines.prepare`.

    Raises
    ------
    GenreflowError
        As `features.image_networks.build` and `features.engines.prepare` do.
    """
    from genreflow.features import image_networks

    own = network.endswith(".keras")
    backbone = image_networks.build(
        network,
        cuts,
        weights=weights_file or image_networks.RANDOM,
        seed=seed,
        preprocessing=preprocessing,
    )
    settings = {
        "network": Path(network).name,
        "weights": Path(network).name if own else weights,
        "seed": seed,
        "preprocessing": preprocessing if own else network,
    }
    return engines.prepare(
        folder,
        backbone,
        images,
        engine=engine,
        threads=threads,
        settings=settings,
        report=report,
    )


def trial_images(settings: spectrograms.Settings) -> np.ndarray:
    """Return images of synthetic music, on which engines can be compared before there is a corpus.

    So a backbone needn't be prepared again for another corpus, or for one more clip.

    Parameters
    ----------
    settings
        Of the corpus's images.

    Returns
    -------
    numpy.ndarray of uint8, shape (n, n_mels, n_frames)
    """
    log_mel = spectrograms.LogMel(settings)
    images = []
    for number, genre in enumerate(list(synthesis.STYLES)[: engines.BATCH_SIZE]):
        clip = synthesis.render(
            genre,
            seed=0,
            artist=number,
            clip=number,
            rate=TRIAL_RATE,
            channels=1,
            seconds=min(settings.duration, TRIAL_SECONDS),
        )[:, 0]
        samples = soxr.resample(clip, TRIAL_RATE, settings.sample_rate)
        image, _ = log_mel.image((samples * (FULL_SCALE - 1)).astype(np.int16))
        images.append(image)
    return np.stack(images)


def uses_keras(folder: str | Path) -> bool:
    """Tell whether a prepared network is run by Keras, which then is to be configured before."""
    return engines.describe(folder).engine == "keras"


def extract_shard(
    path: str | Path,
    shard: str | Path,
    folder: str | Path,
    *,
    dtype: str = "float16",
    threads: int = 1,
) -> int:
    """Write the features of a shard's tracks, those of all cuts from one pass.

    Parameters
    ----------
    path
        The HDF5 file.
    shard
        Log-mel images.
    folder
        The network, as `prepare` wrote it.
    dtype
        One of `DTYPES`.
    threads
        Processor threads to use.

    Returns
    -------
    int
        How many tracks there are.

    Raises
    ------
    GenreflowError
        If a file is damaged, the images have another shape than those that the network was
        prepared for, or the features don't fit in `dtype`.
    """
    prepared = engines.describe(folder)
    with spectrograms.open_images(shard) as images:
        if images["images"].shape[1:] != prepared.image_shape:
            raise GenreflowError(
                f"{shard} has images of {images['images'].shape[1:]}, but the network in {folder} "
                f"was prepared for {prepared.image_shape}: delete {folder} and run again"
            )
        track_ids = images["track_id"].asstr()[:].tolist()
        sizes = {cut: known["size"] for cut, known in prepared.cuts.items()}
        with writing_shard(path, track_ids, sizes, _attributes(prepared), dtype=dtype) as write:
            if track_ids:
                run = engines.load(folder, threads=threads)
                for start, batch in engines.ahead(_batches(images["images"])):
                    write(start, run(batch))
    return len(track_ids)


def _attributes(prepared: engines.Prepared) -> dict[str, Any]:
    return {
        **prepared.settings,
        "engine": prepared.engine,
        "precision": prepared.precision,
        "parameters": [known["parameters"] for known in prepared.cuts.values()],
    }


def _batches(images: h5py.Dataset) -> Iterator[tuple[int, np.ndarray]]:
    for start in range(0, len(images), engines.BATCH_SIZE):
        yield start, images[start : start + engines.BATCH_SIZE]


@contextmanager
def writing_shard(
    path: str | Path,
    track_ids: Sequence[str],
    sizes: Mapping[str, int],
    attributes: Mapping[str, Any],
    *,
    dtype: str,
) -> Iterator[Callable[[int, Sequence[np.ndarray]], None]]:
    """Write a shard of features, whatever computes them.

    Parameters
    ----------
    path
        The HDF5 file.
    track_ids
        The track of each row.
    sizes
        Dimensions of each cut.
    attributes
        At least network, the name that columns get; weights; and parameters, one number a cut.
    dtype
        One of `DTYPES`.

    Yields
    ------
    callable
        Takes the row from which on to write, and the features of some tracks, one array of
        float32 (tracks, size) a cut. It raises GenreflowError if `dtype` can't hold them.
    """
    with atomic(path) as part, h5py.File(part, "w") as file:
        file.create_dataset("track_id", data=track_ids, dtype=h5py.string_dtype("utf-8"))
        group = file.create_group("features")
        for cut, size in sizes.items():
            group.create_dataset(cut, (len(track_ids), size), dtype=dtype)

        def write(start: int, features: Sequence[np.ndarray]) -> None:
            for cut, values in zip(sizes, features, strict=True):
                ids = track_ids[start : start + len(values)]
                group[cut][start : start + len(values)] = _stored(values, dtype, cut, ids)

        yield write
        file.attrs.update(
            {**attributes, "dtype": dtype, "cuts": list(sizes), "sizes": list(sizes.values())}
        )


def _stored(values: np.ndarray, dtype: str, cut: str, track_ids: Sequence[str]) -> np.ndarray:
    """Convert features, unless that would lose them: float16 ends at 65504 and at 6e-8."""
    exact = values.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        stored = values.astype(dtype)
        lost = np.linalg.norm(stored - exact, axis=1) > LOSS * np.linalg.norm(exact, axis=1)
    wrong = lost | ~np.isfinite(stored).all(axis=1)
    if wrong.any():
        row = int(wrong.argmax())
        raise GenreflowError(
            f"track {track_ids[row]}: the features of {cut} reach {np.abs(values[row]).max():.3g}, "
            f"which {dtype} can't hold. "
            + (
                "Set transfer.dtype to float32"
                if dtype != "float32"
                else "The network gives no usable features: choose another cut or other weights"
            )
        )
    return stored


def gather(shards: Sequence[str | Path], matrices: Mapping[str, str | Path]) -> int:
    """Join shards of features into one matrix a cut.

    Parameters
    ----------
    shards
        As `extract_shard` writes them, all from the same network.
    matrices
        For each cut, the feature matrix to write, as `features.matrices.read_matrix` reads
        it. Its attributes are those of the shards, and cut, size and parameters.

    Returns
    -------
    int
        How many tracks there are.

    Raises
    ------
    GenreflowError
        If the shards' settings differ, one is damaged, or lacks a cut.
    """
    attributes, track_ids = _shared(shards)
    cuts = attributes.pop("cuts")
    parameters = dict(zip(cuts, attributes.pop("parameters"), strict=True))
    for cut, path in matrices.items():
        if cut not in cuts:
            raise GenreflowError(
                f"{shards[0]} has no features of {cut}, but of {', '.join(cuts)}: delete it "
                "and run again"
            )
        size = attributes["sizes"][cuts.index(cut)]
        about = {key: value for key, value in attributes.items() if key != "sizes"}
        feature_table.write_blocks(
            path,
            (_features(shard, cut) for shard in shards),
            track_ids,
            [f"{attributes['network']}/{cut} {number}" for number in range(size)],
            {**about, "cut": cut, "size": size, "parameters": parameters[cut]},
            dtype=attributes["dtype"],
        )
    return len(track_ids)


def _features(shard: str | Path, cut: str) -> np.ndarray:
    with _open_shard(shard) as file:
        return file["features"][cut][:]


@contextmanager
def _open_shard(path: str | Path) -> Iterator[h5py.File]:
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise GenreflowError(
            f"{path}: not a whole HDF5 file ({error}); delete it and run again: it is made anew"
        ) from None
    with file:
        if lacking := {"track_id", "features"} - set(file):
            raise GenreflowError(
                f"{path}: not a shard of backbone features, {sorted(lacking)} are missing"
            )
        yield file


def _shared(shards: Sequence[str | Path]) -> tuple[dict[str, Any], list[str]]:
    """Return the attributes that all shards have, and the tracks of all."""
    shared: dict[str, Any] = {}
    track_ids: list[str] = []
    for shard in shards:
        with _open_shard(shard) as file:
            track_ids.extend(file["track_id"].asstr()[:])
            found = {
                key: value.tolist() if isinstance(value, np.ndarray | np.generic) else value
                for key, value in file.attrs.items()
            }
        if found != (shared := shared or found):
            raise GenreflowError(
                f"{shard} was made with other settings than {shards[0]}: delete it and run again"
            )
    return shared, track_ids


def join_cuts(matrices: Sequence[str | Path], path: str | Path) -> int:
    """Put feature matrices of the same tracks side by side.

    Parameters
    ----------
    matrices
        Feature matrices, of one backbone or several.
    path
        The feature matrix to write. Its attributes are those that all matrices share; lists of
        the cuts, sizes and parameters; and weights, ``random`` if any of them are.

    Returns
    -------
    int
        How many columns there are.

    Raises
    ------
    GenreflowError
        If they don't have the same tracks.
    """
    parts = [feature_table.read_matrix(matrix) for matrix in matrices]
    track_ids = parts[0].track_ids
    columns = [column for part in parts for column in part.columns]
    for matrix, part in zip(matrices, parts, strict=True):
        if differing := set(part.track_ids) ^ set(track_ids):
            raise GenreflowError(
                f"{matrices[0]} and {matrix} don't have the same tracks: {min(differing)} is in "
                "one of them only. Join matrices of the same corpus"
            )
    x = np.concatenate([_rows(part, track_ids) for part in parts], axis=1)
    feature_table.write_matrix(path, x, track_ids, columns, _joined_attributes(parts))
    return len(columns)


def _rows(part: feature_table.Matrix, track_ids: list[str]) -> np.ndarray:
    if part.track_ids == track_ids:
        return part.x
    row_of = {track_id: row for row, track_id in enumerate(part.track_ids)}
    return part.x[[row_of[track_id] for track_id in track_ids]]


def _joined_attributes(parts: Sequence[feature_table.Matrix]) -> dict[str, Any]:
    names = [part.attributes["weights"] for part in parts if "weights" in part.attributes]
    shared = {
        key: value
        for key, value in parts[0].attributes.items()
        if all(np.array_equal(part.attributes.get(key), value) for part in parts)
    }
    return {
        **shared,
        "cut": [str(part.attributes.get("cut", "")) for part in parts],
        "size": [part.x.shape[1] for part in parts],
        "parameters": [int(part.attributes.get("parameters", 0)) for part in parts],
        "weights": "random" if "random" in names else ", ".join(dict.fromkeys(names)),
    }
