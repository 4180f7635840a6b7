"""The files that the page of the report is made from."""

from collections.abc import Iterable
from pathlib import Path

from genreflow.errors import GenreflowError
from genreflow.layout import PREDICTIONS, Layout


class Files:
    """Some files of a results folder, by what they are.

    It raises GenreflowError if one isn't below the folder.
    """

    def __init__(self, results: Path, files: Iterable[str | Path]):
        self.results, self.layout = results, Layout(results)
        self._paths = dict.fromkeys(sorted({Path(file) for file in files}))
        for path in self._paths:
            if not path.is_relative_to(results):
                raise GenreflowError(f"{path}: the report of {results} takes files below it only.")

    def below(self, folder: str, suffix: str) -> list[Path]:
        """Return those below a folder that end so."""
        # Suffixes first: there may be a benchmark file for each of 100,000 tracks.
        ending = [path for path in self._paths if path.suffix == suffix]
        return [path for path in ending if path.is_relative_to(folder)]

    def predictions(self) -> list[Path]:
        """Return the predictions of learners."""
        return [path for path in self._paths if path.name == PREDICTIONS]

    def find(self, file: str) -> Path | None:
        """Return a file, if it is given."""
        return Path(file) if Path(file) in self._paths else None

    def require(self, file: str) -> Path:
        """Return a file, which must be given, or GenreflowError is raised."""
        path = self.find(file)
        if path is None:
            raise GenreflowError(f"{file}: the report can't be made without it. Give it, too.")
        return path
