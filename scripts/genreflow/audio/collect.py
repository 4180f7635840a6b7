"""The one collector of audio files, for corpora and for prediction.

Nothing that it meets is passed over in silence: what isn't taken is counted.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from genreflow.audio.formats import SUFFIXES
from genreflow.errors import GenreflowError

LISTS = {".txt", ".m3u", ".m3u8"}
"""Files with these endings are lists: a path a line, relative to the list; # begins a comment."""

SYSTEM = "of the system"
"""What folders and files are counted as that hold no music, or what was deleted."""

# Not all that begins with a dot: ".38 Special" plays, and "...And Justice for All" is an album.
_SYSTEM = re.compile(
    r"\._.*|\.ds_store|\.apple(double|db|desktop)|\.trash.*|\.recycle(\.bin)?|#recycle|\$recycle\.bin|"
    r"\.spotlight-.*|\.fseventsd|\.temporaryitems|\.documentrevisions-.*|__macosx|@eadir|"
    r"system volume information|lost\+found|\.snapshots?|\.zfs|\.git|\.svn|\.hg|\.snakemake|"
    r"\.stfolder|\.stversions|\.sync|\.dropbox\.cache|\.cache|\.thumbnails|\.nfs[0-9a-f]+|\.part-.*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Found:
    """What was found below folders.

    Attributes
    ----------
    files
        The audio files.
    passed_over
        How many others there are, by their ending ("" if it has none) or as `SYSTEM`.
    """

    files: list[Path]
    passed_over: dict[str, int] = field(default_factory=dict)


def below(folder: str | Path) -> Found:
    """Find the audio files below a folder, sorted by path.

    Links are followed, unless they lead back to a folder that they lie in. An empty folder whose
    name ends as that of audio is taken for a file that isn't one.
    """
    files: list[Path] = []
    passed_over: Counter[str] = Counter()
    for place, folders, names in os.walk(folder, followlinks=True):
        if not folders and not names and place != str(folder) and _is_audio(place):
            files.append(Path(place))
        system = [name for name in (*folders, *names) if _SYSTEM.fullmatch(name)]
        passed_over[SYSTEM] += len(system)
        folders[:] = sorted(
            name
            for name in folders
            if not _SYSTEM.fullmatch(name) and not _leads_back(Path(place, name))
        )
        for name in set(names).difference(system):
            if _is_audio(name):
                files.append(Path(place, name))
            else:
                passed_over[_ending(name)] += 1
    return Found(sorted(files), dict(sorted((+passed_over).items())))


def _is_audio(path: str) -> bool:
    # Not Path.suffix, for which ".mp3" alone has none: nor has it a name.
    stem, ending = os.path.splitext(path)  # noqa: PTH122 (of hundreds of thousands of names)
    return bool(stem) and ending.lower() in SUFFIXES


def _ending(name: str) -> str:
    """Return an ending that can be shown; "" for what isn't one, such as a date."""
    ending = Path(name).suffix.lower()
    return ending if re.fullmatch(r"\.[a-z][a-z0-9]{0,9}", ending, re.ASCII) else ""


def _leads_back(folder: Path) -> bool:
    """Tell whether a folder is a link to one that it lies in."""
    return folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve())


def asked_for(paths: Iterable[str | Path]) -> Found:
    """Find the audio files that somebody asks for.

    Parameters
    ----------
    paths
        Files, whatever their names, for what is asked for is tried; folders, as for `below`; and
        lists (`LISTS`) of both. What isn't there is kept, to be listed with that as the reason.

    Raises
    ------
    GenreflowError
        If a folder has no audio, or a list can't be read.
    """
    files: list[Path] = []
    passed_over: Counter[str] = Counter()
    for path in _with_lists(map(Path, paths)):
        if path.is_dir():
            found = below(path)
            if not found.files:
                raise GenreflowError(
                    f"{str(path)!r} has no audio files: expected {', '.join(sorted(SUFFIXES))}. "
                    f"{describe(found.passed_over)}"
                )
            files += found.files
            passed_over.update(found.passed_over)
        else:
            files.append(path)
    return Found(list(dict.fromkeys(files)), dict(sorted(passed_over.items())))


def _with_lists(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.suffix.lower() in LISTS and not path.is_dir():
            yield from _listed(path)
        else:
            yield path


def _listed(path: Path) -> Iterator[Path]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise GenreflowError(
            f"{str(path)!r}: can't be read as a list of files, one a line, in UTF-8 ({error})"
        ) from None
    for line in map(str.strip, lines):
        if line and not line.startswith("#"):
            yield path.parent / line


def describe(passed_over: Mapping[str, int]) -> str:
    """Say in a line what was passed over; "" if nothing was."""
    if not passed_over:
        return ""
    kinds = sorted(passed_over, key=lambda kind: (-passed_over[kind], kind))
    counts = [f"{passed_over[kind]} {kind or 'without an ending'}" for kind in kinds]
    return f"Not looked at, for they are not named as audio: {', '.join(counts)}"
