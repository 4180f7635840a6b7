"""What the tags of audio files say of artist, album and genre.

A crafted file can keep its reader busy for hours, or take all memory. So other processes read,
within limits: what such a file costs is its own tags.
"""

import json
import math
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from genreflow.audio.formats import SAFE, explain

PROCESSES, FILES = 8, 250
"""So many processes read at a time, at least so many files each: slow disks answer several at once.
"""

SECONDS, MEMORY = 2, 2**30
"""What reading the tags of a file may take of the processor [s], and of memory [bytes]."""

LONGEST, MOST = 200, 20
"""Texts are cut after so many characters; of further values of a tag nothing is kept."""


@dataclass(frozen=True, slots=True)
class Tags:
    """The tags of a file.

    Attributes
    ----------
    genres
        The values of its genre, as they are written there.
    artist, album_artist, album, title
        The first value of each; "" if there is none.
    year
        Four digits, or "".
    compilation
        Whether the file says that it is part of one.
    problem
        Why its tags couldn't be read, if so.
    """

    genres: tuple[str, ...] = ()
    artist: str = ""
    album_artist: str = ""
    album: str = ""
    title: str = ""
    year: str = ""
    compilation: bool = False
    problem: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "genres", tuple(self.genres))  # a list, in JSON

    def plain(self) -> dict[str, Any]:
        """Return what there is as plain values."""
        return {name: value for name, value in asdict(self).items() if value}


_LIBRARY = str(Path(__file__).parents[2])
_DEADLY = (signal.SIGKILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT)


def read(paths: Sequence[str]) -> list[Tags]:
    """Read the tags of regular files, in their order; what can't be read has none, and says why.

    Raises
    ------
    RuntimeError
        If no process can read, whatever the file.
    """
    size = max(FILES, math.ceil(len(paths) / PROCESSES))
    batches = [paths[start : start + size] for start in range(0, len(paths), size)]
    with ThreadPoolExecutor(PROCESSES) as pool:
        return list(chain.from_iterable(pool.map(_by_another_process, batches)))


def _by_another_process(paths: Sequence[str]) -> list[Tags]:
    """Read files; a new process goes on after the file that was the end of one."""
    command = [sys.executable, "-P", "-m", "genreflow.audio.tags"]
    environment = os.environ | {"PYTHONPATH": _LIBRARY}
    found: list[Tags] = []
    while len(found) < len(paths):
        asked = json.dumps(paths[len(found) :]).encode()
        done = subprocess.run(  # noqa: S603
            command, input=asked, capture_output=True, env=environment, check=False
        )
        whole = done.stdout[: done.stdout.rfind(b"\n") + 1].splitlines()
        found += [Tags(**json.loads(line)) for line in whole]
        if len(found) < len(paths):
            if -done.returncode not in _DEADLY:
                raise RuntimeError(f"tags can't be read: {done.stderr.decode(errors='replace')}")
            found.append(Tags(problem="the process that read them was ended by the system"))
    return found


def _serve() -> None:
    """Read the files that standard input names, and print a line for each."""
    with suppress(ValueError, OSError):  # not every system can
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGPROF, _give_up)
    for path in json.load(sys.stdin):
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            tags = _of_values(_values(path))
        except Exception as error:  # whatever it is, the next file has nothing to do with it
            tags = Tags(problem=_cut(str(error)) or type(error).__name__)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps(tags.plain()), flush=True)


def _give_up(*_: Any) -> None:
    raise TimeoutError(f"more than {SECONDS} s of processor time")


def _values(path: str) -> Mapping[str, Sequence[str]]:
    """Return the values of all tags by their names in small letters."""
    from tinytag import TinyTag, UnsupportedFormatError

    try:
        return TinyTag.get(path, duration=False).as_dict()
    except UnsupportedFormatError:
        return _by_ffmpeg(path)


def _by_ffmpeg(path: str) -> dict[str, list[str]]:
    """Read what tinytag doesn't know, such as APE and Matroska, at fifty times the cost."""
    import imageio_ffmpeg

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-threads", "1", *SAFE]
    command += ["-timelimit", str(SECONDS), "-i", f"file:{path}", "-f", "ffmetadata", "pipe:1"]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
    if done.returncode:
        raise ValueError(explain(done.stderr.decode(errors="replace")))
    # A line for each, with a backslash before signs; sections of streams come after.
    whole = re.split(r"(?m)^\[", done.stdout.decode(errors="replace"), maxsplit=1)[0]
    lines = re.findall(r"(?ms)^([^;=\n]+)=((?:\\.|[^\\\n])*)$", whole)
    return {name.lower(): [re.sub(r"(?s)\\(.)", r"\1", text)] for name, text in lines}


_COMPILATION = ("compilation", "tcmp", "tcp", "cpil", "iscompilation")
_TRUE = {"1", "true", "yes"}


def _of_values(values: Mapping[str, Sequence[str]]) -> Tags:
    def texts(*names: str) -> list[str]:
        given = chain.from_iterable(values.get(name, ()) for name in names)
        parts = chain.from_iterable(re.split("\0+", str(one)) for one in given)
        return [text for text in map(_cut, parts) if text]

    def first(*names: str) -> str:
        return next(iter(texts(*names)), "")

    year = re.search(r"(?<!\d)\d{4}(?!\d)", first("year", "date"), re.ASCII)
    return Tags(
        genres=tuple(dict.fromkeys(texts("genre")))[:MOST],
        artist=first("artist"),
        album_artist=first("albumartist", "album_artist", "album artist"),
        album=first("album"),
        title=first("title"),
        year=year[0] if year else "",
        compilation=any(text.lower() in _TRUE for text in texts(*_COMPILATION)),
    )


def _cut(text: str) -> str:
    """Return a text of one line that can be shown, and is no longer than `LONGEST`."""
    shown = "".join(char if char.isprintable() else " " for char in text[: 2 * LONGEST])
    return " ".join(shown.split())[:LONGEST].strip()


if __name__ == "__main__":
    _serve()
