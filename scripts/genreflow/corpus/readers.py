"""Which tracks a corpus lists: the readers of the kinds of corpora.

`list_tracks` runs whenever the workflow is parsed, so this module imports only the standard
library at its top.
"""

import hashlib
import os
import re
import stat
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from genreflow import names
from genreflow.audio import collect
from genreflow.audio.formats import SUFFIXES
from genreflow.audio.written import Lookup
from genreflow.corpus import demo, genres, labels, tables, tagged
from genreflow.corpus.tracks import PARTS, Listing, Track
from genreflow.errors import GenreflowError
from genreflow.layout import Layout


def list_tracks(
    corpus: Mapping[str, Any], *, results: str | Path, seed: int, audio_for: str
) -> Listing:
    """List the tracks of the configured corpus; the seed is that of the demo corpus.

    Parameters
    ----------
    audio_for
        A learner that needs audio; "" if none does: then no file that FMA or a table names is
        looked for.

    Raises
    ------
    GenreflowError
        If the source is missing or can't be used.
    """
    where = {"results": results, "seed": seed, "audio_for": audio_for}
    listing = as_found(corpus, **where)
    if listing.problem:
        return listing
    found = {track.genre for track in listing.tracks}
    if len(found) < 2:
        said = f"one genre, {found.pop()!r}" if found else "no track with a genre and a file"
        out = "".join(f", {len(own):,} {reason}" for reason, own in listing.left_out.items())
        if listing.missing:
            first = listing.missing[0]
            why = listing.why.get(first.track_id, _NOT_THERE)
            out += f", {len(listing.missing):,} can't be opened, first {first.path}: {why}"
        raise GenreflowError(
            f"corpus {corpus['name']!r} has {said}: there must be at least two genres"
            f"{out and f' (left out: {out[2:]})'}. {_LAYOUT[corpus['kind']].format(**corpus)}"
        )
    return listing


def as_found(
    corpus: Mapping[str, Any], *, results: str | Path, seed: int, audio_for: str
) -> Listing:
    """List what there is, as `list_tracks` does, be it enough for a corpus or not."""
    listing = _READERS[corpus["kind"]](corpus, Path(results), seed, audio_for)
    if listing.problem:
        return listing
    listing = genres.mapped(listing, genres.Map(corpus["genre_map"]))
    named, said = labels.unified([*listing.tracks, *listing.missing])
    tracks, missing = named[: len(listing.tracks)], named[len(listing.tracks) :]
    notes = [*listing.notes, *said, *labels.placeholders(tracks)]
    listing = replace(listing, tracks=tracks, missing=missing, notes=notes)
    return genres.without_rare(listing, corpus["min_tracks"])


_LAYOUT = {
    "demo": "",
    "fma": "Expected in {audio}: fma_{subset}/000/000002.mp3 and so on, for the tracks of "
    "fma_metadata/tracks.csv. `snakemake fetch` with the same options brings what is missing.",
    "folder": "Expected in {audio}: one sub-folder per genre, with audio files in it "
    f"({', '.join(sorted(SUFFIXES))}).",
    "tags": "Expected in {audio}: audio files whose tags name their genre, one each; `snakemake "
    "tags` with the same options shows what there is.",
    "table": "Expected in {table}: a row per track, with the columns path and genre.",
}


def can_be_input(path: Path) -> bool:
    """Tell whether a file is there that Snakemake can hold the name of, as no other rule must."""
    return not _why_not(str(path))


def _demo(corpus: Mapping[str, Any], results: Path, seed: int, audio_for: str) -> Listing:
    tracks = demo.tracks(
        genres=corpus["genres"],
        clips_per_genre=corpus["clips_per_genre"],
        seed=seed,
        source=Layout(results).source,
    )
    return Listing(_sorted(tracks), [])


def _fma(corpus: Mapping[str, Any], results: Path, seed: int, audio_for: str) -> Listing:
    from genreflow.corpus import fma

    folder = Path(corpus["audio"])
    metadata, audio = folder / "fma_metadata" / "tracks.csv", folder / f"fma_{corpus['subset']}"
    needed = (metadata, audio) if audio_for else (metadata,)
    lacking = [str(path) for path in needed if not path.exists()]
    if lacking:
        return Listing(
            [],
            [],
            problem=f"FMA {corpus['subset']} is not at {corpus['audio']}: {' and '.join(lacking)} "
            "not found. Run `snakemake fetch` with the same options to download it, or set "
            "corpus.audio to the folder where you have it.",
        )
    found = fma.read_tracks(metadata, audio, corpus["subset"], level=corpus["genre_level"])
    listed = replace(found, tracks=_sorted(found.tracks))
    return _parted(listed) if audio_for else listed


def _parted(listing: Listing) -> Listing:
    """Part the tracks whose files can be opened from the others; 106,574 take 0.3 s."""
    found, missing, why = [], [], dict(listing.why)
    for track in listing.tracks:
        reason = _why_not(track.path)
        if reason == _NOT_UTF_8:
            track = Track(**{key: _readable(text) for key, text in asdict(track).items()})
        (missing if reason else found).append(track)
        if reason and reason != _NOT_THERE:
            why[track.track_id] = reason
    return replace(listing, tracks=found, missing=missing, why=why)


_NOT_THERE = "not there"
_WILDCARD = re.compile(r"\{[^{}]+\}")
_NOT_UTF_8 = "its name is not in UTF-8, which Snakemake can't write down: rename it"

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def _why_not(path: str) -> str:
    """Say why a path can't be opened as a file; "" if it can.

    Whoever opens a named pipe waits for ever, and some devices never end. Snakemake has no way to
    write braces in a name as they are.
    """
    if found := _WILDCARD.search(path):
        return f"Snakemake takes {found[0]!r} in its name for a wildcard: rename the file or folder"
    try:
        path.encode()
        kind = stat.S_IFMT(os.stat(path).st_mode)  # noqa: PTH116 (of thousands of paths)
    except UnicodeEncodeError:
        return _NOT_UTF_8
    except FileNotFoundError:
        return _NOT_THERE
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    if kind != stat.S_IFREG:
        return f"{_KINDS.get(kind, 'something else')}, not a file"
    return "" if os.access(path, os.R_OK) else "you may not read it: change its permissions"


def _readable(text: str) -> str:
    """Write bytes that are not UTF-8 as escapes."""
    return os.fsencode(text).decode("utf-8", "backslashreplace")


def _folder(corpus: Mapping[str, Any], results: Path, seed: int, audio_for: str) -> Listing:
    root = _root(corpus)
    found = collect.below(root)
    _refuse_loose_files(root, found.files)
    tracks = [_track_of_file(path, root, corpus["levels"]) for path in found.files]
    return _parted(Listing(_sorted(tracks), [], passed_over=found.passed_over))


def _root(corpus: Mapping[str, Any]) -> Path:
    root = Path(Lookup().find("", corpus["audio"]))
    if not root.is_dir():
        raise GenreflowError(
            f"corpus.audio: there is no folder {str(root)!r}. "
            f"{_LAYOUT[corpus['kind']].format(**corpus)}"
        )
    return root


def _tags(corpus: Mapping[str, Any], results: Path, seed: int, audio_for: str) -> Listing:
    root = _root(corpus)
    found = collect.below(root)
    files = [
        Track(track_id_of(path.relative_to(root).as_posix()), str(path), genre="", title=path.stem)
        for path in found.files
    ]
    listing = _parted(Listing(_sorted(files), [], passed_over=found.passed_over))
    said = tagged.read([one.path for one in listing.tracks], Layout(results).tags)
    return tagged.labelled(listing, said, corpus)


def _refuse_loose_files(root: Path, paths: list[Path]) -> None:
    loose = [path.name for path in paths if path.parent == root]
    if loose and len(loose) == len(paths):
        raise GenreflowError(
            f"{root} holds {len(loose)} audio files (such as {loose[0]!r}) but no sub-folders: "
            "the genre of a file is the name of the sub-folder of corpus.audio that it lies in. "
            "Make one sub-folder per genre, or list the files in a CSV (corpus.kind: table)."
        )
    if loose:
        raise GenreflowError(
            f"{root / loose[0]} lies outside the genres' sub-folders, as do {len(loose) - 1} "
            "more audio files: move them into a sub-folder, which gives them their genre."
        )


def _track_of_file(path: Path, root: Path, levels: list[str]) -> Track:
    relative = path.relative_to(root)
    known = dict(zip(levels, relative.parts[:-1], strict=False))
    if "genre" not in known:
        raise GenreflowError(
            f"{path} lies above the folders of genres: corpus.levels says that sub-folders are "
            f"{', '.join(levels)}. Move it, or change corpus.levels."
        )
    artist, album = (names.folded(known.get(level, "")) for level in ("artist", "album"))
    return Track(
        track_id=track_id_of(relative.as_posix()),
        path=str(path),
        genre=known["genre"],
        artist=artist,
        album=album,
        title=path.stem,
        **labels.identified(artist, album),
    )


def track_id_of(relative: str) -> str:
    """Make an id that is safe as a file name from a path below the corpus's folder.

    The readable half comes from the name of the file; the other half is a hash of the path
    (SHA-256, 48 bits), so that equal names in two folders differ and other files' coming and going
    changes nothing.
    """
    plain = unicodedata.normalize("NFKD", Path(relative).stem).encode("ascii", "ignore").decode()
    readable = re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-")[:40] or "track"
    digest = hashlib.sha256(relative.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return f"{readable}-{digest}"


def _table(corpus: Mapping[str, Any], results: Path, seed: int, audio_for: str) -> Listing:
    lookup = Lookup()
    path = Path(lookup.find("", corpus["table"]))
    base = Path(lookup.find("", corpus["audio"]) if corpus["audio"] else path.parent)
    rows, encoding = tables.read(path, audio_for=audio_for)
    _refuse_twice(path, rows)
    labelled = [(line, row) for line, row in rows if row["genre"]]
    find = lookup.find if audio_for else os.path.join
    tracks = [_track_of_row(row, f"{path}, line {line}", base, find) for line, row in labelled]
    said = list(_said_of_table(path, encoding, rows))
    listed = Listing(_sorted(tracks), [], without_genre=len(rows) - len(tracks), notes=said)
    if not audio_for:
        return listed
    listing = _parted(listed)
    if listing.missing and not listing.tracks:
        raise GenreflowError(
            f"{path}: none of its {len(tracks)} files is there; the first should be at "
            f"{listing.missing[0].path}. Relative paths start from {base}: set corpus.audio to the "
            "folder that they start from."
        )
    return replace(listing, notes=[*said, *_said_of_names(path, labelled, tracks, base)])


def _refuse_twice(table: Path, rows: list[tuple[int, dict[str, str]]]) -> None:
    """Refuse ids, or paths where they make the ids, that stand there twice."""
    first: dict[str, tuple[int, str]] = {}
    for line, row in rows:
        track_id = row["track_id"] or track_id_of(row["path"])
        before, path = first.setdefault(track_id, (line, row["path"]))
        if before != line:
            raise GenreflowError(
                f"{table}, line {line}: two tracks have the id {track_id!r}: {path or 'one'} in "
                f"line {before}, and {row['path'] or 'this one'}. Every track needs a row and an "
                "id of its own"
            )


def _said_of_table(
    path: Path, encoding: str, rows: list[tuple[int, dict[str, str]]]
) -> Iterator[str]:
    if encoding.startswith("Windows"):
        yield f"{path} is not in UTF-8: read as {encoding}."
    if lines := [str(line) for line, row in rows if not row["genre"]]:
        more = f" and {len(lines) - 5} more" if len(lines) > 5 else ""
        yield f"{path}: left out for want of a genre: line {', '.join(lines[:5])}{more}."


def _said_of_names(
    path: Path, labelled: list[tuple[int, dict[str, str]]], tracks: list[Track], base: Path
) -> Iterator[str]:
    pairs = zip(labelled, tracks, strict=True)
    others = [row["path"] for (_, row), one in pairs if one.path != str(base / row["path"])]
    if others:
        yield (
            f"{path}: {len(others):,} files were found by names that are written otherwise on disk "
            f"(signs, letter case, blanks or the form of Unicode), first {others[0]!r}."
        )


def _track_of_row(
    row: dict[str, str], place: str, base: Path, find: Callable[[Path, str], str]
) -> Track:
    if row["split"].lower() not in ("", *PARTS):
        raise GenreflowError(
            f"{place}: split is {row['split']!r}; expected {', '.join(PARTS)} or nothing"
        )
    track_id = row["track_id"] or track_id_of(row["path"])
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,100}", track_id):
        raise GenreflowError(
            f"{place}: track_id {track_id!r} can't be a file name; use letters, digits, _, - and "
            ". (at most 101), or leave the column out and ids are made from the paths"
        )
    known = row | {
        "track_id": track_id,
        "path": str(Path(find(base, row["path"]))) if row["path"] else "",
        "split": row["split"].lower(),
    }
    return Track(**known, **labels.identified(row["artist"], row["album"]))


def _sorted(tracks: Iterable[Track]) -> list[Track]:
    """Sort by id and refuse an id that stands for two tracks."""
    ordered = sorted(tracks, key=lambda track: (len(track.track_id), track.track_id))
    for one, other in pairwise(ordered):
        if one.track_id == other.track_id:
            raise GenreflowError(
                f"two tracks have the id {one.track_id!r}: {one.path} and {other.path}. "
                "Every track needs an id of its own."
            )
    return ordered


_READERS = {"demo": _demo, "fma": _fma, "folder": _folder, "tags": _tags, "table": _table}
