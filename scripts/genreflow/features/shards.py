"""Features of a corpus: made in shards, joined into one matrix an output.

A shard of features is HDF5: ``track_id``, and the group ``features`` with a dataset (tracks, size)
for each output of the feature set. Its attributes tell what made it, and why tracks were left out.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from genreflow.errors import GenreflowError, Unusable, require_enough
from genreflow.features import matrices
from genreflow.features.feature_set import Clips, FeatureSet, Part
from genreflow.runtime import hdf5
from genreflow.runtime.files import atomic, write_reasons

LOSS = 0.01
"""The largest relative error that storing a track's features may cause."""

_ONLY = "features"
"""What the output of a set that has only one is called in a shard."""


def write(path: str | Path, features: FeatureSet, clips: Clips) -> int:
    """Write the features of a shard's tracks, those of all outputs from one pass; return how many.

    Tracks that have no such features have no row; ``left_out`` says why.

    Raises
    ------
    GenreflowError
        If a file is damaged, the network doesn't take the clips, features can't be stored in the
        dtype of the set, or those of two tracks have different lengths.
    """
    ids: list[str] = []
    left_out: dict[str, str] = {}
    part = Part(features.kind, features.name, "", dict(features.settings))
    with atomic(path) as place, h5py.File(place, "w") as file:
        group = file.create_group("features")
        for batch in _ahead(_batches(features, clips, left_out)):
            track_ids = [track_id for track_id, _ in batch]
            try:
                computed = features.extract([clip for _, clip in batch])
            except Unusable as error:
                left_out |= dict.fromkeys(track_ids, str(error))
                continue
            except GenreflowError as error:
                raise GenreflowError(f"at track {track_ids[0]}: {error}") from None
            ids += track_ids
            for output, values in computed.items():
                _append(group, output, _stored(values, features, output, track_ids), ids)
        file.create_dataset("track_id", data=ids, dtype=h5py.string_dtype("utf-8"))
        file.attrs["part"] = json.dumps(asdict(part), sort_keys=True)
        file.attrs["about"] = json.dumps(features.about if ids else {}, sort_keys=True)
        # Not an attribute, which may have 64 kB.
        file["left_out"] = json.dumps(left_out)
    return len(ids)


def _append(group: h5py.Group, output: str, rows: np.ndarray, track_ids: list[str]) -> None:
    """Write the features of the last of the tracks behind those of the others."""
    name, width = output or _ONLY, rows.shape[1]
    if name not in group:
        group.create_dataset(
            name, (0, width), rows.dtype, maxshape=(None, width), chunks=rows.shape
        )
    stored = group[name]
    if stored.shape[1] != width:
        raise GenreflowError(
            f"the features of track {track_ids[len(stored)]} have {width} dimensions, those of "
            f"track {track_ids[0]} {stored.shape[1]}. Set pooling to mean, or give a duration"
        )
    stored.resize(len(track_ids), axis=0)
    stored[-len(rows) :] = rows


def _batches(
    features: FeatureSet, clips: Clips, left_out: dict[str, str]
) -> Iterator[list[tuple[str, Any]]]:
    """Yield clips that can be used, as many as the set takes at a time."""

    def usable() -> Iterator[tuple[str, Any]]:
        for track_id, read in clips:
            try:
                yield track_id, read()
            except Unusable as error:
                left_out[track_id] = str(error)

    each = usable()
    while batch := list(islice(each, features.batch)):
        yield batch


def _ahead(batches: Iterable[Any]) -> Iterator[Any]:
    """Yield batches, the next of which is read in a thread while one is worked on."""
    iterator, end = iter(batches), object()
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, iterator, end)
        while (batch := coming.result()) is not end:
            coming = pool.submit(next, iterator, end)
            yield batch


def _stored(
    values: np.ndarray, features: FeatureSet, output: str, track_ids: Sequence[str]
) -> np.ndarray:
    """Convert features, unless that would lose them: float16 ends at 65504 and at 6e-8."""
    exact = values.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        stored = values.astype(features.dtype)
        lost = np.linalg.norm(stored - exact, axis=1) > LOSS * np.linalg.norm(exact, axis=1)
    wrong = lost | ~np.isfinite(stored).all(axis=1)
    if wrong.any():
        row = int(wrong.argmax())
        name = f"{features.name}/{output}" if output else features.name
        largest = np.abs(values[row]).max()
        said = f"reach {largest:.3g}, which {features.dtype} can't hold"
        raise GenreflowError(
            f"track {track_ids[row]}: the features {name} "
            + (said if np.isfinite(largest) else "are not finite")
            + (
                ". Set transfer.dtype to float32"
                if np.isfinite(largest) and features.dtype != "float32"
                else ". The network gives no usable features: choose another cut or other weights"
            )
        )
    return stored


def gather(
    shards: Sequence[str | Path],
    output: str,
    *,
    matrix: str | Path,
    left_out: str | Path,
    used: Collection[str] = (),
    max_excluded: float = 1,
) -> int:
    """Join shards of a feature set into one matrix; return how many tracks have features.

    Parameters
    ----------
    output
        Which output; "" for the only one.
    matrix
        The feature matrix to write. Its attribute ``parts`` tells where its columns come from,
        ``about`` what else is known of them.
    left_out
        The CSV to write of the tracks without features: track_id, reason.
    used
        The tracks that can be used, as far as their audio goes.
    max_excluded
        The largest share of those that may lack the features.

    Raises
    ------
    GenreflowError
        If the shards' settings differ, one is damaged, or lacks the output; or if more than
        `max_excluded` of the tracks lack it.
    """
    known, track_ids, reasons = _shared(shards)
    part = replace(Part(**json.loads(known["part"])), output=output)
    lost = [(track_id, reasons[track_id]) for track_id in used if track_id in reasons]
    said, remedy = f"have no features {part.name}", "Mend the files, leave out learners on these"
    require_enough(lost, len(used), max_excluded, said, remedy)
    size = _size(shards, output)
    features = part.feature_set()
    matrices.write_blocks(
        matrix,
        (block.reshape(-1, size) for block in _blocks(shards, output)),
        track_ids,
        features.column_names(output, size),
        {"parts": json.dumps([asdict(part)]), "about": json.dumps([known["about"]])},
        dtype=features.dtype,
    )
    write_reasons(left_out, reasons)
    return len(track_ids)


def _blocks(shards: Sequence[str | Path], output: str) -> Iterator[np.ndarray]:
    for shard in shards:
        with _open_shard(shard) as file:
            if len(file["track_id"]):
                yield file["features"][output or _ONLY][:]


def _size(shards: Sequence[str | Path], output: str) -> int:
    """Return how many columns an output has in all shards that have tracks."""
    sizes = {}
    for shard in shards:
        with _open_shard(shard) as file:
            found = file["features"]
            if not len(file["track_id"]):
                continue
            if (output or _ONLY) not in found:
                raise GenreflowError(
                    f"{shard} has no features of {output}, but of {', '.join(found)}: delete it "
                    "and run again"
                )
            sizes[found[output or _ONLY].shape[1]] = shard
    if len(sizes) > 1:
        (one, first), (other, second) = list(sizes.items())[:2]
        raise GenreflowError(
            f"the features have {one} dimensions in {first} and {other} in {second}. Set pooling "
            "to mean, or give a duration"
        )
    return next(iter(sizes), 0)


def _open_shard(path: str | Path) -> AbstractContextManager[h5py.File]:
    return hdf5.opened(path, "a shard of features", ["track_id", "features", "left_out"])


def _shared(shards: Sequence[str | Path]) -> tuple[dict[str, Any], list[str], dict[str, str]]:
    """Return what all shards say of themselves, the tracks of all, and those left out."""
    known: dict[str, Any] = {}
    track_ids: list[str] = []
    reasons: dict[str, str] = {}
    for shard in shards:
        with _open_shard(shard) as file:
            track_ids.extend(file["track_id"].asstr()[:])
            reasons |= json.loads(file["left_out"].asstr()[()])
            # A shard in which nothing could be used doesn't know what would have run.
            found = {"part": file.attrs["part"], "about": json.loads(file.attrs["about"])}
        known = known or found
        known["about"] = known["about"] or found["about"]
        if found["part"] != known["part"] or found["about"] not in ({}, known["about"]):
            raise GenreflowError(
                f"{shard} was made with other settings than {shards[0]}: delete it and run again"
            )
    return known, track_ids, reasons


def join(paths: Sequence[str | Path], path: str | Path) -> int:
    """Put matrices side by side, of the tracks that all of them have; return how many columns.

    The attributes are those of all, in the order of the columns.
    """
    parts = [matrices.read_matrix(matrix) for matrix in paths]
    common = set(parts[0].track_ids).intersection(*(part.track_ids for part in parts))
    track_ids = [track_id for track_id in parts[0].track_ids if track_id in common]
    columns = [column for part in parts for column in part.columns]
    joined = {
        key: json.dumps([one for part in parts for one in json.loads(part.attributes[key])])
        for key in ("parts", "about")
    }
    x = np.concatenate([_rows(part, track_ids) for part in parts], axis=1)
    matrices.write_matrix(path, x, track_ids, columns, joined)
    return len(columns)


def _rows(part: matrices.Matrix, track_ids: list[str]) -> np.ndarray:
    row_of = {track_id: row for row, track_id in enumerate(part.track_ids)}
    return part.x[[row_of[track_id] for track_id in track_ids]]


def parts_of(matrix: str | Path) -> list[Part]:
    """Return where the columns of a feature matrix come from, in their order."""
    return [Part(**known) for known in json.loads(matrices.read_attributes(matrix)["parts"])]
