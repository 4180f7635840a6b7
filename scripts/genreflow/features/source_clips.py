"""Clips as audio at its own rate, from the files of the corpus."""

from collections.abc import Iterable
from pathlib import Path

from genreflow.audio.decode import native
from genreflow.errors import GenreflowError, Unusable
from genreflow.features.feature_set import Clips, Sound


def sources(tracks: Iterable[tuple[str, str]], *, duration: float) -> Clips:
    """Yield the audio of tracks at its own rate, given with their files, up to a duration [s].

    Raises
    ------
    GenreflowError
        At the end, if a file changed meanwhile, or is gone: the workflow would take the features
        for those of the files as they are now.
    """

    def read(path: str) -> Sound:
        try:
            return Sound(*native(path, duration=duration))
        except GenreflowError as error:
            raise Unusable(str(error)) from None

    states = {}
    for track_id, path in tracks:
        states[path] = _state(path)
        yield track_id, lambda path=path: read(path)
    for path, state in states.items():
        if _state(path) != state:
            raise GenreflowError(f"{path} changed while it was read: run again")


def _state(path: str) -> tuple[int, int]:
    """Return a file's size and time."""
    try:
        stat = Path(path).stat()
    except FileNotFoundError:
        raise GenreflowError(
            f"{path} was there when the run began, and is gone: put it back, or run again without "
            "it"
        ) from None
    return stat.st_size, stat.st_mtime_ns
