"""Feature matrices of a corpus: made in shards from audio, or taken from a published table."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from genreflow.errors import GenreflowError
from genreflow.features import matrices
from genreflow.runtime.files import write_csv


def extract_shard(
    path: str | Path,
    tracks: Iterable[tuple[str, str]],
    *,
    features: Sequence[str],
    rates: str,
    duration: float,
) -> int:
    """Write the hand-crafted features of a shard's tracks.

    Parameters
    ----------
    path
        The HDF5 file, as `features.matrices.write_matrix` writes it. What can't be read,
        or is too short, has no row; its attribute ``left_out`` says why, as JSON.
    tracks
        Track id and audio file of each.
    features, rates
        As for `features.handcrafted.extract`.
    duration
        What comes later is not looked at [s].

    Returns
    -------
    int
        How many tracks have a row.

    Raises
    ------
    GenreflowError
        If a file, there when the tracks were listed, is gone, or if one changes meanwhile.
    """
    from genreflow.audio.decode import native
    from genreflow.features import handcrafted

    rows, ids, left_out, states = [], [], {}, {}
    for track_id, source in tracks:
        states[source] = _state(source)
        try:
            samples, rate = native(source, duration=duration)
            rows.append(handcrafted.extract(samples, rate, features=features, rates=rates))
            ids.append(track_id)
        except GenreflowError as error:
            left_out[track_id] = str(error)
    # The workflow would take the features for those of the files as they are now.
    for source, state in states.items():
        if _state(source) != state:
            raise GenreflowError(f"{source} changed while it was read: run again")
    columns = handcrafted.columns(features)
    x = np.array(rows, dtype=np.float32).reshape(len(rows), len(columns))
    settings = {"features": list(features), "rates": rates, "duration": duration}
    matrices.write_matrix(
        path,
        x,
        ids,
        matrices.names(columns),
        settings | {"left_out": json.dumps(left_out)},
    )
    return len(ids)


def _state(path: str | Path) -> tuple[int, int]:
    """Return a file's size and time."""
    try:
        stat = Path(path).stat()
    except FileNotFoundError:
        raise GenreflowError(
            f"{path} was there when the run began, and is gone: put it back, or run again without "
            "it"
        ) from None
    return stat.st_size, stat.st_mtime_ns


def gather(
    shards: Sequence[str | Path],
    *,
    matrix: str | Path,
    table: str | Path,
    left_out: str | Path,
) -> int:
    """Join the shards of hand-crafted features.

    Parameters
    ----------
    shards
        As `extract_shard` writes them.
    matrix
        The joined feature matrix to write.
    table
        The CSV to write, in FMA's format.
    left_out
        The CSV to write of the tracks without features: track_id, reason.

    Returns
    -------
    int
        How many tracks have features.
    """
    parts = [matrices.read_matrix(shard) for shard in shards]
    x = np.concatenate([part.x for part in parts])
    ids = [track_id for part in parts for track_id in part.track_ids]
    reasons: dict[str, str] = {}
    for part in parts:
        reasons |= json.loads(part.attributes.pop("left_out"))
    names = parts[0].columns
    matrices.write_matrix(matrix, x, ids, names, parts[0].attributes)
    matrices.write(table, ids, [tuple(name.split(" ")) for name in names], x)
    _write_reasons(left_out, reasons)
    return len(ids)


def published(
    source: str | Path,
    track_ids: Sequence[str],
    *,
    max_missing: float,
    matrix: str | Path,
    table: str | Path,
    left_out: str | Path,
) -> tuple[int, list[str]]:
    """Take a corpus's features from a table in FMA's format.

    Parameters
    ----------
    source
        FMA's features.csv, some of its columns, or another table in its format.
    track_ids
        The tracks of the corpus.
    max_missing
        The largest share of the tracks that may lack a row, or have values in it that are not
        finite.
    matrix, table, left_out
        As for `gather`.

    Returns
    -------
    found : int
        How many tracks have features.
    missing : list of str
        The tracks that have no row, or one with values that are not finite.

    Raises
    ------
    GenreflowError
        If the table can't be read, or lacks more tracks than it may.
    """
    ids, columns, values = matrices.read(source)
    chosen = matrices.select(ids, columns, values, track_ids)
    if len(chosen.left_out) > max_missing * len(track_ids):
        listed = "\n".join(
            f"  - track {track_id}: {reason}"
            for track_id, reason in list(chosen.left_out.items())[:10]
        )
        raise GenreflowError(
            f"{source}: {len(chosen.left_out)} of the corpus's {len(track_ids)} tracks have no "
            f"whole row in it, more than corpus.max_excluded, {max_missing:.0%}. The first:\n"
            f"{listed}\nUse the table of this corpus, compute the features "
            "(handcrafted.source: audio), or raise corpus.max_excluded."
        )
    names = matrices.names(columns)
    matrices.write_matrix(matrix, chosen.x, chosen.track_ids, names, {"source": Path(source).name})
    matrices.write(table, chosen.track_ids, columns, chosen.x)
    _write_reasons(left_out, chosen.left_out)
    return len(chosen.track_ids), list(chosen.left_out)


def _write_reasons(path: str | Path, reasons: dict[str, str]) -> None:
    write_csv(pd.DataFrame(sorted(reasons.items()), columns=["track_id", "reason"]), path)
