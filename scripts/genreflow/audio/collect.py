"""The one collector of audio files, for corpora and for prediction.

Nothing that it meets is passed over in silence: what isn't taken is counted.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from genreflow.audio.formats import SUFFIXES
from genreflow.audio.written import Lookup, playlist
from genreflow.errors import GenreflowError

LISTS = {".txt", ".m3u", ".m3u8", ".pls"}
"""Files with these endings are lists, as `audio.written.playlist` reads them."""

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
    """What was found below folders."""

    files: list[Path]  # of audio
    # The paths of others, each with its ending ("" if it has none) or `SYSTEM`. Bytes that aren't
    # in UTF-8 are written as escapes.
    passed_over: dict[str, str] = field(default_factory=dict)


def below(folder: str | Path) -> Found:
    """Find the audio files below a folder, sorted by path.

    Links are followed, unless they lead back to a folder that they lie in. An empty folder whose
    name ends as that of audio is taken for a file that isn't one.
    """
    files: list[Path] = []
    passed_over: dict[str, str] = {}
    for place, folders, names in os.walk(folder, followlinks=True):
        if not folders and not names and place != str(folder) and _is_audio(place):
            files.append(Path(place))
        system = [name for name in (*folders, *names) if _SYSTEM.fullmatch(name)]
        passed_over |= {_shown(place, name): SYSTEM for name in system}
        folders[:] = sorted(
            name
            for name in folders
            if not _SYSTEM.fullmatch(name) and not _leads_back(Path(place, name))
        )
        for name in set(names).difference(system):
            if _is_audio(name):
                files.append(Path(place, name))
            else:
                passed_over[_shown(place, name)] = _ending(name)
    return Found(sorted(files), dict(sorted(passed_over.items())))


def _shown(*path: str) -> str:
    return os.fsencode(os.path.join(*path)).decode("utf-8", "backslashreplace")  # noqa: PTH118


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
        lists (`LISTS`) of both, as people and players write them. What isn't there, and a folder
        without audio, is kept, to be listed with that as the reason.

    Raises
    ------
    GenreflowError
        If nothing of it is there: there is no such file, a folder has no audio, or a list can't be
        read or names no file.
    """
    files: list[Path] = []
    passed_over: dict[str, str] = {}
    problems: list[str] = []
    lookup = Lookup()
    for path in _with_lists([Path(lookup.find("", str(path))) for path in paths], lookup, problems):
        if not path.is_dir():
            files.append(path)
            if not os.path.lexists(path):
                problems.append(f"there is no file or folder {str(path)!r}")
            continue
        found = below(path)
        files += found.files or [path]
        passed_over |= found.passed_over
        if not found.files:
            problems.append(
                f"{str(path)!r} has no audio files: expected {', '.join(sorted(SUFFIXES))}. "
                f"{describe(found.passed_over.values())}"
            )
    files = list(dict.fromkeys(files))
    if problems and not any(path.is_file() and path.suffix.lower() not in LISTS for path in files):
        raise GenreflowError("\n".join([*problems[:5], *(["..."] if len(problems) > 5 else [])]))
    tried = set(map(_shown, map(str, files)))
    return Found(files, {path: passed_over[path] for path in sorted(passed_over.keys() - tried)})


def _with_lists(paths: Iterable[Path], lookup: Lookup, problems: list[str]) -> Iterator[Path]:
    """Yield paths, and those that lists among them name."""
    for path in paths:
        if path.suffix.lower() not in LISTS or path.is_dir():
            yield path
            continue
        try:
            listed = playlist(path)
        except GenreflowError as error:
            problems.append(str(error))
            yield path
            continue
        if not listed:
            problems.append(f"{str(path)!r} names no file")
        for one in listed:
            yield Path(lookup.find(path.parent, one))


def describe(passed_over: Iterable[str]) -> str:
    """Say in a line how many files of which endings were passed over; "" if none were."""
    counts = Counter(passed_over)
    if not counts:
        return ""
    kinds = sorted(counts, key=lambda kind: (-counts[kind], kind))
    said = [f"{counts[kind]:,} {kind or 'without an ending'}" for kind in kinds]
    return f"Not looked at, for they are not named as audio: {', '.join(said)}"
